"""The trials of packages without Docker: what is read of their output, whom the load asks."""

import http.server
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

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
        trial = self.read(SAID + "[error] x\nFAILED: a purge leaves: /x", 1)
        self.assertEqual((trial.steps, trial.fault), (["installed"], "purged: a purge leaves: /x"))
        self.assertIn("[error] x", trial.log)

    def test_one_that_ends_without_a_word_has_failed(self):
        for status in (0, 2):
            self.assertEqual(self.read(SAID, status).fault, f"purged: it ended with status {status}")
        self.assertEqual(self.read("sh: not found", 127).fault, "before the first step: it ended with status 127")

    def test_a_step_that_fails_at_the_very_end_is_a_failure(self):
        self.assertEqual(self.read(SAID + "== done\n", 1).fault, "purged: it ended with status 1")


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
