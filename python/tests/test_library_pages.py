"""The manual's pages of what needs no server: their examples do what they say."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.dirname(HERE)
PAGES = os.path.join(os.path.dirname(PYTHON), "docs", "library")
if PYTHON not in sys.path:
    sys.path.insert(0, PYTHON)

from mod_python import _installation

MODULE = os.environ.get("MOD_PYTHON_SO")


def page(name):
    with open(os.path.join(PAGES, name), encoding="utf-8") as file:
        return file.read()


class PagesTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o755)
        self.environ = {**os.environ, "PYTHONPATH": PYTHON, "PYTHONDONTWRITEBYTECODE": "1"}

    def python(self, *arguments):
        return subprocess.run([sys.executable, *arguments], cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=120)

    def test_httpdconf(self):
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page("httpdconf.md"), re.MULTILINE | re.DOTALL)
        self.assertEqual([kind for kind, _ in blocks], ["python", "apache"] * 3)
        for (_, code), (_, text) in zip(blocks[::2], blocks[1::2]):
            done = self.python("-c", code)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(done.stdout.strip(), text.strip())

    def test_testing(self):
        files = re.findall(r"^<!-- file (\S+) -->\n```python\n(.*?)^```$", page("testing.md"), re.MULTILINE | re.DOTALL)
        self.assertEqual([name for name, _ in files], ["shop.py", "test_shop.py", "test_shop_unittest.py"])
        for name, text in files:
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        done = self.python("test_shop_unittest.py")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Ran 1 test", done.stderr)
        # With pytest, or by hand where there is none
        if self.python("-c", "import pytest").returncode == 0:
            done = self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shop.py", "test_shop_unittest.py")
            self.assertIn("3 passed", done.stdout, done.stderr)
        done = self.python("-c", "import test_shop\ntest_shop.test_a_price()\ntest_shop.test_other_methods()\nprint('passed')")
        self.assertEqual(done.stdout, "passed\n", done.stderr)

    @unittest.skipUnless(_installation.value("LIBEXECDIR"), "there is no httpd here")
    def test_command(self):
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        bin_folder = os.path.join(self.folder, "bin")
        os.mkdir(bin_folder)
        command = os.path.join(bin_folder, "mod_python")
        with open(command, "w") as file:
            file.write(f"#!/bin/sh\nexec '{sys.executable}' -m mod_python \"$@\"\n")
        os.chmod(command, 0o755)
        self.environ["PATH"] = f"{bin_folder}:{os.environ['PATH']}"
        if not MODULE:
            # What lies in httpd's folder may be another mod_python; here it only has to be none
            self.environ["MOD_PYTHON_SO"] = os.path.join(self.folder, "none.so")
        srv = os.path.join(self.folder, "srv")
        os.mkdir(srv)
        blocks = re.findall(r"^```sh\n(.*?)^```$", page("command.md"), re.MULTILINE | re.DOTALL)
        self.assertEqual(len(blocks), 3)
        try:
            for line in "".join(blocks).splitlines():
                line = line.replace("/srv", srv).replace("8888", str(port))
                is_control = re.match(r"mod_python (start|restart|stop) ", line)
                if is_control and not MODULE:
                    continue
                if MODULE:
                    line = re.sub(r"^mod_python create .*", rf"\g<0> --module {MODULE}", line)
                done = subprocess.run(["sh", "-ec", line], cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=120)
                self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}")
        finally:
            if MODULE and os.path.exists(os.path.join(srv, "site", "logs", "httpd.pid")):
                subprocess.run([command, "stop", os.path.join(srv, "site")], env=self.environ, capture_output=True)
        self.assertTrue(os.path.exists(os.path.join(srv, "wsgi", "conf", "httpd.conf")))


if __name__ == "__main__":
    unittest.main()
