"""The interface to httpd: ``from mod_python import apache``.

It works inside httpd only, since it needs the builtin module ``_apache``.
"""

import os  # for the expressions of PythonPath, as sys is
import sys

import _apache
from _apache import (
    AP_CONN_CLOSE,
    AP_CONN_KEEPALIVE,
    AP_CONN_UNKNOWN,
    APR_BLK,
    APR_CHR,
    APR_DIR,
    APR_LNK,
    APR_NOFILE,
    APR_PIPE,
    APR_REG,
    APR_SOCK,
    APR_UNKFILE,
    MODULE_MAGIC_NUMBER_MAJOR,
    MODULE_MAGIC_NUMBER_MINOR,
    SERVER_RETURN,
    config_tree,
    exists_config_define,
    interpreter_info,
    mpm_name,
    mpm_query,
    server_root,
    stat,
    table,
)

from . import _constants
from ._constants import *
from ._handler_modules import import_for_handler as _import_for_handler
from ._importing import import_module, module_mtime
from ._path import use_python_path as _use_python_path

make_table = table
exists_config = exists_config_define

interpreter = None  # the name of this interpreter
main_server = None  # the main server

# Names that most applications never use are imported on demand
_LATER = {
    "LogHandler": "_logging",
    "NullIO": "_cgi",
    "CGIStdin": "_cgi",
    "CGIStdout": "_cgi",
    "build_cgi_env": "_cgi",
    "setup_cgi": "_cgi",
    "restore_nocgi": "_cgi",
}


class CallBack:
    """The result of init(), for compatibility: the module calls handlers itself."""

    @property
    def interpreter(self):
        """The name of the interpreter."""
        return interpreter

    @property
    def main_server(self):
        """The main server."""
        return main_server

    def __repr__(self):
        return f"<CallBack of interpreter {interpreter!r}>"


_callback = CallBack()


def init(name, server):
    """Called when an interpreter is created, with its name and the main server."""
    global interpreter, main_server
    interpreter, main_server = name, server
    sys.argv = ["mod_python"]
    return _callback


def log_error(message, level=APLOG_ERR, server=None):
    """Write a message to the error log of a server, else to the main one, at one of the levels APLOG_*. None writes nothing."""
    if message is not None:
        _apache.log_error(message, APLOG_ERR if level is None else level, server)


def register_cleanup(callable, data=None):
    """Call callable(data) when this child exits."""
    _apache.register_cleanup(interpreter, main_server, callable, data)


def resolve_object(module, obj, arg=None, silent=0):
    """The object that a path of names separated by dots leads to, starting at module.

    A class on the path is called with arg, and the next name is looked up in the instance. If a name is missing, AttributeError
    is raised; with silent the result is None.
    """
    found = module
    for name in obj.split("."):
        if isinstance(found, type):
            found = found(arg)
        try:
            found = getattr(found, name)
        except AttributeError as error:
            if silent:
                return None
            raise AttributeError(f"module '{getattr(module, '__file__', module)}' contains no '{obj}'") from error
    return found


def allow_methods(*methods):
    """Add methods to the response's Allow header, before a handler returns HTTP_METHOD_NOT_ALLOWED or HTTP_NOT_IMPLEMENTED.

    A method is one of M_* or its name; a list of them will do. A request may come first, else it is the one that this thread
    is serving. The same as req.allow_methods(names).
    """
    if methods and hasattr(methods[0], "allow_methods"):
        request, *methods = methods
    else:
        request = _apache._current_request()
        if request is None:
            raise RuntimeError("allow_methods() without a request: this thread is serving none")
    names = []
    for method in methods:
        names.extend(map(_method_name, method if isinstance(method, (list, tuple, set, frozenset)) else (method,)))
    request.allow_methods(names)


def _method_name(method):
    if isinstance(method, str):
        return method
    for name, number in vars(_constants).items():
        if name.startswith("M_") and number == method != M_INVALID:
            return name.removeprefix("M_").replace("_", "-")
    raise ValueError(f"not a request method: {method!r}")


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(f".{_LATER[name]}", __package__), name)
    return value


def __dir__():
    return sorted({*globals(), *_LATER})


__all__ = [_name for _name in __dir__() if not _name.startswith("_")]
