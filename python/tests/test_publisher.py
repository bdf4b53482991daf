"""The publisher without a server: where paths lead, who is admitted, how pages are loaded."""

import base64
import gc
import os
import threading
import unittest
import warnings

import fake_apache
from support import LibraryTest
from test_util import URLENCODED, Request

from mod_python import _page_rules, publisher, util


class Published(Request):
    """As much of a request as the publisher uses."""

    def __init__(self, filename, path_info="", query=None, method="GET", body=b"", user=None, config=()):
        super().__init__(body, URLENCODED if body else None, query, method)
        self.filename, self.path_info = filename, path_info
        self.extension, self.content_type, self._content_type_set, self._bytes_queued = None, None, 0, 0
        self.err_headers_out, self.written, self.allowed, self.config = {}, [], None, dict(config)
        if user is not None:
            self.headers_in["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "content_type" and value is not None:
            self._content_type_set = 1

    def get_addhandler_exts(self):
        return "html psp"

    def get_config(self):
        return self.config

    def allow_methods(self, methods):
        self.allowed = methods

    def write(self, data, flush=1):
        self._bytes_queued += len(data)
        self.written.append(data)


SITE = '''
    import functools, os, types
    from mod_python import util

    __hidden = _hidden = "hidden"
    text, number, nothing, data = "text", 5, None, b"data"
    page = "<html>x</HTML>\\n"
    umlaut = "é"
    made = (n for n in "abc")

    def index(req):
        return "index"

    def hello(req, name="nobody", n=1):
        return f"{name} {n!r}"

    def needs(a, b, *, c):
        return a + b + c

    def everything(**fields):
        return repr(sorted((name, value) for name, value in fields.items() if name != "req"))

    def latin(req):
        req.content_type = "text/html; charset=iso-8859-1"
        return "é€"

    def inner(req, a="x"):
        return lambda a="y": "inner " + a

    def class_result(req):
        return Inner

    def endless(req):
        return endless

    async def coroutine(req):
        return "x"

    def generator(req):
        yield "x"

    def fails(req):
        raise ValueError("fails")

    class Inner:
        deep = "deep"
        def method(self, a="1"):
            return "method " + a
        def __str__(self):
            return "Inner as text"

    class Outer:
        def __init__(self):
            self.inner = Inner()
        def __call__(self, a="1"):
            return "called " + a
        @property
        def broken(self):
            raise RuntimeError("broken")

    class Meta(type):
        pass

    class OfMeta(metaclass=Meta):
        attribute = "x"

    inst = Inner()
    outer = Outer()
    part = functools.partial(hello, name="part")
    space = types.SimpleNamespace(a=1)
'''


class PageTest(LibraryTest):
    def setUp(self):
        super().setUp()
        publisher.page_cache.clear()

    def path(self, name):
        return os.path.join(self.folder, name)

    def ask(self, path, site="site", **more):
        """The status, the text, the type of what is published at a path."""
        req = self.req = Published(self.path(site), path, **more)
        try:
            status = publisher.handler(req) or 200
        except util.SERVER_RETURN as error:
            return error.args[0]
        self.assertEqual(status, 200)
        self.assertLessEqual(len(req.written), 1)
        return req.written[0] if req.written else None, req.content_type


class PublisherTest(PageTest):
    def test_paths_lead_to_objects(self):
        self.write("site.py", SITE)
        for path, expected in {
            "": "index",
            "/": "index",
            "/index": "index",
            "/hello": "nobody 1",
            "/hello/": "nobody 1",
            "/text": "text",
            "/number": "5",
            "/inst": "Inner as text",
            "/inst/deep": "deep",
            "/inst/method": "method 1",
            "/outer": "called 1",
            "/outer/inner": "Inner as text",
            "/outer/inner/method/": "method 1",
            "/outer.inner/deep": "deep",
            "/inner": "inner y",
            "/class_result": "Inner as text",
            "/space": "namespace(a=1)",
            "/part": "part 1",
        }.items():
            self.assertEqual(self.ask(path), (expected, "text/plain"), path)

    def test_what_is_not_published(self):
        self.write("site.py", SITE)
        for path in "os os/path util types Inner Inner/deep OfMeta OfMeta/attribute Meta functools made made/gi_frame _hidden __hidden __name__ __builtins__".split() + [
            "hello/__class__", "hello/__globals__", "hello/func_globals", "inst/method/im_func", "inst/method/__func__", "inst/__class__", "inst/_x",
            "hello/x", "text/upper", "data/decode", "space/a", "inst._x", "inst.__class__.__base__", "number/real/__class__",
        ]:  # fmt: skip
            self.assertEqual(self.ask("/" + path), 403, path)
            self.assertIn("MP0506: not published", self.req.logged[0])
            self.assertEqual(self.req.written, [])
        for path in "no inst/no inst//deep outer/no/deep hello\0 é \ud800".split() + [".."]:
            self.assertEqual(self.ask("/" + path), 404, path)
        self.assertEqual(self.ask("/..", site="none/site"), 404)
        self.assertEqual(self.ask("/x", site="none"), 404)
        self.assertEqual(self.ask("/x", site="a\0b"), 404)
        self.assertEqual(self.ask("/x", site="x" * 300), 404)
        self.assertRaises(RuntimeError, self.ask, "/outer/broken")

    def test_files_are_found_by_their_names(self):
        self.write("site.py", SITE)
        self.write("index.py", "def index(): return 'the index'\ndef other(a='b'): return 'other ' + a\nclass C:\n  x = 'cx'\nc = C()\n")
        for site, path, expected in [
            ("site.py", "/hello", "nobody 1"),
            ("site.html", "/hello", "nobody 1"),
            ("", "", "the index"),
            ("index", "", "the index"),
            ("index.py", "", "the index"),
            ("other", "", "other b"),
            ("c", "/x", "cx"),
            ("c", "/x/", "cx"),
        ]:
            self.assertEqual(self.ask(path, site=site), (expected, "text/plain"), (site, path))
            self.assertEqual(self.req.filename, self.path("site.py" if site.startswith("site") else "index.py"))
        for site, path in [("other", "/x"), ("site.txt", "/hello"), (".py", ""), ("nothing", "")]:
            self.assertIn(self.ask(path, site=site), (403, 404))
        req = Published(self.path("site.ext"), "/hello")
        req.extension = ".ext"
        self.assertEqual(publisher.handler(req), 0)
        os.mkdir(self.path("folder.py"))
        self.assertEqual(self.ask("/x", site="folder"), 404)

    def test_other_methods_are_not_allowed(self):
        self.write("site.py", SITE)
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
            self.assertEqual((self.ask("/hello", method=method), tuple(self.req.allowed)), (405, ("GET", "POST", "HEAD")))
        for method in ("GET", "POST", "HEAD"):
            self.assertEqual(self.ask("/hello", method=method), ("nobody 1", "text/plain"))

    def test_arguments_come_from_the_query_and_the_form(self):
        self.write("site.py", SITE)
        for path, more, expected in [
            ("/hello", {"query": "name=x&n=2&other=3"}, "x '2'"),
            ("/hello", {"query": "name=&req=evil"}, " 1"),
            ("/hello", {"query": "name=a&name=b"}, "['a', 'b'] 1"),
            ("/hello", {"method": "POST", "body": b"name=posted&n=%C3%A9"}, "posted 'é'"),
            ("/hello", {"method": "POST", "body": b"name=posted", "query": "n=q"}, "posted 'q'"),
            ("/needs", {"query": "a=1&b=2&c=3"}, "123"),
            ("/everything", {"query": "a=1&b=&req=5"}, "[('a', '1'), ('b', '')]"),
            ("/inst/method", {"query": "a=7&self=8"}, "method 7"),
            ("/outer", {"query": "a=7"}, "called 7"),
            ("/inner", {"method": "POST", "body": b"a=7"}, "inner 7"),
            ("/part", {"query": "n=4&name=given"}, "given '4'"),
        ]:
            self.assertEqual(self.ask(path, **more)[0], expected, (path, more))
        self.assertEqual(self.ask("/needs", query="b=1"), 400)
        self.assertEqual(self.req.logged, ["MP0505: needs() needs a, c, which the request does not have"])
        self.assertEqual(self.ask("/hello", method="POST", body=b"a%00=1"), 400)

    def test_results_are_written_with_their_type(self):
        self.write("site.py", SITE)
        for path, expected in {
            "/page": ("<html>x</HTML>\n", "text/html"),
            "/nothing": (None, None),
            "/data": (b"data", "text/plain"),
            "/umlaut": ("é", "text/plain; charset=utf-8"),
            "/latin": (b"\xe9&#8364;", "text/html; charset=iso-8859-1"),
        }.items():
            self.assertEqual(self.ask(path), expected)
        self.write("site.py", SITE + "    def writes(req):\n        req.write('<html>')\n        return 'x'\n")
        req = Published(self.path("site"), "/writes")
        publisher.handler(req)
        self.assertEqual((req.written, req.content_type), (["<html>", "x"], None))
        self.assertRaisesRegex(RecursionError, "100 times", self.ask, "/endless")
        self.assertRaisesRegex(ValueError, "fails", self.ask, "/fails")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertRaisesRegex(TypeError, r"coroutine\(\) is a coroutine", self.ask, "/coroutine")
            self.assertRaisesRegex(TypeError, r"generator\(\) returned a generator", self.ask, "/generator")
            gc.collect()

    def test_a_page_is_loaded_again_when_its_file_has_changed(self):
        path = self.write("site.py", "loads = []\ndef index(): return 'one'\n")
        self.assertEqual(self.ask("")[0], "one")
        first = publisher.page_cache[self.req]
        self.assertEqual((first.__file__, first.__name__.replace("_", ""), first is publisher.page_cache[path]), (path, "".join(c for c in path if c.isalnum()), True))
        self.assertNotIn(first.__name__, __import__("sys").modules)
        self.write("site.py", "def index(): return 'two'\n")
        self.assertEqual(self.ask("", config={"PythonAutoReload": "0"})[0], "one")
        self.assertEqual(self.ask("", config={"PythonAutoReload": "1"})[0], "two")
        self.assertFalse(hasattr(publisher.page_cache[path], "loads"))
        self.write("site.py", "def index(: return 'three'\n")
        for _ in range(2):
            with self.assertRaises(SyntaxError) as raised:
                self.ask("")
            self.assertEqual((raised.exception.filename, raised.exception.lineno), (path, 1))
        self.write("site.py", "x = 1\ny = 1 / 0\n")
        self.assertRaises(ZeroDivisionError, self.ask, "")
        self.write("site.py", "def index(): return 'four'\n")
        self.assertEqual(self.ask("")[0], "four")
        os.remove(path)
        self.assertEqual(self.ask(""), 404)
        self.assertRaises(KeyError, lambda: publisher.page_cache[path])

    def test_threads_load_a_page_once(self):
        fake_apache.calls.clear()
        path = self.write("site.py", "import fake_apache, time\nfake_apache.calls.append('loaded')\ntime.sleep(0.05)\ndef index(): return 'x'\n")
        found = []
        threads = [threading.Thread(target=lambda: found.append(publisher.page_cache.get(path))) for _ in range(12)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.assertEqual((fake_apache.calls.count("loaded"), len(found), len(set(map(id, found)))), (1, 12, 1))

    @unittest.skipIf(os.geteuid() == 0, "root reads every file")
    def test_a_page_that_cannot_be_read_is_forbidden(self):
        os.chmod(self.write("site.py", SITE), 0)
        self.assertEqual(self.ask("/hello"), 403)
        self.assertIn("MP0506", self.req.logged[0])


RULES = '''
    import functools
    ADMINS = ["eggs"]
    def is_eggs(req, user, password):
        return user == "eggs"

    def nested(req):
        def __auth__(req, user, password):
            return user == "eggs" and password == "secret"
        def __access__(req, user):
            return req.args is None
        __auth_realm__ = 'My "realm"'
        return "nested"

    def constants(req):
        """Its rules are values."""
        __auth_realm__ = "Constants"
        __auth__ = {"eggs": "secret", "é": "ü"}
        __access__ = ["eggs", "é"]
        return "constants"

    def three(req):
        __auth__ = {"eggs": "secret", "b": "c", "d": "e", "f": "g"}
        __access__ = ("eggs", "b", "d", "f")
        return "three" + str(len(__access__))

    def yes(req):
        __auth__ = 1
        return "yes"

    def no(req):
        __access__ = 0
        return "no"

    def by_name(req):
        __auth__ = is_eggs
        __access__: list = ADMINS
        return "by_name"

    def used(req):
        __access__ = ["eggs"]
        return (lambda: "used " + __access__[0])()

    def by_lambda(req):
        __access__ = lambda req, user: user == "eggs"
        return "by_lambda"

    @functools.lru_cache
    def unrelated():
        pass

    def wrapping(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            return function(*args, **kwargs)
        return inner

    @wrapping
    @wrapping
    def wrapped(req):
        __access__ = ["eggs"]
        return "wrapped"

    def conditional(req):
        if req:
            __access__ = ["eggs"]
        return "conditional"

    def branches(req):
        if False:
            def __access__(req, user): return True
        else:
            def __access__(req, user): return False
        return "branches"

    def twice(req):
        __access__ = ["spam"]
        if True:
            __access__ = ["eggs"]
        return "twice"

    def decorated(req):
        @unknown
        def __access__(req, user): return True
        return "decorated"

    @functools.lru_cache
    def cached(req):
        __access__ = ["eggs"]
        return "cached"

    def guarding(req, more=""):
        __access__ = ["eggs"]
        return "guarding"
    partial = functools.partial(guarding, more="x")

    class Wrapper:
        def __init__(self, function): functools.update_wrapper(self, function)
        def __call__(self, req): return self.__wrapped__(req)

    @Wrapper
    def by_class(req):
        __access__ = ["eggs"]
        return "by_class"

    def closed(req):
        allowed = "eggs"
        def __access__(req, user):
            return user == allowed
        return "closed"

    def local(req):
        names = ["eggs"]
        __access__ = names
        return "local"

    def attribute(req):
        return "attribute"
    attribute.__access__ = ["eggs"]

    def open(req):
        return "open"

    class Guarded:
        __auth_realm__ = "Guarded"
        def __init__(self): self.inner = Inner()
        def __auth__(self, req, user, password): return password == "secret"
        def __access__(self, req, user): return user in ("eggs", "spam")
        text = "guarded"
    class Inner:
        __access__ = ("eggs",)
        text = "inner"
        def method(self):
            __access__ = ["spam"]
            return "method"
    class Called:
        def __call__(self, req):
            __access__ = ["eggs"]
            return "called"
    class Magic:
        def __getattr__(self, name):
            if name.startswith("__"): raise AttributeError(name)
            return "magic " + name
    guarded, inner, called, magic = Guarded(), Inner(), Called(), Magic()
    bound = inner.method
'''


class RulesTest(PageTest):
    def setUp(self):
        super().setUp()
        self.write("site.py", RULES)

    def statuses(self, path, **more):
        """Without credentials, as eggs, as spam."""
        return [self.ask(path, user=user, **more) for user in (None, "eggs:secret", "spam:secret")]

    def test_functions_have_their_rules_within(self):
        for path, outcomes in {
            "nested": [401, "nested", 401],
            "constants": [401, "constants", 401],
            "three": [401, "three4", 401],
            "yes": [401, "yes", "yes"],
            "no": [403, 403, 403],
            "by_name": [401, "by_name", 401],
            "used": [403, "used eggs", 403],
            "by_lambda": [403, "by_lambda", 403],
            "wrapped": [403, "wrapped", 403],
            "attribute": [403, "attribute", 403],
            "cached": [403, "cached", 403],
            "partial": [403, "guarding", 403],
            "by_class": [403, "by_class", 403],
            # The rule of the method is asked, and not that of its object in its place
            "bound": [403, 403, "method"],
            "open": ["open", "open", "open"],
            "guarded/text": [401, "guarded", "guarded"],
            "guarded/inner/text": [401, "inner", 403],
            "guarded/inner/method": [401, 403, 403],
            "inner/text": [403, "inner", 403],
            "called": [403, "called", 403],
            "magic/x": ["magic x"] * 3,
        }.items():
            found = [outcome if type(outcome) is int else outcome[0] for outcome in self.statuses("/" + path)]
            self.assertEqual(found, outcomes, path)
        self.assertEqual(self.ask("/nested", user="eggs:secret", query="x=1"), 403)
        self.assertEqual(self.ask("/nested", user="eggs:wrong"), 401)
        self.assertEqual(self.req.err_headers_out, {"WWW-Authenticate": 'Basic realm="My \\"realm\\""'})
        self.assertEqual(self.ask("/constants", user="eggs:"), 401)
        self.assertEqual(self.req.err_headers_out, {"WWW-Authenticate": 'Basic realm="Constants"'})
        self.assertEqual(self.ask("/constants", user="é:ü"), ("constants", "text/plain"))
        self.assertEqual(self.ask("/yes"), 401)
        self.assertEqual(self.req.err_headers_out, {"WWW-Authenticate": 'Basic realm="unknown"'})

    def test_a_rule_that_cannot_be_read_closes_its_object(self):
        for path, says in {
            "conditional": "what conditional() says of __access__ cannot be told",
            "branches": "what branches() says of __access__ cannot be told",
            "twice": "what twice() says of __access__ cannot be told",
            "decorated": "what decorated() says of __access__ cannot be told",
            "closed": "__access__ of closed() uses variables of the function around it: allowed",
        }.items():
            self.assertEqual(self.statuses("/" + path), [500, 500, 500])
            self.assertIn("MP0507: " + says, self.req.logged[0])
        self.assertRaises(NameError, self.ask, "/local")

    def test_rules_of_modules(self):
        self.write("site.py", "__auth_realm__ = 'Module'\n__auth__ = {'eggs': 'secret'}\n__access__ = ['eggs']\ndef index(): return 'x'\n")
        self.assertEqual(self.statuses(""), [401, ("x", "text/plain"), 401])
        self.assertEqual(self.req.err_headers_out, {"WWW-Authenticate": 'Basic realm="Module"'})
        self.write("site.py", "def __access__(req, user): return req.args == 'x'\ndef index(): return 'x'\n")
        self.assertEqual(self.ask(""), 403)
        self.assertEqual(self.ask("", query="x"), ("x", "text/plain"))

    def test_functions_of_other_modules_keep_their_rules(self):
        self.write("helper_of_rules.py", RULES)
        self.write("site.py", "from helper_of_rules import constants, nested, conditional, by_name\n")
        for path in ("constants", "nested", "by_name"):
            self.assertEqual(self.statuses("/" + path), [401, (path, "text/plain"), 401])
        self.assertEqual(self.statuses("/conditional"), [500, 500, 500])

    def test_credentials_are_read_where_they_are_asked_for(self):
        for header, guarded in {
            "Basic": 401, "Basic ": 400, "Basic !!!": 400, "Basic ZWdncw==": 400, "Basic é": 400, "Digest username=x": 401, "": 401,
            "basic " + base64.b64encode(b"eggs:secret").decode(): ("yes", "text/plain"),
            "Basic  " + base64.b64encode(b"\xe9:a:b").decode(): ("yes", "text/plain"),
        }.items():  # fmt: skip
            for path, expected in (("/yes", guarded if header != "Basic" else 400), ("/open", ("open", "text/plain"))):
                req = Published(self.path("site"), path)
                req.headers_in["Authorization"] = header
                try:
                    publisher.handler(req)
                    outcome = req.written[0], req.content_type
                except util.SERVER_RETURN as error:
                    outcome = error.args[0]
                self.assertEqual(outcome, expected, (header, path))

    def test_the_parts_can_be_called(self):
        page = publisher.page_cache.get(self.path("site.py"))
        req = Published(self.path("site"), user="eggs:secret")
        self.assertEqual(publisher.process_auth(req, page.nested), ('My "realm"', "eggs", "secret"))
        self.assertEqual(publisher.process_auth(req, page.open, "r", "u", "p"), ("r", "u", "p"))
        self.assertEqual(publisher.process_auth(req, page), ("unknown", None, None))
        self.assertIs(publisher.resolve_object(req, page, "inner.method".split(".")[0]), page.inner)
        self.assertRaises(util.SERVER_RETURN, publisher.resolve_object, req, page, "constants", "realm", "spam", "x")
        self.assertTrue(publisher.publish_object(req, "text"))
        self.assertFalse(publisher.publish_object(req, lambda: None))
        self.assertEqual(req.written, ["text"])
        self.assertEqual(publisher.tp_rules[type(publisher)], (False, False))
        self.assertIsNone(_page_rules.of("text"))


if __name__ == "__main__":
    unittest.main()
