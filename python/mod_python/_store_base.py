"""What all stores have in common. An engine gives the methods that begin with an underscore; it may have faster ones for others."""

from . import _store
from ._store_cached import cached
from ._store_errors import StoreError
from ._store_locks import Lock
from ._store_transaction import Transaction, list_of_keys

# The first byte of a name says whose it is
ENTRY = b"e"  # of the mapping
ONCE = b"o"  # of once()
CACHED = b"c"  # of cached()
LOCK = b"l"  # a lock
RATE = b"r"  # of rate()

SESSION = b"s"  # a session of mod_python.Session
PICKLED = b"p"  # of the mapping of pickled()
PICKLED_CACHED = b"k"  # of cached() of pickled()

CHUNK = 200  # entries that are read at once
LARGEST_LIMIT = 10_000  # of rate(), which keeps so many moments

_MISSING = object()


class Rate:
    """Whether something may be done now: true or false, with the seconds until it may be done again."""

    __slots__ = ("allowed", "retry_after")

    def __init__(self, allowed, retry_after):
        self.allowed = allowed
        self.retry_after = retry_after

    def __bool__(self):
        return self.allowed

    def __repr__(self):
        return f"Rate(allowed={self.allowed}, retry_after={self.retry_after:.3f})"


class Store:
    """A mapping of str to values, shared by all that open it.

    Keys have at most 480 bytes as UTF-8. A ttl is the time that an entry lives, in seconds; None is for ever.
    """

    # Whether others than httpd's own user may write to it: then nothing of it is unpickled that is not authenticated
    _others_can_write = False
    # Methods that the engine refuses
    _lacks = ()
    # The view that pickled() has made
    _pickled = None

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"<{type(self).__name__} {self.name!r}>"

    # Where entries are, and what they are made of. A view of a store has others.

    _namespace = ENTRY
    _cached_namespace = CACHED
    _encode = staticmethod(_store.encode)
    _decode = staticmethod(_store.decode)

    def _name(self, key):
        return _store.name(self._namespace, key)

    # What an engine gives. A name is bytes: one of the bytes above, and the key. A value is what _store.encode() has made.

    def _read(self, names):
        """The values of names, None where there is none, as a list, all of one moment."""
        raise NotImplementedError

    def _commit(self, checks, writes):
        """Does all writes at one moment if all checks hold then; returns whether it has.

        checks: (name, value or None for none) each. writes: (name, value or None to delete, ttl or None) each.
        """
        raise NotImplementedError

    def _scan(self, prefix, after, limit):
        """At most limit pairs (name, value) whose names begin with prefix, and where to go on: what to give as after, None at the end.

        The first call gives None as after. An entry that is there all the time comes once.
        """
        raise NotImplementedError

    def _count(self, prefix):
        """How many names begin with prefix."""
        raise NotImplementedError

    def _expire(self, name, ttl, again):
        """Lets an entry live for ttl seconds from now (None: for ever); with again for the ttl that it was last given. Whether it is there."""
        raise NotImplementedError

    def _ttl(self, name):
        """The seconds that an entry still lives: None for ever, -1 if it is not there."""
        raise NotImplementedError

    def _lock_try(self, name, token, ttl, wait):
        """Tries to take a lock for token (bytes), with a time limit or None. True, or False if another has it.

        wait: seconds for which token then keeps its place among those that wait, in the order in which they came; 0 to keep none.
        Returns when the lock was taken, or may be free, or after some tenths of a second.
        """
        raise NotImplementedError

    def _lock_release(self, name, token):
        """Gives a lock back, or the place among those that wait. Whether token had the lock."""
        raise NotImplementedError

    def _rate(self, name, limit, per):
        """Notes one more of limit in per seconds, if it is allowed: 0.0, else the seconds until it will be."""
        raise NotImplementedError

    # The mapping

    def get(self, key, default=None):
        """The value of a key, or default."""
        (value,) = self._read([self._name(key)])
        return default if value is None else self._decode(value)

    def __getitem__(self, key):
        value = self.get(key, _MISSING)
        if value is _MISSING:
            raise KeyError(key)
        return value

    def set(self, key, value, ttl=None):
        """Writes an entry."""
        self._commit([], [(self._name(key), self._encode(value), _store.ttl(ttl))])

    def __setitem__(self, key, value):
        self.set(key, value)

    def delete(self, key):
        """Deletes an entry; returns whether it was there."""
        name = self._name(key)
        while True:
            (value,) = self._read([name])
            if value is None:
                return False
            if self._commit([(name, value)], [(name, None, None)]):
                return True

    def __delitem__(self, key):
        if not self.delete(key):
            raise KeyError(key)

    def __contains__(self, key):
        return self._read([self._name(key)]) != [None]

    def __len__(self):
        return self._count(self._namespace)

    def __bool__(self):
        return True  # a store is there, also an empty one

    def __iter__(self):
        return self.keys()

    def keys(self, prefix=""):
        """Iterates over the keys that begin with prefix."""
        return (self._key(name) for name, _ in self._pairs(prefix))

    def values(self, prefix=""):
        """Iterates over the values of the keys that begin with prefix."""
        return (self._decode(value) for _, value in self._pairs(prefix))

    def items(self, prefix=""):
        """Iterates over keys and values. Entries are read some hundred at once: those of one such portion are of one moment."""
        return ((self._key(name), self._decode(value)) for name, value in self._pairs(prefix))

    def _pairs(self, prefix):
        # A prefix that is none is refused here, not when the first entry is asked for
        start = self._name(prefix)
        return (pair for portion in self._portions(start) for pair in portion)

    def _portions(self, start):
        after = None
        while True:
            pairs, after = self._scan(start, after, CHUNK)
            if pairs:
                yield pairs
            if after is None:
                return

    @staticmethod
    def _key(name):
        return name[1:].decode()

    def update(self, /, *mapping, **entries):
        """Writes entries as dict.update does, at one moment."""
        self.set_many(dict(*mapping, **entries))

    def clear(self, prefix=""):
        """Deletes the entries whose keys begin with prefix, some hundred at once."""
        for pairs in self._portions(self._name(prefix)):
            self._commit([], [(name, None, None) for name, _ in pairs])

    # What a mapping lacks

    def add(self, key, value, ttl=None):
        """Writes an entry if there is none; returns whether it has."""
        name = self._name(key)
        return self._commit([(name, None)], [(name, self._encode(value), _store.ttl(ttl))])

    def replace(self, key, old, new, ttl=None):
        """Writes new if the value is old; returns whether it has. A dict is compared with the order of its keys."""
        name = self._name(key)
        return self._commit([(name, self._encode(old))], [(name, self._encode(new), _store.ttl(ttl))])

    def incr(self, key, by=1, ttl=None):
        """Adds to an int and returns the sum. A key that is not there begins at 0, and ttl is for it; else an entry keeps its time.

        TypeError: the value is no int. OverflowError: the sum has more than 64 bits.
        """
        raise NotImplementedError

    def decr(self, key, by=1, ttl=None):
        """Subtracts from an int and returns the difference."""
        return self.incr(key, -by, ttl)

    def pop(self, key, *default):
        """Deletes an entry and returns its value: one caller gets it. KeyError if there is none and no default."""
        if len(default) > 1:
            raise TypeError(f"pop() takes a key and a default, not {len(default)} of them")
        name = self._name(key)
        while True:
            (value,) = self._read([name])
            if value is None:
                if default:
                    return default[0]
                raise KeyError(key)
            if self._commit([(name, value)], [(name, None, None)]):
                return self._decode(value)

    def get_many(self, keys):
        """A dict of those of the keys that are there, all of one moment."""
        keys = list_of_keys(keys)
        values = self._read([self._name(key) for key in keys]) if keys else []
        return {key: self._decode(value) for key, value in zip(keys, values) if value is not None}

    def set_many(self, entries, ttl=None):
        """Writes the entries of a mapping, or pairs of keys and values, all at one moment."""
        ttl = _store.ttl(ttl)
        writes = [(self._name(key), self._encode(value), ttl) for key, value in dict(entries).items()]
        if writes:
            self._commit([], writes)

    def touch(self, key):
        """Lets an entry live for its whole ttl again; returns whether it is there."""
        return self._expire(self._name(key), None, True)

    def expire(self, key, ttl):
        """Gives an entry another time to live, None for ever; returns whether it is there."""
        return self._expire(self._name(key), _store.ttl(ttl), False)

    def ttl(self, key):
        """The seconds that an entry still lives, None for ever. KeyError if there is none."""
        left = self._ttl(self._name(key))
        if left is not None and left < 0:
            raise KeyError(key)
        return left

    # Together

    def transaction(self):
        """A transaction: ``with store.transaction() as t: …`` or ``store.transaction().run(function)``."""
        return Transaction(self)

    def lock(self, key, timeout=None, ttl=None):
        """A lock: ``with store.lock(key): …``.

        It belongs to the thread, which may take it again while it has it. It ends when its process ends, and after ttl seconds if that is
        given. LockTimeout: it was not free within timeout seconds.
        """
        return Lock(self, _store.name(LOCK, key), key, timeout, _store.ttl(ttl))

    def rate(self, key, limit, per):
        """Counts one more use: true if that is one of at most limit in any per seconds, else false, with retry_after in seconds."""
        if not isinstance(limit, int) or not 1 <= limit <= LARGEST_LIMIT:
            raise ValueError(f"limit is {limit!r}: give a whole number from 1 to {LARGEST_LIMIT}")
        if per is None:
            raise TypeError("per is None: give seconds")
        retry_after = self._rate(_store.name(RATE, key), limit, _store.ttl(per))
        return Rate(retry_after == 0, retry_after)

    def once(self, key, ttl):
        """True for one caller in ttl seconds, False for all others."""
        name = _store.name(ONCE, key)
        return self._commit([(name, None)], [(name, _store.encode(True), _store.ttl(ttl))])

    def cached(self, ttl, stale=None, key=None):
        """A decorator: results are kept for ttl seconds. One caller computes, the others wait.

        stale: for so many seconds more the others get the last result instead of waiting. key: the name of the results, that of the
        function by default. Arguments must be what a store can hold.
        """
        return cached(self, ttl, stale, key)

    def __reduce__(self):
        raise StoreError(f"a store cannot be pickled or copied: open it where it is used, store.open({self.name!r})")
