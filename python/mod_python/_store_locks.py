"""Locks across threads, interpreters and processes."""

import os
import threading
import time

from . import _store
from ._store_errors import LockLost, LockTimeout

# How long a lock that is waited for without a limit is waited for at once, in seconds.
_PLACE = 5.0


class Lock:
    """A lock in a store, as a context manager, or by acquire() and release() on one thread."""

    def __init__(self, store, name, key, timeout, ttl):
        if timeout is not None and not 0 <= timeout < 1e9:
            raise ValueError(f"timeout is {timeout!r}: give seconds, or None to wait for ever")
        self._store = store
        self._name = name
        self._key = key
        self._timeout = timeout
        self._ttl = ttl

    def __enter__(self):
        if not self.acquire():
            raise LockTimeout(f"the lock {self._key!r} was not free within {self._timeout:g} s")
        return self

    def __exit__(self, kind, *_):
        try:
            self.release()
        except LockLost:
            # What the program has raised is worth more.
            if kind is None:
                raise

    def acquire(self, blocking=True, timeout=-1):
        """Takes the lock; returns whether it was free in time. A thread that has it has it once more."""
        held = _held(self._store)
        if self._name in held:
            held[self._name][1] += 1
            return True
        limit = self._timeout if timeout == -1 else timeout
        limit = limit if blocking else 0
        deadline = None if limit is None else time.monotonic() + limit
        token = _store.lock_token()
        try:
            while True:
                left = _PLACE if deadline is None else max(0.0, deadline - time.monotonic())
                if self._store._lock_try(self._name, token, self._ttl, left):
                    held[self._name] = [token, 1]
                    return True
                if deadline is not None and time.monotonic() >= deadline:
                    break
        except BaseException:
            self._store._lock_release(self._name, token)
            raise
        if limit:
            self._store._lock_release(self._name, token)
        return False

    def release(self):
        """Gives it back. RuntimeError: this thread does not have it. LockLost: its time had ended."""
        held = _held(self._store)
        if self._name not in held:
            raise RuntimeError(f"this thread does not have the lock {self._key!r}")
        held[self._name][1] -= 1
        if held[self._name][1]:
            return
        token, _ = held.pop(self._name)
        if not self._store._lock_release(self._name, token):
            raise LockLost(f"the time of the lock {self._key!r} ended before it was released; another one may have had it")

    def locked(self):
        """Whether this thread has it."""
        return self._name in _held(self._store)


_local = threading.local()


def _held(store):
    """The locks that this thread has: name to [token, times]. A process that was forked has none."""
    if getattr(_local, "process", None) != os.getpid():
        _local.process = os.getpid()
        _local.held = {}
    return _local.held.setdefault(store.name, {})
