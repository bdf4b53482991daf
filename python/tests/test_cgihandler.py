"""CGI scripts: what they find, what becomes of their output, and what is left of them."""

import io
import os
import random
import sys
import threading

import fake_apache
from support import LibraryTest

from mod_python import apache, cgihandler


class Request:
    """As much of a request as the handler needs."""

    def __init__(self, filename, body=b"", options=(), variables=()):
        self.filename = filename
        self.headers_out = fake_apache.table()
        self.options, self.variables = fake_apache.table(options), variables
        self.status, self.status_line, self.content_type = 200, None, None
        self.body, self.out, self.redirected_to = io.BytesIO(body), b"", None

    def get_options(self):
        return self.options

    def _build_cgi_env(self):
        return fake_apache.table([("REQUEST_METHOD", "GET"), *self.variables])

    def read(self, n=-1):
        return self.body.read(n)

    def write(self, data, flush=1):
        self.out += data

    def flush(self):
        pass

    def _redirect_to_get(self, uri):
        self.redirected_to = uri


HEAD = "print('Content-Type: text/plain', end='\\n\\n')\n"


class CgiTest(LibraryTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(setattr, sys, "argv", sys.argv)
        self.addCleanup(os.chdir, os.getcwd())

    def state(self):
        return (
            dict(os.environ),
            os.getcwd(),
            list(sys.path),
            list(sys.meta_path),
            sys.stdin,
            sys.stdout,
            sys.stderr,
            sys.excepthook,
            sys.modules.get("script"),
            sys.modules.get("__main__"),
        )

    def run_script(self, source, head=True, name="script.py", **more):
        path = self.write(name, (HEAD if head else "") + source)
        req = Request(path, **more)
        before = self.state()
        try:
            self.assertEqual(cgihandler.handler(req), apache.OK)
        finally:
            self.assertEqual(self.state(), before)
            self.assertFalse(cgihandler._one_at_a_time.locked())
        return req

    def fails(self, exception, source, says="", **more):
        with self.assertRaises(exception) as caught:
            self.run_script(source, **more)
        said = "\n".join([str(caught.exception), *getattr(caught.exception, "__notes__", ())])
        self.assertIn(says, said)
        self.assertIn("script", said)

    def test_what_a_script_finds(self):
        source = (
            "import os, sys\nprint(__name__, __name__ in sys.modules, os.path.basename(__file__), os.getcwd() == os.path.dirname(__file__), "
            "sys.argv == [__file__], sys.path[0] == os.getcwd(), os.environ['REQUEST_METHOD'], sys.stdin.read())"
        )
        req = self.run_script(source, body=b"sent")
        self.assertEqual(req.out, b"script True script.py True True True GET sent\n")
        self.assertEqual((req.status, req.content_type), (200, "text/plain"))
        req = self.run_script("print(__name__)", options=[("mod_python.cgihandler.name", "__main__")])
        self.assertEqual(req.out, b"__main__\n")

    def test_which_file_is_run(self):
        paths = {name: self.write(name, "") for name in ("a.py", "b.cgi", "sub/c.py", "d.txt", ".py")}
        os.mkdir(os.path.join(self.folder, "e.py"))
        os.mkfifo(os.path.join(self.folder, "f.py"))
        for name, found in {"a.py": "a.py", "a": "a.py", "a.cgi": "a.py", "a.pyc": "a.py", "b.cgi": "b.cgi", "sub/c": "sub/c.py"}.items():
            self.assertEqual(cgihandler.find_script(os.path.join(self.folder, name)), paths[found])
        for name in ("b", "b.py", "c.py", "d.txt", "e.py", "f.py", "", "sub", "sub/", "a.py/", "a\0", "x" * 5000):
            with self.assertRaises(apache.SERVER_RETURN) as caught:
                cgihandler.find_script(os.path.join(self.folder, name))
            self.assertEqual(caught.exception.args, (404,), name)
        with self.assertRaises(apache.SERVER_RETURN):
            cgihandler.find_script(None)

    def test_a_changed_file_is_compiled_again(self):
        self.assertEqual(self.run_script("print(1)").out, b"1\n")
        self.assertEqual(self.run_script("print(2)").out, b"2\n")
        for number in range(cgihandler._MOST_SCRIPTS + 2):
            cgihandler.compiled(self.write(f"n{number}.py", ""))
        self.assertLessEqual(len(cgihandler._codes), cgihandler._MOST_SCRIPTS)

    def test_bytes_and_text(self):
        source = "import sys\nsys.stdout.buffer.write(b'\\xff')\nprint('ä', flush=True)\nprint(sys.stdin.buffer.read(2), sys.stdin.read())"
        self.assertEqual(self.run_script(source, body=b"\0\xffab").out, b"\xff\xc3\xa4\nb'\\x00\\xff' ab\n")
        source = "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, 'latin-1')\nprint('ä')"
        self.assertEqual(self.run_script(source).out, b"\xe4\n")
        source = "import io, sys\nout = io.TextIOWrapper(sys.stdout.buffer, 'latin-1')\nout.write('ä')"
        self.assertEqual(self.run_script(source).out, b"\xe4")

    def test_redirects(self):
        for text, path, status, location in (
            ("Location: /there?a=1\n\nlost", "/there?a=1", 200, None),
            ("Location: //host/x\n\n", None, 302, "//host/x"),
            ("Location: http://host/\n\nkept", None, 302, "http://host/"),
            ("Location: /there\nStatus: 303 See Other\n\n", None, 303, "/there"),
            ("Status: 301\nLocation: /there\n\n", None, 301, "/there"),
        ):
            req = self.run_script(f"print({text!r}, end='')", head=False)
            self.assertEqual((req.redirected_to, req.status, req.headers_out.get("Location")), (path, status, location), text)
            self.assertEqual(req.out, b"kept" if "kept" in text else b"")

    def test_exits(self):
        for code, entries in (("", 0), ("0", 0), ("None", 0), ("3", 1), ("'no disk'", 1)):
            fake_apache.entries.clear()
            self.assertEqual(self.run_script(f"import sys\nprint(1)\nsys.exit({code})").out, b"1\n")
            self.assertEqual(len(self.logged("MP0543")), entries, code)
        self.assertIn("no disk", fake_apache.entries[0][1])

    def test_what_is_no_response(self):
        self.fails(KeyError, "raise KeyError(1)", "script.py")
        self.fails(KeyError, "raise KeyError(1)", "script.py", head=False)
        self.fails(KeyboardInterrupt, "raise KeyboardInterrupt", "script.py")
        self.fails(cgihandler.ScriptError, "", "MP0542", head=False)
        self.fails(cgihandler.ScriptError, "if __name__ == '__main__': print('\\n')", "mod_python.cgihandler.name __main__", head=False)
        self.fails(cgihandler.ScriptError, "print('X-A: 1')", "no empty line", head=False)
        self.fails(cgihandler.ScriptError, "print('X-A: 1', end='')", "b'X-A: 1'", head=False)
        self.fails(cgihandler.ScriptError, "import sys\nsys.exit(1)", "MP0542", head=False)
        for line in ("hello", ": x", "a b: c", "X-A: a\0b", "Status: gone", "Status: 99", "Status: 2000", "Status:", "Status: 0x10", "é: 1"):
            self.fails(ValueError, f"print({line!r})\nprint()", head=False)
        self.fails(SyntaxError, "x = (")
        self.fails((SyntaxError, ValueError), "\0")

    def test_a_hook_of_its_own_shows_the_error(self):
        hook = "import sys\nsys.excepthook = lambda kind, error, trace: print('Status: 200\\n\\nfailed:', error)\n"
        self.assertEqual(self.run_script(hook + "raise ValueError('x')", head=False).out, b"failed: x\n")
        self.assertTrue(any("ValueError: x" in text for _, text in fake_apache.entries))
        self.fails(ValueError, "import sys\nsys.excepthook = lambda *error: None\nraise ValueError('x')", head=False)

    def test_the_interpreter_is_as_it_was(self):
        os.mkdir(os.path.join(self.folder, "elsewhere"))
        self.run_script(
            "import os, sys\nos.chdir('elsewhere')\nos.environ.clear()\nsys.path[:] = []\nsys.stdin = sys.stderr = None\n"
            "sys.argv = None\nos.environ['NEW'] = '1'\nsys.meta_path.clear\n"
        )
        self.assertNotIn("NEW", os.environ)
        kept = sys.modules["json"] = sys.modules.get("json") or __import__("json")
        self.run_script("print(__name__)", name="json.py")
        self.assertIs(sys.modules["json"], kept)

    def test_the_process_has_its_own_environment(self):
        """Other interpreters of the process, and the C library, do not see a request's variables; what a script writes goes again."""
        import ctypes

        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_char_p
        os.environ["BEFORE"] = "1"
        self.addCleanup(os.environ.pop, "BEFORE", None)
        sys.getenv = getenv
        self.addCleanup(delattr, sys, "getenv")
        source = (
            "import os, sys\nprint(sys.getenv(b'REQUEST_METHOD'), os.environ['REQUEST_METHOD'])\n"
            "os.environ['REQUEST_METHOD'] = 'mine'\nos.environ['BEFORE'] = '2'\nos.environ['NEW'] = '3'\nprint(sys.getenv(b'BEFORE'), sys.getenv(b'NEW'))"
        )
        self.assertEqual(self.run_script(source).out, b"None GET\nb'2' b'3'\n")
        self.assertEqual([getenv(name) for name in (b"REQUEST_METHOD", b"BEFORE", b"NEW")], [None, b"1", None])
        self.run_script("import os\ndel os.environ['BEFORE']")
        self.assertEqual((getenv(b"BEFORE"), os.environ["BEFORE"]), (b"1", "1"))

    def test_the_folder_is_gone(self):
        folder = os.path.join(self.folder, "gone")
        os.mkdir(folder)
        path = self.write("script.py", HEAD)
        os.chdir(folder)
        os.rmdir(folder)
        cgihandler.handler(Request(path))
        os.chdir(self.folder)

    def test_its_modules_are_imported_anew_each_time(self):
        self.write("counter.py", "count = 0\n")
        self.write("package/__init__.py", "")
        self.write("package/part.py", "count = 0\n")
        source = "import counter, package.part, colorsys\ncounter.count += 1\npackage.part.count += 1\nprint(counter.count, package.part.count)"
        for _ in range(2):
            self.assertEqual(self.run_script(source).out, b"1 1\n")
        self.assertIn("colorsys", sys.modules)  # the standard library's stay
        for name in ("counter", "package", "package.part"):
            self.assertNotIn(name, sys.modules)
        __import__("counter").count = 7
        self.assertEqual(self.run_script("import counter\nprint(counter.count)").out, b"7\n")  # somebody else's, and stays so
        self.assertIn("counter", sys.modules)

    def test_threads_that_are_left(self):
        source = (
            "import sys, threading\ngo = sys.go = threading.Event()\ndef work(out=sys.stdout):\n    go.wait()\n    try:\n        out.write('late')\n"
            "    except ValueError as error:\n        sys.late = str(error)\nsys.left = threading.Thread(target=work, name='worker')\nsys.left.start()\nprint(1)"
        )
        req = self.run_script(source)
        self.addCleanup(delattr, sys, "left")
        sys.go.set()
        sys.left.join()
        self.assertEqual(req.out, b"1\n")
        self.assertIn("script.py has ended", sys.late)
        self.assertIn("worker", self.logged("MP0544")[0][1])

    def test_one_after_the_other(self):
        path = self.write("script.py", HEAD + "import sys, time\nsys.running += 1\nassert sys.running == 1\ntime.sleep(0.001)\nsys.running -= 1\nprint('ok')")
        sys.running = 0
        self.addCleanup(delattr, sys, "running")
        requests = [Request(path) for _ in range(8)]
        threads = [threading.Thread(target=cgihandler.handler, args=(req,)) for req in requests]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({req.out for req in requests}, {b"ok\n"})

    def test_any_output_is_a_response_or_an_error(self):
        chance = random.Random(16)
        pieces = ["Status: 200", "Status", ":", "\n", "\r\n", "\n\n", "Content-Type: text/html", "Set-Cookie: a=b", "x", "é", "\0", "Location: /x", " ", "\t", "{"]
        for _ in range(400):
            text = "".join(chance.choices(pieces, k=chance.randrange(12)))
            cut = chance.randrange(len(text) + 1)
            req = Request(self.write("script.py", f"import sys\nsys.stdout.write({text[:cut]!r})\nsys.stdout.write({text[cut:]!r})"))
            before = self.state()
            try:
                cgihandler.handler(req)
            except (ValueError, cgihandler.ScriptError):
                pass
            self.assertEqual(self.state(), before)
