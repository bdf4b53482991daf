import functools
from types import SimpleNamespace
from mod_python import apache

data = 1

def says(text):
    def handler(req):
        req.write(text)
        return apache.OK
    return handler

handler, other = says("default"), says("other")
box = SimpleNamespace(lid=SimpleNamespace(handler=says("lid")))

class Broken:
    @property
    def handler(self):
        return self.not_there


broken = Broken()


class Counter:
    n = 0
    def count(self, req):
        self.n += 1
        req.write("count %d" % self.n)
        return apache.OK
counter = Counter()

class Greeter:
    def __call__(self, req):
        req.write("called")
        return apache.OK
greeter = Greeter()

def write(text, req):
    req.write(text)
    return apache.OK
bound_early = functools.partial(write, "partial")

class View:
    made = 0
    def __init__(self, req):
        self.req = req
        View.made += 1
    def show(self, req):
        req.write("view %s %d" % (self.req is req, View.made))
        return apache.OK
    @staticmethod
    def static(req):
        req.write("static")
        return apache.OK
    @classmethod
    def of_class(cls, req):
        req.write("class " + cls.__name__)
        return apache.OK
    class Part:
        def __init__(self, req):
            self.uri = req.uri
        def show(self, req):
            req.write("part of " + self.uri)
            return apache.OK
