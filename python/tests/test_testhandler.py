"""mod_python.testhandler, without httpd."""

import os
import unittest

import fake_apache
from support import LibraryTest

from mod_python import apache, testhandler


class Server:
    error_fname = "error.log"

    def get_config(self):
        return fake_apache.table()

    def get_options(self):
        return fake_apache.table([("db.password", "hunter2"), ("server", "<b>")])


class Request:
    method = "GET"
    status = 200

    def __init__(self, args=None):
        self.args = args
        self.server = Server()
        self.headers_in = fake_apache.table([("X-Evil", "<script>&\udce9"), ("Authorization", "Basic abc"), ("Cookie", "pysid=1")])
        self.headers_out = fake_apache.table()
        self.subprocess_env = fake_apache.table([("SERVER_SOFTWARE", "Apache/2"), ("HTTP_COOKIE", "pysid=1"), ("DB", "pg://me:hunter2@db/x")])
        self.notes = fake_apache.table()
        self.out = []

    def add_common_vars(self):
        pass

    def document_root(self):
        return "/srv/www"

    def get_config(self):
        return fake_apache.table([("PythonDebug", "1")])

    get_options = get_config

    def write(self, text, flush=1):
        self.out.append(text)


class TestHandlerTest(LibraryTest):
    def setUp(self):
        super().setUp()
        for name, value in {
            "server_root": lambda: self.folder,
            "config_tree": lambda: [
                ("Listen", "80"),
                ("<VirtualHost", "*:80>"),
                [("PythonOption", "session_secret hunter2"), ("SSLCertificateKeyFile", "/x"), ("AuthBasicProvider", "file")],
            ],
        }.items():
            self.addCleanup(setattr, apache, name, getattr(apache, name))
            setattr(apache, name, value)

    def page(self, args=None):
        req = Request(args)
        self.assertEqual(testhandler.handler(req), apache.OK)
        return req, "".join(part if isinstance(part, str) else part.decode() for part in req.out)

    def test_it_shows_what_there_is(self):
        req, page = self.page()
        for part in (
            "Apache/2", "event", "4.0.0", "main_interpreter", "one GIL for all", f"<code>{os.getpid()}, child of",
            "Process model", "PythonDebug", "Listen 80\n", "&lt;VirtualHost *:80&gt;\n", "    AuthBasicProvider file\n", "/srv/www",
        ):  # fmt: skip
            self.assertIn(part, page)
        self.assertEqual(req.content_type, "text/html; charset=utf-8")

    def test_it_escapes_everything(self):
        page = self.page()[1]
        self.assertIn("&lt;script&gt;&amp;\\udce9", page)
        self.assertNotIn("<script", page)
        self.assertIn("<code>&lt;b&gt;</code>", page)

    def test_it_shows_no_secret(self):
        page = self.page()[1]
        for secret in ("hunter2", "Basic abc", "pysid=1"):
            self.assertNotIn(secret, page)
        self.assertIn("pg://me:…@db/x", page)

    def test_the_log(self):
        with open(os.path.join(self.folder, "error.log"), "w") as file:
            file.write("".join(f"line {number}\n" for number in range(1000)))
        req, text = self.page("view_log=1")
        self.assertEqual((req.content_type, text), ("text/plain; charset=utf-8", "".join(f"line {n}\n" for n in range(900, 1000))))

    def test_a_long_log_and_a_short_one(self):
        path = os.path.join(self.folder, "error.log")
        with open(path, "w") as file:
            file.write("x" * 5_000_000 + "\nend")
        self.assertEqual(self.page("view_log=1")[1], "end")
        with open(path, "w") as file:
            file.write("a\nb")
        self.assertEqual(self.page("a=b&view_log=1")[1], "a\nb")
        open(path, "w").close()
        self.assertEqual(self.page("view_log=1")[1], "")

    def test_a_log_that_is_no_file(self):
        for name, status in ((None, 404), ("|/bin/logger", 404), ("syslog:local1", 404), ("missing.log", 404)):
            Server.error_fname = name
            self.addCleanup(setattr, Server, "error_fname", "error.log")
            req, text = self.page("view_log=1")
            self.assertEqual((req.status, text.startswith("The error log")), (status, True))


if __name__ == "__main__":
    unittest.main()
