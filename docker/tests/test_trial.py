"""The trials of packages without Docker: what is read of their output, how the matrix calls one, whom the load asks."""

import http.server
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

from matrix.docker import Docker, DockerError
from matrix.package import run_package
from matrix.systems import select
from packages.trial import Reader

TRIAL = HERE.parent / "image/deb"
SAID = "== installed\n=== httpd 2.4.66\n=== package 4.0.0-1\nnoise\n== purged\n"


class Output(unittest.TestCase):
    def read(self, text, status):
        self.told = []
        reader = Reader(self.told.append)
        for line in text.splitlines():
            reader.line(line)
        return reader.over(status)

    def test_the_steps_and_the_versions_of_one_that_worked(self):
        trial = self.read(SAID + "== done\n", 0)
        self.assertEqual((trial.steps, trial.fault, trial.log), (["installed", "purged"], None, ""))
        self.assertEqual(trial.versions, {"httpd": "2.4.66", "package": "4.0.0-1"})
        self.assertEqual(self.told, trial.steps)

    def test_a_failure_says_where_and_why_and_is_no_step(self):
        trial = self.read(SAID + "[error] x\nFAILED: a purge leaves: /x ", 1)
        self.assertEqual((trial.steps, trial.fault), (["installed"], "purged: a purge leaves: /x"))
        self.assertIn("[error] x", trial.log)

    def test_one_that_ends_without_a_word_has_failed(self):
        for status in (0, 2):
            self.assertEqual(self.read(SAID, status).fault, f"purged: it ended with status {status}")
        self.assertEqual(self.read("sh: not found", 127).fault, "before the first step: it ended with status 127")

    def test_a_step_that_fails_at_the_very_end_is_a_failure(self):
        self.assertEqual(self.read(SAID + "== done\n", 1).fault, "purged: it ended with status 1")


class InACell(unittest.TestCase):
    """With a program in the place of Docker's client, which writes down how it is called."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "made").mkdir()
        (self.folder / "made/libapache2-mod-python_1_amd64.deb").write_text("package")
        environment = mock.patch.dict(os.environ, {"PATH": f"{self.folder}:{os.environ['PATH']}"})
        environment.start()
        self.addCleanup(environment.stop)

    def run_package(self, said, status):
        docker = self.folder / "docker"
        docker.write_text(f"""#!/bin/bash
echo "$*" >>{self.folder}/calls
case $* in
    create*/trial/program/trial*) echo trial ;;
    create*) echo image ;;
    "cp image:/made/. -") tar -C {self.folder}/made -c . ;;
    "cp - trial:/") tar -t >{self.folder}/files ;;
    start*) printf '%b' '{said}' ;;
    inspect*) echo {status} ;;
esac
""")
        docker.chmod(0o755)
        (cell,) = select(["trixie package"])
        return run_package(Docker(), cell, "sha256:1", lambda words: None)

    def test_it_is_the_trial_of_docker_deb_in_its_short_form_with_the_limits_and_the_label_of_the_cell(self):
        trial = self.run_package("== installed\\n== done\\n", 0)
        self.assertEqual((trial.steps, trial.fault), (["installed"], None))
        calls = (self.folder / "calls").read_text().splitlines()
        (made,) = [call for call in calls if "/trial/program/trial" in call]
        self.assertTrue(made.endswith("--entrypoint /trial/program/trial debian:trixie-slim quick"), made)
        for option in ("--label mod_python.cell=trixie package", "--memory 2g"):
            self.assertIn(option, made)
        self.assertEqual([call for call in calls if call.startswith("rm ")], ["rm --force --volumes image", "rm --force --volumes trial"])
        files = (self.folder / "files").read_text().splitlines()
        self.assertIn("trial/packages/libapache2-mod-python_1_amd64.deb", files)
        self.assertLessEqual({f"trial/program/{file.name}" for file in TRIAL.iterdir()}, set(files))

    def test_what_fails_is_its_fault(self):
        trial = self.run_package("== installed\\nFAILED: the module is not enabled", 1)
        self.assertEqual(trial.fault, "installed: the module is not enabled")

    def test_no_package_in_the_image_is_an_error(self):
        (self.folder / "made/libapache2-mod-python_1_amd64.deb").unlink()
        (self.folder / "made").rmdir()
        with self.assertRaises(DockerError):
            self.run_package("== done\\n", 0)


class Program(unittest.TestCase):
    def test_each_part_is_there_and_is_shell(self):
        words = (TRIAL / "trial").read_text()
        parts = [line.split("/")[-1].rstrip('"') for line in words.splitlines() if line.strip().startswith('. "$here/')]
        self.assertGreater(len(parts), 6)
        for name in ("trial", *parts):
            subprocess.run(["sh", "-n", TRIAL / name], check=True)

    def test_the_short_form_takes_nothing_from_pypi(self):
        for name in ("beside", "sites", "command", "reload", "removal"):
            self.assertNotIn("pip", (TRIAL / name).read_text().split())


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path == "/failing" else 200)
        self.end_headers()
        self.wfile.write(b"cut off" if self.path == "/short" else b"hello\nthe end\n")

    def log_message(self, *_):
        pass


class Load(unittest.TestCase):
    def setUp(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.host = f"//127.0.0.1:{server.server_port}"

    def ask(self, *paths):
        process = subprocess.Popen([sys.executable, str(TRIAL / "asks.py"), *(self.host + path for path in paths)], stdout=subprocess.PIPE, text=True)
        time.sleep(1.5)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
        return process.returncode, said

    def test_whole_answers_are_counted(self):
        status, said = self.ask("/", "/other")
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"^[1-9]\d* requests meanwhile, none lost$")

    def test_an_error_and_a_piece_are_lost_ones(self):
        for path, reason in (("/failing", "503"), ("/short", "cut off")):
            status, said = self.ask("/", path)
            self.assertEqual(status, 1, said)
            self.assertRegex(said, rf"[1-9]\d* lost; .*{path}: .*{reason}")


if __name__ == "__main__":
    unittest.main()
