"""A stand-in for the builtin module _store: its encoding, and an engine in memory. Importing it puts it in sys.modules.

The engine has the contract of the module's own, for the threads of one process, so that what is above it can be tested without httpd.
"""

import math
import os
import struct
import sys
import threading
import time
from bisect import bisect_right
from datetime import datetime
from hashlib import blake2b

LONGEST_KEY = 480
LONGEST_VALUE = 16 << 20
DEEPEST = 64

_settings = {"default": ("default", None, ())}


clock = time.monotonic


def configure(name, location=None, **options):
    """What a PythonStore directive says."""
    _settings[name] = (name, location, tuple(options.items()))


def settings(name):
    if not isinstance(name, str):
        raise TypeError("the name of a store is a str")
    try:
        return _settings[name]
    except KeyError:
        raise LookupError(f"there is no store {name!r}: PythonStore {name} in the configuration makes one") from None


def name(namespace, key):
    if not isinstance(key, str):
        raise TypeError(f"a key is a str, not {type(key).__name__}")
    text = key.encode()
    if len(text) > LONGEST_KEY:
        raise ValueError(f"the key has {len(text)} bytes: it can have {LONGEST_KEY}")
    return namespace + text


def ttl(value):
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a time to live is a number of seconds, not {value!r}")
    if not 0 < value < 1e10:
        raise ValueError(f"a time to live is {value!r}: give seconds, more than 0")
    return float(value)


def digest(data):
    return blake2b(data, digest_size=16).hexdigest()


def lock_token():
    return os.urandom(16)


# The encoding


def _head(major, number):
    if number < 24:
        return bytes((major << 5 | number,))
    for more, (size, form) in enumerate(((1, ">B"), (2, ">H"), (4, ">I"), (8, ">Q"))):
        if number < 1 << 8 * size:
            return bytes((major << 5 | 24 + more,)) + struct.pack(form, number)
    raise OverflowError(number)


def _integer(value):
    major, number = (0, value) if value >= 0 else (1, -1 - value)
    if number < 1 << 64:
        return _head(major, number)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes((0xC2 + major,)) + _head(2, len(data)) + data


def _encoded(value, depth):
    if depth > DEEPEST:
        raise ValueError(f"the value is deeper than {DEEPEST} levels, or contains itself")
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return _integer(int(value))
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError("NaN cannot be stored")
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        return _head(3, len(data)) + data
    if isinstance(value, (bytes, bytearray)):
        return _head(2, len(value)) + bytes(value)
    if isinstance(value, datetime):
        text = value.isoformat().encode()
        return (b"\xc0" if value.tzinfo else b"\xd9\x27\x10") + _head(3, len(text)) + text
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(_encoded(item, depth + 1) for item in value)
    if isinstance(value, dict):
        parts = [_head(5, len(value))]
        for key, item in value.items():
            if not (key is None or isinstance(key, (str, int, bytes, float))):
                raise TypeError(f"a key of a dict cannot be stored: {type(key).__name__}")
            parts += [_encoded(key, depth + 1), _encoded(item, depth + 1)]
        return b"".join(parts)
    raise TypeError(f"a {type(value).__name__} cannot be stored")


def encode(value):
    data = _encoded(value, 0)
    if len(data) > LONGEST_VALUE:
        raise ValueError(f"the value has {len(data)} bytes: it can have {LONGEST_VALUE}")
    return data


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        part = self.data[self.at : self.at + count]
        if len(part) != count:
            raise ValueError("it is cut short")
        self.at += count
        return part

    def value(self):
        first = self.take(1)[0]
        major, more = first >> 5, first & 31
        if major == 7:
            if first == 0xFB:
                return struct.unpack(">d", self.take(8))[0]
            return {0xF4: False, 0xF5: True, 0xF6: None}[first]
        number = more if more < 24 else int.from_bytes(self.take(1 << more - 24), "big")
        if major < 2:
            return -1 - number if major else number
        if major == 2:
            return self.take(number)
        if major == 3:
            return self.take(number).decode()
        if major == 4:
            return [self.value() for _ in range(number)]
        if major == 5:
            return {self.value(): self.value() for _ in range(number)}
        content = self.value()
        if number in (2, 3):
            whole = int.from_bytes(content, "big")
            return -1 - whole if number == 3 else whole
        return datetime.fromisoformat(content)


def decode(data):
    reader = _Reader(data)
    try:
        value = reader.value()
        if reader.at == len(data):
            return value
    except (LookupError, TypeError, ValueError, OverflowError):
        pass
    raise ValueError("this is no value of a store")


# The engine


class _Lock:
    def __init__(self):
        self.owner = None
        self.until = math.inf
        self.waiting = {}  # token: until when its place is kept, in the order in which they came


class _Data:
    """What all that open a store by one name share."""

    def __init__(self):
        self.changed = threading.Condition()
        self.entries = {}  # name: (value, expires or None, ttl or None)
        self.locks = {}
        self.rates = {}


class Embedded:
    """The methods of an engine. Stores of one name share their entries, as long as the process lives."""

    _all = {}

    def __init__(self, name):
        self._data = self._all.setdefault(name, _Data())
        self.commits = 0
        self.reads = 0

    def _get(self, name):
        entry = self._data.entries.get(name)
        return None if entry is None or entry[1] is not None and entry[1] <= clock() else entry

    def _put(self, name, value, ttl):
        self._data.entries[name] = (value, None if ttl is None else clock() + ttl, ttl)

    def _read(self, names):
        with self._data.changed:
            self.reads += 1
            return [entry and entry[0] for entry in map(self._get, names)]

    def _commit(self, checks, writes):
        with self._data.changed:
            self.commits += 1
            for name, value in checks:
                entry = self._get(name)
                if (entry and entry[0]) != value:
                    return False
            for name, value, ttl in writes:
                if value is None:
                    self._data.entries.pop(name, None)
                else:
                    self._put(name, value, ttl)
            return True

    def _scan(self, prefix, after, limit):
        with self._data.changed:
            names = sorted(name for name in self._data.entries if name.startswith(prefix) and self._get(name))
            first = 0 if after is None else bisect_right(names, after)
            part = names[first : first + limit]
            return [(name, self._get(name)[0]) for name in part], part[-1] if first + limit < len(names) else None

    def _count(self, prefix):
        with self._data.changed:
            return sum(name.startswith(prefix) and self._get(name) is not None for name in self._data.entries)

    def _expire(self, name, ttl, again):
        with self._data.changed:
            entry = self._get(name)
            if entry is None:
                return False
            seconds = entry[2] if again else ttl
            self._put(name, entry[0], seconds)
            return True

    def _ttl(self, name):
        with self._data.changed:
            entry = self._get(name)
            return -1 if entry is None else None if entry[1] is None else entry[1] - clock()

    def incr(self, key, by=1, ttl=None):
        """Adds to an int."""
        if not isinstance(by, int):
            raise TypeError(f"incr() adds an int, not {by!r}")
        entry_name, ttl = name(b"e", key), globals()["ttl"](ttl)
        with self._data.changed:
            value, expires, lifetime = self._get(entry_name) or (b"\0", None if ttl is None else clock() + ttl, ttl)
            value = decode(value)
            if type(value) is not int:
                raise TypeError(f"the value of {key!r} is no int: {type(value).__name__}")
            if not -(1 << 63) <= value + by < 1 << 63:
                raise OverflowError(f"the sum in {key!r} has more than 64 bits")
            self._data.entries[entry_name] = (encode(value + by), expires, lifetime)
            return value + by

    def _lock_try(self, name, token, ttl, wait):
        with self._data.changed:
            lock = self._data.locks.setdefault(name, _Lock())
            if self._take(lock, token, ttl):
                return True
            if wait:
                lock.waiting[token] = clock() + wait
                self._data.changed.wait(min(wait, 0.2))
                return self._take(lock, token, ttl)
            return False

    def _take(self, lock, token, ttl):
        now = clock()
        for dead in [other for other, until in lock.waiting.items() if until < now and other != token]:
            del lock.waiting[dead]
        if lock.owner is not None and lock.until > now:
            return lock.owner == token
        if next(iter(lock.waiting), token) != token:
            return False
        lock.waiting.pop(token, None)
        lock.owner, lock.until = token, math.inf if ttl is None else now + ttl
        return True

    def _lock_release(self, name, token):
        with self._data.changed:
            lock = self._data.locks.setdefault(name, _Lock())
            lock.waiting.pop(token, None)
            had_it = lock.owner == token and lock.until > clock()
            if lock.owner == token:
                lock.owner = None
            self._data.changed.notify_all()
            return had_it

    def _rate(self, name, limit, per):
        with self._data.changed:
            now = clock()
            moments = self._data.rates[name] = [moment for moment in self._data.rates.get(name, []) if now - per < moment]
            if len(moments) >= limit:
                return moments[-limit] + per - now
            moments.append(now)
            return 0.0


def forget():
    """Forgets all entries, locks and directives."""
    Embedded._all.clear()
    _settings.clear()
    configure("default")
    store = sys.modules.get("mod_python.store")
    if store is not None:
        store._opened.clear()


sys.modules["_store"] = sys.modules[__name__]
