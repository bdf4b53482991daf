"""store.cached(): results that are computed by one caller and kept for all."""

import functools
import time

from . import _store
from ._store_errors import LockTimeout

_CACHED = b"c"
_LOCK = b"l"
# No key of a program's own locks begins so
_LOCK_PREFIX = "\0cached:"


def cached(store, ttl, stale, key):
    ttl = _store.ttl(ttl)
    stale = 0.0 if stale is None else _store.ttl(stale)

    def decorate(function):
        base = key or f"{function.__module__}.{function.__qualname__}"

        def name_of(arguments, keywords):
            given = _store.encode([list(arguments), dict(sorted(keywords.items()))])
            return f"{base}\0{_store.digest(given)}"

        @functools.wraps(function)
        def wrapper(*arguments, **keywords):
            text = name_of(arguments, keywords)
            name = _store.name(_CACHED, text)
            found = _look(store, name)
            if found is not None and found[1] > time.time():
                return found[0]
            lock = store.lock(_LOCK_PREFIX + text, timeout=0 if found is not None else None)
            try:
                with lock:
                    found = _look(store, name)
                    if found is not None and found[1] > time.time():
                        return found[0]
                    result = function(*arguments, **keywords)
                    entry = _store.encode([result, time.time() + ttl])
                    store._commit([], [(name, entry, ttl + stale)])
                    return result
            except LockTimeout:
                return found[0]

        def forget(*arguments, **keywords):
            """Has the next call with these arguments compute."""
            store._commit([], [(_store.name(_CACHED, name_of(arguments, keywords)), None, None)])

        wrapper.forget = forget
        return wrapper

    return decorate


def _look(store, name):
    """[result, until when it is fresh], or None."""
    (value,) = store._read([name])
    return None if value is None else _store.decode(value)
