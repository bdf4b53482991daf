"""apxs/serve: what it takes for an application, and that it serves it. MOD_PYTHON_SO names a module that is built already."""

import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
import urllib.error
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "python"))

from mod_python._command import UsageError
from mod_python._command_serve_app import Finder
from mod_python._command_serve_httpd import python_of
from mod_python._command_serve_venv import Venv

SERVE = REPOSITORY / "apxs/serve"

# One that httpd's user can run too, if root runs this.
SHARED_PYTHON = next(path for path in (pathlib.Path("/usr/bin/python3"), pathlib.Path(sys.executable)) if path.exists())

APPLICATION = """
def application(environ, start_response):
    body = repr((environ["SCRIPT_NAME"], environ["PATH_INFO"])).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
"""
FACTORY = "def create_app():\n    from wsgiref.simple_server import demo_app\n    return demo_app\n"
HANDLER = "def handler(req):\n    req.write('handled')\n    return 0\n"
MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', {!r})\n"


class Folder:
    """A folder with files, gone at the end: their texts, or where they lead to."""

    def __init__(self, files):
        self.files = files

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        # httpd's user reads it, if root runs this.
        os.chmod(self.folder.name, 0o755)
        root = pathlib.Path(self.folder.name).resolve()
        for name, text in self.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, pathlib.Path):
                path.symlink_to(text)
            else:
                path.write_text(textwrap.dedent(text))
        return root

    def __exit__(self, *_):
        self.folder.cleanup()


class Finding(unittest.TestCase):
    """What is taken for the application, without a server."""

    def read(self, files, app=".", factory=False, venv=""):
        """Kind and target, with FOLDER for the folder's path; the sentence, if it is none."""
        before = os.getcwd()
        with Folder(files) as folder:
            os.chdir(folder)
            try:
                found = Finder("apxs/serve", factory, Venv(venv) if venv else None).read(app)
            except UsageError as error:
                return str(error)
            finally:
                os.chdir(before)
            said = [found.kind, *([found.target] if found.kind == "application" else []), *(["factory"] if found.is_factory else [])]
            return "\n".join(said).replace(str(folder), "FOLDER")

    def test_a_target_is_taken_as_it_is(self):
        files = {"app.py": APPLICATION, "package/site.py": APPLICATION}
        self.assertEqual(self.read(files, "app:application"), "application\napp:application")
        self.assertEqual(self.read(files, "package.site:a.b"), "application\npackage.site:a.b")
        self.assertEqual(self.read(files, "app:make", factory=True), "application\napp:make\nfactory")
        self.assertEqual(self.read(files, "other:app"), "the current directory has no module other.")
        self.assertEqual(self.read(files, "app::handler"), "module")

    def test_a_file_is_taken_with_the_object_that_it_has(self):
        self.assertEqual(self.read({"app.py": "app = 1"}, "app.py"), "application\napp:app")
        self.assertEqual(self.read({"s/my-app.py": "from x import (y, app)"}, "s/my-app.py"), "application\nFOLDER/s/my-app.py:app")
        self.assertEqual(self.read({"site.wsgi": APPLICATION}, "./site.wsgi"), "application\nFOLDER/site.wsgi:application")
        self.assertEqual(self.read({"site.wsgi": ""}, "site.wsgi:other"), "application\nFOLDER/site.wsgi:other")
        self.assertEqual(self.read({"app.py": "x = 1"}, "app.py:x"), "application\napp:x")
        self.assertEqual(self.read({"app.py": FACTORY}, "app.py"), "application\napp:create_app\nfactory")
        self.assertEqual(self.read({"app.py": APPLICATION + FACTORY}, "app.py", factory=True), "application\napp:create_app\nfactory")
        self.assertIn("neither application nor app: write apxs/serve app.py:OBJECT.", self.read({"app.py": "x = 1"}, "app.py"))
        self.assertIn("serve app::handler.", self.read({"app.py": HANDLER}, "app.py"))
        self.assertIn("neither Python (.py) nor a WSGI script", self.read({"a.txt": ""}, "a.txt"))
        self.assertIn("is not the name of an object", self.read({"a.py": ""}, "a.py:1x"))

    def test_a_folder_says_by_its_files_what_it_is(self):
        django = {"manage.py": MANAGE.format("mysite.settings"), "mysite/wsgi.py": APPLICATION, "app.py": APPLICATION}
        for files, expected in (
            (django, "application\nmysite.wsgi:application"),
            ({"manage.py": MANAGE.format("conf.settings.local"), "conf/wsgi.py": ""}, "application\nconf.wsgi:application"),
            ({"wsgi.py": "from app import app", "app.py": APPLICATION}, "application\nwsgi:app"),
            ({"app.py": "app = 1"}, "application\napp:app"),
            ({"app.py": FACTORY}, "application\napp:create_app\nfactory"),
            ({"app.wsgi": APPLICATION, "app.py": APPLICATION}, "application\nFOLDER/app.wsgi:application"),
            ({"site/wsgi.py": APPLICATION}, "application\nsite.wsgi:application"),
            ({"page.py": HANDLER}, "folder"),
            ({"app.py": HANDLER}, "folder"),
            ({"httpd.conf": "", "app.py": APPLICATION}, "site"),
        ):
            self.assertEqual(self.read(files), expected, files)

    def test_what_is_not_clear_is_said_with_what_to_write(self):
        for files, sentence in (
            ({}, "has no application (manage.py, wsgi.py, app.py, *.wsgi), no .py file that defines handler(req), and no httpd.conf"),
            ({"app.py": "x = 1"}, "neither application nor app, and nothing else"),
            ({"wsgi.py": "x = 1"}, "./wsgi.py defines neither application nor app: write apxs/serve ./wsgi.py:OBJECT."),
            ({"a.wsgi": APPLICATION, "b.wsgi": APPLICATION}, "several applications: write one of apxs/serve ./a.wsgi, apxs/serve ./b.wsgi."),
            ({"a/wsgi.py": APPLICATION, "b/wsgi.py": APPLICATION}, "write one of apxs/serve ./a/wsgi.py, apxs/serve ./b/wsgi.py."),
            ({"app.py": APPLICATION, "page.py": HANDLER}, "has an application (app.py) and handlers (page): write apxs/serve ./app.py"),
            ({"manage.py": ""}, "names no DJANGO_SETTINGS_MODULE"),
            ({"manage.py": MANAGE.format("mysite.settings")}, "(mysite.settings) without a wsgi.py"),
        ):
            self.assertIn(sentence, self.read(files), files)
        for name, called in (("wsgi.py", "."), ("app.py", "."), ("page.py", "page.py"), ("site.wsgi", "site.wsgi")):
            said = self.read({name: "x = 1\nimport (\n"}, called)
            self.assertIn(f"{name} is not valid Python (line 2: ", said)
        self.assertIn("page.py is not valid Python (", self.read({"page.py": "x = '\0'\n"}, "page.py"))
        self.assertIn("there is no folder or file nothing", self.read({}, "nothing"))
        self.assertIn("--factory is for a WSGI application", self.read({"page.py": HANDLER}, factory=True))
        self.assertIn("none of create_app, make_app", self.read({"wsgi.py": APPLICATION}, factory=True))

    def test_a_virtual_environment_is_looked_at(self):
        files = {"app.py": APPLICATION}
        self.assertIn("venv is no virtual environment: there is no such folder.", self.read(files, venv="venv"))
        self.assertIn("it has no pyvenv.cfg", self.read({**files, "venv/x": ""}, venv="venv"))
        self.assertIn("it has no lib/python3.Y/site-packages", self.read({**files, "venv/pyvenv.cfg": ""}, venv="venv"))


@unittest.skipUnless(os.environ.get("MOD_PYTHON_SO"), "MOD_PYTHON_SO names no module")
class Serving(unittest.TestCase):
    """The command as a whole, with a private httpd."""

    def serve(self, folder, *arguments, **environment):
        """The command, begun."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        environment = {**{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}, **environment}
        command = [SERVE, "--port", str(self.port), "--mpm", "event", *arguments]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def get(self, process, path):
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                    return response.status, response.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, ""
            except OSError:
                if process.poll() is not None:
                    self.fail(process.stdout.read())
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def served(self, files, paths, *arguments, **environment):
        """What it answers under some paths, and what it has said; it is stopped as by Ctrl-C."""
        with Folder(files) as folder:
            arguments = [argument.replace("FOLDER", str(folder)) for argument in arguments]
            process = self.serve(folder, *arguments, **environment)
            try:
                answers = [self.get(process, path) for path in paths]
                # It says what it serves as soon as that answers.
                time.sleep(0.5)
            finally:
                process.send_signal(signal.SIGINT)
                said = process.communicate(timeout=30)[0]
            self.assertEqual(process.returncode, 0, said)
            return answers, said.replace(str(folder), "FOLDER")

    def test_an_application_has_all_urls_but_those_of_static_files(self):
        files = {"app.py": APPLICATION, "files/a.txt": "a file"}
        paths = ["/", "/x/y", "/static/a.txt", "/static/none", "/app.py"]
        answers, said = self.served(files, paths, "app:application", "--static", "/static=files")
        expected = [(200, "('', '/')"), (200, "('', '/x/y')"), (200, "a file"), (404, ""), (200, "('', '/app.py')")]
        self.assertEqual(answers, expected, said)
        self.assertIn("app:application is served at", said)

    def test_a_script_and_a_factory(self):
        answers, said = self.served({"app.wsgi": APPLICATION}, ["/a"], ".")
        self.assertEqual(answers, [(200, "('', '/a')")], said)
        self.assertIn("found application of FOLDER/app.wsgi.", said)
        answers, said = self.served({"app.py": FACTORY}, ["/"], "app.py")
        self.assertEqual(answers[0][0], 200, said)
        self.assertIn("Hello world!", answers[0][1])
        self.assertIn("found create_app() of FOLDER/app.py.", said)

    def test_handlers_are_served_as_before(self):
        answers, said = self.served({"page.py": HANDLER, "a.txt": "a file"}, ["/page", "/a.txt", "/page.py"], ".")
        self.assertEqual(answers, [(200, "handled"), (200, "a file"), (200, "handled")], said)
        self.assertRegex(said, "handlers: +/page\n")
        self.assertEqual(self.served({"page.py": HANDLER}, ["/any"], "page::handler")[0], [(200, "handled")])

    def test_a_new_handler_is_seen_at_once(self):
        with Folder({"page.py": HANDLER}) as folder:
            process = self.serve(folder, ".", "--threads", "2", "--processes", "1")
            try:
                self.assertEqual([self.get(process, path)[0] for path in ("/page", "/other")], [200, 404])
                (folder / "other.py").write_text(HANDLER)
                deadline = time.monotonic() + 20
                while self.get(process, "/other")[0] != 200 and time.monotonic() < deadline:
                    time.sleep(0.1)
                self.assertEqual(self.get(process, "/other"), (200, "handled"))
            finally:
                process.send_signal(signal.SIGINT)
                said = process.communicate(timeout=30)[0]
            self.assertIn("the handlers are now /other /page.", said)
            self.assertRegex(said, "children: +1; 2 threads each")

    def test_requests_are_shown_if_asked_for(self):
        said = self.served({"app.py": APPLICATION}, ["/x?y=1", "/static"], ".", "--access-log")[1]
        self.assertRegex(said, r"\d\d:\d\d:\d\d 200 GET /x\?y=1 HTTP/1.1  [\d.]+ ms  \d+ B  \[localhost\]\n")
        self.assertNotIn("GET /x", self.served({"app.py": APPLICATION}, ["/x"], ".")[1])

    @unittest.skipUnless(shutil.which("openssl"), "there is no openssl here")
    def test_https_has_a_certificate_of_its_own(self):
        with Folder({"app.py": APPLICATION}) as folder:
            process = self.serve(folder, ".", "--https")
            try:
                deadline = time.monotonic() + 30
                context = ssl._create_unverified_context()
                while True:
                    try:
                        with urllib.request.urlopen(f"https://127.0.0.1:{self.port}/s", timeout=10, context=context) as response:
                            self.assertEqual(response.read().decode(), "('', '/s')")
                        # It says what it serves as soon as that answers.
                        time.sleep(0.5)
                        break
                    except OSError:
                        if process.poll() is not None or time.monotonic() > deadline:
                            raise
                        time.sleep(0.1)
            finally:
                process.send_signal(signal.SIGINT)
                said = process.communicate(timeout=30)[0]
            self.assertIn(f"https://127.0.0.1:{self.port}/", said)

    def test_packages_come_from_a_virtual_environment(self):
        version = python_of(os.environ["MOD_PYTHON_SO"])
        site = f"lib/python{version}/site-packages"
        files = {
            "app.py": "import inside\n" + APPLICATION.replace("repr((", "repr((inside.x, "),
            "v/pyvenv.cfg": f"home = {sys.prefix}/bin\nversion = {version}\n",
            "v/bin/python": SHARED_PYTHON,
            f"v/{site}/inside.py": "x = 1\n",
            "w/pyvenv.cfg": "version = 3.1\n",
            "w/lib/python3.1/site-packages/inside.py": "",
        }
        for arguments, environment in ((["--venv", "v"], {}), ([], {"VIRTUAL_ENV": "v"})):
            answers, said = self.served(files, ["/"], ".", *arguments, **environment)
            self.assertEqual(answers, [(200, "(1, '', '/')")], said)
            self.assertIn("packages come from FOLDER/v", said)
        # One that is not used is named.
        self.assertIn("to use it: --venv FOLDER/venv", self.served({"app.py": APPLICATION, "venv/pyvenv.cfg": ""}, ["/"], ".")[1])
        with Folder(files) as folder:
            process = self.serve(folder, ".", "--venv", "w")
            said = process.communicate(timeout=60)[0]
            self.assertEqual(process.returncode, 1, said)
            self.assertIn(f"is of python3.1, and the module is built for Python {version}", said)
        # An active one that does not fit is nothing to handlers.
        for folder, sentence in (("w", "it is not used."), ("nowhere", "there is no such folder. It is not used.")):
            answers, said = self.served({**files, "page.py": HANDLER}, ["/"], "page::handler", VIRTUAL_ENV=folder)
            self.assertEqual(answers, [(200, "handled")], said)
            self.assertIn(sentence, said)

    def test_arguments_that_make_no_sense(self):
        with Folder({"app.py": APPLICATION}) as folder:
            for arguments, sentence in (
                (["app:application", "--static", "static"], "--static takes URL=DIR"),
                (["app:application", "--static", "static=."], "the URL of --static is a path such as /static"),
                (["app:application", "--static", "/=."], "the URL of --static is a path such as /static"),
                (["app:application", "--static", "/static=nowhere"], "there is no folder nowhere for --static /static"),
                (["--static", "/static=."], "--static needs an APP"),
                (["--factory"], "--factory is for a WSGI application"),
                (["app:application", "--mpm", "prefork", "--threads", "2"], "a child of prefork has one thread"),
                (["app:application", "--port", "0"], "'0' is not a number from 1 to 65535"),
                (["app:application", "--venv"], "--venv: expected one argument"),
            ):
                process = self.serve(folder, *arguments)
                said = process.communicate(timeout=30)[0]
                self.assertEqual((process.returncode, sentence in said), (2, True), said)


if __name__ == "__main__":
    unittest.main()
