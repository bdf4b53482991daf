"""The stubs of cgihandler, httpdconf and version say what is there; that of testing is compared in in_testing.py."""

import unittest

import fake_apache  # noqa: F401
from stub_compare import differences


class ToolsStubsTest(unittest.TestCase):
    def test_they_say_what_is_there(self):
        from mod_python import httpdconf

        own = {name for name, made in httpdconf._classes.items()}
        self.assertEqual(differences("cgihandler"), [])
        self.assertEqual(differences("version"), [])
        self.assertEqual(differences("httpdconf", lambda name: name not in own), [])


if __name__ == "__main__":
    unittest.main()
