"""What the tests share."""

import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

import fake_apache

HERE = os.path.dirname(os.path.abspath(__file__))


class LibraryTest(unittest.TestCase):
    """A test that starts with an empty error log and an empty folder on sys.path."""

    def setUp(self):
        fake_apache.entries.clear()
        fake_apache.calls.clear()
        fake_apache.current_request = None
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.addCleanup(sys.path.__setitem__, slice(None), list(sys.path))
        self.addCleanup(self._forget_modules, set(sys.modules))
        sys.path.insert(0, self.folder)
        self._last_time = 0

    def _forget_modules(self, before):
        for name in set(sys.modules) - before:
            if not name.startswith("mod_python"):
                del sys.modules[name]

    def write(self, name, text):
        """Write a file in the folder, with a time that no file written before has, and return its path."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(textwrap.dedent(text))
        self._last_time = max(os.stat(path).st_mtime_ns, self._last_time + 1)
        os.utime(path, ns=(self._last_time, self._last_time))
        return path

    def logged(self, number):
        """The entries of the error log with a message number."""
        return [entry for entry in fake_apache.entries if entry[1].startswith(number)]


def run_bootstrapped(code, name="site", is_main=False, environ=None, options=(), process_environ=None, before=""):
    """Run code in a Python of its own after start(), and return what it gave to report(...), and the error log.

    before is run before start(), as sitecustomize would be.
    """
    script = f"""
import os, sys
sys.path.insert(0, {HERE!r})
import fake_apache
sys.path.remove(os.path.dirname(fake_apache.LIBRARY))
reports = []
report = reports.append
namespace = {{"__name__": "mod_python._bootstrap"}}
source, _, path = fake_apache._library_source("mod_python._bootstrap")
environ_before = os.environ, os.environb
{before}
modules_before = set(sys.modules)
exec(compile(source, path, "exec"), namespace)
namespace["start"]({name!r}, {environ if environ is not None else {b"PATH": b"/usr/bin:/bin"}!r}, {is_main!r}, None)
imported = {{name for name, module in sys.modules.items() if module is not None}} - modules_before
try:
    exec(compile({textwrap.dedent(code)!r}, "<test>", "exec"), globals())
except BaseException:
    import traceback
    os.write(2, traceback.format_exc().encode())
    os._exit(1)
import json
out = os.fdopen(os.dup(1), "w")
json.dump([reports, fake_apache.entries], out)
out.flush()
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-B", *options, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=process_environ,
    )
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    import json

    reports, entries = json.loads(done.stdout)
    return reports, [tuple(entry) for entry in entries]
