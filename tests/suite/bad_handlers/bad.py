import sys
import threading
from enum import IntEnum
from mod_python import apache

class Unsayable(Exception):
    def __str__(self):
        raise ValueError("cannot be said")

class Leaves(Exception):
    def __str__(self):
        sys.exit("from __str__")

class NoText(Exception):
    def __str__(self):
        return 5

class Lingers:
    def __del__(self):
        raise ValueError("from __del__")

def endless(n):
    return endless(n + 1)

def there(n):
    return back(n + 1)

def back(n):
    return there(n + 1)

def in_a_circle():
    error = ValueError("in a circle")
    error.__cause__ = error.__context__ = error
    raise error

def grouped():
    raise ExceptionGroup("a group", [ValueError("one"), TypeError("two")])

def unflushed(error):
    def handler(req):
        req.content_type = "text/plain"
        req.status = 201
        req.write("not for the client", 0)
        raise error
    return handler

def throw(error):
    raise error

nothing = None

FAILURES = {
    "value": lambda req: throw(ValueError("a value")),
    "class": lambda req: throw(KeyError),
    "system": lambda req: throw(SystemError("of Python")),
    "memory": lambda req: bytearray(1 << 62),
    "name": lambda req: undefined,
    "recursion": lambda req: endless(0),
    "mutual": lambda req: there(0),
    "exit": lambda req: sys.exit(),
    "exit-text": lambda req: sys.exit("goodbye"),
    "quit": lambda req: throw(SystemExit(7)),
    "interrupt": lambda req: throw(KeyboardInterrupt()),
    "generator": lambda req: throw(GeneratorExit("gone")),
    "base": lambda req: throw(BaseException("base")),
    "unsayable": lambda req: throw(Unsayable()),
    "leaves": lambda req: throw(Leaves()),
    "no-text": lambda req: throw(NoText()),
    "surrogates": lambda req: throw(ValueError("a\udcff\ud800b")),
    "bytes": lambda req: throw(ValueError(b"\xff\xfe\0")),
    "unicode": lambda req: b"\xff".decode("utf-8"),
    "lines": lambda req: throw(ValueError("first\nsecond\r\nthird\0fourth")),
    "format": lambda req: throw(ValueError("%s%n%s%n%100000d")),
    "long": lambda req: throw(ValueError("long " * 100000)),
    "type-name": lambda req: throw(type("Odd\nname", (Exception,), {})("odd")),
    "circle": lambda req: in_a_circle(),
    "group": lambda req: grouped(),
    "del": lambda req: throw(ValueError(Lingers())),
    "result": lambda req: "200",
    "nothing": lambda req: nothing(req),
    "unflushed": unflushed(ValueError("unflushed")),
}

def handler(req):
    if req.args in FAILURES:
        return FAILURES[req.args](req)
    if req.args == "header":
        req.headers_out["X-Long"] = "x" * 200000
    req.write("fine")
    return apache.OK
