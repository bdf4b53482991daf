"""Modules of handlers: one name in several directories."""

import os
import pickle
import sys

import fake_apache
from support import LibraryTest

from mod_python import _handler_modules, _path, apache
from mod_python.apache import _import_for_handler as import_for_handler


class Directories(LibraryTest):
    def setUp(self):
        super().setUp()
        sys.path.remove(self.folder)
        for name in ("_specs", "_own", "_checked"):
            getattr(_handler_modules, name).clear()
        _path._seen.clear()
        self.addCleanup(_path._seen.clear)

    def directory(self, name):
        """A directory of a handler, at the front of sys.path as the server puts it."""
        folder = os.path.join(self.folder, name, "")
        os.makedirs(folder, exist_ok=True)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        return folder

    def test_each_has_its_own(self):
        for name in ("one.dir", "two.dir"):
            self.write(f"{name}/index.py", f"where = {name!r}\nclass C: pass")
        found = []
        for _ in range(2):
            found += [import_for_handler("index", directory=self.directory(name)) for name in ("one.dir", "two.dir")]
        self.assertEqual([module.where for module in found], ["one.dir", "two.dir"] * 2)
        self.assertIs(found[1], found[3])
        self.assertEqual(sys.modules["index"].where, "one.dir")
        own = found[1].C()
        self.assertEqual(type(pickle.loads(pickle.dumps(own))), type(own))
        self.assertEqual(fake_apache.entries, [])

    def test_it_is_loaded_again(self):
        for name in ("one", "two"):
            self.write(f"{name}/index.py", f"where = {name!r}")
        import_for_handler("index", directory=self.directory("one"))
        module = import_for_handler("index", directory=self.directory("two"))
        self.write("two/index.py", "where = 'edited'")
        module.__mtime_check__ = 0
        self.assertIs(import_for_handler("index", directory=self.directory("two")), module)
        self.assertEqual((module.where, sys.modules["index"].where), ("edited", "one"))

    def test_the_first_on_the_path_is_not_the_others(self):
        for name in ("one", "two"):
            self.write(f"{name}/index.py", f"where = {name!r}")
            self.directory(name)
        for name in ("one", "two"):
            self.assertEqual(import_for_handler("index", directory=self.directory(name)).where, name)

    def test_it_survives_that_the_name_is_given_to_another(self):
        for name in ("one", "two"):
            self.write(f"{name}/index.py", f"where = {name!r}")
        self.assertEqual(import_for_handler("index", directory=self.directory("one")).where, "one")
        apache.import_module("index", path=[os.path.join(self.folder, "two")])
        self.assertEqual(import_for_handler("index", directory=self.directory("one")).where, "one")

    def test_one_file_by_two_names_is_one_module(self):
        self.write("one/index.py", "")
        os.symlink(os.path.join(self.folder, "one"), os.path.join(self.folder, "two"))
        one = import_for_handler("index", directory=self.directory("one"))
        self.assertIs(import_for_handler("index", directory=self.directory("two")), one)

    def test_what_is_not_in_the_directory_is_shared(self):
        self.write("lib/shared.py", "")
        sys.path.insert(0, os.path.join(self.folder, "lib"))
        one = import_for_handler("shared", directory=self.directory("one"))
        self.assertIs(import_for_handler("shared", directory=self.directory("two")), one)
        self.assertIs(import_for_handler("shared"), one)

    def test_names_of_the_standard_library(self):
        import token

        self.write("one/token.py", "")
        self.assertIs(import_for_handler("token", directory=self.directory("one")), token)

    def test_of_a_package_the_first_is_used_and_the_other_is_told(self):
        for name in ("one", "two"):
            self.write(f"{name}/pack/__init__.py", "")
            self.write(f"{name}/pack/views.py", f"where = {name!r}")
        for _ in range(2):
            for name in ("one", "two"):
                self.assertEqual(import_for_handler("pack.views", directory=self.directory(name)).where, "one")
        self.assertEqual(len(self.logged("MP0430")), 1)
        level, text = self.logged("MP0430")[0]
        self.assertEqual(level, 4)
        for part in ("'pack.views'", os.path.join(self.folder, "one/pack/__init__.py"), os.path.join(self.folder, "two/pack/__init__.py")):
            self.assertIn(part, text)

    def test_other_modules_of_a_directory_are_told(self):
        for name in ("one", "two"):
            self.write(f"{name}/index.py", "def handler(req):\n    from helper import where\n    return where\nimport helper")
            self.write(f"{name}/helper.py", f"where = {name!r}")
            import_for_handler("index", directory=self.directory(name))
        entries = self.logged("MP0430")
        self.assertEqual(len(entries), 1)
        for part in ("'helper'", "two/index.py", "one/helper.py", "two/helper.py"):
            self.assertIn(part, entries[0][1])

    def test_each_python_path_has_its_own(self):
        before = list(sys.path)
        for name in ("one", "two"):
            self.write(f"{name}/index.py", f"where = {name!r}")
        for _ in range(2):
            for name in ("one", "two"):
                text = f"[{os.path.join(self.folder, name)!r}] + sys.path"
                apache._use_python_path(text)
                self.assertEqual(import_for_handler("index", python_path=text).where, name)
        self.assertEqual(len(sys.path), len(before) + 2)
        self.assertEqual(fake_apache.entries, [])
