import builtins
import gc
import sys
import types
from mod_python import apache

class Hostile:
    def write(self, text):
        raise ValueError("hostile")

def forget(*names):
    for name in names:
        del sys.modules[name]

def forget_all():
    sys.modules.clear()

def forbid(*names):
    for name in names:
        sys.modules[name] = None

def stream(name, value):
    setattr(sys, name, value)

def close():
    for stream in sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__:
        stream.close()
        stream.buffer.close()

def delete(owner, *names):
    for name in names:
        delattr(owner, name)

def look_at_everything():
    for each in gc.get_objects():
        try:
            repr(each), dir(each), hash(each), each == each
        except Exception:
            pass
    gc.collect()

def handler(req):
    if req.args == "fail":
        raise ValueError("after the sabotage")
    if req.args:
        eval(req.args)
        print("printed", file=sys.stderr)
    req.write("fine")
    return apache.OK
