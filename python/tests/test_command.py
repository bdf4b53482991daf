"""The command mod_python: what it makes, how it fails, and an httpd that it starts and stops."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.dirname(HERE)
if PYTHON not in sys.path:
    sys.path.insert(0, PYTHON)

from mod_python import _installation

HAS_HTTPD = _installation.value("HTTPD") and _installation.value("LIBEXECDIR") and _installation.value("HTTPD_VERSION").startswith("2.4.")
MODULE = os.environ.get("MOD_PYTHON_SO")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def nobody():
    """How subprocess runs as another user; None if it cannot."""
    try:
        found = pwd.getpwnam("nobody")
        as_nobody = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
        subprocess.run(["true"], check=True, **as_nobody)
    except (KeyError, OSError, subprocess.SubprocessError):
        return None
    return as_nobody


class CommandTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o755)
        self.dest = os.path.join(self.folder, "site")

    def command(self, *arguments, env=(), path=PYTHON, **more):
        environ = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", **dict(env)}
        return subprocess.run(
            [sys.executable, "-m", "mod_python", *arguments], env=environ, cwd=self.folder, capture_output=True, text=True, timeout=60, **more
        )

    def fails(self, status, says, *arguments, **more):
        done = self.command(*arguments, **more)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertIn(says, " ".join(done.stderr.split()))
        self.assertNotIn("Traceback", done.stderr)
        self.assertTrue(done.stderr.splitlines()[-1].startswith(f"mod_python{' ' + arguments[0] if arguments else ''}: "), done.stderr)
        return done

    def create(self, *more, port=None, handler="mod_python.cgihandler", module="/no/mod_python.so"):
        done = self.command(
            "create", self.dest, "--listen", f"127.0.0.1:{port or free_port()}", "--pythonhandler", handler, "--module", module, *more
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done


class Lines(CommandTest):
    def test_help(self):
        done = self.command("--help")
        self.assertEqual(done.returncode, 0)
        for name in ("create", "start", "stop", "restart", "genconfig", "version"):
            self.assertIn(f"\n    {name}", done.stdout)
            of_command = self.command(name, "--help")
            self.assertEqual((of_command.returncode, of_command.stderr), (0, ""))
            self.assertIn(f"usage: mod_python {name}", of_command.stdout)
        self.fails(2, "required: COMMAND")
        self.assertEqual(self.command("begin").returncode, 2)

    def test_version(self):
        done = self.command("version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for line in ("mod_python:  4.", f"Python:      {sys.version.split()[0]}", "httpd:", "APR:", "platform:"):
            self.assertIn(line, done.stdout)
        if HAS_HTTPD:
            self.assertIn(_installation.value("HTTPD_VERSION"), done.stdout)
        # Where there is no httpd, it says so
        done = self.command("version", env={"PATH": self.folder, "MOD_PYTHON_HTTPD": "/none", "APXS": "/none", "MOD_PYTHON_LIBEXECDIR": ""})
        self.assertEqual(done.returncode, 0)
        self.assertIn("httpd:       not found", done.stdout)

    def test_a_reader_that_goes(self):
        done = subprocess.run(
            f"'{sys.executable}' -m mod_python version | true", shell=True, env={**os.environ, "PYTHONPATH": PYTHON}, capture_output=True, text=True
        )
        self.assertEqual(done.stderr, "")


class Genconfig(CommandTest):
    def write(self, text):
        path = os.path.join(self.folder, "conf.py")
        with open(path, "w") as file:
            file.write(text)
        return path

    def test_prints_what_the_file_prints(self):
        done = self.command("genconfig", self.write("from mod_python.httpdconf import *\nprint(Container(Listen(80)))\nraise SystemExit"))
        self.assertEqual((done.returncode, done.stdout), (0, "Listen 80\n\n"))

    def test_what_is_wrong(self):
        self.fails(1, "there is no file /none", "genconfig", "/none")
        self.fails(1, "there is no file", "genconfig", self.folder)
        self.fails(1, "print(config)", "genconfig", self.write("x = 1"))
        self.fails(1, "exited with 'no'", "genconfig", self.write("raise SystemExit('no')"))
        self.fails(2, "required: FILE", "genconfig")
        for text, says in (("print('Listen 80')\n1 / 0", "line 2"), ("x = (", "line 1"), ("from mod_python.httpdconf import *\nNone_such(1)", "None_such")):
            done = self.command("genconfig", self.write(text))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(says, done.stderr)
            self.assertIn("correct what the traceback shows", done.stderr)
            self.assertNotIn("runpy", done.stderr)


@unittest.skipUnless(HAS_HTTPD, "there is no httpd 2.4 here")
class Create(CommandTest):
    def test_what_it_makes(self):
        lib = os.path.join(self.folder, "my lib")
        os.mkdir(lib)
        with open(os.path.join(lib, "hello.py"), "w") as file:
            file.write("raise AssertionError('it is not imported')\n")
        done = self.create("--pythonpath", lib, "--pythonoption", "a b c", "--pythonoption", "alone", handler="hello::front")
        self.assertIn(f"mod_python start {self.dest}", done.stdout)
        self.assertIn("there is no /no/mod_python.so: install the module", done.stderr)
        with open(os.path.join(self.dest, "conf", "httpd.conf")) as file:
            text = file.read()
        for line in ("PythonHandler hello::front", f"PythonPath \"sys.path + ['{lib}']\"", 'PythonOption a "b c"', "PythonOption alone"):
            self.assertIn(line + "\n", text)
        self.assertEqual(self.command("genconfig", os.path.join(self.dest, "conf", "httpd_conf.py")).stdout, text)
        self.fails(1, "is there already", "create", self.dest, "--pythonhandler", "mod_python.cgihandler")

    def test_what_is_wrong(self):
        create = ("create", self.dest)
        cgi = ("--pythonhandler", "mod_python.cgihandler")
        self.fails(2, "required: DEST", "create")
        self.fails(2, "--pythonhandler is missing: what is to answer the requests?", *create)
        for handler in ("none_such", "os.none", "mod_python.none", "", "os..path"):
            self.fails(2 if not handler else 1, "" if not handler else "was not found", *create, "--pythonhandler", handler)
        self.fails(1, "mod_python.wsgi.application", *create, "--pythonhandler", "mod_python.wsgi")
        for listen in ("", "x", "0", "65536", "80x", "127.0.0.1", "::1:80", "-1"):
            self.fails(2, "--listen", *create, *cgi, f"--listen={listen}")
        self.fails(1, "there is no folder /none", *create, *cgi, "--pythonpath", "/none")
        self.fails(1, "a name is missing", *create, *cgi, "--pythonoption", " ")
        self.fails(1, "'\\n'", *create, *cgi, "--pythonoption", "a b\nc")
        self.assertEqual(os.path.exists(self.dest), False)
        with open(self.dest, "w"):
            pass
        self.fails(1, "is a file", *create, *cgi)

    def test_a_secret_is_for_its_owner_alone(self):
        files = ("httpd.conf", "httpd_conf.py")
        modes = lambda: [oct(os.stat(os.path.join(self.dest, "conf", name)).st_mode & 0o777) for name in files]
        os.umask(os.umask(0o022))
        self.create("--pythonoption", "mod_python.session.key a-secret")
        self.assertEqual(modes(), ["0o600"] * 2)
        shutil.rmtree(self.dest)
        self.create()
        self.assertEqual(modes(), ["0o644"] * 2)

    def test_a_virtual_environment(self):
        venv = os.path.join(self.folder, "venv")
        packages = os.path.join(venv, "lib", "python{}.{}".format(*sys.version_info[:2]), "site-packages")
        os.makedirs(packages)
        for path in (os.path.join(venv, "pyvenv.cfg"), os.path.join(packages, "installed_there.py")):
            with open(path, "w"):
                pass
        self.create("--venv", venv, handler="installed_there")
        with open(os.path.join(self.dest, "conf", "httpd.conf")) as file:
            self.assertIn(f'PythonInterpreterOptions * "venv={venv}"\n', file.read())
        self.assertEqual(self.command("genconfig", os.path.join(self.dest, "conf", "httpd_conf.py")).returncode, 0)
        shutil.rmtree(self.dest)
        self.fails(1, "none_such' was not found in " + packages, "create", self.dest, "--pythonhandler", "none_such", "--venv", venv)
        done = self.command("create", self.dest, "--pythonhandler", "mod_python.cgihandler", "--venv", "/none")
        self.assertEqual((done.returncode, "/none is no virtual environment: there is no such folder" in done.stderr), (2, True), done.stderr)

    def test_no_httpd(self):
        env = {"PATH": self.folder, "APXS": "/none", "MOD_PYTHON_HTTPD": "/none"}
        self.fails(1, "/none is not a program", "start", self.folder, env=env)
        stub = os.path.join(self.folder, "lib")
        shutil.copytree(os.path.join(PYTHON, "mod_python"), os.path.join(stub, "mod_python"))
        path = os.path.join(stub, "mod_python", "_installation.py")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:  # as on a machine without any
            file.write(text.replace('"/usr', '"/none').replace('"/opt', '"/none'))
        env = {"PATH": self.folder, "APXS": "/none"}
        self.fails(1, "httpd was not found: install it", "start", self.folder, env=env, path=stub)
        self.fails(1, "modules was not found: install httpd", "create", self.dest, "--pythonhandler", "mod_python.cgihandler", env=env, path=stub)

    def test_as_another_user(self):
        if nobody() is None:
            self.skipTest("only root can be somebody else")
        lib = os.path.join(self.folder, "lib")
        shutil.copytree(os.path.join(PYTHON, "mod_python"), os.path.join(lib, "mod_python"))
        self.fails(1, f"user nobody cannot write to {self.folder}", "create", self.dest, "--pythonhandler", "mod_python.cgihandler", path=lib, **nobody())
        self.create()
        conf = os.path.join(self.dest, "conf", "httpd.conf")
        self.comment_out_python(conf)
        self.fails(1, "run this as", "start", self.dest, path=lib, **nobody())
        os.chmod(conf, 0o600)
        self.fails(1, f"user nobody cannot read {conf}", "start", self.dest, path=lib, **nobody())

    def comment_out_python(self, conf):
        with open(conf) as file:
            text = file.read()
        with open(conf, "w") as file:
            file.writelines(line for line in text.splitlines(True) if "ython" not in line.partition(" ")[0] and "python" not in line)


@unittest.skipUnless(HAS_HTTPD, "there is no httpd 2.4 here")
class Control(CommandTest):
    def test_names(self):
        self.fails(1, "there is no /none", "start", "/none")
        self.fails(1, "conf/httpd.conf: create it", "stop", self.folder)
        self.fails(2, "required: CONF", "restart")
        self.create()
        self.fails(1, "is the Python file", "start", os.path.join(self.dest, "conf", "httpd_conf.py"))
        self.fails(1, "is not a program", "start", self.dest, "--httpd", "/none/httpd")
        # The module that it names is not there
        self.fails(1, "is wrong: correct what httpd says", "start", self.dest)

    def test_a_server(self):
        """A whole life, with the module if the environment names one, else without."""
        port = free_port()
        self.create(port=port, module=MODULE or "/no/mod_python.so")
        conf = os.path.join(self.dest, "conf", "httpd.conf")
        if not MODULE:
            Create.comment_out_python(self, conf)
        with open(os.path.join(self.dest, "public", "page.py"), "w") as file:
            file.write("print('Content-Type: text/plain\\n')\nprint('a page')\n")
        self.fails(1, "no httpd runs with", "restart", self.dest)

        done = self.command("start", self.dest)
        self.addCleanup(self.command, "stop", conf)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("a page", self.page(port))
        done = self.command("start", self.dest)
        self.assertIn("already running", done.stdout + done.stderr)
        self.assertEqual(self.command("restart", self.dest).returncode, 0)
        self.assertIn("a page", self.page(port))

        first, self.dest = self.dest, os.path.join(self.folder, "other")
        self.create(port=port)
        other = os.path.join(self.dest, "conf", "httpd.conf")
        Create.comment_out_python(self, other)
        self.fails(1, f"another program listens at 127.0.0.1, port {port}", "start", self.dest)
        with open(other, "a") as file:
            file.write("No_such_directive on\n")
        done = self.fails(1, "is wrong: correct what httpd says", "start", self.dest)
        self.assertIn("No_such_directive", done.stderr)

        if nobody() is not None:
            lib = os.path.join(self.folder, "lib")
            shutil.copytree(os.path.join(PYTHON, "mod_python"), os.path.join(lib, "mod_python"))
            for folder, folders, files in os.walk(first):
                os.chmod(folder, 0o755)
            if not MODULE:  # httpd's user may not be able to read the module under test
                self.fails(1, "run this as", "stop", first, path=lib, **nobody())
        self.assertEqual(self.command("stop", first).returncode, 0)
        pid_file = os.path.join(first, "logs", "httpd.pid")
        self.wait(lambda: not os.path.exists(pid_file))

    def page(self, port):
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/page.py", timeout=10) as answer:
                    return answer.read().decode()
            except OSError:
                if time.monotonic() > deadline:
                    with open(os.path.join(self.dest, "logs", "error_log")) as file:
                        self.fail(file.read())
                time.sleep(0.02)

    def wait(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
