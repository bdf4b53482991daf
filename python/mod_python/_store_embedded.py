"""Stores in a folder of this machine, for all its processes: LMDB, built into the module."""

from . import _store
from ._store_base import Store


class EmbeddedStore(_store.Embedded, Store):
    """A store in a folder. What is used most is done by the module itself."""

    def set(self, key, value, ttl=None):
        """Writes an entry."""
        self._set(key, value, ttl)

    def incr(self, key, by=1, ttl=None):
        """Adds to an int and returns the sum. A key that is not there begins at 0, and ttl is for it; else an entry keeps its time."""
        return self._incr(key, by, ttl)

    def delete(self, key):
        """Deletes an entry; returns whether it was there."""
        return self._take(key) is not None

    def pop(self, key, *default):
        """Deletes an entry and returns its value: one caller gets it. KeyError if there is none and no default."""
        if len(default) > 1:
            raise TypeError(f"pop() takes a key and a default, not {len(default)} of them")
        value = self._take(key)
        if value is not None:
            return _store.decode(value)
        if default:
            return default[0]
        raise KeyError(key)
