"""store.pickled(): a view of a store whose values are pickles."""

from pickle import dumps, loads

from . import _store
from ._store_base import PICKLED, PICKLED_CACHED, Store
from ._store_errors import StoreError


def view(store):
    """See store.pickled()."""
    if not isinstance(store, Store):
        raise TypeError(f"pickled() takes a store, not {store!r}: pickled(store.open('name'))")
    if store._others_can_write:
        raise StoreError(
            f"the store {store.name!r} has no pickles, since whoever can write to its server could run programs here: store what"
            " a store can hold by itself, or use a store on this machine"
        )
    if isinstance(store, Pickled):
        return store
    if store._pickled is None:
        store._pickled = Pickled(store)
    return store._pickled


def _encode(value):
    # An int stays one, so that incr() works
    return _store.encode(value if type(value) is int else dumps(value, 5))


def _decode(stored):
    value = _store.decode(stored)
    return value if type(value) is int else loads(value)


class Pickled(Store):
    """The view. No other one writes into its namespaces, so that nothing is unpickled that was not pickled here."""

    _namespace = PICKLED
    _cached_namespace = PICKLED_CACHED
    _encode = staticmethod(_encode)
    _decode = staticmethod(_decode)

    def __init__(self, store):
        super().__init__(store.name)
        self._store = store
        for method in ("_read", "_commit", "_scan", "_count", "_expire", "_ttl", "_lock_try", "_lock_release", "_rate"):
            setattr(self, method, getattr(store, method))
        # Locks and rates are those of the store; a thread that has a lock has it here too
        self.lock, self.rate, self.once = store.lock, store.rate, store.once
        for method in store._lacks:
            setattr(self, method, getattr(store, method))

    def replace(self, key, old, new, ttl=None):
        """Writes new if the value is equal to old; returns whether it has."""
        name = self._name(key)
        write = (name, self._encode(new), _store.ttl(ttl))
        # Equal values can have different pickles
        while True:
            (stored,) = self._read([name])
            if stored is None or self._decode(stored) != old:
                return False
            if self._commit([(name, stored)], [write]):
                return True

    def incr(self, key, by=1, ttl=None):
        """Adds to an int and returns the sum. A key that is not there begins at 0, and ttl is for it; else an entry keeps its time."""
        if not isinstance(by, int):
            raise TypeError(f"incr() adds an int, not {by!r}")
        name = self._name(key)
        ttl = _store.ttl(ttl)
        while True:
            (stored,) = self._read([name])
            value = 0 if stored is None else self._decode(stored)
            if type(value) is not int:
                raise TypeError(f"the value of {key!r} is no int: {type(value).__name__}")
            left = ttl
            if stored is not None:
                left = self._ttl(name)
                if left is not None and left <= 0:
                    continue
            if self._commit([(name, stored)], [(name, self._encode(value + by), left)]):
                return value + by
