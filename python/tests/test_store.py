"""Stores as mappings: entries, time limits, atomic changes, rates; over the engine in memory."""

import copy
import math
import pickle
import threading
import unittest
from datetime import datetime, timedelta, timezone

import fake_store
from store_support import SHORT, EmbeddedStore, StoreTest, wait_until

VALUES = [
    None, True, False, 0, 1, -1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, -(2**63), 2**64, -(2**70), 10**40,
    0.0, 1.5, -1e300, math.inf, -math.inf, "", "a", "é€😀", "\0", b"", b"\0\xff", [], [1, [2, ["x"]]], {}, {"a": {"b": [None, b"c"]}, 1: 2.5},
    datetime(2026, 1, 2, 3, 4, 5, 678901), datetime(2026, 1, 2, tzinfo=timezone.utc), datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2))),
]  # fmt: skip


class MappingChecks:
    """For each engine."""

    def test_values_come_back(self):
        for number, value in enumerate(VALUES):
            self.store[f"k{number}"] = value
        other = self.opened()
        for number, value in enumerate(VALUES):
            found = other[f"k{number}"]
            self.assertEqual((type(found), found), (type(value), value))
        self.store["t"] = (1, (2,))
        self.assertEqual(self.store["t"], [1, [2]])
        self.store["b"] = bytearray(b"x")
        self.assertEqual(self.store["b"], b"x")
        self.store["big"] = b"x" * 3_000_000
        self.assertEqual(len(other["big"]), 3_000_000)

    def test_it_is_a_mapping(self):
        store = self.store
        self.assertTrue(store)
        self.assertEqual((len(store), list(store), "a" in store, store.get("a"), store.get("a", 5)), (0, [], False, None, 5))
        with self.assertRaises(KeyError) as caught:
            store["a"]
        self.assertEqual(caught.exception.args, ("a",))
        store["a"] = 1
        store.set("b", [2])
        store.update({"c": 3}, d=4, self=5)
        self.assertEqual((len(store), sorted(store)), (5, ["a", "b", "c", "d", "self"]))
        self.assertEqual(dict(store.items()), {"a": 1, "b": [2], "c": 3, "d": 4, "self": 5})
        self.assertEqual(sorted(map(str, store.values())), ["1", "3", "4", "5", "[2]"])
        # An entry with None is there
        store["n"] = None
        self.assertTrue("n" in store and store["n"] is None and store.get("n", 5) is None)
        del store["a"]
        self.assertRaises(KeyError, store.__delitem__, "a")
        self.assertEqual((store.delete("b"), store.delete("b")), (True, False))
        store.clear()
        self.assertEqual((len(store), list(store.items())), (0, []))
        store.clear()

    def test_keys_are_any_text(self):
        keys = ["", "a", "a\0b", "é", "*", "[a]", "a?", "a\\", "^-]", "x" * 480, "😀" * 120, "\0cached:"]
        for number, key in enumerate(keys):
            self.store[key] = number
        self.assertEqual([self.store[key] for key in keys], list(range(len(keys))))
        self.assertEqual(sorted(self.store), sorted(keys))
        for prefix in ("*", "[", "[a]", "a?", "a\\", "^", "é", "😀"):
            self.assertEqual(sorted(self.store.keys(prefix)), sorted(key for key in keys if key.startswith(prefix)), prefix)

    def test_iteration_by_prefix(self):
        self.store.set_many({f"{letter}{number}": number for letter in "ab" for number in range(450)})
        self.store["c"] = 1
        found = list(self.store.keys("a"))
        self.assertEqual((len(found), len(set(found))), (450, 450))
        self.assertEqual(sorted(self.store.values("b")), list(range(450)))
        self.assertEqual(dict(self.store.items("a44")), {"a44": 44, **{f"a44{digit}": 440 + digit for digit in range(10)}})
        self.assertEqual((len(self.store), list(self.store.keys("zz"))), (901, []))
        self.store.clear("a")
        self.assertEqual((len(self.store), list(self.store.keys("a"))), (451, []))

    def test_iteration_while_others_write(self):
        self.store.set_many({f"k{number}": number for number in range(1000)})
        is_over = threading.Event()

        def write():
            other, number = self.opened(), 0
            while not is_over.is_set():
                other.set_many({f"n{number + more}": 1 for more in range(50)})
                other.clear("n")
                number += 1

        thread = self.beside(write)
        try:
            for _ in range(5):
                # What is there all the time comes once
                found = [key for key in self.store if key.startswith("k")]
                self.assertEqual((len(found), len(set(found))), (1000, 1000))
        finally:
            is_over.set()
            thread.join()

    def test_an_entry_may_go_while_it_is_iterated_over(self):
        self.store.set_many({f"k{number}": number for number in range(600)})
        for key in self.store:
            del self.store[key]
        self.assertEqual(len(self.store), 0)

    def test_time_limits(self):
        store = self.store
        store.set("a", 1, ttl=100)
        store.set("b", 1)
        store.set("c", 1, ttl=SHORT)
        self.assertTrue(99 < store.ttl("a") <= 100 and store.ttl("b") is None)
        self.assertTrue(0 <= store.ttl("c") <= SHORT)
        self.assertRaises(KeyError, store.ttl, "x")
        wait_until(lambda: "c" not in store)
        self.assertEqual((store.get("c"), len(store), sorted(store), store.get_many(list("abc")), store.add("c", 2)), (None, 2, ["a", "b"], {"a": 1, "b": 1}, True))
        self.assertEqual((store.expire("b", 50), store.expire("x", 50), store.expire("a", None)), (True, False, True))
        self.assertTrue(49 < store.ttl("b") <= 50 and store.ttl("a") is None)
        # A new value has a new time
        store.set("b", 2)
        self.assertIsNone(store.ttl("b"))
        store.expire("b", SHORT)
        wait_until(lambda: "b" not in store)
        self.assertFalse(store.expire("b", 100))
        self.assertRaises(KeyError, store.ttl, "b")
        store.set_many({"d": 1, "e": 2}, ttl=100)
        self.assertTrue(99 < store.ttl("d") <= 100)

    def test_touch(self):
        store = self.store
        store.set("a", 1, ttl=100)
        self.assertTrue(store.touch("a"))
        self.assertTrue(99 < store.ttl("a") <= 100)
        self.assertEqual(store["a"], 1)
        # The whole time is the one that was last given
        store.expire("a", 10)
        self.assertTrue(store.touch("a") and 9 < store.ttl("a") <= 10)
        store.expire("a", None)
        self.assertTrue(store.touch("a") and store.ttl("a") is None)
        store["b"] = 1
        self.assertEqual((store.touch("b"), store.ttl("b"), store.touch("x")), (True, None, False))
        store.set("c", 1, ttl=SHORT)
        wait_until(lambda: "c" not in store)
        self.assertFalse(store.touch("c"))

    def test_add_replace_pop(self):
        store = self.store
        self.assertEqual((store.add("a", 1), store.add("a", 2), store["a"]), (True, False, 1))
        self.assertEqual((store.replace("a", 2, 3), store.replace("a", 1, 4), store["a"], store.replace("x", 1, 2)), (False, True, 4, False))
        # As what they are: 1 is not True
        self.assertEqual((store.replace("a", 4.0, 0), store.replace("a", 4, [1, {"x": b"y"}]), store.replace("a", [1, {"x": b"y"}], 9)), (False, True, True))
        self.assertEqual((store.pop("a"), store.pop("a", None), store.pop("a", 7)), (9, None, 7))
        self.assertRaises(KeyError, store.pop, "a")
        self.assertRaises(TypeError, store.pop, "a", 1, 2)
        self.assertTrue(store.add("a", 1, ttl=SHORT))
        wait_until(lambda: store.add("a", 2))
        self.assertTrue(store.replace("a", 2, 3, ttl=100) and store.ttl("a") is not None)

    def test_many_at_once(self):
        store = self.store
        store.set_many({"a": 1, "b": 2})
        store.set_many([("c", 3), ("c", 4)])
        store.set_many({})
        self.assertEqual(store.get_many(["a", "c", "x", "a"]), {"a": 1, "c": 4})
        self.assertEqual((store.get_many([]), store.get_many(key for key in "ab")), ({}, {"a": 1, "b": 2}))
        # Nothing is written if one of them cannot be
        for wrong in ({"a": 5, "y": object()}, {"a": 5, 7: 1}, {"a": 5, "z": math.nan}, {"a": 5, "k" * 481: 1}):
            self.assertRaises((TypeError, ValueError), store.set_many, wrong)
        self.assertEqual(store["a"], 1)

    def test_many_are_of_one_moment(self):
        self.store.set_many({"a": 0, "b": 0})
        is_over = threading.Event()

        def write():
            other, number = self.opened(), 0
            while not is_over.is_set():
                number += 1
                other.set_many({"a": number, "b": number})

        thread = self.beside(write)
        try:
            for _ in range(300):
                found = self.store.get_many(["a", "b"])
                self.assertEqual(found["a"], found["b"])
        finally:
            is_over.set()
            thread.join()

    def test_incr(self):
        store = self.store
        self.assertEqual((store.incr("a"), store.incr("a", 5), store.decr("a"), store.decr("a", 10), store["a"]), (1, 6, 5, -5, -5))
        for start in (0, 22, 23, 24, 254, 255, 256, 65534, 65535, 65536, 2**32 - 2, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**63 - 2, -(2**63)):
            for by in (1, -1, 0, 255, -256, 2**31, -(2**32), 2**40 + 7):
                for value, more in ((start, by), (-start, by)):
                    if all(-(2**63) <= number < 2**63 for number in (value, value + more)):
                        store["n"] = value
                        self.assertEqual((store.incr("n", more), store["n"]), (value + more, value + more))
        for value, by in ((2**63 - 1, 1), (-(2**63), -1), (2**62, 2**62), (2**63, 1), (2**64, 1), (-(2**63) - 1, -1), (2**70, 0), (-(2**70), 1)):
            store["n"] = value
            self.assertRaises(OverflowError, store.incr, "n", by)
            self.assertEqual(store["n"], value)
        for wrong in ("1", 1.0, None, True, b"1", [1], {}, datetime(2026, 1, 1)):
            store["n"] = wrong
            self.assertRaises(TypeError, store.incr, "n")
            self.assertEqual(store["n"], wrong)
        for by in (1.5, "1", None):
            self.assertRaises(TypeError, store.incr, "a", by)

    def test_incr_keeps_the_time(self):
        store = self.store
        self.assertEqual(store.incr("a", ttl=100), 1)
        store.incr("a", ttl=5)
        self.assertTrue(99 < store.ttl("a") <= 100)
        store.expire("a", 10)
        store.incr("a")
        self.assertTrue(9 < store.ttl("a") <= 10)
        store.touch("a")
        self.assertTrue(9 < store.ttl("a") <= 10 and store["a"] == 3)
        store["b"] = 1
        store.incr("b", ttl=5)
        self.assertIsNone(store.ttl("b"))
        store.incr("c", ttl=SHORT)
        wait_until(lambda: store.incr("c") == 1)

    def test_no_update_is_lost(self):
        def count(number):
            store = self.opened()
            for _ in range(100):
                store.incr("n")
                store.transaction().run(lambda t: t.set("m", t.get("m", 0) + 1)) if number < 3 else None
            return store.add("first", number)

        firsts = self.in_threads(8, count)
        self.assertEqual((self.store["n"], self.store["m"], sum(firsts)), (800, 300, 1))

    def test_one_of_many_gets_it(self):
        self.store.set_many({f"job{number}": number for number in range(40)})
        taken = self.in_threads(6, lambda _: [value for number in range(40) if (value := self.opened().pop(f"job{number}", None)) is not None])
        self.assertEqual(sorted(sum(taken, [])), list(range(40)))

    def test_once(self):
        self.assertEqual(sum(self.in_threads(6, lambda _: self.opened().once("job", 100))), 1)
        self.assertFalse(self.store.once("job", 1))
        self.assertTrue(self.store.once("other", SHORT))
        self.assertNotIn("job", self.store)
        wait_until(lambda: self.store.once("other", 100))

    def test_rate(self):
        allowed = self.in_threads(6, lambda _: sum(bool(self.opened().rate("ip", 10, 100)) for _ in range(5)))
        self.assertEqual(sum(allowed), 10)
        refused = self.store.rate("ip", 10, 100)
        self.assertTrue(not refused and not refused.allowed and 90 < refused.retry_after <= 100)
        self.assertRegex(repr(refused), r"Rate\(allowed=False, retry_after=(9\d|100)\.\d{3}\)")
        other = self.store.rate("other", 1, SHORT)
        self.assertTrue(other and other.retry_after == 0)
        refused = self.store.rate("other", 1, SHORT)
        self.assertTrue(not refused and 0 < refused.retry_after <= SHORT)
        wait_until(lambda: self.store.rate("other", 1, SHORT))

    def test_bad_input(self):
        store = self.store
        for key in (1, None, b"a", ["a"], object()):
            for use in (store.get, store.__getitem__, store.__contains__, store.delete, store.ttl, store.touch, store.incr, store.lock, store.pop):
                self.assertRaises(TypeError, use, key)
            self.assertRaises(TypeError, store.set, key, 1)
            self.assertRaises(TypeError, store.keys, key)
        for key in ("k" * 481, "é" * 241, "\ud800"):
            for use in (store.get, store.__contains__, store.pop, store.lock, store.incr):
                self.assertRaises(ValueError, use, key)
            self.assertRaises(ValueError, store.items, key)
            self.assertRaises(ValueError, store.clear, key)
        circle = []
        circle.append(circle)
        deep = []
        for _ in range(100):
            deep = [deep]
        for value, error in (
            (object(), TypeError), ({1, 2}, TypeError), (1j, TypeError), ({(1,): 2}, TypeError), (len, TypeError), ([{"a": {1}}], TypeError),
            (math.nan, ValueError), ("\ud800", ValueError), (["\ud800"], ValueError), (circle, ValueError), (deep, ValueError), (b"x" * (17 << 20), ValueError),
        ):  # fmt: skip
            for use in (lambda: store.set("a", value), lambda: store.add("a", value), lambda: store.replace("a", 1, value), lambda: store.set_many({"a": value})):
                self.assertRaises(error, use)
        for ttl, error in ((0, ValueError), (-1, ValueError), (math.nan, ValueError), (math.inf, ValueError), (1e11, ValueError), ("5", TypeError), (b"5", TypeError)):
            for use in (
                lambda: store.set("a", 1, ttl), lambda: store.add("a", 1, ttl), lambda: store.incr("a", 1, ttl), lambda: store.set_many({}, ttl),
                lambda: store.once("a", ttl), lambda: store.expire("a", ttl), lambda: store.rate("a", 1, ttl), lambda: store.lock("a", ttl=ttl),
            ):  # fmt: skip
                self.assertRaises(error, use)
        for limit in (0, -1, 1.5, "5", None, 10**9):
            self.assertRaises(ValueError, store.rate, "a", limit, 1)
        self.assertRaises(TypeError, store.rate, "a", 1, None)
        self.assertRaises(TypeError, store.get_many, "abc")
        self.assertRaises(TypeError, store.get_many, b"abc")
        self.assertRaises(TypeError, store.get_many, None)
        self.assertRaises(TypeError, store.set_many, None)
        self.assertEqual(len(store), 0)

    def test_a_store_is_not_copied(self):
        from mod_python._store_errors import StoreError

        for use in (copy.copy, copy.deepcopy, pickle.dumps):
            with self.assertRaisesRegex(StoreError, "open it where it is used"):
                use(self.store)


class MappingTest(MappingChecks, StoreTest):
    pass


class OpenTest(StoreTest):
    def test_which_store(self):
        from mod_python import store

        first = store.open()
        self.assertIsInstance(first, EmbeddedStore)
        self.assertIs(store.open("default"), first)
        fake_store.configure("mine", "/srv/mine", size="1G")
        self.assertIsNot(store.open("mine"), first)
        self.assertEqual(store.open("mine").name, "mine")
        self.assertRegex(repr(first), "'default'")
        for name, error in (("none", LookupError), (None, TypeError), (5, TypeError), (b"default", TypeError)):
            self.assertRaises(error, store.open, name)
        opened = self.in_threads(8, lambda _: store.open("default"))
        self.assertTrue(all(one is first for one in opened))
        # Another directive of the name, as another virtual host has it
        fake_store.configure("mine", "/srv/other")
        self.assertEqual(len({id(store.open("mine")), id(store.open("mine"))}), 1)

    def test_names_of_the_module(self):
        from mod_python import store

        self.assertEqual(set(store.__all__) - set(dir(store)), set())
        for name in ("Conflict", "LockLost", "LockTimeout", "StoreFull", "StoreUnavailable"):
            self.assertTrue(issubclass(getattr(store, name), store.StoreError))
        self.assertTrue(issubclass(store.LockTimeout, TimeoutError))
        self.assertRaises(AttributeError, getattr, store, "no_such_name")
        self.assertIsInstance(self.store, store.Store)
        self.assertIsInstance(self.store.lock("l"), store.Lock)
        self.assertIsInstance(self.store.rate("r", 1, 1), store.Rate)
        self.assertIsInstance(self.store.transaction(), store.Transaction)

    def test_the_stub(self):
        from stub_compare import differences

        # What a special method does need not be said
        self.assertEqual([line for line in differences("store") if not line.endswith("__: has no text")], [])


if __name__ == "__main__":
    unittest.main()
