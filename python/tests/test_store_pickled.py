"""store.pickled(): values of any class, apart from those of others, and never on a server that others can write to."""

import pickle
import unittest
from fractions import Fraction

import fake_store
from store_support import SHORT, StoreTest, wait_until

from mod_python import store
from mod_python._store_errors import StoreError


class PickledTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.plain = store.open()
        self.view = store.pickled(self.plain)

    def test_values_of_any_class(self):
        for value in (Fraction(1, 3), (1, (2,)), {3, 4}, {(1, 2): None}, 1j, True, 7, 10**40, "x", b"x", None, float("nan")):
            self.view["a"] = value
            found = store.pickled(store.open())["a"]
            self.assertEqual((type(found), repr(found)), (type(value), repr(value)))
        self.assertRaises((pickle.PicklingError, AttributeError), self.view.set, "a", lambda: None)

    def test_it_has_entries_of_its_own(self):
        # What somebody has uploaded, and a program has stored as bytes, is never unpickled
        self.plain["a"] = pickle.dumps(Fraction(1, 3))
        self.assertEqual((self.view.get("a"), len(self.view), list(self.view), "a" in self.view), (None, 0, [], False))
        self.view["b"] = Fraction(2)
        self.assertEqual((len(self.view), list(self.view.items()), list(self.plain)), (1, [("b", Fraction(2))], ["a"]))
        self.view.clear()
        self.assertEqual((len(self.view), len(self.plain)), (0, 1))
        self.assertIs(store.pickled(self.view), self.view)

    def test_what_a_store_does(self):
        view = self.view
        view.set_many({"a": {1}, "b": {2}}, ttl=100)
        self.assertEqual((view.get_many(list("abc")), view.pop("b"), view.add("a", {3})), ({"a": {1}, "b": {2}}, {2}, False))
        # By equality, since equal sets can have different pickles
        self.assertEqual((view.replace("a", {9}, {4}), view.replace("a", {1}, {4}), view["a"], view.replace("x", 1, 2)), (False, True, {4}, False))
        with view.transaction() as t:
            t["a"] = t["a"] | {5}
            t["c"] = 1j
        self.assertEqual((view["a"], view["c"], "c" in self.plain), ({4, 5}, 1j, False))
        with self.assertRaisesRegex(StoreError, "nothing of it was done"):
            with view.transaction() as t:
                t["a"]
                view["a"] = {6}
                t["c"] = 2
        view.set("a", {1}, ttl=SHORT)
        self.assertTrue(view.touch("a"))
        wait_until(lambda: "a" not in view)

    def test_incr(self):
        view = self.view
        self.assertEqual((view.incr("n", ttl=100), view.incr("n", 4), view.decr("n"), view["n"]), (1, 5, 4, 4))
        self.assertTrue(99 < view.ttl("n") <= 100)
        view["n"] = 1.5
        self.assertRaises(TypeError, view.incr, "n")
        self.assertRaises(TypeError, view.incr, "m", 1.5)
        view["n"] = True
        self.assertRaises(TypeError, view.incr, "n")
        view["n"] = 0
        self.in_threads(6, lambda _: [store.pickled(store.open()).incr("n") for _ in range(50)])
        self.assertEqual(view["n"], 300)
        view.incr("short", ttl=SHORT)
        wait_until(lambda: view.incr("short") == 1)

    def test_locks_are_those_of_the_store(self):
        with self.plain.lock("l"):
            with self.view.lock("l", timeout=0):
                pass
        self.assertEqual((self.plain.once("o", 5), self.view.once("o", 5), bool(self.plain.rate("r", 1, 5)), bool(self.view.rate("r", 1, 5))), (True, False, True, False))

    def test_cached(self):
        calls = []

        def compute():
            calls.append(1)
            return {len(calls)}

        function = self.view.cached(100, key="c")(compute)
        self.assertEqual((function(), function(), len(calls)), ({1}, {1}, 1))
        # Not what another one has cached under the name
        plain = self.plain.cached(100, key="c")(lambda: pickle.dumps(1))
        self.assertEqual((plain(), function()), (pickle.dumps(1), {1}))

    def test_not_where_others_can_write(self):
        self.plain._others_can_write = True
        with self.assertRaisesRegex(StoreError, "the store 'default' has no pickles, since whoever can write to its server could run programs"):
            store.pickled(self.plain)
        for wrong in (None, "default", {}, fake_store):
            self.assertRaises(TypeError, store.pickled, wrong)


if __name__ == "__main__":
    unittest.main()
