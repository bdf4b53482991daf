"""Servers in containers, and what is left of a run, with a program in the place of Docker's client."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import local_server  # noqa: F401 - puts docker/lib on the path

from matrix import serving
from matrix.docker import Docker
from matrix.serving import Container, ContainerError

SERVING = "[mpm_event:notice] AH00489: Apache/2.4 -- resuming normal operations"


class WithProgram(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        environment = mock.patch.dict(os.environ, {"PATH": f"{self.folder}:{os.environ['PATH']}"})
        environment.start()
        self.addCleanup(environment.stop)

    def program(self, words):
        """A docker command that does this, and writes down how it is called."""
        docker = self.folder / "docker"
        docker.write_text(f'#!/bin/bash\necho "$*" >>{self.folder}/calls\n{words}\n')
        docker.chmod(0o755)

    def calls(self):
        return (self.folder / "calls").read_text().splitlines()


class Waiting(WithProgram):
    def wait(self, words, generations):
        self.program(f'case $* in\n"logs --follow x") {words};;\n"logs x") echo the last words >&2;;\nesac')
        Container(Docker(), "x").wait_until_serving(generations)

    def test_it_ends_when_httpd_serves_and_not_before(self):
        late = self.folder / "late"
        self.wait(f"echo one; echo '{SERVING}' >&2; sleep 0.3; touch {late}; echo '{SERVING}'; exec sleep 60", 2)
        self.assertTrue(late.exists())

    def test_a_server_that_has_ended_is_an_error(self):
        with self.assertRaisesRegex(ContainerError, "^the server ended before it served: the last words$"):
            self.wait(f"echo '{SERVING}'", 2)

    def test_it_waits_no_longer_than_it_may(self):
        with mock.patch.object(serving, "START_LIMIT", 0.2):
            with self.assertRaisesRegex(ContainerError, "^waited 0.2 s in vain for httpd to serve: the last words$"):
                self.wait("exec sleep 60", 1)


class Killing(WithProgram):
    def test_children_that_nobody_replaces_are_an_error(self):
        self.program('case $* in "logs x") echo the last words >&2;; exec*) ;; esac')
        with self.assertRaisesRegex(ContainerError, "^waited 30 s in vain for new children: the last words$"):
            Container(Docker(), "x").kill_children(1)

    def test_those_that_are_replaced_are_none(self):
        self.program('case $* in exec*) echo replaced;; esac')
        Container(Docker(), "x").kill_children()
        self.assertRegex(" ".join(self.calls()), r"^exec --user root x bash -c .* kill 1000 30$")


class Left(WithProgram):
    def test_a_folder_of_an_image_is_copied_into_a_volume_of_the_run(self):
        self.program('[ "$1" != volume ] || echo "${@: -1}"')
        docker = Docker()
        name = docker.volume("image", "/usr")
        label = f"--label mod_python.matrix={docker.run_id}"
        self.assertEqual(
            self.calls(),
            [f"volume create {label} {name}", f"run --rm {label} --network none --volume {name}:/usr --entrypoint true image"],
        )

    def test_containers_networks_and_volumes_go_with_the_run(self):
        self.program(f'[[ $* != *--quiet* ]] || cat {self.folder}/left-$1 2>/dev/null')
        for kind in ("ps", "network", "volume"):
            (self.folder / f"left-{kind}").write_text(f"a-{kind}\n")
        # What is removed stays here, and that is told.
        self.assertFalse(Docker().end())
        for removal in ("rm --force --volumes a-ps", "network rm a-network", "volume rm a-volume"):
            self.assertIn(removal, self.calls())
        for kind in ("ps", "network", "volume"):
            (self.folder / f"left-{kind}").unlink()
        self.assertTrue(Docker().end())


if __name__ == "__main__":
    unittest.main()
