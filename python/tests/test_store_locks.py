"""Locks: one holder, re-entrant, fair, with time limits, over threads and forks; over the engine in memory."""

import os
import threading
import time
import unittest

from store_support import BOUND, SHORT, StoreTest, wait_until

from mod_python._store_errors import LockLost, LockTimeout, StoreError, StoreUnavailable


class LockChecks:
    """For each engine."""

    def test_one_has_it(self):
        inside, worst = [], []

        def work(number):
            store = self.opened()
            for _ in range(15):
                with store.lock("l"):
                    inside.append(number)
                    worst.append(len(inside))
                    value = store.get("n", 0)
                    store["n"] = value + 1
                    inside.remove(number)

        self.in_threads(6, work)
        self.assertEqual((max(worst), self.store["n"]), (1, 90))

    def test_others_do_not_wait_for_each_other(self):
        with self.store.lock("a"), self.store.lock("b"):
            self.assertTrue(self.free("c"))
            self.assertFalse(self.free("a"))
        self.assertTrue(self.free("a") and self.free("b"))
        # A lock is no entry
        self.assertEqual((len(self.store), "a" in self.store), (0, False))

    def free(self, key):
        """Whether another one could have the lock now."""
        other = []
        thread = self.beside(lambda: other.append(self.opened().lock(key).acquire(blocking=False)))
        thread.join(BOUND)
        if other[0]:
            # That thread has ended, and so has what it had: nobody may be left with it
            self.opened_locks_end(key)
        return other[0]

    def opened_locks_end(self, key):
        raise NotImplementedError

    def test_it_is_reentrant(self):
        lock, other = self.store.lock("l"), self.store.lock("l", timeout=0)
        with lock:
            with other, lock:
                self.assertTrue(lock.locked() and other.locked())
            self.assertTrue(lock.locked())
            self.assertTrue(other.acquire(blocking=False))
            other.release()
        self.assertFalse(lock.locked())
        self.assertRaisesRegex(RuntimeError, "does not have the lock 'l'", lock.release)
        self.assertTrue(other.acquire())
        other.release()

    def test_it_belongs_to_the_thread(self):
        lock = self.store.lock("l")
        errors = []
        with lock:
            def release():
                try:
                    lock.release()
                except RuntimeError as error:
                    errors.append(error)

            self.beside(release).join(BOUND)
            self.assertEqual(len(errors), 1)
            self.assertTrue(lock.locked())

    def test_timeout(self):
        holder = self.opened()
        release = threading.Event()
        held = threading.Event()

        def hold():
            with holder.lock("l"):
                held.set()
                release.wait(BOUND)

        thread = self.beside(hold)
        held.wait(BOUND)
        begun = time.monotonic()
        with self.assertRaisesRegex(LockTimeout, "the lock 'l' was not free within 0.1 s"):
            with self.store.lock("l", timeout=0.1):
                self.fail("two have it")
        self.assertTrue(0.1 <= time.monotonic() - begun < 5)
        with self.assertRaises(TimeoutError):
            self.store.lock("l", timeout=0).__enter__()
        lock = self.store.lock("l")
        self.assertEqual((lock.acquire(blocking=False), lock.acquire(timeout=0.05), lock.acquire(timeout=0), lock.locked()), (False, False, False, False))
        release.set()
        thread.join(BOUND)
        # Who has given up is in nobody's way
        self.assertTrue(lock.acquire(timeout=BOUND))
        lock.release()
        for wrong in (-2, float("nan"), 1e10):
            self.assertRaises(ValueError, self.store.lock, "l", wrong)
            self.assertRaises(ValueError, lock.acquire, True, wrong)
        self.assertRaises(TypeError, self.store.lock, "l", "5")

    def test_the_first_to_come_is_the_first_to_have_it(self):
        order, threads = [], []
        with self.store.lock("l"):
            for number in range(5):
                def work(number=number):
                    with self.opened().lock("l"):
                        order.append(number)

                threads.append(self.beside(work))
                wait_until(lambda: self.waiting("l") == number + 1)
        for thread in threads:
            thread.join(BOUND)
        self.assertEqual(order, list(range(5)))

    def test_who_comes_later_does_not_jump_the_queue(self):
        got = threading.Event()
        leave = threading.Event()

        def work():
            with self.opened().lock("l"):
                got.set()
                leave.wait(BOUND)

        lock = self.store.lock("l")
        with lock:
            thread = self.beside(work)
            wait_until(lambda: self.waiting("l") == 1)
        # The one that waits is first, however fast we are
        self.assertFalse(lock.acquire(blocking=False))
        got.wait(BOUND)
        leave.set()
        thread.join(BOUND)

    def test_a_time_limit(self):
        lock = self.store.lock("l", ttl=SHORT)
        with self.assertRaisesRegex(LockLost, "ended before it was released"):
            with lock:
                with self.store.lock("l", ttl=SHORT):
                    pass
                other = self.opened()

                def work():
                    with other.lock("l"):
                        pass

                self.beside(work).join(BOUND)
                wait_until(lambda: not lock.locked())
                self.assertRaises(LockLost, lock.acquire)
        self.assertFalse(lock.locked())
        # What the program raises is worth more
        with self.assertRaises(ZeroDivisionError):
            with lock:
                wait_until(lambda: not lock.locked())
                1 / 0
        with self.store.lock("l", ttl=100):
            pass

    def test_exceptions(self):
        with self.assertRaises(ZeroDivisionError):
            with self.store.lock("l"):
                1 / 0
        with self.assertRaises(SystemExit):
            with self.store.lock("l"):
                raise SystemExit
        with self.opened().lock("l", timeout=5):
            pass

    def test_stores_of_one_name_are_not_one(self):
        # Two virtual hosts can have stores of one name
        other = self.another()
        with self.store.lock("l"):
            self.assertFalse(other.lock("l").locked())
            with other.lock("l", timeout=0):
                pass
            self.assertTrue(self.store.lock("l").locked())

    def test_a_forked_process_does_not_have_it(self):
        lock = self.store.lock("l")
        with lock:
            child = os.fork()
            if not child:
                try:
                    status = 0 if not lock.locked() else 1
                    lock.__exit__(None, None, None)
                    try:
                        lock.release()
                        status = 2
                    except RuntimeError:
                        pass
                    if self.shared_with_forked:
                        status = status or 4 * self.store.lock("l", timeout=0).acquire()
                    os._exit(status)
                finally:
                    os._exit(3)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
            self.assertTrue(lock.locked())
        self.assertFalse(lock.locked())


class LockTest(LockChecks, StoreTest):
    shared_with_forked = False

    def waiting(self, key):
        return len(self.store._data.locks[b"l" + key.encode()].waiting)

    def opened_locks_end(self, key):
        lock = self.store._data.locks[b"l" + key.encode()]
        self.assertTrue(self.store._lock_release(b"l" + key.encode(), lock.owner))

    def another(self):
        from store_support import EmbeddedStore

        store = EmbeddedStore("other")
        store.name = self.store.name
        return store

    def test_what_fails_leaves_no_place(self):
        class Failing:
            released = []

            def _lock_try(self, *arguments):
                raise StoreUnavailable("on purpose")

            def _lock_release(self, name, token):
                self.released.append(token)
                raise StoreUnavailable("this neither")

        from mod_python._store_locks import take

        with self.assertRaisesRegex(StoreUnavailable, "on purpose"):
            take(Failing(), b"l", None, None)
        self.assertEqual(len(Failing.released), 1)

    def test_a_server_that_is_away_at_the_end(self):
        def gone(*_):
            raise StoreUnavailable("away")

        for raised, expected in ((None, StoreUnavailable), (ZeroDivisionError, ZeroDivisionError)):
            lock = self.store.lock("l")
            with self.assertRaises(expected):
                with lock:
                    self.store._lock_release = gone
                    if raised:
                        raise raised
            del self.store._lock_release
            # This thread does not have it any more
            self.assertFalse(lock.locked())
            self.store._data.locks.clear()
        self.assertTrue(issubclass(StoreUnavailable, StoreError))


if __name__ == "__main__":
    unittest.main()
