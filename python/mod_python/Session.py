"""Sessions: ``from mod_python import Session``.

Session(req) is a dict that is kept for a client between its requests. Which class it has is chosen by PythonOption
mod_python.session.session_type, FileSession, DbmSession, MemorySession or StoreSession. BaseSession is for classes of one's own.
"""

from ._sessions_base import BaseSession, SessionError, unlock_session_cleanup

__all__ = ["BaseSession", "DbmSession", "FileSession", "MemorySession", "Session", "SessionError", "StoreSession"]
__all__ += ["CLEANUP_CHANCE", "COOKIE_NAME", "DFT_LOCK", "DFT_TIMEOUT"]
__all__ += ["DFT_CLEANUP_TIME_LIMIT", "DFT_FAST_CLEANUP", "DFT_GRACE_PERIOD", "DFT_VERIFY_CLEANUP"]
__all__ += ["dbm_cleanup", "filesession_cleanup", "mem_cleanup", "unlock_session_cleanup"]

COOKIE_NAME = "pysid"
DFT_TIMEOUT = 30 * 60  # seconds
DFT_LOCK = True
CLEANUP_CHANCE = 1000  # one session of so many that are opened cleans up; 0 for none

# FileSession's clean-up
DFT_FAST_CLEANUP = True
DFT_VERIFY_CLEANUP = True
DFT_GRACE_PERIOD = 240  # seconds
DFT_CLEANUP_TIME_LIMIT = 2  # seconds

# Each kind of session has a module of its own, which is imported when it is first used
_KINDS = {
    "DbmSession": "_sessions_dbm",
    "FileSession": "_sessions_file",
    "MemorySession": "_sessions_memory",
    "StoreSession": "_sessions_store",
}
_LATER = {
    **_KINDS,
    "dbm_cleanup": "_sessions_dbm",
    "filesession_cleanup": "_sessions_file_cleanup",
    "mem_cleanup": "_sessions_memory",
}


def Session(req, sid=0, secret=None, timeout=0, lock=1):
    """The session of a request, of the kind that PythonOption mod_python.session.session_type names.

    The arguments are those of BaseSession.
    """
    options = req.get_options()
    kind = options.get("mod_python.session.session_type") or options.get("session") or _default_kind(options)
    if kind not in _KINDS:
        raise SessionError(f"MP0518: PythonOption mod_python.session.session_type is {kind!r}: write one of {', '.join(_KINDS)}")
    return (globals().get(kind) or __getattr__(kind))(req, sid=sid, secret=secret, timeout=timeout, lock=lock)


def _default_kind(options):
    """The kind of sessions where none is chosen: in a store that was configured, in memory if one process serves all requests, else in a dbm file."""
    from . import apache

    if _has_store(options):
        return "StoreSession"
    is_threaded = apache.mpm_query(apache.AP_MPMQ_IS_THREADED)
    is_alone = not apache.mpm_query(apache.AP_MPMQ_IS_FORKED) or apache.mpm_query(apache.AP_MPMQ_MAX_DAEMONS) == 1
    return "MemorySession" if is_threaded and is_alone else "DbmSession"


def _has_store(options):
    """Whether an option names a store for sessions, or a directive says where the store "default" is."""
    if options.get("mod_python.session.store"):
        return True
    try:
        from . import _store
    except ModuleNotFoundError as error:
        # Outside of httpd there are no stores
        if error.name != "_store":
            raise
        return False
    _, location, more = _store.settings("default")
    # A cache of httpd's may forget
    return bool(more) or (location is not None and not location.startswith("socache:"))


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(f".{_LATER[name]}", __package__), name)
    return value


def __dir__():
    return sorted({*globals(), *_LATER})
