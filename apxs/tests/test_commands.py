"""What the commands keep to themselves, and what they refuse. MOD_PYTHON_SO names a module that is built already."""

import glob
import os
import pathlib
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import test_serve
from test_package import free_port, get
from test_serve import APPLICATION, HANDLER, REPOSITORY, Folder

from mod_python._command_serve_httpd import User
from mod_python._command_serve_run import Reader
from mod_python._command_serve_site import copy

MODULE = os.environ.get("MOD_PYTHON_SO")
DECLINES = "from mod_python import apache\ndef handler(req):\n    return apache.DECLINED\n"
SHOWS = "def handler(req):\n    req.write(repr((__name__.split('.')[-1].strip('_'), req.path_info)))\n    return 0\n"


def command(name, *arguments, cwd=None, library=REPOSITORY, env=(), **more):
    """The command, run to its end."""
    line = [sys.executable, "-I", library / "apxs/lib/command.py", f"mod_python {name}", name, *arguments]
    return subprocess.run(line, cwd=cwd, env={**os.environ, **dict(env)}, capture_output=True, text=True, timeout=60, **more)


def mode(path):
    return oct(stat.S_IMODE(os.lstat(path).st_mode))


@unittest.skipUnless(MODULE, "MOD_PYTHON_SO names no module")
class Handlers(unittest.TestCase):
    served, serve, get = test_serve.Serving.served, test_serve.Serving.serve, test_serve.Serving.get

    def test_source_is_never_sent(self):
        files = {
            "hello.py": DECLINES, "hello/inner.py": "secret = 1\n", "hello/a.txt": "a file", "alone.py": DECLINES,
            "#hello.py#": "x", "hello.py copy": "x", "hello.py~": "x", "w.pyw": "x", "stub.pyi": "x", "other.py": "x = 1\n", "a.txt": "a file",
        }  # fmt: skip
        paths = [
            "/hello.py", "/hello.py/", "/hello.py/x", "/hello/inner.py", "/hello.py/inner.py", "/hello/../hello.py", "/alone", "/alone.py", "/alone/x",
            "/%23hello.py%23", "/hello.py%20copy", "/hello.py~", "/w.pyw", "/stub.pyi", "/other.py", "/a.txt",
        ]  # fmt: skip
        answers, said = self.served(files, paths, ".")
        for path, (status, text) in zip(paths[:-1], answers[:-1], strict=True):
            self.assertIn(status, (403, 404), (path, text, said))
        self.assertEqual(answers[-1], (200, "a file"), said)

    def test_handlers_have_their_urls(self):
        files = {"page.py": SHOWS, "index.py": SHOWS, "beside.py": SHOWS, "beside/a.txt": "a file"}
        paths = ["/page", "/page.py", "/page/x/y.py", "/page.py/x", "/", "/index", "/index.py/z", "/beside.py/a.txt", "/beside/none"]
        answers, said = self.served(files, paths, ".")
        expected = [("page", ""), ("page", ""), ("page", "/x/y.py"), ("page", "/x"), ("index", ""), ("index", ""), ("index", "/z")]
        self.assertEqual([text for _, text in answers[:7]], [repr(pair) for pair in expected], said)
        self.assertEqual([status for status, _ in answers], [200] * len(paths), said)

    def test_a_handler_of_the_library(self):
        answers, said = self.served({}, ["/"], "mod_python.testhandler::handler")
        self.assertEqual(answers[0][0], 200, said)
        self.assertIn("mod_python", answers[0][1])
        with Folder({}) as place:
            done = command("serve", "mod_python.none::handler", cwd=place)
            self.assertIn("the current directory has no module mod_python.none.", done.stderr)

    def test_it_says_what_is_loaded_again(self):
        said = self.served({"app.py": APPLICATION}, ["/"], ".")[1]
        self.assertIn("the application's own file is loaded again when it was edited; what it imports is not\n", said)
        self.assertIn("what they import with import is not\n", self.served({"page.py": HANDLER}, ["/page"], ".")[1])

    @unittest.skipUnless(os.geteuid() == 0, "only root's httpd becomes another user")
    def test_pipes_and_configuration_are_for_root_alone(self):
        with Folder({"app.py": APPLICATION}) as folder:
            process = self.serve(folder, ".", "--access-log")
            try:
                self.assertEqual(self.get(process, "/x"), (200, "('', '/x')"))
                found = [pathlib.Path(path).parent for path in glob.glob("/tmp/mod_python.*/httpd.conf")]
                root = next(path for path in found if f":{self.port}\n" in (path / "httpd.conf").read_text())
                self.assertEqual({mode(root / name) for name in ("error.log", "access.log", "httpd.conf", "app.conf")}, {"0o600"})
            finally:
                process.send_signal(signal.SIGINT)
                said = process.communicate(timeout=30)[0]
            self.assertIn("200 GET /x", said)

    @unittest.skipUnless(os.geteuid() == 0, "only root's httpd becomes another user")
    def test_a_copy_is_served_of_what_httpd_cannot_read(self):
        with Folder({"page.py": HANDLER, "a.txt": "a file", "gone": pathlib.Path("/nowhere"), "link.txt": pathlib.Path("a.txt")}) as folder:
            os.chmod(folder, 0o700)
            process = self.serve(folder, ".")
            try:
                answers = [self.get(process, path) for path in ("/page", "/a.txt", "/link.txt", "/gone")]
            finally:
                process.send_signal(signal.SIGINT)
                said = process.communicate(timeout=30)[0]
            self.assertEqual([answer[0] for answer in answers[:3]], [200, 200, 200], said)
            self.assertIn(answers[3][0], (403, 404), said)
            self.assertIn("serving a copy", said)


class Copy(unittest.TestCase):
    def test_links_are_not_followed(self):
        files = {
            "secret": "for root", "source/a.txt": "a file", "source/folder/b.txt": "b", "source/inside": pathlib.Path("folder/b.txt"),
            "source/outside": pathlib.Path("../secret"), "source/gone": pathlib.Path("/nowhere"), "source/up": pathlib.Path("."),
        }  # fmt: skip
        with Folder(files) as root:
            secret, source, target = root / "secret", root / "source", root / "target"
            secret.chmod(0o600)
            (source / "absolute").symlink_to(source / "folder")
            os.mkfifo(source / "pipe")
            found = pwd.getpwnam("nobody")
            user = User("nobody", found.pw_uid, found.pw_gid) if os.geteuid() == 0 else None
            copy(str(source), str(target), user)
            names = ["a.txt", "absolute", "folder", "gone", "inside", "outside", "up"]
            self.assertEqual(sorted(os.listdir(target)), names)
            self.assertEqual(os.readlink(target / "outside"), str(secret))
            self.assertEqual(os.readlink(target / "gone"), "/nowhere")
            self.assertEqual([os.readlink(target / name) for name in ("inside", "absolute", "up")], ["folder/b.txt", "folder", "."])
            self.assertEqual((target / "inside").read_text(), "b")
            self.assertEqual((mode(secret), secret.stat().st_gid), ("0o600", os.lstat(root).st_gid), "nothing happens to it")
            self.assertEqual((target / "a.txt").stat().st_mtime_ns, (source / "a.txt").stat().st_mtime_ns)
            if user is not None:
                self.assertEqual([mode(target / name) for name in ("", "a.txt", "folder", "folder/b.txt")], ["0o750", "0o640"] * 2)
                self.assertEqual({(path.stat().st_uid, path.stat().st_gid) for path in (target, target / "a.txt")}, {(0, user.gid)})

    def test_a_log_is_for_its_reader_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            lines = []
            reader = Reader(os.path.join(folder, "error.log"), lines.append)
            self.assertEqual(mode(os.path.join(folder, "error.log")), "0o600")
            pathlib.Path(folder, "error.log").write_text("a line\n")
            reader.end()
            self.assertEqual(lines, [b"a line\n", b"\n"])


@unittest.skipUnless(MODULE, "MOD_PYTHON_SO names no module")
class SetupServer(unittest.TestCase):
    def test_a_folder_that_was_there_keeps_its_mode(self):
        with Folder({"code/app.py": APPLICATION, "server/x": ""}) as place:
            os.chmod(place / "server", 0o775)
            made = command("setup-server", place / "server", "app:application", cwd=place / "code")
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertEqual(mode(place / "server"), "0o775")
            self.assertIn(f"the module is {os.path.realpath(MODULE)}.", made.stderr)
            self.assertNotIn("cannot pass through", made.stderr)
            if os.geteuid() == 0:
                os.chmod(place / "server", 0o700)
                made = command("setup-server", place / "server", "app:application", "--force", cwd=place / "code")
                self.assertEqual((made.returncode, mode(place / "server")), (0, "0o700"), made.stderr)
                self.assertIn(f"who is to serve, cannot pass through {place / 'server'}: make that possible (chmod o+x).", made.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_another_user_prepares_it_for_root(self):
        with Folder({"app.py": APPLICATION}) as place:
            nobody = pwd.getpwnam("nobody")
            library = place / "library"
            shutil.copytree(REPOSITORY / "python/mod_python", library / "python/mod_python", ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copytree(REPOSITORY / "apxs/lib", library / "apxs/lib")
            shutil.copy(MODULE, place / "mod_python.so")
            os.chmod(place / "mod_python.so", 0o755)
            os.mkdir(place / "their")
            os.chown(place / "their", nobody.pw_uid, nobody.pw_gid)
            made = command(
                "setup-server", place / "their/server", "app:application", "--user", "daemon", "--module", place / "mod_python.so",
                cwd=place, library=library, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[],
            )  # fmt: skip
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertIn("httpd has to be started by root to serve as daemon.", made.stderr)
            self.assertTrue(os.access(place / "their/server/apachectl", os.X_OK))

    def test_logs_of_a_folder_with_blanks(self):
        port = free_port()
        with Folder({"app.py": APPLICATION}) as place:
            server = place / "my own server"
            made = command("setup-server", server, "app:application", "--port", str(port), cwd=place)
            self.assertEqual(made.returncode, 0, made.stderr)
            subprocess.run([server / "apachectl", "start"], check=True, timeout=60)
            try:
                self.assertEqual(get(f"http://127.0.0.1:{port}/x"), (200, "('', '/x')"))
            finally:
                subprocess.run([server / "apachectl", "stop"], check=True, timeout=60)
            deadline, log = time.monotonic() + 20, server / "logs/access.log"
            while not (log.exists() and "GET /x" in log.read_text()) and time.monotonic() < deadline:
                time.sleep(0.1)
            self.assertIn('"GET /x HTTP/1.1" 200', log.read_text())
            self.assertTrue((server / "logs/error.log").exists())

    def test_what_it_refuses(self):
        with Folder({"app.py": APPLICATION}) as place:
            for name, arguments, sentence in (
                ("100%", [], "has a % in its name, which rotatelogs"),
                ("it's", [], "has a ' in its name, which rotatelogs"),
                ("server", ["--user", "root"], "httpd does not serve requests as root"),
            ):
                done = command("setup-server", place / name, "app:application", *arguments, cwd=place)
                self.assertEqual((done.returncode, sentence in done.stderr), (1, True), done.stderr)
                self.assertFalse((place / name).exists())


@unittest.skipUnless(MODULE, "MOD_PYTHON_SO names no module")
class Modules(unittest.TestCase):
    def test_an_older_mod_python_is_refused(self):
        with Folder({"app.py": APPLICATION, "mod_python.so": "\x7fELF mod_python/3.5.0+git\0"}) as place:
            old = place / "mod_python.so"
            sentence = f"{old} is mod_python 3.5, not this one: install this one's module"
            for arguments in (["serve", "app:application"], ["setup-server", "s", "app:application"], ["create", "s", "--pythonhandler", "os"]):
                for more, env in (["--module", old], {}), ([], {"MOD_PYTHON_SO": str(old)}):
                    done = command(*arguments, *more, cwd=place, env=env)
                    self.assertEqual((done.returncode, sentence in done.stderr), (1, True), done.stderr)
            self.assertFalse((place / "s").exists())

    def test_create_takes_the_module_that_serve_takes(self):
        with Folder({}) as place:
            done = command("create", "s", "--pythonhandler", "mod_python.cgihandler", cwd=place)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"LoadModule python_module {os.path.realpath(MODULE)}\n", (place / "s/conf/httpd.conf").read_text())
            # The one beside the package, if the environment names none.
            library = place / "library"
            shutil.copytree(REPOSITORY / "python/mod_python", library / "python/mod_python", ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copytree(REPOSITORY / "apxs/lib", library / "apxs/lib")
            beside = library / "python/mod_python/mod_python.so"
            beside.write_text("a module")
            done = command("create", "t", "--pythonhandler", "mod_python.cgihandler", cwd=place, library=library, env={"MOD_PYTHON_SO": ""})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"LoadModule python_module {beside}\n", (place / "t/conf/httpd.conf").read_text())

    def test_the_order_is_in_the_help(self):
        for name in ("serve", "setup-server", "create"):
            said = " ".join(command(name, "--help").stdout.split())
            self.assertRegex(said, "else it is that of MOD_PYTHON_SO, else the one beside this package, else the one in httpd's folder")


class Lines(unittest.TestCase):
    def test_faults_of_the_command_line(self):
        with Folder({"app.py": APPLICATION}) as place:
            for name, arguments, sentence in (
                ("serve", ["app:application", "--nonsense"], "unrecognized arguments: --nonsense (see 'mod_python serve --help')"),
                ("serve", ["app:application", "other:app"], "one APP at a time: 'app:application' is one already, and 'other:app' is left over"),
                ("setup-server", ["d", "a:b", "c:d"], "one APP at a time: 'a:b' is one already"),
                ("create", ["d", "--nonsense"], "unrecognized arguments: --nonsense (see 'mod_python create --help')"),
            ):
                done = command(name, *arguments, cwd=place)
                self.assertEqual((done.returncode, sentence in done.stderr), (2, True), done.stderr)
                self.assertIn(f"usage: mod_python {name} ", done.stderr)

    def test_a_module_that_is_in_neither_place(self):
        files = {"v/pyvenv.cfg": "", "v/lib/python3.1/site-packages/x.py": ""}
        with Folder(files) as place:
            done = command("serve", "none:app", "--venv", "v", cwd=place)
            self.assertIn(f"neither the current directory nor {place}/v has the module none.", done.stderr)

    def test_create_refuses_a_path_that_means_something_to_httpd(self):
        with Folder({}) as place:
            done = command("create", place / "x [y]", "--pythonhandler", "mod_python.cgihandler")
            self.assertEqual(done.returncode, 1)
            self.assertIn("has a character in its name that means something in httpd's configuration", done.stderr)
            self.assertFalse((place / "x [y]").exists())


if __name__ == "__main__":
    unittest.main()
