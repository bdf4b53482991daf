"""store.cached(): results that are computed by one caller and kept for all."""

import functools
import time

from . import _store
from ._store_errors import StoreError

_LOCK = b"l"
# Nobody's own locks begin so
_LOCK_PREFIX = "\0cached:"


def cached(store, ttl, stale, key):
    ttl = _store.ttl(ttl)
    stale = _store.ttl(stale) if stale else 0.0
    if ttl is None:
        raise TypeError("ttl is None: give the seconds that results are kept for")
    if key is not None and not isinstance(key, str):
        raise TypeError(f"key is {key!r}: give a str, as in @store.cached(60, key='name')")

    def decorate(function):
        base = key or f"{function.__module__}.{function.__qualname__}"
        # Too long a name is refused here, not when the function is first called
        _store.name(_LOCK, f"{_LOCK_PREFIX}{base}\0{'0' * 32}")

        def name_of(arguments, keywords):
            given = _store.encode([list(arguments), dict(sorted(keywords.items()))])
            return f"{base}\0{_store.digest(given)}"

        @functools.wraps(function)
        def wrapper(*arguments, **keywords):
            text = name_of(arguments, keywords)
            name = _store.name(store._cached_namespace, text)
            found = _look(store, name)
            if _is_fresh(found):
                return store._decode(found[0])
            lock = store.lock(_LOCK_PREFIX + text)
            if not lock.acquire(blocking=found is None):
                # Another one computes
                return store._decode(found[0])
            try:
                found = _look(store, name)
                if _is_fresh(found):
                    return store._decode(found[0])
                result = store._encode(function(*arguments, **keywords))
                store._commit([], [(name, _store.encode([result, time.time() + ttl]), ttl + stale)])
            finally:
                try:
                    lock.release()
                except StoreError:
                    # What was computed, or raised, is worth more; the lock ends by itself
                    pass
            # As all later callers get it
            return store._decode(result)

        def forget(*arguments, **keywords):
            """Has the next call with these arguments compute."""
            store._commit([], [(_store.name(store._cached_namespace, name_of(arguments, keywords)), None, None)])

        wrapper.forget = forget
        return wrapper

    return decorate


def _look(store, name):
    """[encoded result, until when it is fresh], or None."""
    (value,) = store._read([name])
    return None if value is None else _store.decode(value)


def _is_fresh(found):
    return found is not None and found[1] > time.time()
