"""The folder as a package outside httpd: pip installs it, and modules, command and stubs are there."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.dirname(HERE)

# The parser of PSP pages is in the module alone, as are stores; some modules are for packages that need not be there.
IN_THE_MODULE = {"psp"}
FOR_PACKAGES = {"cachelib_store", "django_cache", "django_sessions"}
# These work without a server; others may need one, or mod_python.testing.
WITHOUT_SERVER = {"Cookie", "cgihandler", "httpdconf", "testing", "util", "version"}

IMPORT_ALL = """\
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(f"mod_python.{name}")
    except ModuleNotFoundError as error:
        if error.name not in ("_apache", "_psp", "_store", "cachelib", "django"):
            raise
        print(name, end=" ")
"""

PROGRAM = """\
import _apache
from mod_python import apache, httpdconf, mp_version

def handler(req: _apache.mp_request) -> int:
    req.write(mp_version + str(httpdconf.Listen(80)))
    return apache.OK

reveal_type(handler)
handler(1)
"""


def has_setuptools():
    return subprocess.run([sys.executable, "-c", "import setuptools, venv, ensurepip"], capture_output=True).returncode == 0


@unittest.skipUnless(has_setuptools(), "there is no setuptools or no venv here")
class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        source = os.path.join(cls.folder, "source")
        shutil.copytree(PYTHON, source, symlinks=True, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        venv = os.path.join(cls.folder, "venv")
        subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", venv], check=True, capture_output=True)
        cls.bin = os.path.join(venv, "bin")
        cls.environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        pip = [f"{cls.bin}/python", "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-build-isolation", "--no-deps", source]
        done = subprocess.run(pip, cwd=cls.folder, env=cls.environ, capture_output=True, text=True)
        if done.returncode != 0 and "bdist_wheel" in done.stderr + done.stdout:
            # This setuptools makes no wheels by itself, and there is no network to fetch the package that does
            old = [f"{cls.bin}/python", "-c", "import setuptools; setuptools.setup()", "-q", "install", "--single-version-externally-managed", "--record=record"]
            done = subprocess.run(old, cwd=source, env=cls.environ, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    def run_in(self, *command):
        done = subprocess.run(command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def python(self, code, *arguments):
        status, out, err = self.run_in(f"{self.bin}/python", "-c", code, *arguments)
        self.assertEqual(status, 0, err)
        return out

    def test_modules_are_importable(self):
        files = os.listdir(os.path.join(PYTHON, "mod_python"))
        names = {name.removesuffix(".py") for name in files if name.endswith(".py") and not name.startswith("_")}
        self.assertGreater(len(names), 3)
        need_server = set(self.python(IMPORT_ALL, *sorted(names - {"testing"})).split())
        self.assertEqual(need_server & WITHOUT_SERVER, set())
        self.assertIn("apache", need_server)
        if "testing" in names:
            self.assertEqual(set(self.python(IMPORT_ALL, "testing", *sorted(names - FOR_PACKAGES)).split()), IN_THE_MODULE)
        self.assertTrue(self.python("import mod_python\nprint(mod_python.__file__)").startswith(self.folder))
        self.assertEqual(self.python("from mod_python import httpdconf as h\nprint(h.Listen(80))"), "Listen 80\n\n")
        # apache needs the server, and what it lacks is named
        status, _, err = self.run_in(f"{self.bin}/python", "-c", "from mod_python import apache")
        self.assertNotEqual(status, 0)
        self.assertIn("No module named '_apache'", err)

    def test_the_command_is_there(self):
        for command in ([f"{self.bin}/mod_python"], [f"{self.bin}/python", "-m", "mod_python"]):
            status, out, err = self.run_in(*command, "version")
            self.assertEqual(status, 0, err)
            self.assertIn("mod_python:  4.", out)
            self.assertEqual(self.run_in(*command)[0], 2)

    @unittest.skipUnless(shutil.which("mypy"), "there is no mypy here")
    def test_mypy_finds_the_stubs(self):
        with open(os.path.join(self.folder, "program.py"), "w") as file:
            file.write(PROGRAM)
        _, out, err = self.run_in("mypy", "--strict", "--cache-dir", os.devnull, "--python-executable", f"{self.bin}/python", "program.py")
        self.assertIn('Revealed type is "def (req: _apache.mp_request) -> builtins.int"', out, err)
        self.assertIn('has incompatible type "int"; expected "mp_request"', out)
        self.assertIn("Found 1 error in 1 file", out)


if __name__ == "__main__":
    unittest.main()
