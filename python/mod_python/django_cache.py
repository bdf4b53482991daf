"""A cache of Django in a store: CACHES = {"default": {"BACKEND": "mod_python.django_cache.StoreCache", "LOCATION": "default"}}."""

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from ._store_caches import key_of, opened

_PREFIX = "django.cache:"
_MISSING = object()


class StoreCache(BaseCache):
    """LOCATION is the store's name. Values are pickled, except on a server that others can write to: there they are what a store can hold."""

    def __init__(self, server, params):
        super().__init__(params)
        self._name = server or "default"

    @property
    def _store(self):
        return opened(self._name)

    def _key(self, key, version):
        return key_of(_PREFIX, self.make_and_validate_key(key, version))

    def _ttl(self, timeout):
        """The store's time to live: None for ever, 0 not at all."""
        timeout = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        return None if timeout is None else max(0, timeout)

    def get(self, key, default=None, version=None):
        return self._store.get(self._key(key, version), default)

    def set(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        key, ttl = self._key(key, version), self._ttl(timeout)
        if ttl == 0:
            self._store.delete(key)
        else:
            self._store.set(key, value, ttl)

    def add(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        key, ttl = self._key(key, version), self._ttl(timeout)
        return key not in self._store if ttl == 0 else self._store.add(key, value, ttl)

    def touch(self, key, timeout=DEFAULT_TIMEOUT, version=None):
        key, ttl = self._key(key, version), self._ttl(timeout)
        return self._store.delete(key) if ttl == 0 else self._store.expire(key, ttl)

    def delete(self, key, version=None):
        return self._store.delete(self._key(key, version))

    def has_key(self, key, version=None):
        return self._key(key, version) in self._store

    def incr(self, key, delta=1, version=None):
        stored = self._key(key, version)
        if stored not in self._store:
            raise ValueError(f"Key {key!r} not found")
        # The time is for one that expires in between
        return self._store.incr(stored, delta, self._ttl(DEFAULT_TIMEOUT) or None)

    def get_many(self, keys, version=None):
        stored = {self._key(key, version): key for key in keys}
        return {stored[key]: value for key, value in self._store.get_many(stored).items()}

    def set_many(self, data, timeout=DEFAULT_TIMEOUT, version=None):
        ttl = self._ttl(timeout)
        if ttl == 0:
            self.delete_many(data, version)
        else:
            self._store.set_many({self._key(key, version): value for key, value in data.items()}, ttl)
        return []

    def clear(self):
        self._store.clear(_PREFIX)
