"""The manual page of the command: it is made of the command's options, and roff understands it."""

import argparse
import contextlib
import io
import os
import runpy
import shutil
import subprocess
import sys
import unittest

PYTHON = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if PYTHON not in sys.path:
    sys.path.insert(0, PYTHON)
PAGE = os.path.join(PYTHON, "man", "mod_python.1")

from mod_python import _command


def shown():
    """The page, as its reader's terminal has it, without what roff does to lines."""
    with open(PAGE, encoding="utf-8") as file:
        return file.read().replace("\\-", "-")


class ManualPageTest(unittest.TestCase):
    def test_it_is_what_the_generator_makes(self):
        made = io.StringIO()
        with contextlib.redirect_stdout(made):
            runpy.run_path(os.path.join(PYTHON, "man", "generate.py"), run_name="__main__")
        with open(PAGE, encoding="utf-8") as file:
            self.assertEqual(file.read(), made.getvalue(), "python3 python/man/generate.py > python/man/mod_python.1")

    def test_every_option_of_every_command_is_there(self):
        commands = next(action for action in _command.parser()._actions if isinstance(action, argparse._SubParsersAction)).choices
        self.assertEqual(list(commands), [name for name, _, _ in _command.COMMANDS])
        parts = shown().split("\n.SS ")[1:]
        self.assertEqual([part.split("\n", 1)[0] for part in parts], list(commands))
        for part, command in zip(parts, commands.values(), strict=True):
            for action in command._actions:
                for option in action.option_strings:
                    is_told = action.help is not argparse.SUPPRESS and "--help" not in action.option_strings
                    self.assertEqual(f"\\fB{option}\\fR" in part, is_told, f"{command.prog} {option}")

    @unittest.skipUnless(shutil.which("man"), "there is no man here")
    def test_roff_has_no_complaint(self):
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", PAGE], env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("mod_python setup-server", done.stdout)
        self.assertEqual([line for line in done.stdout.splitlines() if len(line) > 150], [])


if __name__ == "__main__":
    unittest.main()
