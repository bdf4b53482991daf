"""Counters: in this interpreter's memory, in a file, in the store, and one that is wrong."""

import fcntl
import os
import threading
import time

from mod_python import store


class InGlobals:
    """One number for each interpreter of each child.

    Its threads run the same handler at the same time, and
    `+=` is a read, an addition and a write: the lock keeps
    the three together.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._value = 0

    def add(self, amount=1):
        with self._lock:
            self._value += amount
            return self._value


class InFile:
    """One number for all threads, interpreters and children.

    flock() locks an opening of the file, not the process.
    Each call opens it anew, so any two calls exclude each
    other, wherever they run.
    """

    def __init__(self, path):
        self._path = path

    def add(self, amount=1):
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            value = int(os.pread(fd, 20, 0) or b"0") + amount
            # 20 digits, so that each number covers the last.
            os.pwrite(fd, b"%020d" % value, 0)
            return value
        finally:
            os.close(fd)  # gives the lock back, too


class WithoutLock:
    """One number for everyone, as it is often written.

    Between the read and the write somebody else reads the
    same number, and both write the next one.
    """

    def __init__(self, path):
        self._path = path

    def add(self, amount=1):
        try:
            with open(self._path) as file:
                value = int(file.read() or 0)
        except FileNotFoundError:
            value = 0
        if not amount:
            return value
        time.sleep(0.003)  # something else that has to be done
        with open(self._path, "r+" if value else "w") as file:
            file.write("%020d" % (value + amount))
        return value + amount


class InStore:
    """One number for all threads, interpreters and children, which visit.py counts up, too."""

    def add(self, amount=1):
        return store.open().incr("visits", amount)
