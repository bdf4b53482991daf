"""Names that are the standard library's, whatever stands on sys.path."""

import os
import subprocess
import sys
import unittest

from support import run_bootstrapped

from mod_python import _standard_library

SHADOWS = """
import tempfile
folder = tempfile.mkdtemp()
for name in {names!r}:
    with open(os.path.join(folder, name + ".py"), "w") as file:
        file.write("ours = True\\n")
before = list(sys.path)
sys.path[:] = [folder] + {rest}
def from_application(*names):
    for name in names:
        report([name, hasattr(__import__(name), "ours")])
"""


def shadows(*names, rest="sys.path"):
    return SHADOWS.format(names=names, rest=rest)


class Names(unittest.TestCase):
    def test_they_are_what_mod_python_had_loaded(self):
        roots = "html importlib.util importlib.machinery inspect os pdb stat threading time traceback types logging"
        code = f"import {', '.join(roots.split())}\nimport sys\nprint(*sys.modules)"
        loaded = subprocess.check_output([sys.executable, "-I", "-S", "-c", code], text=True).split()
        missing = {name.partition(".")[0] for name in loaded} - _standard_library.NAMES - set(sys.builtin_module_names)
        missing -= {"__main__", "_frozen_importlib", "_frozen_importlib_external", "zipimport"}
        if sys.version_info < (3, 13):
            self.assertEqual(missing, set())
        # What later versions add is found because one of these imports it.
        self.assertLessEqual(missing, sys.stdlib_module_names)


class Found(unittest.TestCase):
    def test_an_applications_file_is_not_taken_for_them(self):
        names = ("token", "inspect", "traceback", "linecache", "contextlib", "re", "textwrap", "enum", "string", "logging", "importlib")
        reports, _ = run_bootstrapped(shadows(*names) + f"from_application(*{names!r})")
        self.assertEqual(reports, [[name, False] for name in names])

    def test_other_names_are_the_applications(self):
        names = ("calendar", "queue", "statistics", "own")
        code = shadows(*names) + f"from_application(*{names!r})\nimport importlib\nreport(importlib.import_module('csv').__file__)"
        reports, _ = run_bootstrapped(code)
        self.assertEqual(reports[:-1], [[name, True] for name in names])
        self.assertEqual(os.path.dirname(reports[-1]), os.path.dirname(os.__file__))

    def test_what_they_import_is_the_standard_librarys(self):
        # logging.handlers imports queue, which imports heapq; what an application asks importlib for is its own
        code = shadows("queue", "socket", "heapq") + """
            import logging.handlers
            report(hasattr(logging.handlers.queue, "ours"))
            report(hasattr(sys.modules["heapq"], "ours"))
            import importlib
            report(hasattr(importlib.import_module("csv"), "ours"))
            """.replace("            ", "")
        reports, _ = run_bootstrapped(code)
        self.assertEqual(reports, [False, False, False])
        code = shadows("calendar") + "import importlib\nreport(hasattr(importlib.import_module('calendar'), 'ours'))"
        self.assertEqual(run_bootstrapped(code)[0], [True])

    def test_they_are_found_without_the_standard_library_on_the_path(self):
        code = shadows("own", rest="[]") + """
import traceback, logging, pdb, importlib
report(os.path.dirname(traceback.__file__) == os.path.dirname(os.__file__))
from mod_python import apache
report(apache.LogHandler.__name__)
try:
    import statistics
except ModuleNotFoundError as error:
    report(error.name)
sys.path[:] = before
"""
        self.assertEqual(run_bootstrapped(code)[0], [True, "LogHandler", "statistics"])


if __name__ == "__main__":
    unittest.main()
