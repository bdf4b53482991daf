"""The matrix without Docker: selection, the reading of test programs' output, the report."""

import json
import subprocess
import sys
import tarfile
import tempfile
import unittest
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

from matrix import report
from matrix.docker import Files
from matrix.images import BuildError, context
from matrix.report import Run
from matrix.scenario import ScenarioResult
from matrix.systems import MODELS, SYSTEMS, Refusal, all_cells, select
from matrix.terminal import line
from matrix.tests import FILTERS, Reader

REPOSITORY = HERE.parents[1]


class Selection(unittest.TestCase):
    def test_without_words_it_is_every_cell(self):
        self.assertEqual(select([]), all_cells())
        self.assertEqual(len(all_cells()), len(SYSTEMS) * len(MODELS) * 2)

    def test_words_are_all_required_and_selections_add_up(self):
        self.assertEqual([cell.name for cell in select(["trixie event"])], ["trixie event shared", "trixie event own"])
        self.assertEqual(
            [cell.name for cell in select(["3.15 own worker", "bookworm itk shared"])],
            ["bookworm itk shared", "forky-3.15 worker own"],
        )

    def test_forky_is_two_systems_by_its_release_and_one_by_its_python(self):
        self.assertEqual({cell.system.python for cell in select(["forky"])}, {"3.14", "3.15"})
        self.assertEqual({cell.system.python for cell in select(["3.14"])}, {"3.14"})

    def test_an_unknown_word_is_named_with_what_there_is(self):
        with self.assertRaisesRegex(Refusal, "'sid'.*bookworm, trixie"):
            select(["sid event"])

    def test_words_that_no_cell_has_together_are_refused(self):
        with self.assertRaisesRegex(Refusal, "selects no cell"):
            select(["bookworm trixie"])

    def test_every_cell_that_does_not_run_has_a_reason(self):
        silent = [cell for cell in all_cells() if cell.reason]
        self.assertEqual(len(silent), 5)
        for cell in silent:
            self.assertEqual(cell.gil, "own")


class TestOutput(unittest.TestCase):
    def read(self, text, cause=None):
        reader = Reader(lambda words: None)
        for entry in text.splitlines():
            reader.line(entry)
        return reader.over(cause)

    def test_passed_tests_are_counted(self):
        run = self.read("=== total 2\n=== begin smoke\ntest a::event ... ok\ntest b::event - should panic ... ok\n=== end smoke 0")
        self.assertEqual((run.total, run.passed, run.failures), (2, 2, []))

    def test_a_failure_has_its_own_output(self):
        run = self.read(
            "=== total 2\n=== begin smoke\ntest a::event ... FAILED\ntest b::event ... FAILED\n\nfailures:\n\n"
            "---- a::event stdout ----\nleft: 1\n\n---- b::event stdout ----\nleft: 2\n\nfailures:\n    a::event\n=== end smoke 101"
        )
        self.assertEqual([(f.name, f.output) for f in run.failures], [("smoke a::event", "left: 1"), ("smoke b::event", "left: 2")])

    def test_a_program_that_crashes_is_a_failure(self):
        run = self.read("=== total 1\n=== begin smoke\nrunning 1 test\n=== end smoke 139")
        self.assertEqual([failure.name for failure in run.failures], ["smoke"])

    def test_a_program_that_never_ends_is_a_failure(self):
        run = self.read("=== total 1\n=== begin smoke\nrunning 1 test", "not done after 480 s: it was ended")
        self.assertEqual([failure.name for failure in run.failures], ["smoke", "the cell"])

    def test_tests_that_are_lost_on_the_way_are_a_failure(self):
        run = self.read("=== total 3\n=== begin smoke\ntest a::event ... ok\n=== end smoke 0")
        self.assertIn("1 tests passed, 3 were to run", run.failures[0].output)

    def test_no_test_programs_are_a_failure(self):
        self.assertEqual(len(self.read("=== total 0").failures), 1)

    def test_every_model_has_a_filter(self):
        self.assertEqual(set(FILTERS), set(MODELS))


class Reports(unittest.TestCase):
    def test_page_and_json_tell_the_same(self):
        cells = select(["trixie event", "bookworm event"])
        run = Run(cells)
        for result, state in zip(run.to_run, ("passed", "failed", "passed")):
            reader = Reader(lambda words: None)
            ending = "ok\n=== end smoke 0" if state == "passed" else "FAILED\n=== end smoke 101"
            for entry in ("=== total 1\n=== begin smoke\ntest <a> ... " + ending).splitlines():
                reader.line(entry)
            run.tell(result, state=state, tests=reader.over(None), scenario=ScenarioResult(["steady"]), versions={"httpd": "2.4.68"}, seconds=3)
        with tempfile.TemporaryDirectory() as folder:
            report.prepare(Path(folder) / "new")
            report.write(run, Path(folder) / "new")
            facts = json.loads((Path(folder) / "new/report.json").read_text())
            page = (Path(folder) / "new/report.html").read_text()
        self.assertFalse(facts["green"])
        self.assertEqual([cell["state"] for cell in facts["cells"]], ["passed", "not run", "failed", "passed"])
        self.assertIn("2 of 3 cells passed", page)
        self.assertIn("smoke &lt;a&gt;", page)
        self.assertIn("Python 3.11 has one GIL", page)
        HTMLParser().feed(page)

    def test_a_cell_is_green_only_when_it_has_passed(self):
        run = Run(select(["trixie event shared"]))
        self.assertFalse(run.is_green)
        run.tell(run.results[0], state="passed")
        self.assertTrue(run.is_green)

    def test_a_line_fits_its_width(self):
        run = Run(select(["bookworm own itk"]))
        self.assertEqual(len(line(run.results[0], 60)), 60)


class Builds(unittest.TestCase):
    def test_what_went_wrong_is_one_sentence(self):
        for output, words in [
            ("Err:1 http://deb.debian.org Temporary failure resolving 'deb.debian.org'\nreturned a non-zero code: 100", "network"),
            ("write /x: no space left on device", "disk is full"),
            ("error: failed to download\nSSL certificate problem: self-signed", "--ca"),
            ("error[E0425]: cannot find value `x`\nreturned a non-zero code: 101", "cannot find value"),
        ]:
            sentence = str(BuildError("mod_python:trixie", output.splitlines()))
            self.assertIn(words, sentence)
            self.assertNotIn("\n", sentence)

    def test_the_context_has_the_project_and_the_certificates_and_nothing_that_was_built(self):
        with tempfile.NamedTemporaryFile() as bundle:
            names = tarfile.open(fileobj=BytesIO(context(REPOSITORY, Path(bundle.name)))).getnames()
        self.assertIn("src/lib.rs", names)
        self.assertIn("docker/ca/given.crt", names)
        self.assertFalse([name for name in names if name.startswith(("target/", ".git/"))])

    def test_files_are_readable_by_everybody_in_the_container(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "secret.py").write_text("x")
            (Path(folder) / "secret.py").chmod(0o600)
            entries = tarfile.open(fileobj=BytesIO(Files().add_tree(Path(folder), "srv/app").add_folder("data", 0o1777).tar()))
            modes = {entry.name: entry.mode for entry in entries}
        self.assertEqual(modes, {"srv/app": 0o755, "srv/app/secret.py": 0o644, "data": 0o1777})


class CommandLine(unittest.TestCase):
    def run_matrix(self, *arguments, **environment):
        command = [sys.executable, str(REPOSITORY / "docker/matrix"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment or None)

    def test_it_lists_its_cells(self):
        done = self.run_matrix("--list", "--only", "bookworm prefork")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.splitlines()[0], "bookworm prefork shared")
        self.assertIn("does not run: Python 3.11 has one GIL", done.stdout)

    def test_no_docker_is_one_sentence(self):
        done = self.run_matrix("--only", "trixie event", PATH="/nonexistent")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("install Docker", done.stderr)

    def test_a_daemon_that_is_not_there_is_one_sentence(self):
        with tempfile.TemporaryDirectory() as folder:
            docker = Path(folder) / "docker"
            for words, expected in [("Cannot connect to the Docker daemon", "does not answer"), ("permission denied", "group docker")]:
                docker.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
                docker.chmod(0o755)
                done = self.run_matrix("--only", "trixie event", PATH=f"{folder}:/usr/bin:/bin")
                self.assertEqual(done.returncode, 2)
                self.assertEqual(len(done.stderr.splitlines()), 1)
                self.assertIn(expected, done.stderr)

    def test_words_that_make_no_sense_are_refused(self):
        for arguments in (["--only", "sid"], ["--only", "bookworm own"], ["--jobs", "0"], ["--jobs", "x"], ["--ca", "/nonexistent"], ["--nothing"]):
            done = self.run_matrix(*arguments)
            self.assertEqual(done.returncode, 2, arguments)


if __name__ == "__main__":
    unittest.main()
