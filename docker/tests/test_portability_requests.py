"""Reading the file of requests."""

import tempfile
import unittest
from pathlib import Path

import local_server  # noqa: F401 - puts docker/lib on the path

from portability.plan import Expectation
from portability.requests import PlanError, load


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "requests.toml"

    def plan(self, text):
        self.path.write_text(text, encoding="utf-8")
        return load(self.path)

    def error(self, text):
        with self.assertRaises(PlanError) as caught:
            self.plan(text)
        sentence = str(caught.exception)
        self.assertTrue(sentence.startswith(str(self.path)), sentence)
        self.assertTrue(sentence.endswith("."), sentence)
        self.assertNotIn("\n", sentence)
        return sentence[len(str(self.path)) :]

    def test_everything(self):
        (self.folder / "form").write_bytes(b"\x00a=1")
        plan = self.plan(
            """
            limit = 2.5
            ignore = ["time [0-9]+"]
            [[request]]
            path = "/a?b=%20"
            headers = { Accept = "text/plain" }
            expect = { status = 404, matches = "not found", headers = { Allow = "GET" } }
            [[session]]
            name = "basket"
            [[session.request]]
            name = "add"
            method = "POST"
            path = "/basket"
            body_file = "form"
            times = 3
            ignore = ["x"]
            """
        )
        (request,), (session,) = plan.requests, plan.sessions
        self.assertEqual((plan.limit, request.unit, request.request.headers), (2.5, "GET /a?b=%20", (("Accept", "text/plain"),)))
        self.assertEqual((request.expect.status, request.expect.headers, request.expect.covers_body), (404, (("Allow", "GET"),), True))
        (step,) = session.steps
        self.assertEqual((step.unit, step.times, step.request.body), ("basket: add", 3, b"\x00a=1"))
        self.assertEqual([pattern.pattern for pattern in step.ignore], ["time [0-9]+", "x"])
        self.assertEqual(step.expect, Expectation())
        self.assertIs(plan.session_of["basket: add"], session)
        self.assertEqual(request.command()["wanted"], ["Content-Type", "Location", "Allow"])

    def test_entries_without_a_name_have_different_ones(self):
        plan = self.plan('[[request]]\npath = "/"\n[[request]]\npath = "/"\n[[request]]\npath = "/"\n')
        self.assertEqual([step.unit for step in plan.requests], ["GET /", "GET / (2)", "GET / (3)"])

    def test_errors_say_where(self):
        cases = {
            "": " has no requests: write a [[request]] with a path.",
            "[[request]\n": " is not TOML: expected ']]' at the end of an array declaration (at line 1, column 10).",
            "[[requests]]\n": ": there is no key 'requests' here; there are request, session, limit, ignore.",
            "[request]\npath = '/'": ": write [[request]] with two brackets, once for each.",
            "limit = 0": ": limit is the number of seconds that an answer may take, up to 600, not 0.",
            "\n[[request]]\nname = 'x'": ":2: request 1 has no path.",
            "[[request]]\npath = '/'\n[[request]]\npath = 'a'": (
                ":3: request 2: the path 'a' must begin with / and have no blanks and only ASCII characters; percent-encode the others."
            ),
            "[[request]]\npath = 1": ":1: request 1: path must be text, not 1.",
            "[[request]]\npath = '/'\nmethod = 'A B'": ":1: request 1: 'A B' is not an HTTP method.",
            "[[request]]\npath = '/'\ntimes = 2": (
                ":1: request 1: times is for the steps of a session; a [[request]] is sent many times anyway."
            ),
            "[[request]]\npath = '/'\nexpects = 2": (
                ":1: request 1: there is no key 'expects' here; there are name, method, path, headers, body, body_file, expect, ignore."
            ),
            "[[request]]\npath = '/'\nexpect = 200": (
                ":1: request 1, expect must be a table, such as expect = { status = 200 }, not 200."
            ),
            "[[request]]\npath = '/'\nexpect = { status = '200' }": ":1: request 1, expect: '200' is not an HTTP status.",
            "[[request]]\npath = '/'\nexpect = { body = 'a', matches = 'a' }": (
                ":1: request 1, expect has both a body and matches: keep one."
            ),
            "[[request]]\npath = '/'\nbody = 'a'\nbody_file = 'a'": ":1: request 1 has both body and body_file: keep one.",
            "[[request]]\npath = '/'\nbody_file = 'gone'": (
                f":1: request 1: body_file {self.folder}/gone cannot be read: No such file or directory."
            ),
            "[[request]]\npath = '/'\nignore = ['(']": (
                ":1: request 1: the regular expression '(' is wrong: missing ), unterminated subpattern at position 0."
            ),
            "[[request]]\npath = '/'\nheaders = { 'a b' = 'c' }": ":1: request 1: 'a b' is not the name of a header.",
            "[[request]]\npath = '/'\nheaders = { a = 1 }": (
                ":1: request 1: the value of the header a must be text on one line, not 1."
            ),
            "[[request]]\nname = 'a'\npath = '/'\n[[request]]\nname = 'a'\npath = '/'": (
                ":4: request 2: the name 'a' is taken by an entry before it."
            ),
            "[[request]]\npath = '/'\nignore = ['a{9999999999}']": ":1: request 1: the regular expression 'a{9999999999}' is too large.",
            f"ignore = '{'(' * 9000}{')' * 9000}'\n": f": the regular expression '{'(' * 60}...' is too large.",
            "[[request]]\npath = '/'\nbody_file = \"a\\u0000\"": ":1: request 1: body_file 'a\\x00' is not the name of a file.",
            "[[session]]\nname = 'a'\n[[session.request]]\npath = '/1'\n[[session]]\nname = 'a'\n[[session.request]]\npath = '/2'": (
                ":5: session 2: the name 'a' is taken by a session before it."
            ),
            "[[session]]\nname = 'a'": ":1: session 1 has no steps: write a [[session.request]] below it.",
            "[[session]]\n[[session.request]]\npath = '/'\ntimes = 65": (
                ":1: session 1, step 1: times is a number from 1 to 64, not 65."
            ),
        }
        for text, wanted in cases.items():
            with self.subTest(text):
                self.assertEqual(self.error(text), wanted)

    def test_files_that_cannot_be_read(self):
        with self.assertRaises(PlanError) as caught:
            load(self.folder / "gone.toml")
        self.assertEqual(str(caught.exception), f"{self.folder}/gone.toml cannot be read: No such file or directory.")
        self.path.write_bytes(b"name = '\xff'")
        with self.assertRaises(PlanError) as caught:
            load(self.path)
        self.assertEqual(str(caught.exception), f"{self.path} is not UTF-8 at byte 8: save it as UTF-8.")


if __name__ == "__main__":
    unittest.main()
