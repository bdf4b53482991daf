"""Stores that are caches of httpd's: mod_socache_shmcb and others. They may forget an entry at any time."""

from ._store_base import Store
from ._store_errors import StoreError

# What needs a check and a change at one moment, or a list of what is there
_LACKS = (
    "add", "cached", "clear", "decr", "expire", "incr", "items", "keys", "lock", "once", "pop", "rate", "replace", "touch", "transaction",
    "ttl", "values",
)  # fmt: skip


class SocacheStore(Store):
    """A cache of httpd's: get, set with ttl=, delete, in."""

    _lacks = _LACKS

    def __init__(self, name, location):
        from _store import Cached

        super().__init__(name)
        self._location = location
        self._cache = Cached(name)
        # The memory of httpd's own processes; files and servers can be written to by others
        self._others_can_write = location.split(":")[1] not in ("shmcb", "default")

    def __repr__(self):
        return f"<SocacheStore {self.name!r} in {self._location}>"

    def _read(self, names):
        return list(map(self._cache.get, names))

    def _commit(self, checks, writes):
        # Those of delete() apart: to delete what was changed meanwhile is to forget it, as a cache may
        if checks and not (len(checks) == len(writes) == 1 and writes[0][1] is None):
            self._compare_and_set()
        for name, value, ttl in writes:
            if value is None:
                self._cache.remove(name)
            else:
                self._cache.set(name, value, ttl)
        return True


def _refusing(method):
    def refuse(self, *_, **__):
        raise StoreError(
            f"the store {self.name!r} is a cache of httpd's ({self._location}), which has no {method}(): it gets, sets and deletes."
            f" For the rest write 'PythonStore {self.name}' without a location, with a folder, or with a Redis server"
        )

    refuse.__name__ = method
    refuse.__doc__ = "Not in a cache of httpd's: StoreError."
    return refuse


for _method in _LACKS:
    setattr(SocacheStore, _method, _refusing(_method))

# What the methods of sessions and views call
_PARTS = {"_count": "len", "_scan": "keys", "_expire": "expire", "_ttl": "ttl", "_rate": "rate", "_lock_try": "lock", "_lock_release": "lock"}
for _part, _method in _PARTS.items():
    setattr(SocacheStore, _part, _refusing(_method))
SocacheStore._compare_and_set = _refusing("transaction")
