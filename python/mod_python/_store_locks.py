"""Locks across threads, interpreters and processes."""

import os
import threading
import time

from . import _store
from ._store_errors import LockLost, LockTimeout, StoreError

# How long a lock that is waited for without a limit is waited for at once, in seconds
_PLACE = 5.0


def take(store, name, ttl, limit):
    """Waits for a lock, at most limit seconds (None: for ever). The token that it is held with, or None."""
    deadline = None if limit is None else time.monotonic() + limit
    token = _store.lock_token()
    try:
        while True:
            left = _PLACE if deadline is None else max(0.0, deadline - time.monotonic())
            if store._lock_try(name, token, ttl, min(left, _PLACE)):
                return token
            if deadline is not None and time.monotonic() >= deadline:
                break
    except BaseException:
        # It may have been taken, or have a place, whatever has happened here
        try:
            store._lock_release(name, token)
        except StoreError:
            pass
        raise
    if limit:
        store._lock_release(name, token)
    return None


class Lock:
    """A lock in a store, as a context manager, or by acquire() and release() on one thread."""

    def __init__(self, store, name, key, timeout, ttl):
        self._store = store
        self._name = name
        self._key = key
        self._timeout = _checked(timeout)
        self._ttl = ttl

    def __enter__(self):
        if not self.acquire():
            raise LockTimeout(f"the lock {self._key!r} was not free within {self._timeout:g} s")
        self._process = os.getpid()
        return self

    def __exit__(self, kind, *_):
        if self._process != os.getpid():
            # It stays with the process that this one was forked from
            return
        try:
            self.release()
        except StoreError:
            # What the program has raised is worth more
            if kind is None:
                raise

    def acquire(self, blocking=True, timeout=-1):
        """Takes the lock; returns whether it was free in time. A thread that has it has it once more.

        timeout: seconds, None for ever; by default that of the lock. LockLost: this thread had it, and its time has ended.
        """
        limit = self._timeout if timeout == -1 else _checked(timeout)
        held = _held(self._store)
        own = held.get(self._name)
        if own is not None:
            if own.has_ended():
                raise self._lost()
            own.times += 1
            return True
        # Its time begins when it is taken, or a little later than this clock says
        begun = time.monotonic()
        token = take(self._store, self._name, self._ttl, limit if blocking else 0)
        if token is None:
            return False
        until = None if self._ttl is None else max(begun, time.monotonic()) + self._ttl
        held[self._name] = _Held(token, until)
        return True

    def release(self):
        """Gives it back. RuntimeError: this thread does not have it. LockLost: its time had ended."""
        held = _held(self._store)
        own = held.get(self._name)
        if own is None:
            raise RuntimeError(f"this thread does not have the lock {self._key!r}")
        own.times -= 1
        if own.times:
            return
        del held[self._name]
        if not self._store._lock_release(self._name, own.token):
            raise self._lost()

    def locked(self):
        """Whether this thread has it, and its ttl has not passed."""
        own = _held(self._store).get(self._name)
        return own is not None and not own.has_ended()

    def _lost(self):
        return LockLost(f"the time of the lock {self._key!r} ended before it was released; another one may have had it")


class _Held:
    """A lock that a thread has: how many times, and until when at most."""

    __slots__ = ("times", "token", "until")

    def __init__(self, token, until):
        self.token = token
        self.times = 1
        self.until = until

    def has_ended(self):
        return self.until is not None and time.monotonic() >= self.until


def _checked(timeout):
    if timeout is not None and not 0 <= timeout < 1e9:
        raise ValueError(f"timeout is {timeout!r}: give seconds, or None to wait for ever")
    return timeout


_local = threading.local()


def _held(store):
    """The locks that this thread has in a store, by name. A process that was forked has none."""
    if getattr(_local, "process", None) != os.getpid():
        _local.process = os.getpid()
        _local.held = {}
    # By the store itself: those of two virtual hosts can have the same name
    return _local.held.setdefault(store, {})
