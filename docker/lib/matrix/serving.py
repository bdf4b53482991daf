"""A server container and a client container on a private network."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .docker import Docker, DockerError, Files, kill_group
from .systems import Cell
from .tests import ITK_RIGHTS

PORT = 8080
START_LIMIT = 30
# What httpd logs each time a generation of children serves.
SERVING = "resuming normal operations"
MEMORY = "1g"
# A handler that does nothing but log does not fill the disk.
LOG = ["--log-driver", "json-file", "--log-opt", "max-size=64m"]
# A server that has been killed has no name: Docker then asks others, whom a private network does not reach. Ask again soon.
DNS = ["--dns-opt", "timeout:1", "--dns-opt", "attempts:3"]

# The children of httpd, which is process 1 of its container.
CHILDREN = 'for s in /proc/[0-9]*/stat; do read -r pid _ _ parent _ <"$s" && [ "$parent" = 1 ] && echo "$pid"; done 2>/dev/null; true'
# Kills the first $1 of them and waits until there are others and none of these, $2 seconds at most; says so if there are. All
# in there: each look from outside would be a run of Docker's client and more, and cost more than what it looks at.
KILL = f"""
children() {{ {CHILDREN}; }}
killed=" "
for pid in $(children | sort -n | head -n "$1"); do kill -KILL "$pid" && killed+="$pid "; done 2>/dev/null
while [ "$SECONDS" -lt "$2" ]; do
    now=$(children) old=no
    for pid in $now; do [[ $killed != *" $pid "* ]] || old=yes; done
    if [ "$killed" != " " ] && [ -n "$now" ] && [ $old = no ]; then echo replaced; exit; fi
    sleep 0.05
done
"""


class ContainerError(Exception):
    """Something between the containers that did not go as it must: one sentence."""


@contextmanager
def network(docker: Docker, role: str) -> Iterator[str]:
    """A network that reaches nothing but what is put on it."""
    name = docker.name(role)
    docker.call("network", "create", "--internal", *docker.label(), name)
    try:
        yield name
    finally:
        try:
            docker.call("network", "rm", name)
        except DockerError:
            pass


@dataclass
class Container:
    """A container that serves an application."""

    docker: Docker
    name: str

    @property
    def address(self) -> tuple[str, int]:
        """As a client on the same network reaches it."""
        return "server", PORT

    def start(self) -> None:
        self.docker.call("start", self.name)

    def runs(self) -> bool:
        return self.docker.call("inspect", "--format", "{{.State.Running}}", self.name) == "true"

    def wait_until_serving(self, generations: int) -> None:
        """Waits until httpd has begun to serve so many times since the container was made."""
        process = self.docker.open("logs", "--follow", self.name, stderr=subprocess.STDOUT)
        overdue = threading.Event()
        timer = threading.Timer(START_LIMIT, lambda: (overdue.set(), kill_group(process)))
        timer.start()
        try:
            assert process.stdout
            for line in process.stdout:
                generations -= SERVING.encode() in line
                if generations <= 0:
                    return
        finally:
            timer.cancel()
            self.docker.forget(process)
        # The output has come to its end.
        what = f"waited {START_LIMIT} s in vain for httpd to serve" if overdue.is_set() else "the server ended before it served"
        raise ContainerError(f"{what}: {tail(self.log())}")

    def generations(self) -> int:
        return self.log().count(SERVING)

    def children(self) -> set[int]:
        return set(map(int, self.docker.call("exec", self.name, "bash", "-c", CHILDREN).split()))

    def graceful(self) -> None:
        """A graceful restart; returns when the new generation serves."""
        before = self.generations()
        self.docker.call("kill", "--signal", "USR1", self.name)
        self.wait_until_serving(before + 1)

    def kill_children(self, count: int | None = None) -> None:
        """Kills children outright; returns when others are there."""
        words = ["exec", "--user", "root", self.name, "bash", "-c", KILL, "kill", str(count or 1000), str(START_LIMIT)]
        try:
            replaced = self.docker.call(*words)
        except DockerError:
            if self.docker.ending.is_set() or self.runs():
                raise
            raise ContainerError(f"the server has ended: {tail(self.log(), 1)}") from None
        if replaced != "replaced":
            raise ContainerError(f"waited {START_LIMIT} s in vain for new children: {tail(self.log())}")

    def log(self) -> str:
        """The error log, since the container was made."""
        process = self.docker.open("logs", self.name)
        try:
            return process.communicate(timeout=60)[1].decode(errors="replace")
        except subprocess.TimeoutExpired:
            raise ContainerError(f"the log of {self.name} could not be read within 60 s") from None
        finally:
            self.docker.forget(process)

    def is_root(self) -> bool:
        """Whether httpd's parent is root's."""
        return self.docker.call("exec", self.name, "id", "-u") == "0"

    def run_as(self, user: str, words: str) -> str:
        """What a line of shell prints in there, as another user."""
        return self.docker.call("exec", "--user", user, self.name, "bash", "-c", f"{words}; true")

    def read(self, path: str) -> str:
        """Text of the files that match, one after the other."""
        return self.docker.call("exec", self.name, "bash", "-c", f"cat {path} 2>/dev/null; true")

    def read_ended(self, folder: str) -> str:
        """Text of the files in a folder, one after the other, of a container in which nothing can be run any more."""
        return "".join(self.docker.copy_out(self.name, folder).values())

    def stop(self, limit: int = 20) -> float:
        """A graceful stop; says how long it took. Raises ContainerError if httpd had to be killed or failed."""
        begun = time.monotonic()
        self.docker.call("stop", "-t", str(limit), self.name)
        took = time.monotonic() - begun
        status = self.docker.call("inspect", "--format", "{{.State.ExitCode}}", self.name)
        if status != "0":
            raise ContainerError(f"httpd ended with status {status} when it was stopped, after {took:.1f} s")
        return took


@contextmanager
def server(
    docker: Docker, cell: Cell, image: str, network: str, role: str, files: Files, environment: dict[str, str] = {}
) -> Iterator[Container]:
    """A running server with files in it; the image's entrypoint makes the server of the environment."""
    name = docker.name(role)
    settings = {"MPM": cell.model, "GIL": cell.gil, **environment}
    docker.call(
        "create", "--name", name, *docker.label(cell.name), "--network", network, "--network-alias", "server",
        "--memory", MEMORY, "--memory-swap", MEMORY, "--pids-limit", "1024", "--no-healthcheck", *LOG,
        *(ITK_RIGHTS if cell.model == "itk" else []),
        *(part for key, value in settings.items() for part in ("--env", f"{key}={value}")), image,
    )  # fmt: skip
    try:
        docker.copy_in(name, "/", files)
        container = Container(docker, name)
        container.start()
        container.wait_until_serving(1)
        yield container
    finally:
        docker.remove(name)


class Client:
    """A Python program in a container of its own, spoken to in lines."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def send(self, line: str) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._gone() from None

    def receive(self) -> dict:
        """The next line of JSON."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._gone()
        return json.loads(line)

    def call(self, command: dict) -> dict:
        self.send(json.dumps(command))
        return self.receive()

    def end(self) -> None:
        """No more lines will come."""
        assert self._process.stdin
        self._process.stdin.close()

    def _gone(self) -> ContainerError:
        assert self._process.stderr
        return ContainerError(f"the client ended: {tail(self._process.stderr.read().decode(errors='replace'))}")


@contextmanager
def client(docker: Docker, cell: Cell, image: str, network: str, role: str, program: Path, *arguments: str) -> Iterator[Client]:
    """A client program, with the Python of the cell."""
    name = docker.name(role)
    process = docker.open(
        "run", "--rm", "--interactive", "--name", name, *docker.label(cell.name), "--network", network, "--no-healthcheck",
        *DNS, "--memory", MEMORY, "--pids-limit", "512", "--entrypoint", f"python{cell.system.python}", image,
        "-c", program.read_text(), *arguments, stdin=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Client(process)
    finally:
        docker.remove(name)
        docker.forget(process)


def tail(text: str, lines: int = 3) -> str:
    """The end of an output, in one line."""
    return " | ".join(line.strip() for line in text.strip().splitlines()[-lines:]) or "it said nothing"
