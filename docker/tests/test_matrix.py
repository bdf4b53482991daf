"""The matrix without Docker: selection, the reading of the test program's output, the report."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
from contextlib import redirect_stdout
from html.parser import HTMLParser
from io import BytesIO, StringIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

from matrix import report
from matrix.command import summary
from matrix.docker import Docker, DockerError, Files, end_groups, walk
from matrix.images import LONG_AGO, BuildError, context
from matrix.report import Run
from matrix.scenario import ScenarioResult
from matrix.scheduler import Scheduler
from matrix.systems import MODELS, SYSTEMS, Refusal, all_cells, select
from matrix.terminal import line
from matrix.tests import CLIENTS, FILTERS, Reader, TestFailure, TestRun
from matrix.work import IntegrationTests, Work
from packages.trial import Trial

REPOSITORY = HERE.parents[1]


class Selection(unittest.TestCase):
    def test_without_words_it_is_every_cell(self):
        self.assertEqual(select([]), all_cells())
        self.assertEqual(len(all_cells()), len(SYSTEMS) * (len(MODELS) * 2 + 1))

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
        self.assertEqual(len(silent), 6)
        self.assertEqual({cell.gil for cell in silent if not cell.is_package}, {"own"})

    def test_each_system_has_a_cell_for_its_package_and_an_application_has_none(self):
        cells = select(["package"])
        self.assertEqual([cell.name for cell in cells], [f"{system.name} package" for system in SYSTEMS])
        self.assertIn("the release's own python3", cells[-1].reason)
        self.assertEqual([cell.reason for cell in cells[:-1]], [None, None, None])
        self.assertFalse(any(cell.is_package for cell in select(["trixie"], packages=False)))
        with self.assertRaisesRegex(Refusal, "there is no 'package'.*shared, own\\.$"):
            select(["package"], packages=False)


class TestOutput(unittest.TestCase):
    def read(self, text, cause=None):
        reader = Reader(lambda words: None)
        for entry in text.splitlines():
            reader.line(entry)
        return reader.over(cause)

    def test_passed_tests_are_counted(self):
        run = self.read("=== total 2\ntest a::event ... ok\ntest b::event - should panic ... ok\n=== end 0")
        self.assertEqual((run.total, run.passed, run.failures), (2, 2, []))

    def test_a_failure_has_its_own_output(self):
        run = self.read(
            "=== total 2\ntest a::event ... FAILED\ntest b::event ... FAILED\n\nfailures:\n\n"
            "---- a::event stdout ----\nleft: 1\n\n---- b::event stdout ----\nleft: 2\n\nfailures:\n    a::event\n=== end 101"
        )
        self.assertEqual([(f.name, f.output) for f in run.failures], [("a::event", "left: 1"), ("b::event", "left: 2")])

    def test_a_program_that_crashes_is_a_failure(self):
        run = self.read("=== total 1\nrunning 1 test\n=== end 139")
        self.assertEqual([failure.name for failure in run.failures], ["the test program"])

    def test_a_program_that_never_ends_is_a_failure(self):
        run = self.read("=== total 1\nrunning 1 test", "not done after 480 s: it was ended")
        self.assertEqual([failure.name for failure in run.failures], ["the test program", "the cell"])

    def test_tests_that_are_lost_on_the_way_are_a_failure(self):
        run = self.read("=== total 3\ntest a::event ... ok\n=== end 0")
        self.assertIn("1 tests passed, 3 were to run", run.failures[0].output)

    def test_no_test_program_is_a_failure(self):
        run = self.read("=== total 0\nbash: /tests/suite: No such file or directory\n=== end 127")
        self.assertEqual([failure.name for failure in run.failures], ["the test program"])
        self.assertIn("No such file", run.failures[0].output)

    def test_tests_that_do_not_begin_are_a_failure(self):
        self.assertEqual([failure.output for failure in self.read("").failures], ["its tests did not begin"])

    def test_a_program_without_a_test_for_the_model_is_a_failure(self):
        run = self.read("=== total 0\nrunning 0 tests\n=== end 0")
        self.assertEqual([failure.output for failure in run.failures], ["no test is named after its process model"])

    def test_a_test_that_was_not_done_is_a_failure_though_it_has_passed(self):
        run = self.read("=== total 1\ntest a ... ok\n=== end 0\n=== not done a: there is no openssl")
        self.assertEqual([failure.output for failure in run.failures], ["a: there is no openssl"])

    def test_clients_that_do_not_start_are_told(self):
        def told(script):
            with tempfile.TemporaryDirectory() as folder:
                for name in ("curl", "openssl"):
                    (Path(folder) / name).write_text(f"#!/bin/sh\n{script}\n")
                    (Path(folder) / name).chmod(0o755)
                environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
                said = subprocess.run(["bash", "-c", CLIENTS], env=environment, capture_output=True, text=True).stdout
            return [entry.split()[-1] for entry in said.splitlines() if entry.startswith("=== not done ")]

        self.assertEqual(told("echo Features: HTTP2"), [])
        self.assertEqual(told("exit 127"), ["HTTP/2", "here"])

    def test_every_model_has_a_filter(self):
        self.assertEqual(set(FILTERS), set(MODELS))


class Reports(unittest.TestCase):
    def test_page_and_json_tell_the_same(self):
        cells = select(["trixie event", "bookworm event"])
        run = Run(cells)
        for result, state in zip(run.to_run, ("passed", "failed", "passed")):
            reader = Reader(lambda words: None)
            ending = "ok\n=== end 0" if state == "passed" else "FAILED\n=== end 101"
            for entry in ("=== total 1\ntest <a> ... " + ending).splitlines():
                reader.line(entry)
            run.tell(result, state=state, tests=reader.over(None), scenario=ScenarioResult(["steady"]), versions={"httpd": "2.4.68"}, seconds=3)
        with tempfile.TemporaryDirectory() as folder:
            report.prepare(Path(folder) / "new")
            (Path(folder) / "new/report.json").write_text("an earlier run's")
            report.prepare(Path(folder) / "new")
            self.assertEqual(list((Path(folder) / "new").iterdir()), [])
            report.write(run, Path(folder) / "new")
            facts = json.loads((Path(folder) / "new/report.json").read_text())
            page = (Path(folder) / "new/report.html").read_text()
        self.assertFalse(facts["green"])
        self.assertEqual([cell["state"] for cell in facts["cells"]], ["passed", "not run", "failed", "passed"])
        self.assertIn("2 of 3 cells passed", page)
        self.assertIn("&lt;a&gt;", page)
        self.assertIn("Python 3.11 has one GIL", page)
        HTMLParser().feed(page)

    def test_what_fails_for_many_is_said_once(self):
        run = Run(select(["trixie event", "bookworm event"]))
        for error in ("no image", "no image", "no memory"):
            run.tell(next(result for result in run.to_run if not result.error), state="failed", error=error)

        def said():
            with redirect_stdout(StringIO()) as output:
                self.assertEqual(summary(run, "", Path("folder"), False), 1)
            return output.getvalue().splitlines()[2:]

        self.assertEqual(said(), ["  bookworm event shared, trixie event shared: no image", "  trixie event own: no memory"])
        run.tell(run.to_run[2], error="no image")
        self.assertEqual(said(), ["  every cell: no image"])

    def test_the_last_words_have_what_a_failed_test_said(self):
        run = Run(select(["bookworm event", "trixie event shared"]))
        for result, status in zip(run.to_run, (1, 2)):
            reader = Reader(lambda words: None)
            for entry in [
                "=== total 2", "test a::b ... FAILED", "test c ... FAILED",
                "---- a::b stdout ----", "--- httpd.conf ---", "thread 'a::b' panicked at tests/suite/smoke.rs:1:2:", "GET /:\x1b[2J" + "x" * 1000, "",
                *("and more" for _ in range(10)),
                "---- c stdout ----", "no panic", *(f"line {number}" for number in range(10)),
                "", "failures:", "    a::b", "    c", "=== end 101",
            ]:  # fmt: skip
                reader.line(entry)
            run.tell(result, state="failed", tests=reader.over(f"its container ended with status {status}"))
        run.tell(run.to_run[1], tests=TestRun(failures=[*run.to_run[1].tests.failures, TestFailure("silent", "")]))

        with redirect_stdout(StringIO()) as output:
            summary(run, "", Path("folder"), False)
        self.assertEqual(
            output.getvalue().splitlines()[2:],
            [
                "  every cell: a::b", "    bookworm event shared:",
                "    thread 'a::b' panicked at tests/suite/smoke.rs:1:2:", "    GET /: [2J" + "x" * 190, *["    and more"] * 3,
                "  every cell: c", "    bookworm event shared:", "    no panic", *(f"    line {number}" for number in range(5, 10)),
                "  every cell: the cell", "    bookworm event shared:", "    its container ended with status 1",
                "  trixie event shared: silent",
            ],
        )  # fmt: skip

    def test_a_package_is_in_the_line_the_report_and_the_exit_status(self):
        run = Run(select(["trixie package", "bookworm package"]))
        whole = Trial(["installed", "purged <all>"])
        broken = Trial(["installed"], "removed: the module is <still> there", "== installed\nFAILED")
        for result, trial, state in zip(run.to_run, (whole, broken), ("passed", "failed")):
            run.tell(result, state=state, package=trial, versions={"package": "4.0.0-1"})
        self.assertIn("package 2 steps", line(run.to_run[0], 100))
        self.assertIn("package: removed: the module is <still> there", line(run.to_run[1], 120))
        with tempfile.TemporaryDirectory() as folder:
            report.write(run, Path(folder))
            cells = json.loads((Path(folder) / "report.json").read_text())["cells"]
            page = (Path(folder) / "report.html").read_text()
        self.assertEqual(cells[0]["package"]["steps"], ["installed", "purged <all>"])
        self.assertEqual(cells[1]["failures"][0]["output"], "== installed\nFAILED")
        self.assertIn("<td>2 steps<td", page)
        self.assertIn("purged &lt;all&gt;", page)
        self.assertIn("package: removed: the module is &lt;still&gt; there", page)
        with redirect_stdout(StringIO()) as output:
            self.assertEqual(summary(run, "", Path("folder"), False), 1)
        self.assertIn("  trixie package: package: removed: the module is <still> there", output.getvalue().splitlines())

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
            ("error: no such file\nwarning: build failed, waiting for other jobs to finish...\nreturned a code: 101", "no such file"),
            ("FAIL: test_a (b.C.test_a)\nFAILED (failures=1)\ndpkg-buildpackage: error: debian/rules binary subprocess failed", "test_a (b.C"),
        ]:
            sentence = str(BuildError("mod_python:trixie", output.splitlines()))
            self.assertIn(words, sentence)
            self.assertNotIn("\n", sentence)

    def test_the_context_has_the_project_and_the_certificates_and_nothing_that_was_built(self):
        with tempfile.NamedTemporaryFile() as bundle:
            entries = tarfile.open(fileobj=BytesIO(context(REPOSITORY, Path(bundle.name)))).getmembers()
        names = [entry.name for entry in entries]
        # Nothing is newer than what an earlier build has left.
        self.assertEqual({entry.mtime for entry in entries}, {LONG_AGO})
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
        for arguments in (
            ["--only", "sid"], ["--only", "bookworm own"], ["--jobs", "0"], ["--jobs", "x"], ["--ca", "/nonexistent"], ["--nothing"],
            ["--app", "."], ["--report", "/proc/nothing"], ["--app", "/nonexistent", "--requests", "x"]):
            done = self.run_matrix(*arguments)
            self.assertEqual(done.returncode, 2, arguments)


class Ending(unittest.TestCase):
    def test_a_cell_that_was_ended_starts_nothing_more(self):
        docker = Docker()
        docker._remove = lambda *_: None
        self.assertIn("mod_python.cell=trixie event own", docker.label("trixie event own"))
        docker.end_cell("trixie event own")
        with self.assertRaisesRegex(DockerError, "trixie event own was ended"):
            docker.label("trixie event own")
        docker.label("trixie event shared")

    def test_a_process_may_clean_up_before_it_is_killed(self):
        for trap, cleaned in (("rm -f $1", True), ("", False)):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "left"
                words = f"trap '{trap}' TERM; touch $1; echo; while [ -e $1 ]; do sleep 0.05; done"
                process = Docker().spawn(["bash", "-c", words, "x", str(file)])
                process.stdout.readline()
                end_groups([process])
                self.assertIsNotNone(process.poll())
                self.assertEqual(file.exists(), not cleaned)
                Docker().forget(process)


class FakeDocker:
    """A Docker in which nothing runs."""

    def __init__(self):
        self.ended = []
        self.cells_ended = []

    def end(self):
        self.ended.append(True)

    def end_cell(self, cell):
        self.cells_ended.append(cell)


class FakeWork(Work):
    """Work whose cells do what a test says."""

    def __init__(self, run, cell=lambda result: None, image=lambda system: "image"):
        super().__init__(FakeDocker(), None, run)
        self.cell, self.made, self.order = cell, image, []

    def versions(self, system, progress):
        return {"httpd": "2.4"}

    def image(self, system, model, progress):
        progress("building")
        return self.made(system)

    def run(self, result, image):
        self.order.append(result.cell.name)
        self.cell(result)


class Scheduling(unittest.TestCase):
    def schedule(self, run, work, jobs=2):
        Scheduler(work.docker, run, work, jobs).work()
        return {result.cell.name: result for result in run.results}

    def test_every_cell_runs_and_passes(self):
        run = Run(select(["trixie", "bookworm"]))
        results = self.schedule(run, FakeWork(run))
        self.assertTrue(run.is_green)
        self.assertEqual({result.state for result in results.values()}, {"passed", "not run"})

    def test_a_package_is_built_beside_the_image_of_the_other_cells(self):
        run = Run(select(["trixie shared", "trixie package"]))
        work = FakeWork(run)
        asked = []
        work.versions = lambda system, progress: asked.append(threading.get_ident()) or {"httpd": "2.4"}
        builds = {}
        work.made = lambda system: builds.setdefault(threading.get_ident(), "image") and time.sleep(0.2) or "image"
        results = self.schedule(run, work)
        self.assertTrue(run.is_green)
        # The image to deploy is looked into for the others; what a package has beside it, its trial says.
        self.assertEqual((len(asked), len(builds)), (1, 2))
        self.assertEqual([name for name, result in results.items() if not result.versions], ["trixie package"])

    def test_what_goes_wrong_in_a_cell_is_its_own(self):
        def cell(result):
            if result.cell.model == "worker":
                raise ValueError("nobody thought of this")
            if result.cell.model == "event":
                raise DockerError("docker run: no such image")

        run = Run(select(["trixie shared"]))
        results = self.schedule(run, FakeWork(run, cell))
        self.assertEqual(results["trixie worker shared"].state, "failed")
        self.assertIn("nobody thought of this", results["trixie worker shared"].error)
        self.assertIn("Traceback", results["trixie worker shared"].output)
        self.assertEqual(results["trixie event shared"].error, "docker run: no such image")
        self.assertEqual(results["trixie prefork shared"].state, "passed")

    def test_an_image_that_cannot_be_built_costs_its_own_system(self):
        def image(system):
            if system.name == "bookworm":
                raise BuildError("mod_python:bookworm", ["error: no"])
            return "image"

        run = Run(select(["event shared"]))
        results = self.schedule(run, FakeWork(run, image=image))
        self.assertEqual(results["bookworm event shared"].state, "failed")
        self.assertIn("error: no", results["bookworm event shared"].error)
        self.assertEqual(results["trixie event shared"].state, "passed")

    def test_where_the_first_cell_decides_the_others_wait_for_it(self):
        run = Run(select(["shared"]))
        work = FakeWork(run)
        work.first_cell_decides = True
        self.schedule(run, work, jobs=1)
        self.assertEqual(work.order[0], run.results[0].cell.name)
        self.assertTrue(run.is_green)

    def test_a_first_cell_that_fails_is_the_end_and_nothing_is_called_passed(self):
        for broken in ("cell", "image"):
            def fail(_):
                raise BuildError("x", ["error: no"])

            run = Run(select(["shared"]))
            work = FakeWork(run, **{broken: fail})
            work.first_cell_decides = True
            results = list(self.schedule(run, work).values())
            self.assertEqual([result.state for result in results], ["failed"] + ["not run"] * (len(results) - 1))
            self.assertIn(results[0].cell.name, results[1].reason)
            self.assertFalse(run.is_green)

    def test_a_cell_that_takes_too_long_is_ended_and_says_so(self):
        run = Run(select(["trixie event shared"]))
        ended = threading.Event()

        def cell(result):
            self.assertTrue(ended.wait(10), "nobody ended the cell")
            raise DockerError("the client ended")

        work = FakeWork(run, cell)
        work.limit = 0.05
        work.docker.end_cell = lambda name: ended.set()
        (result,) = self.schedule(run, work).values()
        self.assertEqual((result.state, result.error), ("failed", "not done after 0.05 s: it was ended"))

    def test_an_interrupt_ends_what_runs(self):
        run = Run(select(["trixie shared"]))
        work = FakeWork(run)
        work.first_cell_decides = True

        def interrupted(system):
            raise KeyboardInterrupt

        work.made = interrupted
        with self.assertRaises(KeyboardInterrupt):
            Scheduler(work.docker, run, work, 2).work()
        self.assertTrue(work.docker.ended)


class Walking(unittest.TestCase):
    def test_links_are_followed_once_and_caches_left_out(self):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
            (Path(other) / "far.py").write_text("x")
            (Path(folder) / "link").symlink_to(other)
            (Path(folder) / "loop").symlink_to(folder)
            (Path(folder) / "__pycache__").mkdir()
            (Path(folder) / "__pycache__/x.pyc").write_text("x")
            (Path(folder) / "gone").symlink_to("/nonexistent")
            found = {str(path.relative_to(folder)) for path in walk(Path(folder))}
        self.assertEqual(found, {".", "link", "link/far.py"})


if __name__ == "__main__":
    unittest.main()
