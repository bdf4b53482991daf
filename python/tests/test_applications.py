"""Applications: what factories make, and files that do not load."""

import builtins
import threading
import unittest

from support import LibraryTest

from mod_python import _applications


class ApplicationsTest(LibraryTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(_applications._products.clear)
        self.addCleanup(_applications._scripts.clear)

    def load(self, place, name="make", is_factory=True, reload=1):
        return _applications.load(place, _applications.FILE, name, is_factory, "", reload, 0)

    def at_once(self, count, function):
        """What each of some threads returned or raised."""
        barrier, results = threading.Barrier(count), []

        def run():
            barrier.wait(30)
            try:
                results.append(function())
            except Exception as error:
                results.append(error)

        threads = [threading.Thread(target=run) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(len(results), count)
        return results

    def share(self, **values):
        """Have values found by the code of a file."""
        for name, value in values.items():
            setattr(builtins, name, value)
            self.addCleanup(delattr, builtins, name)


FACTORY = """
    import time
    def make():
        made.append(1)
        time.sleep(0.1)
        return lambda environ, start_response: []
"""


class Factories(ApplicationsTest):
    def test_many_threads_have_one_made(self):
        made = []
        self.share(made=made)
        path = self.write("app.py", FACTORY)
        results = self.at_once(12, lambda: self.load(path))
        self.assertEqual((made, len(set(map(id, results)))), ([1], 1))
        self.assertTrue(callable(results[0]))

    def test_others_go_on_with_the_old_one_while_a_new_one_is_made(self):
        entered, leave = threading.Event(), threading.Event()
        self.share(entered=entered, leave=leave)
        path = self.write("app.py", "def make(): return lambda environ, start_response: []")
        old = self.load(path)
        self.write("app.py", """
            def make():
                entered.set()
                assert leave.wait(30)
                return lambda environ, start_response: []
        """)
        results = []
        thread = threading.Thread(target=lambda: results.append(self.load(path)))
        thread.start()
        self.assertTrue(entered.wait(30))
        self.assertIs(self.load(path), old)
        leave.set()
        thread.join(30)
        self.assertIsNot(results[0], old)
        self.assertIs(self.load(path), results[0])

    def test_one_that_needs_itself_is_refused(self):
        self.share(load=lambda: self.load(path))
        path = self.write("app.py", "def make(): return load()")
        with self.assertRaisesRegex(RuntimeError, "app.py:make needs itself"):
            self.load(path)
        self.write("app.py", "def make(): return lambda environ, start_response: []")
        self.assertTrue(callable(self.load(path)))

    def test_a_method_makes_one_only(self):
        made = []
        self.share(made=made)
        path = self.write("app.py", """
            class Site:
                @classmethod
                def make(cls):
                    made.append(1)
                    return lambda environ, start_response: []
        """)
        self.assertIs(self.load(path, "Site.make"), self.load(path, "Site.make"))
        self.assertEqual(made, [1])

    def test_it_is_called_again_after_it_failed(self):
        self.share(answers=[0, 1])
        path = self.write("app.py", "def make(): return 1 // answers.pop(0) and print")
        with self.assertRaises(ZeroDivisionError):
            self.load(path)
        self.assertIs(self.load(path), print)


class Files(ApplicationsTest):
    def setUp(self):
        super().setUp()
        self.runs = []
        self.share(runs=self.runs, load=lambda: self.load_file(self.path))
        self.addCleanup(setattr, _applications, "AGAIN", _applications.AGAIN)

    def load_file(self, path):
        return self.load(path, "application", is_factory=False)

    def write_file(self, text):
        self.path = self.write("app.py", text)
        return self.path

    def test_one_that_does_not_load_is_run_once_for_all_who_wait(self):
        _applications.AGAIN = 0
        path = self.write_file("""
            import time
            runs.append(1)
            time.sleep(0.2)
            raise KeyError("the settings")
        """)
        results = self.at_once(12, lambda: self.load_file(path))
        self.assertEqual(self.runs, [1])
        self.assertEqual(sorted({type(result).__name__ for result in results}), ["ImportError", "KeyError"])
        texts = {str(result) for result in results if type(result) is ImportError}
        self.assertEqual(texts, {f"{path} does not load: KeyError: 'the settings'"})

    def test_it_is_run_again_after_a_second(self):
        path = self.write_file("""
            runs.append(1)
            import repaired
            def application(environ, start_response): pass
        """)
        with self.assertRaises(ModuleNotFoundError):
            self.load_file(path)
        self.write("repaired.py", "")
        with self.assertRaisesRegex(ImportError, "app.py does not load: ModuleNotFoundError: No module named 'repaired'"):
            self.load_file(path)
        self.assertEqual(self.runs, [1])
        _applications._scripts[path].failed_at -= 1
        self.assertTrue(callable(self.load_file(path)))
        self.assertEqual(self.runs, [1, 1])

    def test_it_is_run_at_once_when_it_was_edited(self):
        with self.assertRaises(ZeroDivisionError):
            self.load_file(self.write_file("1 / 0"))
        self.assertTrue(callable(self.load_file(self.write_file("def application(environ, start_response): pass"))))

    def test_one_that_needs_itself_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "app.py needs itself"):
            self.load_file(self.write_file("load()"))


if __name__ == "__main__":
    unittest.main()
