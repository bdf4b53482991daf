"""import_module() with a path."""

import os
import sys
import threading
import unittest
from pathlib import Path

import fake_apache
from support import LibraryTest

from mod_python.apache import import_module


class ImportingFrom(LibraryTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = os.path.join(self.folder, "a"), os.path.join(self.folder, "ab")
        for folder in ("a", "ab"):
            self.write(f"{folder}/same.py", f"where = {folder!r}")
            self.write(f"{folder}/pack/__init__.py", f"where = {folder!r}")
            self.write(f"{folder}/pack/leaf.py", f"where = {folder!r}")

    def test_the_path_decides(self):
        one = import_module("same", path=[self.a])
        self.assertEqual(one.where, "a")
        self.assertIs(import_module("same", path=[self.a]), one)
        self.assertIs(import_module("same", path=[self.b, self.a]), one)
        self.assertIs(import_module("same"), one)
        two = import_module("same", path=[self.b])
        self.assertEqual((one.where, two.where), ("a", "ab"))
        self.assertIs(sys.modules["same"], two)

    def test_a_name_that_only_begins_alike_is_another_folder(self):
        import_module("same", path=[self.b])
        self.assertEqual(import_module("same", path=[self.a]).where, "a")

    def test_a_path_may_be_one_folder(self):
        self.assertEqual(import_module("same", path=self.a).where, "a")
        self.assertEqual(import_module("same", path=Path(self.b)).where, "ab")
        self.assertEqual(import_module("same", path=[Path(self.a)]).where, "a")

    def test_packages(self):
        one = import_module("pack.leaf", path=[self.a])
        two = import_module("pack.leaf", path=[self.b])
        self.assertEqual((one.where, two.where, sys.modules["pack"].where), ("a", "ab", "ab"))
        self.assertIs(sys.modules["pack"].leaf, two)

    def test_it_is_only_looked_for_there(self):
        self.write("elsewhere.py", "")
        with self.assertRaises(ModuleNotFoundError) as caught:
            import_module("elsewhere", path=[self.a])
        self.assertEqual(caught.exception.name, "elsewhere")
        with self.assertRaises(ModuleNotFoundError):
            import_module("same.leaf", path=[self.a])
        self.assertIs(import_module("sys", path=[self.a]), sys)

    def test_a_failure_leaves_the_module_that_was_there(self):
        one = import_module("same", path=[self.a])
        self.write("ab/same.py", "raise OSError")
        with self.assertRaises(OSError):
            import_module("same", path=[self.b])
        self.assertIs(sys.modules["same"], one)

    def test_reload(self):
        one = import_module("same", path=[self.a], log=1)
        self.write("a/same.py", "where = 'edited'")
        one.__mtime_check__ = 0
        self.assertIs(import_module("same", path=[self.a], log=1), one)
        self.assertEqual(one.where, "edited")
        self.assertEqual(fake_apache.entries[0], (5, f"MP0702: importing module 'same' with the path {[self.a]!r}"))
        self.assertEqual(len(self.logged("MP0702")), 2)

    def test_threads_with_different_paths_get_their_own(self):
        barrier, wrong = threading.Barrier(6), []

        def work(folder, where):
            barrier.wait()
            for _ in range(50):
                if import_module("same", path=[folder]).where != where:
                    wrong.append(where)

        threads = [threading.Thread(target=work, args=pair) for pair in [(self.a, "a"), (self.b, "ab")] * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(wrong, [])

    def test_threads_with_one_path_import_once(self):
        import builtins

        builtins.runs = 0
        self.addCleanup(delattr, builtins, "runs")
        self.write("a/slow.py", "import builtins, time; builtins.runs += 1; time.sleep(0.2); value = 1")
        results = []
        threads = [threading.Thread(target=lambda: results.append(import_module("slow", path=[self.a]).value)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual((builtins.runs, results), (1, [1] * 8))


if __name__ == "__main__":
    unittest.main()
