"""Transactions: what they see, what they write, and what becomes of a conflict; over the engine in memory."""

import threading
import unittest

from store_support import SHORT, StoreTest, wait_until

from mod_python._store_errors import Conflict, StoreError


class TransactionChecks:
    """For each engine."""

    def test_all_or_nothing(self):
        store = self.store
        store.update(a=10, b=0)
        with store.transaction() as t:
            t["a"] = t["a"] - 4
            t["b"] = t.get("b") + 4
            t.set("c", [1], ttl=100)
            # It sees its own changes, others do not
            self.assertEqual((t["a"], t["b"], "c" in t, t.get_many(["a", "c", "x"])), (6, 4, True, {"a": 6, "c": [1]}))
            self.assertEqual((store["a"], "c" in store), (10, False))
        self.assertEqual((store["a"], store["b"], store["c"]), (6, 4, [1]))
        self.assertTrue(99 < store.ttl("c") <= 100)
        with self.assertRaises(ZeroDivisionError):
            with store.transaction() as t:
                t["a"] = 0
                1 / 0
        self.assertEqual(store["a"], 6)

    def test_deleting(self):
        self.store.update(a=1, b=2)
        with self.store.transaction() as t:
            self.assertEqual((t.delete("a"), t.delete("x"), "a" in t, t.get("a")), (True, False, False, None))
            del t["b"]
            self.assertRaises(KeyError, t.__getitem__, "b")
            self.assertRaises(KeyError, t.__delitem__, "b")
            t["b"] = 3
        self.assertEqual(dict(self.store.items()), {"b": 3})

    def test_a_conflict(self):
        store = self.store
        store["a"] = 1
        for change in (lambda: store.set("a", 2), lambda: store.delete("a"), lambda: store.set("x", 1)):
            store["a"] = 1
            store.delete("x")
            with self.assertRaisesRegex(Conflict, "nothing of it was done"):
                with store.transaction() as t:
                    t.get_many(["a", "x"])
                    t["b"] = 1
                    change()
            self.assertNotIn("b", store)
        # What was not read does not matter, nor what is the same again
        with store.transaction() as t:
            self.assertIsNone(t.get("b"))
            t["b"] = 1
            store["c"] = 5
            store["b"] = 7
            del store["b"]
        self.assertEqual(store["b"], 1)
        # Who writes without having read overwrites
        with store.transaction() as t:
            t["b"] = 2
            store["b"] = 3
        self.assertEqual(store["b"], 2)

    def test_it_never_shows_two_moments(self):
        store = self.store
        store.update(a=1, b=1)
        with self.assertRaisesRegex(Conflict, "'a' was changed while"):
            with store.transaction() as t:
                self.assertEqual(t["a"], 1)
                store.update(a=2, b=2)
                t["b"]
        # One who catches it does not go on as if nothing had happened
        with self.assertRaisesRegex(Conflict, "'a' was changed while"):
            with store.transaction() as t:
                t["a"]
                store["a"] = 3
                try:
                    t["b"]
                except Conflict:
                    pass
                self.assertRaises(StoreError, t.get, "a")
        # What was read stays as it was
        with store.transaction() as t:
            self.assertEqual(t["a"], 3)
            store["a"] = 4
            self.assertEqual(t["a"], 3)

    def test_a_snapshot_while_others_write(self):
        self.store.set_many({f"k{number}": 0 for number in range(5)})
        is_over = threading.Event()

        def write():
            other, number = self.opened(), 0
            while not is_over.is_set():
                number += 1
                other.set_many({f"k{one}": number for one in range(5)})

        thread = self.beside(write)
        shown, conflicts = 0, 0
        try:
            while shown < 20 or conflicts < 5:
                t = self.store.transaction()
                try:
                    self.assertEqual(len({t[f"k{number}"] for number in range(2)}), 1)
                    shown += 1
                except Conflict:
                    conflicts += 1
        finally:
            is_over.set()
            thread.join()

    def test_expiry_is_a_change(self):
        self.store.set("a", 1, ttl=SHORT)
        with self.assertRaises(Conflict):
            with self.store.transaction() as t:
                self.assertEqual(t["a"], 1)
                wait_until(lambda: "a" not in self.store)
                t["b"] = 1

    def test_run(self):
        store = self.store
        calls = []

        def add(t):
            calls.append(1)
            value = t.get("n", 0)
            if len(calls) < 3:
                store["n"] = value + 10
            t["n"] = value + 1
            return value

        self.assertEqual((store.transaction().run(add), len(calls), store["n"]), (20, 3, 21))

        def never(t):
            t.get("n")
            store.incr("n")
            t["x"] = 1

        with self.assertRaisesRegex(Conflict, "nothing of it was done"):
            store.transaction().run(never, attempts=4)
        self.assertEqual((store["n"], "x" in store), (25, False))
        with self.assertRaises(ZeroDivisionError):
            store.transaction().run(lambda t: (t.set("x", 1), 1 / 0))
        self.assertNotIn("x", store)
        for attempts in (0, -1):
            self.assertRaises(ValueError, store.transaction().run, add, attempts)
        self.assertRaises(TypeError, store.transaction().run, add, "5")

        def swallows(t):
            t.get("n")
            store.incr("n") if store["n"] < 27 else None
            try:
                t.get("m")
            except Conflict:
                return "wrong"
            return "right"

        self.assertEqual(store.transaction().run(swallows), "right")

    def test_many_attempts(self):
        # The pauses do not grow for ever
        attempts = [0]

        def fail(t):
            attempts[0] += 1
            raise Conflict("on purpose")

        from unittest import mock

        with mock.patch("time.sleep") as sleep, self.assertRaises(Conflict):
            self.store.transaction().run(fail, attempts=2000)
        self.assertEqual(attempts, [2000])
        self.assertLess(max(call.args[0] for call in sleep.call_args_list), 0.1)

    def test_its_end(self):
        t = self.store.transaction()
        t["a"] = 1
        t.commit()
        self.assertEqual(self.store["a"], 1)
        with self.store.transaction() as inside:
            inside["b"] = 1
            inside.commit()
            self.store["b"] = 2
        self.assertEqual(self.store["b"], 2)
        for ended in (t, inside):
            for use in (
                lambda: ended["a"], lambda: ended.get("a"), lambda: "a" in ended, lambda: ended.set("a", 1), lambda: ended.delete("a"), ended.commit,
                lambda: ended.get_many(["a"]),
            ):  # fmt: skip
                with self.assertRaisesRegex(StoreError, "has ended: begin another one"):
                    use()

    def test_bad_input(self):
        with self.store.transaction() as t:
            for key in (1, None, b"a"):
                self.assertRaises(TypeError, t.get, key)
                self.assertRaises(TypeError, t.set, key, 1)
            self.assertRaises(TypeError, t.get_many, "abc")
            self.assertRaises(TypeError, t.set, "a", object())
            self.assertRaises(ValueError, t.set, "a", 1, 0)
            self.assertRaises(ValueError, t.get, "k" * 481)
            t["b"] = 1
        self.assertEqual(dict(self.store.items()), {"b": 1})


class TransactionTest(TransactionChecks, StoreTest):
    def test_what_is_only_read_is_not_committed(self):
        self.store.update(a=1, b=2)
        before = self.store.commits
        with self.store.transaction() as t:
            t.get_many(["a", "b"])
            t["a"]
        self.assertEqual(self.store.commits, before)


if __name__ == "__main__":
    unittest.main()
