"""A cache of cachelib in a store, for Flask-Caching and Flask-Session: StoreCache("default")."""

from cachelib import BaseCache

from ._store_caches import key_of, opened


class StoreCache(BaseCache):
    """store is the store's name. Values are pickled, except on a server that others can write to: there they are what a store can hold."""

    def __init__(self, store="default", default_timeout=300, key_prefix="cachelib:", **options):
        super().__init__(default_timeout, **options)
        self._name = store
        self._prefix = key_prefix

    @property
    def _store(self):
        return opened(self._name)

    def _key(self, key):
        return key_of(self._prefix, key)

    def _ttl(self, timeout):
        timeout = self._normalize_timeout(timeout)
        # 0 is for ever, and -1 in some backends
        return timeout if timeout > 0 else None

    def get(self, key):
        return self._store.get(self._key(key))

    def get_many(self, *keys):
        found = self.get_dict(*keys)
        return [found[key] for key in keys]

    def get_dict(self, *keys):
        found = self._store.get_many(map(self._key, keys))
        return {key: found.get(self._key(key)) for key in keys}

    def set(self, key, value, timeout=None):
        self._store.set(self._key(key), value, self._ttl(timeout))
        return True

    def add(self, key, value, timeout=None):
        return self._store.add(self._key(key), value, self._ttl(timeout))

    def set_many(self, mapping, timeout=None):
        self._store.set_many({self._key(key): value for key, value in mapping.items()}, self._ttl(timeout))
        return list(mapping)

    def delete(self, key):
        return self._store.delete(self._key(key))

    def has(self, key):
        return self._key(key) in self._store

    def clear(self):
        self._store.clear(self._prefix)
        return True

    def inc(self, key, delta=1):
        return self._store.incr(self._key(key), delta, self._ttl(None))

    def dec(self, key, delta=1):
        return self._store.decr(self._key(key), delta, self._ttl(None))
