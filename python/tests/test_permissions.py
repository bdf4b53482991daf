"""Which folder keeps a user from a file, and the sentence about it; the modes say it, since root may read everything."""

import os
import stat
import tempfile
import unittest
from unittest import mock

import support  # noqa: F401 - the library without httpd

from mod_python import _permissions


def access(path, mode):
    """os.access() as for a user who is neither root nor the owner."""
    bits = stat.S_IMODE(os.stat(path).st_mode)
    return bits & mode == mode


class Barrier(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.inner = os.path.join(folder.name, "outer", "inner")
        os.makedirs(self.inner)
        self.outer = os.path.dirname(self.inner)
        self.file = os.path.join(self.inner, "a.py")
        with open(self.file, "w"):
            pass
        os.chmod(folder.name, 0o755)
        patch = mock.patch.object(_permissions.os, "access", access)
        patch.start()
        self.addCleanup(patch.stop)

    def test_nothing_is_in_the_way(self):
        for path in (self.file, self.inner, "/", os.path.join(self.inner, "none"), "/no/such/folder"):
            self.assertEqual((_permissions.barrier(path), _permissions.advice(path)), (None, ""), path)

    def test_the_first_part_that_is_in_the_way(self):
        for closed, mode, path, says in (
            (self.outer, 0o700, self.file, f"cannot read {self.outer}, in which {self.file} is: make that possible, as with 'chmod o+x {self.outer}'"),
            (self.inner, 0o751, self.inner, f"cannot read {self.inner}: make that possible, as with 'chmod o+rx {self.inner}'"),
            (self.file, 0o640, self.file, f"cannot read {self.file}: make that possible, as with 'chmod o+r {self.file}'"),
        ):
            before = stat.S_IMODE(os.stat(closed).st_mode)
            os.chmod(closed, mode)
            self.assertEqual(_permissions.barrier(path), closed)
            self.assertIn(says, _permissions.advice(path))
            os.chmod(closed, before)
        os.chmod(self.inner, 0o711)
        self.assertEqual(_permissions.barrier(self.file), None, "it is enough to pass")


if __name__ == "__main__":
    unittest.main()
