"""A stand-in for the builtin module _apache, so that the library can be tested without httpd.

Importing this module puts it in sys.modules as ``_apache`` and the library's folder on sys.path. ``entries`` holds what was
written to the error log, as (level, text).
"""

import os
import sys
from _thread import _local

LIBRARY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "mod_python")

AP_CONN_UNKNOWN, AP_CONN_CLOSE, AP_CONN_KEEPALIVE = 0, 1, 2
APR_NOFILE, APR_REG, APR_DIR, APR_CHR, APR_BLK, APR_PIPE, APR_LNK, APR_SOCK = range(8)
APR_UNKFILE = 127
MODULE_MAGIC_NUMBER_MAJOR, MODULE_MAGIC_NUMBER_MINOR = 20120211, 129
MP_VERSION = "4.0.0"

entries = []
calls = []
current_request = None
other_interpreters = []
kept_code = {}
_partial = _local()


class SERVER_RETURN(Exception):
    pass


class table:
    """As much of a table as the library uses."""

    def __init__(self, items=()):
        self.pairs = list(items)

    def __getitem__(self, key):
        found = [value for name, value in self.pairs if name.lower() == key.lower()]
        if not found:
            raise KeyError(key)
        return found[0] if len(found) == 1 else found

    def __setitem__(self, key, value):
        self.pairs = [pair for pair in self.pairs if pair[0].lower() != key.lower()] + [(key, value)]

    def __contains__(self, key):
        return any(name.lower() == key.lower() for name, _ in self.pairs)

    def add(self, key, value):
        self.pairs.append((key, value))

    def get(self, key, default=None):
        return self[key] if key in self else default

    def items(self):
        return list(self.pairs)

    def copy(self):
        return table(self.pairs)


def _log(level, text, request_only=0):
    text.encode()  # lone surrogates are refused, as in the module
    entries.append((level, text))


def _log_write(level, text):
    text.encode()
    lines = (getattr(_partial, str(level), "") + text).split("\n")
    setattr(_partial, str(level), lines.pop())
    for line in lines:
        _log(level, line)


def _log_flush(level):
    rest = getattr(_partial, str(level), "")
    setattr(_partial, str(level), "")
    if rest:
        _log(level, rest)


def _library_source(fullname):
    parts = fullname.split(".")[1:]
    path = os.path.join(LIBRARY, *parts, "__init__.py") if not parts else os.path.join(LIBRARY, *parts) + ".py"
    try:
        with open(path, "rb") as file:
            return file.read(), not parts, "<mod_python.so>/" + os.path.relpath(path, os.path.dirname(LIBRARY))
    except FileNotFoundError:
        return None


def _library_code(fullname):
    return kept_code.get(fullname)


def _keep_library_code(fullname, code):
    kept_code[fullname] = code


def _forked_by_python():
    calls.append(("_forked_by_python",))


def _has_other_interpreters():
    return bool(other_interpreters)


def _current_request():
    return current_request


def log_error(message, level, server):
    calls.append(("log_error", message, level, server))


def register_cleanup(interpreter, server, callable, data=None):
    calls.append(("register_cleanup", interpreter, server, callable, data))


def config_tree():
    return []


def exists_config_define(name):
    return name == "DEFINED"


def interpreter_info():
    return {
        "name": "main_interpreter",
        "id": 0,
        "gil": "shared",
        "python": sys.version.split()[0],
        "main": True,
        "thread_states": 1,
    }


def mpm_name():
    return "event"


def mpm_query(code):
    return code


def server_root():
    return "/srv/httpd"


def stat(name, wanted):
    return os.stat(name)


sys.modules["_apache"] = sys.modules[__name__]
if os.path.dirname(LIBRARY) not in sys.path:
    sys.path.insert(0, os.path.dirname(LIBRARY))
