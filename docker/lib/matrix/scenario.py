"""What happens to a deployed server, across containers: restarts, killed children, a killed container, under load."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .docker import Docker, DockerError, Files
from .serving import Client, Container, ContainerError, client, network, server
from .systems import Cell

HERE = Path(__file__).resolve().parents[2] / "scenario"
THREADS = 4
# Where the application counts.
DATA = "/srv/data"
# How long a phase lasts when nothing has to be waited for.
MOMENT = 0.7
# How long one may last in which something has to be seen: a busy machine takes its time.
PATIENCE = 20
# A container that comes back serves within this time.
BACK_LIMIT = 20


@dataclass
class ScenarioResult:
    """What was seen, step by step, and the first thing that was not as it must be."""

    steps: list[str] = field(default_factory=list)
    fault: str | None = None
    log: str = ""


def run_scenario(docker: Docker, cell: Cell, image: str, tell: Callable[[str], None]) -> ScenarioResult:
    """Plays the scenario; never raises but at the end of the run."""
    result = ScenarioResult()
    role = f"{cell.name.replace(' ', '-')}-scene"
    files = Files().add_tree(HERE / "app", "srv/app").add_folder(DATA[1:], 0o1777)
    try:
        with (
            network(docker, role) as net,
            server(docker, cell, image, net, f"{role}-server", files, {"STORE": f"{DATA}/count"}) as served,
        ):
            try:
                with client(docker, cell, image, net, f"{role}-client", HERE / "load.py", "server", "8080", str(THREADS)) as load:
                    Scenario(served, load, result, tell).play()
                result.steps.append(f"stopped gracefully in {served.stop():.1f} s")
            except ContainerError as error:
                result.fault = str(error)
                result.log = served.log()
    except (ContainerError, DockerError) as error:
        if docker.ending.is_set():
            raise
        result.fault = str(error)
    return result


class Scenario:
    """One pass through it."""

    def __init__(self, served: Container, load: Client, result: ScenarioResult, tell: Callable[[str], None]) -> None:
        self._served, self._load, self._result, self._tell = served, load, result, tell
        self._stored = self._unsure = 0

    def play(self) -> None:
        self._guarded()
        self._steady("steady")
        self._graceful()
        self._steady("after the graceful restart")
        self._killed_child()
        self._steady("after the killed child")
        self._killed_container()
        self._steady("after the killed container")
        self._load.end()
        self._count(self._load.receive())
        self._nothing_lost()

    def _phase(self, name: str) -> dict:
        """Begins the next phase; gives what happened in the one before."""
        self._tell(name)
        self._load.send(name)
        return self._count(self._load.receive())

    def _until(self, name: str, enough: Callable[[dict], bool]) -> dict:
        """Ends this phase when there is enough of what it is for, a moment after its begin at the earliest; what happened in it."""
        deadline = time.monotonic() + PATIENCE
        time.sleep(MOMENT)
        facts = self._phase(f"{name}, done")
        while not enough(facts) and time.monotonic() < deadline:
            time.sleep(MOMENT)
            facts = together(facts, self._phase(f"{name}, done"))
        return facts

    def _count(self, facts: dict) -> dict:
        """Adds up what the file must have."""
        self._stored += facts["stored"]
        self._unsure += facts["unsure"]
        return facts

    def _nothing_lost(self) -> None:
        """Every POST that was answered is in the file, which outlived every child and the container's end."""
        count = len(self._served.read(f"{DATA}/count"))
        must(
            self._stored <= count <= self._stored + self._unsure,
            f"{self._stored} POSTs were answered, {self._unsure} were not, and {count} are in the file",
        )
        self._note(f"the file has {count} POSTs: {self._stored} answered ones, {count - self._stored} whose answer was lost")

    def _note(self, step: str) -> None:
        self._result.steps.append(step)

    def _guarded(self) -> None:
        """Where root's httpd reads its configuration, a handler's user cannot put another one."""
        if self._served.is_root():
            words = "find /run/mod_python -writable -name httpd.conf; [ ! -w /run/mod_python ] || echo /run/mod_python"
            writable = self._served.run_as("33:33", words)
            must(not writable, f"the user of handlers can replace root's configuration: it can write to {' and '.join(writable.split())}")

    def _steady(self, name: str) -> None:
        """Every request is answered."""
        self._phase(name)
        facts = self._until(name, lambda facts: facts["answered"] >= 10)
        must(facts["failed"] == 0, f"{name}, requests failed: {facts['failed']} of {facts['answered']}, {some(facts)}")
        must(facts["answered"] >= 10, f"{name}, only {facts['answered']} requests were answered in {facts['seconds']:.1f} s")
        must(facts["again"] == 0, f"{name}, the server closed {facts['again']} connections on which a request was under way")
        self._note(f"{name}: {facts['answered']} requests, none failed")

    def _graceful(self) -> None:
        """No request is lost, and others answer than before, as soon as the connections that those had kept are over."""
        before = self._served.children()

        def renewed(facts: dict) -> bool:
            new = self._served.children() - before
            return bool(facts["answers"]) and all(processes(answer) & new for answer in facts["answers"])

        self._phase("graceful restart")
        self._served.graceful()
        facts = self._until("graceful restart", renewed)
        must(facts["failed"] == 0, f"requests failed during a graceful restart: {facts['failed']}, {some(facts)}")
        # A kept connection that the old generation closes just when something is sent over it.
        must(facts["again"] <= THREADS, f"a graceful restart closed {facts['again']} connections with a request under way")
        must(renewed(facts), f"{facts['seconds']:.1f} s after a graceful restart, old children still answered")
        self._note(f"graceful restart: {facts['answered']} requests, none failed")

    def _killed_child(self) -> None:
        """What it was answering is lost, nothing else: others answer, or another child if there is only one."""
        self._phase("killed child")
        self._served.kill_children(1)
        time.sleep(MOMENT)
        facts = self._phase("killed child, done")
        must(
            facts["failed"] + facts["again"] <= THREADS,
            f"a killed child took {facts['failed'] + facts['again']} requests along, and {THREADS} were under way at most: {some(facts)}",
        )
        self._note(f"killed child: {facts['answered']} requests, {facts['failed'] + facts['again']} taken along")

    def _killed_container(self) -> None:
        """It comes back by itself once it is started, with its settings and its files."""
        docker, name = self._served.docker, self._served.name
        before = self._served.generations()
        self._phase("killed container")
        docker.call("kill", name)
        time.sleep(MOMENT)
        self._phase("container started again")
        begun = time.monotonic()
        self._served.start()
        self._served.wait_until_serving(before + 1)
        took = time.monotonic() - begun
        must(took < BACK_LIMIT, f"a killed container took {took:.1f} s to serve again")
        # A client that was sending meanwhile waits for its time limit, at most.
        time.sleep(MOMENT)
        self._note(f"killed container: served again {took:.1f} s after its start")


def must(condition: bool, sentence: str) -> None:
    if not condition:
        raise ContainerError(sentence)


def together(first: dict, second: dict) -> dict:
    """What happened in two phases that are one; who answered in the second."""
    return {**second, **{name: first[name] + second[name] for name in ("answered", "failed", "failures", "again", "seconds")}}


def processes(answer: str) -> set[int]:
    """The process that answered, and its parent: under mpm_itk that is the child."""
    return set(map(int, answer.split()))


def some(facts: dict) -> str:
    return "; ".join(sorted(set(facts["failures"]))[:3])
