"""Optimistic transactions: what was read is compared when it is committed, so that no Python runs while others wait."""

import random
import time

from . import _store
from ._store_errors import Conflict, StoreError

_MISSING = object()


def list_of_keys(keys):
    """A list of what get_many() was given."""
    if isinstance(keys, (str, bytes)):
        raise TypeError(f"get_many() takes several keys, not {keys!r}: give a list")
    return list(keys)


class Transaction:
    """A view of a store, of one moment, with changes that are made all together or not at all.

    As a context manager it commits at the end, unless an exception is raised. Conflict: another program has changed what was read.
    """

    def __init__(self, store):
        self._store = store
        self._clear()

    def _clear(self):
        self._read = {}  # name: value, as first read
        self._written = {}  # name: (value, ttl)
        self._ended = False
        self._conflict = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None and self._conflict is not None:
                # The program has caught it, and would go on as if its changes had been made
                raise Conflict(self._conflict)
            if kind is None and not self._ended:
                self.commit()
        finally:
            self._ended = True

    def _value(self, key):
        name = self._name(key)
        if name in self._written:
            return self._written[name][0]
        if name not in self._read:
            self._fetch([name])
        return self._read[name]

    def _name(self, key):
        if self._ended:
            raise StoreError("this transaction has ended: begin another one")
        return self._store._name(key)

    def _fetch(self, names):
        # What was read before is read again: all must be of one moment.
        known = list(self._read)
        values = self._store._read(known + names)
        for name, value in zip(known, values):
            if self._read[name] != value:
                self._ended = True
                self._conflict = f"{self._store._key(name)!r} was changed while this transaction was under way; nothing of it was done"
                raise Conflict(self._conflict)
        self._read.update(zip(names, values[len(known) :]))

    def get(self, key, default=None):
        """The value of a key, or default."""
        value = self._value(key)
        return default if value is None else self._store._decode(value)

    def __getitem__(self, key):
        value = self.get(key, _MISSING)
        if value is _MISSING:
            raise KeyError(key)
        return value

    def __contains__(self, key):
        return self._value(key) is not None

    def get_many(self, keys):
        """A dict of those of the keys that are there."""
        keys = list_of_keys(keys)
        names = dict.fromkeys(map(self._name, keys))
        wanted = [name for name in names if name not in self._read and name not in self._written]
        if wanted:
            self._fetch(wanted)
        return {key: self._store._decode(value) for key in keys if (value := self._value(key)) is not None}

    def set(self, key, value, ttl=None):
        """Writes an entry when the transaction is committed."""
        self._written[self._name(key)] = (self._store._encode(value), _store.ttl(ttl))

    def __setitem__(self, key, value):
        self.set(key, value)

    def delete(self, key):
        """Deletes an entry when the transaction is committed; returns whether it is there."""
        was_there = self._value(key) is not None
        self._written[self._name(key)] = (None, None)
        return was_there

    def __delitem__(self, key):
        if not self.delete(key):
            raise KeyError(key)

    def commit(self):
        """Makes the changes."""
        if self._ended:
            raise StoreError("this transaction has ended: begin another one")
        self._ended = True
        writes = [(name, value, ttl) for name, (value, ttl) in self._written.items()]
        # What was only read was of one moment, whenever that was
        if writes and not self._store._commit(list(self._read.items()), writes):
            raise Conflict("what this transaction has read was changed by another program; nothing of it was done")

    def run(self, function, attempts=100):
        """Calls function(transaction) and commits, again after a conflict, and returns what it has returned.

        It must do nothing else that matters, since it may be called several times. Conflict: all attempts have failed.
        """
        if attempts < 1:
            raise ValueError(f"attempts is {attempts!r}: give a whole number of at least 1")
        for attempt in range(attempts):
            self._clear()
            try:
                result = function(self)
                if not self._ended:
                    self.commit()
                if self._conflict is not None:
                    raise Conflict(self._conflict)
                return result
            except Conflict:
                if attempt == attempts - 1:
                    raise
            finally:
                self._ended = True
            # The more often it was in vain, the more others there are
            time.sleep(random.random() * 0.0005 * 2 ** min(attempt, 7))
