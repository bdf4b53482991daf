"""The package that pip installs, and the httpd for production that its command writes. MOD_PYTHON_SO names a module that is built already."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from test_serve import APPLICATION, REPOSITORY, SHARED_PYTHON, Folder

COMMAND = [sys.executable, "-I", str(REPOSITORY / "apxs/lib/command.py"), "mod_python"]
MODULE = os.environ.get("MOD_PYTHON_SO")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def get(url, limit=30):
    """Status and text of a page, as soon as there is an answer."""
    deadline = time.monotonic() + limit
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@unittest.skipUnless(MODULE, "MOD_PYTHON_SO names no module")
class SetupServer(unittest.TestCase):
    def setup(self, folder, *arguments, cwd):
        return subprocess.run([*COMMAND, "setup-server", folder, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60)

    def test_it_writes_a_server_that_runs(self):
        port = free_port()
        with Folder({"app.py": APPLICATION, "files/a.txt": "a file"}) as place, tempfile.TemporaryDirectory() as parent:
            os.chmod(parent, 0o755)
            server = pathlib.Path(parent, "server")
            made = self.setup(
                server, "app:application", "--port", str(port), "--static", "/static=files", "--processes", "1", "--threads", "3",
                "--limit-body", "1000", cwd=place,
            )  # fmt: skip
            self.assertEqual(made.returncode, 0, made.stderr)
            control = server / "apachectl"
            url = f"http://127.0.0.1:{port}"

            def run(word):
                done = subprocess.run([control, word], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)

            run("configtest")
            run("start")
            try:
                self.assertEqual(get(f"{url}/x"), (200, "('', '/x')"))
                self.assertEqual(get(f"{url}/static/a.txt"), (200, "a file"))
                (place / "app.py").write_text(APPLICATION.replace("repr((", "repr(('new', "))
                self.assertEqual(get(f"{url}/x"), (200, "('', '/x')"), "new code comes with a graceful restart")
                run("graceful")
                # A child of before may answer until it has heard of it.
                deadline, fresh = time.monotonic() + 30, 0
                while fresh < 10 and time.monotonic() < deadline:
                    fresh = fresh + 1 if get(f"{url}/x") == (200, "('new', '', '/x')") else 0
                self.assertEqual(fresh, 10)
            finally:
                run("stop")
            with self.assertRaises(OSError):
                deadline = time.monotonic() + 20
                while time.monotonic() < deadline:
                    get(url, limit=0)
                    time.sleep(0.1)
            self.assertIn('"GET /x HTTP/1.1" 200', (server / "logs/access.log").read_text())
            # Nothing of it is written over without asking.
            again = self.setup(server, "app:application", cwd=place)
            self.assertEqual(again.returncode, 1)
            self.assertIn("httpd.conf is there already", again.stderr)
            broken = server / "httpd.conf"
            broken.write_text(broken.read_text() + "Nonsense\n")
            done = subprocess.run([control, "start"], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, "Invalid command 'Nonsense'" in done.stderr), (1, True), done.stderr)

    def test_what_makes_no_sense_is_said_and_nothing_is_written(self):
        with Folder({"app.py": APPLICATION}) as place:
            for arguments, status, sentence in (
                (["nothing"], 2, "there is no folder or file nothing"),
                (["app:application", "--key", "x"], 2, "--key needs a --certificate"),
                (["app:application", "--certificate", "/nowhere"], 1, "there is no file /nowhere"),
                (["app:application", "--user", "nobody-of-that-name"], 1, "there is no user nobody-of-that-name"),
                (["app:application", "--mpm", "prefork", "--threads", "2"], 2, "a child of prefork has one thread"),
                (["app:application", "--server-name", "a b"], 2, "the server's name is a host name"),
            ):
                done = self.setup(place / "server", *arguments, cwd=place)
                self.assertEqual((done.returncode, sentence in done.stderr), (status, True), done.stderr)
                self.assertFalse((place / "server/httpd.conf").exists())


@unittest.skipUnless(MODULE, "MOD_PYTHON_SO names no module")
class Pip(unittest.TestCase):
    def test_it_brings_the_module_and_the_command(self):
        with Folder({"app.py": APPLICATION}) as place:
            venv = place / "venv"
            made = subprocess.run([SHARED_PYTHON, "-m", "venv", venv], capture_output=True, text=True)
            if made.returncode != 0:
                self.skipTest(f"{SHARED_PYTHON} makes no virtual environment")
            pip = [venv / "bin/pip", "--disable-pip-version-check"]
            if subprocess.run([*pip, "download", "--quiet", "--no-deps", "--dest", place / "seen", "hatchling"], capture_output=True).returncode:
                self.skipTest("pip cannot fetch hatchling, which builds the package")
            installed = subprocess.run([*pip, "install", "--quiet", REPOSITORY], capture_output=True, text=True, timeout=300)
            self.assertEqual(installed.returncode, 0, installed.stderr)
            for folder, _, files in os.walk(venv):
                for name in (folder, *(os.path.join(folder, name) for name in files)):
                    if not os.path.islink(name):
                        os.chmod(name, os.stat(name).st_mode | 0o444 | (0o111 if os.path.isdir(name) else 0))
            config = subprocess.run([venv / "bin/mod_python", "module-config"], capture_output=True, text=True, check=True).stdout
            self.assertRegex(config, r'^LoadModule python_module ".*/mod_python/mod_python\.so"\nPythonHome ".*/venv"\n$')
            port = free_port()
            environ = {name: value for name, value in os.environ.items() if name not in ("MOD_PYTHON_SO", "VIRTUAL_ENV")}
            command = [venv / "bin/mod_python", "serve", "app:application", "--port", str(port)]
            process = subprocess.Popen(command, cwd=place, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                self.assertEqual(get(f"http://127.0.0.1:{port}/x"), (200, "('', '/x')"))
            finally:
                process.terminate()
                said = process.communicate(timeout=30)[0]
            self.assertEqual(process.returncode, 0, said)
            self.assertIn(f"packages come from {venv}", said)

    def test_what_is_missing_is_said_in_one_sentence(self):
        sys.path.insert(0, str(REPOSITORY))
        try:
            import hatch_build
        except ModuleNotFoundError as error:
            self.skipTest(f"there is no {error.name} here")
        finally:
            sys.path.pop(0)
        with tempfile.TemporaryDirectory() as empty:
            before, os.environ["PATH"] = os.environ["PATH"], empty
            try:
                with self.assertRaisesRegex(hatch_build.Missing, "there is no cargo here: install it from https://rustup.rs"):
                    hatch_build.CustomBuildHook.cargo()
            finally:
                os.environ["PATH"] = before
            old = pathlib.Path(empty, "cargo")
            old.write_text("#!/bin/sh\necho cargo 1.63.0\n")
            old.chmod(0o755)
            os.environ["PATH"] = empty + os.pathsep + before
            try:
                with self.assertRaisesRegex(hatch_build.Missing, "takes Rust 1.85 or later, and .*/cargo is cargo 1.63.0"):
                    hatch_build.CustomBuildHook.cargo()
            finally:
                os.environ["PATH"] = before


if __name__ == "__main__":
    unittest.main()
