"""What the tests of stores share: a store in memory, and how to wait without sleeping for a fixed time."""

import sys
import threading
import time
import types
import unittest

import fake_apache  # noqa: F401
import fake_store

from mod_python._store_base import Store

BOUND = 20  # seconds that anything may take
SHORT = 0.15  # a time to live that a test waits for


class EmbeddedStore(fake_store.Embedded, Store):
    """A store over the engine in memory."""

    def __init__(self, name):
        Store.__init__(self, name)
        fake_store.Embedded.__init__(self, name)


# What the module has in this place uses the engine that is built in
sys.modules["mod_python._store_embedded"] = types.SimpleNamespace(EmbeddedStore=EmbeddedStore)


def wait_until(condition, seconds=BOUND):
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(0.002)


class StoreTest(unittest.TestCase):
    """A test with an empty store, self.store. A subclass for another engine has another opened()."""

    def opened(self):
        """A store, as another process would open it."""
        return EmbeddedStore("default")

    def setUp(self):
        fake_store.forget()
        self.store = self.opened()

    def in_threads(self, count, function):
        """Calls function(number) in so many threads at once, and returns the results; what one raises is raised."""
        start = threading.Barrier(count)
        results, errors = [None] * count, []

        def run(number):
            try:
                start.wait(BOUND)
                results[number] = function(number)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
            self.assertFalse(thread.is_alive(), "a thread hangs")
        if errors:
            raise errors[0]
        return results

    def beside(self, function):
        """Starts a thread that calls function(), and returns it."""
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        self.addCleanup(thread.join, BOUND)
        return thread
