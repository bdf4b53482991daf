"""Data and locks for all threads, interpreters and children: ``from mod_python import store``.

store.open(name) gives the store that a PythonStore directive names; "default" is there without one. A store is a mapping of str to
None, bool, int, float, str, bytes, datetime, and lists and dicts of these, with time limits, atomic changes, transactions and locks.
"""

from ._store_errors import Conflict, LockLost, LockTimeout, StoreError, StoreFull, StoreUnavailable

__all__ = ["Conflict", "LockLost", "LockTimeout", "StoreError", "StoreFull", "StoreUnavailable", "open", "pickled"]
__all__ += ["Lock", "Rate", "Store", "Transaction"]

# The classes of what a store gives, for type hints and isinstance(); they are imported when a store is first opened
_LATER = {"Lock": "_store_locks", "Rate": "_store_base", "Store": "_store_base", "Transaction": "_store_transaction"}

# The stores that this interpreter has opened, by what _store.settings() gives of them
_opened = {}


def open(name="default"):
    """The store of a name: one object for each interpreter, for any number of threads.

    LookupError: no PythonStore directive of this server names it. StoreError: it cannot be used; the message says why.
    """
    from . import _store

    settings = _store.settings(name)
    store = _opened.get(settings)
    if store is None:
        store = _opened.setdefault(settings, _made(settings))
    return store


def pickled(store):
    """A view of a store whose values are whatever pickle can store. It has entries of its own.

    StoreError: others can write to the store. Who writes a pickle runs programs where it is read.
    """
    from ._store_pickled import view

    return view(store)


def _made(settings):
    name, location, options = settings
    if location is not None and location.startswith(("redis://", "rediss://", "unix://")):
        from ._store_redis import RedisStore

        return RedisStore(name, location, dict(options))
    if location is not None and location.startswith("socache:"):
        from ._store_socache import SocacheStore

        return SocacheStore(name, location)
    from ._store_embedded import EmbeddedStore

    return EmbeddedStore(name)


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(f".{_LATER[name]}", __package__), name)
    return value


def __dir__():
    return sorted({*globals(), *_LATER})
