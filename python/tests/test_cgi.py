"""setup_cgi(), restore_nocgi() and the streams of a CGI script."""

import io
import os
import sys
import unittest

import fake_apache
from support import LibraryTest

from mod_python import apache


class Request:
    """As much of a request as CGI needs."""

    def __init__(self, body=b"", headers=(), variables=()):
        self.headers_in = fake_apache.table(headers)
        self.headers_out = fake_apache.table()
        self.subprocess_env = fake_apache.table(variables)
        self.status, self.status_line, self.content_type = 200, None, None
        self.body, self.out, self.flushes = io.BytesIO(body), b"", 0

    def _build_cgi_env(self):
        env = self.subprocess_env.copy()
        env.add("REQUEST_METHOD", "POST")
        env.add("GATEWAY_INTERFACE", "Python-CGI/1.1")
        return env

    def read(self, n=-1):
        return self.body.read(n)

    def write(self, data, flush=1):
        assert flush == 0
        self.out += data

    def flush(self):
        self.flushes += 1


class SetUp(LibraryTest):
    def test_set_up_and_restore(self):
        before = dict(os.environ), sys.stdin, sys.stdout, sys.argv
        self.addCleanup(setattr, sys, "argv", before[3])
        os.environ["REQUEST_METHOD"] = "as before"
        self.addCleanup(os.environ.pop, "REQUEST_METHOD", None)
        req = Request(body="äb".encode(), variables=[("EMPTY", None), ("A=B", "x"), ("TWICE", "1"), ("TWICE", "2")])
        saved = apache.setup_cgi(req)
        try:
            inside = dict(os.environ)
            print("Content-Type: text/plain\n\n" + sys.stdin.read())
            argv, streams = sys.argv, (type(sys.stdin), type(sys.stdout))
            os.environ["SET_INSIDE"] = "1"
            del os.environ["PATH"]
        finally:
            apache.restore_nocgi(*saved)
        self.assertEqual(streams, (apache.CGIStdin, apache.CGIStdout))
        self.assertEqual(argv, [])
        self.assertEqual((inside["REQUEST_METHOD"], inside["TWICE"]), ("POST", "2"))
        self.assertNotIn("EMPTY", inside)
        self.assertEqual(dict(os.environ), {**before[0], "REQUEST_METHOD": "as before"})
        self.assertEqual((sys.stdin, sys.stdout, sys.argv), (before[1], before[2], ["mod_python"]))
        self.assertEqual((req.content_type, req.out), ("text/plain", "äb\n".encode()))

    def test_another_environment_in_its_place_is_taken_away(self):
        objects, before, streams = (os.environ, os.environb), dict(os.environ), (sys.stdin, sys.stdout)
        saved = apache.setup_cgi(Request())
        os.environ = dict(os.environ)
        os.environb = None
        apache.restore_nocgi(*saved)
        self.assertEqual(((os.environ, os.environb), dict(os.environ), (sys.stdin, sys.stdout)), (objects, before, streams))

    def test_headers_that_nothing_ended(self):
        req = Request()
        saved = apache.setup_cgi(req)
        sys.stdout.write("Status: 204 No Content\nX-A: 1")
        apache.restore_nocgi(*saved)
        sys.argv = ["test"]
        self.assertEqual((req.status, req.headers_out["X-A"], req.out), (204, "1", b""))


class Streams(unittest.TestCase):
    def test_stdin(self):
        stdin = apache.CGIStdin(Request(body="one\nté\n\xff".encode("latin-1") + "三\n".encode()))
        self.assertEqual(stdin.readline(), "one\n")
        self.assertEqual(stdin.readlines(), ["t\udce9\n", "\udcff三\n"])
        self.assertEqual(stdin.read(), "")
        stdin = apache.CGIStdin(Request(body=b"a=1&b=\xff"))
        self.assertEqual((stdin.buffer.read(5), stdin.buffer.read()), (b"a=1&b", b"=\xff"))
        self.assertEqual(apache.CGIStdin(Request(body=b"x" * 100000)).read(), "x" * 100000)

    def test_headers_in_pieces(self):
        req = Request()
        out = apache.CGIStdout(req)
        for piece in (
            "Sta",
            "tus: 404 Not",
            " Found\r\nContent-ty",
            "pe: text/html\nSet-Cookie: a=1\nSet-Cookie: b=2\n",
            "\r",
            "\nbo",
        ):
            out.write(piece)
        out.buffer.write(b"dy \xff")
        print(" \udcff", file=out, end="")
        self.assertEqual((req.status, req.status_line, req.content_type), (404, "404 Not Found", "text/html"))
        self.assertEqual(req.headers_out["set-cookie"], ["a=1", "b=2"])
        self.assertEqual(req.out, b"body \xff \xff")
        out.flush()
        self.assertEqual(req.flushes, 1)

    def test_a_redirect(self):
        for text, status in (("", 302), ("Status: 301\n", 301)):
            req = Request()
            apache.CGIStdout(req).write(f"{text}Location: http://example.com/\n\n")
            self.assertEqual((req.status, req.headers_out["Location"], req.status_line), (status, "http://example.com/", None))

    def test_what_is_no_header(self):
        out = apache.CGIStdout(Request())
        with self.assertRaisesRegex(ValueError, "not a header.*b'hello'"):
            out.write("hello\n")
        with self.assertRaises(TypeError):
            out.write(3)
        with self.assertRaises(TypeError):
            out.buffer.write("text")

    def test_null_io(self):
        null = apache.NullIO()
        null.writelines(["a", "b"])
        null.seek(3)
        null.flush()
        null.close()
        self.assertEqual((null.tell(), null.read(5), null.readline(), null.readlines(), null.isatty()), (0, "", "", [], False))


if __name__ == "__main__":
    unittest.main()
