"""store.cached(): one computes, the others wait or get what there was; over the engine in memory."""

import threading
import unittest

from store_support import BOUND, SHORT, StoreTest, wait_until

from mod_python._store_errors import LockTimeout


class CachedChecks:
    """For each engine."""

    def test_a_result_is_kept(self):
        calls = []

        @self.store.cached(100)
        def double(number, *, plus=0):
            """Twice."""
            calls.append(number)
            return (number * 2 + plus, None)

        # The first caller gets what the others get
        self.assertEqual([double(1), double(1), double(2), double(1, plus=3), double(1, plus=3)], [[2, None], [2, None], [4, None], [5, None], [5, None]])
        self.assertEqual(calls, [1, 2, 1])
        self.assertEqual((double.__name__, double.__doc__), ("double", "Twice."))
        double.forget(1)
        self.assertEqual((double(1), double(2), calls), ([2, None], [4, None], [1, 2, 1, 1]))
        self.assertEqual(len(self.store), 0)

    def test_none_is_a_result(self):
        calls = []
        function = self.store.cached(100, key="n")(lambda: calls.append(1))
        self.assertEqual((function(), function(), len(calls)), (None, None, 1))

    def test_one_computes_and_the_others_wait(self):
        begun, go_on, calls = threading.Event(), threading.Event(), []

        def work(number):
            @self.opened().cached(100, key="work")
            def compute():
                calls.append(number)
                begun.set()
                go_on.wait(BOUND)
                return number

            return compute()

        results = []
        first = self.beside(lambda: results.append(work(0)))
        begun.wait(BOUND)
        others = [self.beside(lambda number=number: results.append(work(number))) for number in range(1, 6)]
        wait_until(lambda: self.waiting("work") == 5)
        go_on.set()
        for thread in (first, *others):
            thread.join(BOUND)
        self.assertEqual((results, calls), ([0] * 6, [0]))

    def test_it_expires(self):
        calls = []
        function = self.store.cached(SHORT, key="e")(lambda: calls.append(1) or len(calls))
        self.assertEqual(function(), 1)
        wait_until(lambda: function() == 2)

    def test_the_others_get_what_there_was(self):
        begun, go_on, calls = threading.Event(), threading.Event(), []

        def compute():
            calls.append(1)
            if len(calls) > 1:
                begun.set()
                go_on.wait(BOUND)
            return len(calls)

        function = self.store.cached(SHORT, stale=100, key="s")(compute)
        self.assertEqual(function(), 1)
        results = []

        def work():
            while not results or results[-1] == 1:
                results.append(function())

        thread = self.beside(work)
        begun.wait(BOUND)
        # Nobody waits, and nobody else computes
        self.assertEqual([function(), function()], [1, 1])
        go_on.set()
        thread.join(BOUND)
        self.assertEqual((results[-1], len(calls)), (2, 2))

    def test_the_one_that_computes_raises(self):
        begun, go_on, calls = threading.Event(), threading.Event(), []

        def compute():
            calls.append(1)
            if len(calls) == 1:
                begun.set()
                go_on.wait(BOUND)
                raise LockTimeout("on purpose")
            return len(calls)

        errors, results = [], []

        def fail():
            try:
                self.store.cached(100, key="r")(compute)()
            except LockTimeout as error:
                errors.append(error)

        first = self.beside(fail)
        begun.wait(BOUND)
        second = self.beside(lambda: results.append(self.opened().cached(100, key="r")(compute)()))
        wait_until(lambda: self.waiting("r") == 1)
        go_on.set()
        first.join(BOUND)
        second.join(BOUND)
        self.assertEqual(([str(error) for error in errors], results, len(calls)), (["on purpose"], [2], 2))

    def test_one_that_raises_with_something_stale(self):
        calls = []

        def compute():
            calls.append(1)
            if len(calls) > 1:
                raise LockTimeout("on purpose")
            return 1

        function = self.store.cached(SHORT, stale=100, key="x")(compute)
        self.assertEqual(function(), 1)

        def fails():
            try:
                return function() != 1
            except LockTimeout as error:
                return str(error) == "on purpose"

        wait_until(fails)

    def test_bad_input(self):
        store = self.store
        for ttl, error in ((0, ValueError), (-1, ValueError), ("5", TypeError), (None, TypeError)):
            self.assertRaises(error, store.cached, ttl)
        self.assertRaises(ValueError, store.cached, 5, stale=-1)
        store.cached(5, stale=0)
        self.assertRaises(TypeError, store.cached, 5, key=b"x")
        self.assertRaises(ValueError, store.cached(5, key="k" * 470), len)
        function = store.cached(5, key="b")(lambda value: {1, 2})
        self.assertRaises(TypeError, function, object())
        self.assertRaises(TypeError, function, 1)
        # Nothing is kept, and no lock is left
        self.assertRaises(TypeError, function, 1)


class CachedTest(CachedChecks, StoreTest):
    def waiting(self, key):
        return sum(len(lock.waiting) for name, lock in self.store._data.locks.items() if key.encode() in name)


if __name__ == "__main__":
    unittest.main()
