"""The stand-in for the builtin module _apache."""

import os
import sys
import threading
import types
from stat import S_ISREG
from urllib.parse import unquote_to_bytes

from . import _testing_server
from ._testing_server import not_imitated
from ._testing_table import mp_table
from .version import version

DOC = "The stand-in for httpd's part, by mod_python.testing."


class SERVER_RETURN(Exception):
    """As apache.SERVER_RETURN."""


class RequestBodyError(OSError):
    """The request's body was cut short; status is the answer."""

    status = 400


class ClientGone(ConnectionError):
    """The client has closed the connection."""


for _class in (SERVER_RETURN, RequestBodyError, ClientGone):
    _class.__module__ = "_apache"

_CONSTANTS = {
    **dict(AP_CONN_UNKNOWN=0, AP_CONN_CLOSE=1, AP_CONN_KEEPALIVE=2),
    **dict(APR_NOFILE=0, APR_REG=1, APR_DIR=2, APR_CHR=3, APR_BLK=4, APR_PIPE=5, APR_LNK=6, APR_SOCK=7, APR_UNKFILE=127),
    **dict(MODULE_MAGIC_NUMBER_MAJOR=20120211, MODULE_MAGIC_NUMBER_MINOR=129, MP_VERSION=version),
}

# Of the builtin module, what belongs to a server's processes, or to the library's own start
_NOT_IMITATED = (
    "config_tree interpreter_info mpm_name _build_wsgi_env _current_exceptions _current_frames _forked_by_python _has_other_interpreters "
    "_inherited_signal_mask _interpreters_have_own_gils _library_code _library_source _replace_namespace _start_program"
).split()

_state = threading.local()  # the request that this thread is serving
defines = set()  # names for exists_config_define()
root = "/etc/httpd"
log = _testing_server.Log()  # what is logged outside of requests and servers
child_cleanups = []


def current_request():
    """The request that this thread is serving, or None."""
    return getattr(_state, "request", None)


def set_current_request(req):
    """Note it; the one before."""
    before, _state.request = current_request(), req
    return before


def _log(level, text, request_only=0, /):
    req = current_request()
    (req._log if req is not None else log).add(text, level)


def _log_write(level, text, /):
    for line in text.split("\n"):
        if line:
            _log(level, line)


def _log_flush(level, /):
    pass


def log_error(message, level=3, server=None, /):
    """As the server's."""
    if server is not None:
        if type(server).__name__ != "mp_server":
            raise TypeError("log_error() argument 3 must be a server object")
        server.log_error(message, level)
    elif message is not None:
        if not isinstance(message, str):
            raise TypeError(f"log_error() argument 1 must be str, not {type(message).__name__}")
        _log(level, message)


def register_cleanup(interpreter, server, callable, data=None, /):
    """As the server's; called by run_cleanups() of the server."""
    if type(server).__name__ != "mp_server":
        raise ValueError("second argument must be a server object")
    if not hasattr(callable, "__call__"):
        raise ValueError("third argument must be a callable object")
    server._register(callable, data)


def exists_config_define(name, /):
    """Whether the name is in mod_python.testing.defines."""
    return (name.decode() if isinstance(name, bytes) else name) in defines


def server_root():
    """A folder that need not exist."""
    return root


_MPM = {1: 1, 2: 1, 3: 0, 4: 1, 12: 1}  # what there is: this process, and its threads


def mpm_query(code, /):
    """As where one child with threads serves all requests."""
    if not isinstance(code, int):
        raise TypeError(f"mpm_query() argument 1 must be int, not {type(code).__name__}")
    if code not in _MPM:
        raise not_imitated(f"apache.mpm_query({code})")
    return _MPM[code]


def _fields(query, keep_blank):
    is_bytes = isinstance(query, bytes)
    if not isinstance(query, (str, bytes)):
        raise TypeError(f"argument 1 must be str or bytes, not {type(query).__name__}")
    raw = (query if is_bytes else query.encode("utf-8", "surrogateescape")).partition(b"\0")[0]
    for pair in raw.replace(b";", b"&").split(b"&"):
        name, _, value = pair.partition(b"=")
        if pair and (value or keep_blank):
            both = [unquote_to_bytes(text.replace(b"+", b" ")).partition(b"\0")[0] for text in (name, value)]
            if not is_bytes:
                both = [_text(part) for part in both]
            yield tuple(both)


def _text(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parse_qs(qs, keep_blank=0, strict=0, /):
    """As the server's."""
    found = {}
    for name, value in _fields(qs, keep_blank):
        found.setdefault(name, []).append(value)
    return found


def parse_qsl(qs, keep_blank=0, strict=0, /):
    """As the server's."""
    return list(_fields(qs, keep_blank))


_locks = {}
_locks_guard = threading.Lock()


def _lock_of(key, index):
    with _locks_guard:
        return _locks.setdefault(index if index >= 0 else ("key", key), threading.Lock())


def _global_lock(server, key, index=-1, /):
    _lock_of(key, index).acquire()


def _global_trylock(server, key, index=-1, /):
    return _lock_of(key, index).acquire(blocking=False)


def _global_unlock(server, key, index=-1, /):
    try:
        _lock_of(key, index).release()
    except RuntimeError:
        raise ValueError("the mutex is not locked") from None


def _refuse(name):
    def refused(*arguments):
        raise not_imitated(f"_apache.{name}()")

    refused.__name__ = name
    return refused


def _of_forms():
    """What util has in Rust inside httpd, and in Python outside."""
    try:
        from . import _urlencoded
    except ImportError:
        return {}
    return {"_form_fields": _urlencoded.form_fields, "_string_fields": _urlencoded.string_fields}


def _file_stamp(path, /):
    """When a file was changed last, in nanoseconds, and its size; None if there is none."""
    try:
        found = os.stat(path)
    except PermissionError:
        raise
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if S_ISREG(found.st_mode) else None


def module():
    """A new module _apache."""
    made = types.ModuleType("_apache", DOC)
    made.__dict__.update(_CONSTANTS)
    made.__dict__.update((name, _refuse(name)) for name in _NOT_IMITATED)
    made.__dict__.update(
        {function.__name__: function for function in (log_error, register_cleanup, exists_config_define, server_root, mpm_query, parse_qs, parse_qsl)}
    )
    made.__dict__.update({f.__name__: f for f in (_file_stamp, _log, _log_write, _log_flush, _global_lock, _global_trylock, _global_unlock)})
    made.SERVER_RETURN, made.RequestBodyError, made.ClientGone = SERVER_RETURN, RequestBodyError, ClientGone
    made.__dict__.update(_of_forms())
    made.table, made.stat, made._current_request = mp_table, _testing_server.stat, current_request
    return made


def install():
    """Put it into sys.modules, and have mod_python.apache use it."""
    there = sys.modules.get("_apache")
    if there is None:
        sys.modules["_apache"] = module()
    elif there.__doc__ != DOC:
        raise RuntimeError(f"there is a module _apache already, {there!r}: mod_python.testing is for programs outside of httpd")
    from . import apache

    if apache.main_server is None:
        apache.interpreter, apache.main_server = "localhost", _testing_server.mp_server()
    return apache
