"""The servers of the check in containers, without Docker."""

import tempfile
import unittest
from pathlib import Path

import local_server  # noqa: F401 - puts docker/lib on the path

from matrix.application import Served
from matrix.docker import Docker, DockerError, Files
from matrix.serving import Container
from portability import check


class Endings(unittest.TestCase):
    """Containers that have ended: what the watch wrote is still there, but nothing can be run to read it."""

    NOTED = b'{"kind": "fork"}\n'

    def served(self, runs):
        docker = Docker()
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "findings-7.jsonl").write_bytes(self.NOTED)
            (Path(folder) / "findings-8.jsonl").write_bytes(self.NOTED)
            tar = Files().add_tree(Path(folder), "found").tar()

        def output(command, *arguments, **_):
            if command == "exec":
                raise DockerError("docker exec: container is not running")
            return tar if command == "cp" else (b"true" if runs else b"false")

        docker._output = output
        return Served(Container(docker, "x"))

    def test_what_the_watch_wrote_is_copied(self):
        self.assertEqual(self.served(runs=False).findings(), [{"kind": "fork"}] * 2)

    def test_what_goes_wrong_with_one_that_runs_is_said(self):
        with self.assertRaisesRegex(check.CheckError, "docker exec: container is not running"):
            self.served(runs=True).findings()


if __name__ == "__main__":
    unittest.main()
