"""The watch, outside httpd: what its hook notes and where, and which globals it sees change."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

from local_server import DOCKER

WATCH = DOCKER / "watch"


class WatchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def served(self, app, script, **environment):
        """What a script prints as JSON, in a Python with the watch and a module app.py."""
        (self.folder / "app.py").write_text(textwrap.dedent(app))
        start = "import json, portability_watch\nportability_watch.install()\nfrom portability_watch import record, globals as application\n"
        script = start + textwrap.dedent(script)
        # As a command and not as a file: then no frame of the script is taken for the application's.
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": f"{WATCH}:{self.folder}", **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout)

    def findings(self, app, script="import app", **environment):
        found = self.served(app, f"{script}\nprint(json.dumps(record.take()))", **environment)
        return [(one["kind"], one["what"], one["line"], one["phase"]) for one in found]


class Events(WatchTest):
    def test_what_is_noted(self):
        found = self.findings(
            """\
            import os, pathlib, shutil, sqlite3, subprocess, tempfile
            os.environ["AT_IMPORT"] = "1"
            def act():
                open("app.py").close()
                pathlib.Path("app.py").read_text()
                os.listdir()
                os.mkdir("made")
                os.rename("made", "moved")
                sqlite3.connect("data").close()
                os.chdir("/")
                os.environ["NAME"] = "1"
                os.unsetenv("NAME")
                if os.fork() == 0:
                    os._exit(0)
                os.wait()
            """,
            "import app; app.act()",
        )
        self.assertEqual(
            found,
            [
                ("relative", "the relative path 'app.py'", 4, "request"),
                ("relative", "the relative path 'app.py'", 5, "request"),
                ("relative", "the relative path '.'", 6, "request"),
                ("relative", "the relative path 'made'", 7, "request"),
                ("relative", "the relative path 'made'", 8, "request"),
                ("relative", "the relative path 'moved'", 8, "request"),
                ("relative", "the relative path 'data'", 9, "request"),
                ("chdir", "os.chdir('/')", 10, "request"),
                ("environment", "os.environ['NAME']", 11, "request"),
                ("environment", "os.environ['NAME']", 12, "request"),
                ("fork", "os.fork()", 13, "request"),
            ],
        )

    def test_what_is_not(self):
        found = self.findings(
            """\
            import os, pathlib, shutil, sqlite3, subprocess, sys, tempfile
            def act():
                here = os.path.dirname(os.path.abspath(__file__))
                open(os.path.join(here, "app.py")).close()
                folder = tempfile.mkdtemp()
                os.makedirs(os.path.join(folder, "a/b"))
                shutil.rmtree(folder)
                sqlite3.connect(":memory:").close()
                subprocess.run(["true"], cwd="/")
                fd = os.open(here, os.O_RDONLY)
                os.mkdir("below", dir_fd=fd)
                os.rmdir("below", dir_fd=fd)
                os.listdir(fd)
                import decimal, xml.etree.ElementTree
            """,
            "import app; app.act()",
        )
        self.assertEqual(found, [])

    def test_at_import(self):
        self.assertEqual(self.findings("import os\nos.chdir('/')\n"), [("chdir", "os.chdir('/')", 2, "import")])

    def test_findings_are_written_once(self):
        (self.folder / "found").mkdir()
        self.findings(
            "import os\ndef act():\n    os.chdir('/')\n", "import app; app.act(); app.act()", WATCH_FOLDER=str(self.folder / "found")
        )
        (file,) = (self.folder / "found").iterdir()
        (line,) = file.read_text().splitlines()
        self.assertEqual({key: json.loads(line)[key] for key in ("kind", "line", "function")}, {"kind": "chdir", "line": 3, "function": "act"})

    def test_a_folder_that_cannot_be_written_to_disturbs_nobody(self):
        found = self.findings("import os\nos.chdir('/')\n", WATCH_FOLDER="/nowhere")
        self.assertEqual(len(found), 1)

    def test_another_directory_to_begin_with(self):
        self.assertEqual(self.served("", "import os; print(json.dumps(os.getcwd()))", WATCH_DIRECTORY="/usr"), "/usr")

    def test_programs_that_the_application_starts_are_not_watched(self):
        (self.folder / "found").mkdir()
        environment = {**os.environ, "PYTHONPATH": str(WATCH), "WATCH_FOLDER": str(self.folder / "found")}
        script = "import os, sys; assert 'portability_watch' not in sys.modules; os.chdir('/')"
        subprocess.run([sys.executable, "-c", script], env=environment, check=True)
        self.assertEqual(list((self.folder / "found").iterdir()), [])

    def test_the_sitecustomize_behind_it_is_run_too(self):
        (self.folder / "sitecustomize.py").write_text("import builtins\nbuiltins.behind = 1\n")
        self.assertEqual(self.served("", "print(json.dumps(behind))"), 1)


class Globals(WatchTest):
    def changes(self, app, *acts):
        script = "import app\nfound = []\n"
        for act in acts:
            script += f"{act}\nfound.append([(c['name'], c['line'], c['before'], c['after'], c['since_import']) for c in application.changes()])\n"
        return [[tuple(change) for change in changes] for changes in self.served(app, script + "print(json.dumps(found))")]

    def test_changes(self):
        found = self.changes(
            """\
            import itertools, threading
            hits = 0
            users = {}
            numbers = itertools.count()
            lock = threading.Lock()
            made = None
            class Shop:
                orders = []
                def __init__(self):
                    self.visits = 0
            shop = Shop()
            CONSTANT = {"a": [1, 2]}
            def reset():
                global hits
                hits = 0
            def act(seen=[]):
                global hits, made
                hits += 1
                users["ada"] = hits
                next(numbers)
                made = made or object()
                Shop.orders.append(1)
                shop.visits += 1
                seen.append(1)
                act.called = hits
            """,
            "app.act()",
            "app.act()",
            "pass",
        )
        first, second, third = ({change[0]: change[1:] for change in changes} for changes in found)
        # Before the first look, only what the source says outright is known.
        self.assertEqual(first["hits"], (18, "0", "1", True))
        self.assertEqual(first["users"], (19, "dict of 0", "dict of 1", True))
        self.assertEqual(set(first), {"hits", "users", "made"})
        self.assertEqual(second["hits"], (18, "1", "2", False))
        self.assertEqual(second["numbers"][1:], ("count(1)", "count(2)", False))
        self.assertEqual(second["Shop.orders"][:1], (22,))
        self.assertEqual(second["shop.visits"], (23, "1", "2", False))
        self.assertEqual(set(second), {"hits", "users", "numbers", "Shop.orders", "shop.visits", "act(default)", "act.called"})
        self.assertEqual(third, {})

    def test_a_module_that_fills_its_globals_while_it_is_loaded(self):
        app = "names = []\nnames.append(1)\ntable = {}\nfor n in range(3):\n    table[n] = n\n"
        self.assertEqual(self.changes(app, "pass"), [[]])

    def test_no_code_of_the_application_is_called(self):
        app = """\
            class Touchy:
                def __eq__(self, other): raise RuntimeError
                def __hash__(self): raise RuntimeError
                def __repr__(self): raise RuntimeError
                def __getattr__(self, name): raise RuntimeError(name)
            class Listy(list):
                def __iter__(self): raise RuntimeError
            one, many, some = Touchy(), [Touchy()], Listy([1])
            """
        self.assertEqual(self.changes(app, "pass", "app.many.append(app.one)"), [[], [("many", 8, "list of 1", "list of 2", False)]])


if __name__ == "__main__":
    unittest.main()
