"""The portability check against a real httpd: it finds what was planted, names it, and reports nothing else."""

import unittest
from concurrent.futures import ThreadPoolExecutor

from local_server import DOCKER, LocalCell, module

from portability import check, requests, verdict

APPS = DOCKER / "tests" / "apps"
MODELS = ("prefork", "worker", "event", "winnt")
WHY_NOT = "no module is built: run cargo build, or name one in MOD_PYTHON_SO"


def line_of(app: str, file: str, text: str, which: int = 0) -> int:
    """The line of a planted fault."""
    lines = (APPS / app / file).read_text().splitlines()
    return [number for number, line in enumerate(lines, 1) if text in line][which]


@unittest.skipUnless(module(), WHY_NOT)
class Planted(unittest.TestCase):
    """Applications with faults under each process model."""

    @classmethod
    def setUpClass(cls):
        # Most of the time is spent waiting for restarts: two applications' cells share it.
        with ThreadPoolExecutor(4) as pool:
            futures = {
                app: [pool.submit(check.run_cell, LocalCell(APPS / app, model), requests.load(APPS / app / "requests.toml")) for model in MODELS]
                for app in ("planted", "clean")
            }
            cls.observed = {app: {f.result().cell["model"]: f.result() for f in found} for app, found in futures.items()}
        cls.plans = {app: requests.load(APPS / app / "requests.toml") for app in futures}
        cls.verdict = verdict.judge(cls.plans["planted"], cls.observed["planted"])

    def found(self, request, rule):
        """The one finding for a request by a rule."""
        found = [finding for finding in self.verdict.findings if (finding.request, finding.rule) == (request, rule)]
        self.assertEqual(len(found), 1, verdict.text(self.verdict))
        return found[0]

    def check(self, request, rule, cells, file, text, which=0):
        finding = self.found(request, rule)
        self.assertEqual(sorted(finding.cells), sorted(cells), finding)
        self.assertEqual(finding.severity, "fault")
        if file is not None:
            place = (str(APPS / "planted" / file), line_of("planted", file, text, which))
            self.assertIn(place, [(one.file, one.line) for one in finding.evidence])
        return finding

    def test_a_counter_in_a_global(self):
        finding = self.check("GET /counter", "globals", MODELS, "counter.py", "hits += 1")
        self.assertIn("`hits`", finding.evidence[0].sentence)
        self.assertIn('"visit 1", "visit 2"', finding.sentence)

    def test_a_global_used_as_a_local_variable_under_threads(self):
        for name in ("ada", "bob"):
            finding = self.check(f"GET /race/greet?{name}", "threads", MODELS[1:], "race.py", "current = req.args")
            self.assertIn("`current`", finding.evidence[0].sentence)

    def test_a_lost_update_of_a_global(self):
        finding = self.check("adding: total", "threads", ["winnt"], "race.py", "total = before + 1")
        self.assertIn("`total`", finding.evidence[0].sentence)
        self.check("adding: total", "globals", MODELS[:3], "race.py", "total = before + 1")

    def test_a_lost_update_of_a_file(self):
        finding = self.check("number: read", "threads", MODELS, None, None)
        self.assertIn('one after the other: "6"', finding.sentence)

    def test_a_session_that_lives_in_the_child(self):
        for rule, cells in (("globals", MODELS[:3]), ("children", ["winnt"])):
            finding = self.check("login: page", rule, cells, "child_state.py", 'users["ada"]')
            self.assertIn("`users`", finding.evidence[0].sentence)

    def test_a_module_that_forks(self):
        self.check("GET /forks", "fork", MODELS, "forks.py", "os.fork()")

    def test_a_change_of_directory(self):
        self.check("GET /changes_directory", "current-directory", MODELS, "changes_directory.py", 'os.chdir("/")')

    def test_dependence_on_the_current_directory(self):
        elsewhere = self.check("from root", "current-directory", MODELS, "relative.py", "open(name")
        self.assertIn("with another current directory", elsewhere.sentence)
        nowhere = self.check("missing", "current-directory", MODELS, "relative.py", "open(name")
        self.assertIn("'nowhere.txt'", nowhere.evidence[0].sentence)

    def test_nothing_else_is_reported(self):
        self.assertEqual(len(self.verdict.findings), 12, verdict.text(self.verdict))
        self.assertFalse(self.verdict.passed)

    def test_a_clean_application_passes_everywhere(self):
        clean = verdict.judge(self.plans["clean"], self.observed["clean"])
        self.assertEqual(clean.findings, [], verdict.text(clean))
        self.assertTrue(clean.passed)

    def test_different_children_were_asked(self):
        for model, seen in self.observed["clean"].items():
            self.assertEqual(seen.children > 1, model != "winnt", model)


@unittest.skipUnless(module(), WHY_NOT)
class Unusable(unittest.TestCase):
    """Applications that cannot be checked."""

    def test_an_application_that_fails_to_import(self):
        plan = requests.load(APPS / "unimportable" / "requests.toml")
        sentence = check.run_cell(LocalCell(APPS / "unimportable", MODELS[0]), plan).unusable
        self.assertIn("cannot be imported: ModuleNotFoundError: No module named 'a_package_that_is_not_there'", sentence)
        self.assertIn(f"unimportable.py, line {line_of('unimportable', 'unimportable.py', 'import ')}", sentence)


if __name__ == "__main__":
    unittest.main()
