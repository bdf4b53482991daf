"""The text of PythonPath."""

import sys
import threading
import unittest

from support import LibraryTest

from mod_python import _path, apache


class PythonPath(LibraryTest):
    def setUp(self):
        super().setUp()
        _path._seen.clear()

    def test_it_sets_sys_path(self):
        path = sys.path
        apache._use_python_path("['/srv/first'] + sys.path")
        self.assertIs(sys.path, path)
        self.assertEqual(sys.path[0], "/srv/first")

    def test_each_text_is_evaluated_once(self):
        apache._use_python_path("['/srv/x'] + sys.path")
        apache._use_python_path("['/srv/x'] + sys.path")
        self.assertEqual(sys.path.count("/srv/x"), 1)
        apache._use_python_path("['/srv/y'] + sys.path")
        apache._use_python_path("['/srv/x'] + sys.path")
        self.assertEqual(sys.path[:2], ["/srv/y", "/srv/x"])

    def test_the_expression_sees_what_apache_holds_and_cannot_change_it(self):
        apache._use_python_path("[os.path.join(server_root(), 'app') for _ in [OK]] + (HTTP_OK := sys.path)")
        self.assertEqual(sys.path[0], "/srv/httpd/app")
        self.assertEqual(apache.HTTP_OK, 200)

    def test_a_tuple_will_do(self):
        apache._use_python_path("('/srv/t',) + tuple(sys.path)")
        self.assertEqual(sys.path[0], "/srv/t")
        self.assertIsInstance(sys.path, list)

    def test_what_is_no_list_of_strings(self):
        before = list(sys.path)
        for text, got in (
            ("'/srv/app'", "str: '/srv/app'"),
            ("None", "NoneType: None"),
            ("[1]", r"list: \[1\]"),
            ("[b'x']", "list"),
        ):
            with self.assertRaisesRegex(ValueError, f"^MP0706: PythonPath .* must evaluate to a list of strings, got {got}"):
                apache._use_python_path(text)
        with self.assertRaisesRegex(ValueError, "…$"):
            apache._use_python_path("'x' * 10000")
        self.assertEqual(sys.path, before)

    def test_without_the_standard_library(self):
        before = list(sys.path)
        try:
            for _ in range(2):
                apache._use_python_path("['/srv/app']")
            entries = self.logged("MP0320")
            for name in ("typo_for_this", "sqlite3"):
                sys.modules.pop(name, None)
                with self.assertRaises(ModuleNotFoundError) as raised:
                    apache.import_module(name)
                self.assertRegex(str(raised.exception), f"^No module named '{name}'; PythonPath \"\\['/srv/app'\\]\" has set sys.path, without Python's")
                self.assertEqual(raised.exception.args, (str(raised.exception),))
        finally:
            sys.path[:] = before
        self.assertEqual([level for level, text in entries], [4])

    def test_with_it_the_error_is_pythons(self):
        apache._use_python_path("['/srv/x'] + sys.path")
        with self.assertRaisesRegex(ModuleNotFoundError, "^No module named 'typo_for_this'$"):
            apache.import_module("typo_for_this")

    def test_what_cannot_be_evaluated(self):
        for text, error in (
            ("sys.path +", "SyntaxError"),
            ("nothing", "NameError"),
            ("1/0", "ZeroDivisionError"),
            ("", "SyntaxError"),
        ):
            for _ in range(2):
                with self.assertRaisesRegex(ValueError, f"^MP0706: PythonPath .* cannot be evaluated, {error}"):
                    apache._use_python_path(text)

    def test_threads(self):
        barrier = threading.Barrier(8)

        def work():
            barrier.wait()
            apache._use_python_path("['/srv/z'] + sys.path")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sys.path.count("/srv/z"), 1)


if __name__ == "__main__":
    unittest.main()
