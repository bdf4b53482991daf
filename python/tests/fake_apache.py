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
own_gils = False
_partial = _local()


class SERVER_RETURN(Exception):
    pass


def _tables():
    """The tables of mod_python.testing, without importing the package: tests of the library's start do that."""
    namespace = {"__name__": "fake_apache_tables"}
    with open(os.path.join(LIBRARY, "_testing_table.py"), encoding="utf-8") as file:
        exec(compile(file.read(), file.name, "exec"), namespace)
    return namespace["mp_table"]


class table(_tables()):
    """A table that takes pairs as they are: also None, as httpd's may have."""

    def __init__(self, items=()):
        self._pairs = list(items.items()) if hasattr(items, "keys") else [tuple(pair) for pair in items]


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
    found = _library_source(fullname)
    return found and compile(found[0], found[2], "exec", dont_inherit=True)


def _current_frames():
    calls.append(("_current_frames",))
    return {}


def _current_exceptions():
    calls.append(("_current_exceptions",))
    return {}


def _interpreters_have_own_gils():
    return own_gils


def _replace_namespace(module, namespace):
    import ctypes

    set_dict = ctypes.pythonapi.PyObject_GenericSetDict
    set_dict.argtypes = [ctypes.py_object, ctypes.py_object, ctypes.c_void_p]
    assert set_dict(module, namespace, None) == 0


def _forked_by_python():
    calls.append(("_forked_by_python",))


def _inherited_signal_mask():
    return []


def _start_program(fork_exec, arguments):
    calls.append(("_start_program",))
    return fork_exec(*arguments)


def _has_other_interpreters():
    return bool(other_interpreters)


def _file_stamp(path):
    path.encode()
    if "\0" in path:
        raise ValueError("embedded null character")
    try:
        status = os.stat(path)
    except PermissionError:
        raise
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if os.path.isfile(path) else None


def _form_fields(data, keep_blank):
    from mod_python._urlencoded import form_fields

    return form_fields(data, keep_blank)


def _string_fields(kind, pairs):
    from mod_python._urlencoded import string_fields

    return string_fields(kind, pairs)


def parse_qs(qs, keep_blank=0, strict=0):
    from mod_python import _urlencoded

    return _urlencoded.parse_qs(qs, keep_blank)


def parse_qsl(qs, keep_blank=0, strict=0):
    from mod_python import _urlencoded

    return _urlencoded.parse_qsl(qs, keep_blank)


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
