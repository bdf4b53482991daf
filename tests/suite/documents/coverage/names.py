"""Every name that the module has, a line each: where it is, and the name."""

import importlib
import inspect
import types

import _apache
from mod_python import apache

# Modules of the library: their public names, and the methods of their classes.
LIBRARY = ["Cookie", "Session", "cache", "cgihandler", "httpdconf", "psp", "publisher", "testhandler", "util"]

# What every object has.
COMMON = {*dir(object), "__dict__", "__doc__", "__module__"} - {"__eq__", "__init__"}


def of_class(object):
    kept = set(vars(type(object))) - COMMON
    # A class that compares its instances has these too; only == has a meaning, and __init__ where instances are made.
    return kept - {"__lt__", "__le__", "__gt__", "__ge__", "__ne__"}


def handler(req):
    req.register_output_filter("names", "names::filtered")
    req.add_output_filter("names")
    req.write("names")
    return apache.OK


def filtered(filter):
    while (data := filter.read()):
        filter.write("\n".join(names(filter)))
    if data is None:
        filter.close()


def names(filter):
    req = filter.req
    for name in dir(apache):
        if not isinstance(getattr(apache, name), types.ModuleType) and (not name.startswith("_") or name == "_callback"):
            yield f"apache {name}"
    for name in dir(_apache):
        # The other private ones are the library's own
        if not name.startswith("_") or name.startswith("_global_"):
            yield f"_apache {name}"
    for module in LIBRARY:
        yield from names_of_library(importlib.import_module(f"mod_python.{module}"))
    for object in (req, req.server, req.connection, apache.table(), req.finfo, req.hlist, filter):
        for name in sorted(of_class(object)):
            yield f"{type(object).__name__} {name}"


def names_of_library(module):
    many = getattr(module, "_classes", ())  # those of httpdconf, one for each directive
    for name in module.__all__:
        if name in many or isinstance(getattr(module, name), types.ModuleType):
            continue
        yield f"{module.__name__} {name}"
        value = getattr(module, name)
        if inspect.isclass(value):
            for member, function in vars(value).items():
                # What a base class has too is listed there
                if inspect.isfunction(function) and not member.startswith("_") and not hasattr(value.__mro__[1], member):
                    yield f"{module.__name__}.{name} {member}"
