"""mod_python.testing, in a Python of its own: other tests have their own stand-in for the server."""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class TestingTest(unittest.TestCase):
    def test_the_cases(self):
        done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "in_testing.py")], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"Ran 1\d tests")


if __name__ == "__main__":
    unittest.main()
