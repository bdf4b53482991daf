"""The command with a module whose libpython this system has not, and with an httpd whose modules are compiled in."""

import contextlib
import io
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

PYTHON = str(Path(__file__).resolve().parents[1])
if PYTHON not in sys.path:
    sys.path.insert(0, PYTHON)

from mod_python._command import CommandError, main
from mod_python._command_serve_httpd import Httpd, python_of


class Libraries(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.module = str(self.folder / "mod_python.so")
        Path(self.module).write_bytes(b"")

    def loader_says(self, line):
        """With a loader that says so of any module."""
        ldd = self.folder / "ldd"
        ldd.write_text(f"#!/bin/sh\necho '\tlibc.so.6 => /lib/libc.so.6 (0x1)'\necho '\t{line}'\n")
        ldd.chmod(0o755)
        return mock.patch.dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}")

    def test_a_library_that_is_there_tells_the_version(self):
        with self.loader_says("libpython3.13.so.1.0 => /lib/libpython3.13.so.1.0 (0x2)"):
            self.assertEqual(python_of(self.module), "3.13")

    def test_one_that_is_not_there_is_named_with_the_command(self):
        with self.loader_says("libpython3.13.so.1.0 => not found"):
            with self.assertRaisesRegex(CommandError, r"takes libpython3\.13\.so\.1\.0, which is not on this system: .*apt install libpython3\.13;"):
                python_of(self.module)

    def test_module_config_prints_no_lines_for_it(self):
        out, errors = io.StringIO(), io.StringIO()
        with self.loader_says("libpython3.13.so.1.0 => not found"), contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            self.assertEqual(main(["module-config", "--module", self.module]), 1)
        self.assertEqual(out.getvalue(), "")
        self.assertIn("apt install libpython3.13", errors.getvalue())

    def test_a_file_that_is_no_library_says_nothing(self):
        self.assertEqual(python_of(self.module), "")


class CompiledIn(unittest.TestCase):
    def test_an_mpm_that_is_compiled_in_is_not_loaded(self):
        httpd = Httpd("/opt/httpd/bin/httpd", "/opt/httpd/modules", frozenset({"core", "so", "http_core", "worker", "dir"}))
        self.assertEqual(httpd.mpm(""), ("worker", "worker"))
        self.assertEqual(httpd.load_module("mpm_worker"), [])
        self.assertEqual(httpd.load_module("dir"), [])
        self.assertEqual(httpd.load_module("alias"), ['LoadModule alias_module "/opt/httpd/modules/mod_alias.so"'])


if __name__ == "__main__":
    unittest.main()
