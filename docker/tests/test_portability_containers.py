"""The servers of the check in containers, without Docker."""

import tarfile
import tempfile
import unittest
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from unittest import mock

import local_server  # noqa: F401 - puts docker/lib on the path

from matrix import application
from matrix.application import Application, ContainerCell, Served
from matrix.docker import Docker, DockerError, Files
from matrix.serving import Container
from matrix.systems import select
from portability import check
from portability.plan import Plan


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
            if command in ("exec", "kill"):
                raise DockerError(f"docker {command}: container is not running")
            return tar if command == "cp" else (b"true" if runs else b"false")

        docker._output = output
        container = Container(docker, "x")
        container.log = lambda: "[mpm_prefork:notice] [pid 1] AH00169: caught SIGTERM, shutting down\n"
        return Served(container)

    def test_that_it_has_ended_is_said_in_httpd_s_words(self):
        for name in ("graceful", "kill_children"):
            served = self.served(runs=False)
            with self.assertRaisesRegex(check.RestartError, "^the server has ended: .*caught SIGTERM, shutting down$"):
                getattr(served, name)()
            with self.assertRaisesRegex(check.CheckError, "^docker .*: container is not running$") as caught:
                getattr(self.served(runs=True), name)()
            self.assertNotIsInstance(caught.exception, check.RestartError)

    def test_what_the_watch_wrote_is_copied(self):
        self.assertEqual(self.served(runs=False).findings(), [{"kind": "fork"}] * 2)

    def test_what_goes_wrong_with_one_that_runs_is_said(self):
        with self.assertRaisesRegex(check.CheckError, "docker exec: container is not running"):
            self.served(runs=True).findings()


class Images(unittest.TestCase):
    """Images of applications, in the containers of the matrix."""

    def test_the_look_is_configured_where_the_image_reads_its_configuration(self):
        for environment, wanted in (
            ({}, "etc/mod_python/look.conf"),
            ({"MOD_PYTHON_CONF": ""}, "etc/mod_python/look.conf"),
            ({"MOD_PYTHON_CONF": "/srv/site.d/"}, "srv/site.d/look.conf"),
        ):
            with self.subTest(environment), tempfile.TemporaryDirectory() as folder:
                docker, given = mock.Mock(), []
                docker.image_environment.return_value = environment

                @contextmanager
                def server(_docker, _cell, _image, _network, _role, files, _settings):
                    given.extend(tarfile.open(fileobj=BytesIO(files.tar())).getnames())
                    yield mock.Mock()

                cell = ContainerCell(docker, select(["trixie event shared"])[0], "image", "net", Application(Path(folder), Plan("r.toml")))
                with mock.patch.object(application, "server", server), cell.serve():
                    self.assertIn(wanted, given)


if __name__ == "__main__":
    unittest.main()
