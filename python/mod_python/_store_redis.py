"""Stores on a Redis or Valkey server."""

import math
import struct
from itertools import islice

from . import _store
from ._store_base import Store
from ._store_errors import StoreError
from ._store_redis_client import DEFAULT_TIMEOUT, Client, shown
from ._store_redis_leases import LEASE, Leases
from ._store_redis_scripts import COMMIT, EXPIRE, INCR, LOCK, RATE, RELEASE, TOUCH, WAKE

DEFAULT_PREFIX = "mod_python:"

# How long one that waits for a lock stays on the server at once, and how long its place is kept, in seconds: it may have died
_WAIT = 0.25
_PLACE = 2.0
_SHORTEST = 0.005

# How many keys the server looks at in one step of a scan, and how many names are remembered so that none comes twice
_STEP = 500
_REMEMBERED = 100_000

_FOR_EVER = b"\xf6"
_SECONDS = b"\xfb"


class RedisStore(Store):
    """A store on a server. Its location is redis://, rediss:// (TLS) or unix://; options are prefix and timeout."""

    # Whoever has the server's password, or access to its network
    _others_can_write = True

    def __init__(self, name, location, options=None):
        super().__init__(name)
        options = dict(options or {})
        self._prefix = options.pop("prefix", DEFAULT_PREFIX).encode()
        self._timeout = _seconds(name, options.pop("timeout", DEFAULT_TIMEOUT))
        if options:
            raise StoreError(f"PythonStore {name}: a store on a server has no {next(iter(options))}=, it has prefix= and timeout=")
        self._client = Client(name, location, self._timeout)
        self._leases = Leases(self._client)
        self._location = shown(location)

    def __repr__(self):
        return f"<RedisStore {self.name!r} at {self._location}>"

    def _keys(self, names):
        prefix = self._prefix
        return [prefix + name for name in names]

    def _read(self, names):
        if not names:
            return []
        return list(map(self._value, self._client.call("MGET", *self._keys(names), repeat=True)))

    def _value(self, stored):
        """The value in a stored string."""
        if stored is None:
            return None
        if stored.startswith(_FOR_EVER):
            return stored[1:]
        if stored.startswith(_SECONDS) and len(stored) > 9:
            return stored[9:]
        raise StoreError(f"something else than a store has written at {self._location} under {self._prefix.decode()!r}: give the store a prefix= of its own")

    def _commit(self, checks, writes):
        if not checks and len(writes) == 1:
            ((name, value, ttl),) = writes
            key = self._prefix + name
            if value is None:
                self._client.call("DEL", key)
            elif ttl is None:
                self._client.call("SET", key, _FOR_EVER + value)
            else:
                self._client.call("SET", key, _head(ttl) + value, "PX", _milliseconds(ttl))
            return True
        arguments = [len(checks)]
        arguments += [b"-" if value is None else b"+" + value for _, value in checks]
        for _, value, ttl in writes:
            arguments += (b"", 0) if value is None else (_head(ttl) + value, 0 if ttl is None else _milliseconds(ttl))
        keys = self._keys([name for name, _ in checks] + [name for name, _, _ in writes])
        return bool(self._client.run(COMMIT, keys, arguments))

    def _scan(self, prefix, after, limit):
        position = after or _Position()
        if not position.found and position.cursor is not None:
            pattern = _escaped(self._prefix + prefix) + b"*"
            cursor, keys = self._client.call("SCAN", position.cursor, "MATCH", pattern, "COUNT", _STEP, repeat=True)
            position.cursor = None if int(cursor) == 0 else cursor
            position.add(keys)
        keys, position.found = position.found[:limit], position.found[limit:]
        names = [key[len(self._prefix) :] for key in keys]
        pairs = [(name, value) for name, value in zip(names, self._read(names)) if value is not None]
        return pairs, position if position.found or position.cursor is not None else None

    def _count(self, prefix):
        # Keys only: the values stay where they are
        pattern = _escaped(self._prefix + prefix) + b"*"
        count, position = 0, _Position()
        while position.cursor is not None:
            cursor, keys = self._client.call("SCAN", position.cursor, "MATCH", pattern, "COUNT", _STEP, repeat=True)
            position.cursor = None if int(cursor) == 0 else cursor
            position.add(keys)
            count += len(position.found)
            position.found = []
        return count

    def _expire(self, name, ttl, again):
        keys = [self._prefix + name]
        if again:
            return bool(self._client.run(TOUCH, keys, [], repeat=True))
        return bool(self._client.run(EXPIRE, keys, [0 if ttl is None else _milliseconds(ttl), _head(ttl)], repeat=True))

    def _ttl(self, name):
        left = self._client.call("PTTL", self._prefix + name, repeat=True)
        return {-2: -1, -1: None}.get(left, left / 1000)

    def incr(self, key, by=1, ttl=None):
        """Adds to an int and returns the sum. A key that is not there begins at 0, and ttl is for it; else an entry keeps its time.

        TypeError: the value is no int. OverflowError: the sum has more than 64 bits.
        """
        if not isinstance(by, int):
            raise TypeError(f"incr() adds an int, not {by!r}")
        if not -(1 << 63) <= by < 1 << 63:
            raise OverflowError(f"{by} has more than 64 bits")
        name, ttl = self._name(key), _store.ttl(ttl)
        high, low = divmod(by % (1 << 64), 1 << 32)
        milliseconds = 0 if ttl is None else _milliseconds(ttl)
        answer = self._client.run(INCR, [self._prefix + name], [high, low, _head(ttl), milliseconds])
        if answer == b"size":
            raise OverflowError(f"the sum in {key!r} has more than 64 bits")
        if answer == b"type":
            raise TypeError(f"the value of {key!r} is no int, so nothing can be added to it")
        return _store.decode(answer[0])

    # The queue of a lock has names of its own, as has what wakes one that waits.

    def _lock_keys(self, name):
        return [self._prefix + part + name for part in (b"", b"q", b"d")]

    def _wake_key(self, name, token):
        return self._prefix + b"w" + name + b":" + token

    def _lock_try(self, name, token, ttl, wait):
        keys = self._lock_keys(name)
        lease = _milliseconds(LEASE if ttl is None else ttl)
        place = _milliseconds(min(wait, _PLACE)) if wait else 0
        arguments = token, lease, place
        has_it = self._client.run(LOCK, keys, arguments, repeat=True)
        if not has_it and wait:
            # Who releases the lock says it to the first of the queue; when a holder has died nobody does
            # Not too short: the server takes what it rounds to 0 as for ever
            pause = max(min(wait, _WAIT, self._timeout / 4), _SHORTEST)
            self._client.call("BLPOP", self._wake_key(name, token), pause)
            has_it = self._client.run(LOCK, keys, (token, lease, place), repeat=True)
        if has_it and ttl is None:
            self._leases.keep(token, keys[0])
        return bool(has_it)

    def _lock_release(self, name, token):
        self._leases.drop(token)
        had, waiting = self._client.run(RELEASE, self._lock_keys(name), [token])
        if waiting:
            self._wake(self._wake_key(name, waiting))
        return bool(had)

    def _wake(self, key):
        try:
            self._client.run(WAKE, [key], [])
        except StoreError:
            # It looks by itself in a moment
            pass

    def _rate(self, name, limit, per):
        return int(self._client.run(RATE, [self._prefix + name], [limit, _milliseconds(per)])) / 1e6


class _Position:
    """Where a scan goes on. The server may give a key several times, one soon after the other, while its table shrinks."""

    def __init__(self):
        self.cursor = 0
        self.found = []  # keys that are still to be given
        self._seen = {}

    def add(self, keys):
        for key in keys:
            known = hash(key)
            if known not in self._seen:
                self._seen[known] = None
                self.found.append(key)
        # A dict keeps the order in which they came
        for known in list(islice(self._seen, max(0, len(self._seen) - _REMEMBERED))):
            del self._seen[known]


def _seconds(name, text):
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 600:
        raise StoreError(f"PythonStore {name}: timeout={text} is not understood: write seconds, such as timeout=2")
    return seconds


def _head(ttl):
    return _FOR_EVER if ttl is None else _SECONDS + struct.pack(">d", ttl)


def _milliseconds(seconds):
    return max(1, math.ceil(seconds * 1000))


def _escaped(key):
    """A pattern that fits the key alone."""
    return b"".join(b"\\" + bytes((byte,)) if byte in b"*?[]^-\\" else bytes((byte,)) for byte in key)
