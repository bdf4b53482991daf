"""Runs the check in a cell: one way to serve the application.

The passes, each on known ground, so that what differs has one cause:

    alone       a fresh server, one client, one connection, everything in order: the answers that the others are compared with
    rounds      again, first by the child that answered before, then by others: a kept connection stays with its child
    together    from many threads at once
    restart     between requests, and between the steps of a session, a graceful restart or the death of every child
    elsewhere   a fresh server whose children have another current directory
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from . import log
from .observations import ALONE, ELSEWHERE, RESTART, ROUNDS, TOGETHER, Answer, Change, Event, Failure, Observations, Run
from .plan import Plan, Session, Step

CONNECTIONS = 3  # to different children, in the pass `rounds`
SPREAD_TRIES = 24
CLIENTS = 8
TOGETHER_SECONDS = 2.5
RESTARTS_A_SESSION = 3
RESTARTS = 6  # for all sessions of a cell
START_SECONDS = 20
ANOTHER_DIRECTORY = "/usr/lib"  # there on every system, and not where anything else begins

Progress = Callable[[str], None]


class CheckError(Exception):
    """Why the check cannot go on, in one sentence."""


class Server(Protocol):
    """A running server of a cell."""

    address: tuple[str, int]

    def graceful(self) -> None:
        """Restart gracefully; return when the new generation serves."""

    def kill_children(self) -> None:
        """Kill every child; return when there are new ones."""

    def log(self) -> str:
        """The error log so far."""

    def findings(self) -> list[dict[str, Any]]:
        """What the watch wrote so far."""


class Client(Protocol):
    """A running docker/client/client.py."""

    def call(self, command: dict[str, Any]) -> dict[str, Any]:
        """Its answer to a command."""


class Cell(Protocol):
    """One way to serve the application, with docker/watch on PYTHONPATH and docker/watch/conf as MOD_PYTHON_CONF."""

    name: str
    system: str
    python: str
    model: str
    gil: str

    def serve(self, *, environment: Mapping[str, str] = {}) -> AbstractContextManager[Server]:
        """Serve the application afresh."""

    def client(self) -> AbstractContextManager[Client]:
        """A client that reaches the server."""


def run_cell(cell: Cell, plan: Plan, progress: Progress = lambda _sentence: None) -> Observations:
    """What is seen in this cell. CheckError is raised if the server does not start or the client fails."""
    began = time.monotonic()
    seen = Observations({key: getattr(cell, key) for key in ("name", "system", "python", "model", "gil")})
    with cell.client() as client:
        with cell.serve() as server:
            passes = _Passes(plan, seen, _Caller(client), server)
            passes.begin()
            progress(f"{cell.name}: alone")
            passes.alone()
            if seen.unusable is None:
                progress(f"{cell.name}: rounds")
                passes.rounds()
                progress(f"{cell.name}: together")
                passes.together()
                progress(f"{cell.name}: restart")
                passes.restart()
            passes.end()
        if seen.unusable is None:
            progress(f"{cell.name}: elsewhere")
            with cell.serve(environment={"WATCH_DIRECTORY": ANOTHER_DIRECTORY}) as server:
                passes = _Passes(plan, seen, _Caller(client), server)
                passes.begin()
                passes.elsewhere()
                passes.end()
    seen.seconds = round(time.monotonic() - began, 1)
    return seen


class _Caller:
    """The client, with its failures as exceptions."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(self, do: str, **arguments: Any) -> dict[str, Any]:
        answer = self.client.call({"do": do, **arguments})
        if "failed" in answer:
            raise CheckError(f"the client could not carry out {do!r}: {answer['failed']}.")
        return answer


class _Passes:
    def __init__(self, plan: Plan, seen: Observations, call: _Caller, server: Server) -> None:
        self.plan, self.seen, self.call, self.server = plan, seen, call, server
        self.during = ALONE
        self.logged = 0  # characters of the log that are dealt with
        self.first_child: int | None = None

    def begin(self) -> None:
        """Wait for the server."""
        host, port = self.server.address
        self.call("server", host=host, port=port, limit=self.plan.limit)
        answer = self.call("ready", seconds=START_SECONDS)["answer"]
        if answer["error"]:
            raise CheckError(f"{self.seen.cell['name']}: the server does not answer: {answer['error']}.")

    def end(self) -> None:
        """Take what the watch wrote and no look has seen."""
        known = {(event.kind, event.what, event.file, event.line) for event in self.seen.events}
        for found in self.server.findings():
            if (found["kind"], found["what"], found["file"], found["line"]) not in known:
                self._event(found, None)

    def alone(self) -> None:
        """Everything in order, through one connection."""
        self.during = ALONE
        self.call("exchange", request=_NOTHING, on="0", look=True)  # the watch notes the settings before the first request
        silent = 0
        for step in self.plan.requests:
            silent = silent + 1 if self._run(step, "0", look=True).answers[0].error else 0
            if silent == 2:
                break
        for session in self.plan.sessions if silent < 2 else ():
            self._session(session, lambda _index: "0", look=True)
        self._judge_usable(silent)

    def rounds(self) -> None:
        """Everything again: first by the same child, then by others."""
        self.during = ROUNDS
        lines = self.call("pin", first="0", wanted=CONNECTIONS, tries=2 if self.seen.cell["model"] == "winnt" else SPREAD_TRIES)
        names = list(lines["children"])
        self.first_child = lines["children"]["0"]
        self.seen.children = len({pid for pid in lines["children"].values() if pid})
        for turn in range(CONNECTIONS):
            for index, step in enumerate(self.plan.requests):
                self._run(step, names[0] if turn == 0 else names[(index + turn) % len(names)], look=True, repeated=turn == 0)
        for session in self.plan.sessions:
            self._session(session, lambda _index: names[0], look=True, repeated=True)
        for session in self.plan.sessions:
            self._session(session, lambda index: names[(index + 1) % len(names)], look=True)

    def together(self) -> None:
        """From many threads: the independent requests as a load, and beside it each session's steps."""
        self.during = TOGETHER
        self.call("close")
        answered = self.call(
            "together",
            load=[[step.unit, step.command()] for step in self.plan.requests],
            sessions=[[[step.command(), step.times] for step in session.steps] for session in self.plan.sessions],
            clients=CLIENTS,
            seconds=max(TOGETHER_SECONDS, 0.5 * sum(len(session.steps) for session in self.plan.sessions)),
        )
        for unit, answers in answered["load"].items():
            for one in answers:
                self.seen.add_run(TOGETHER, unit, Run([Answer(**one["answer"])]))
        for session, steps in zip(self.plan.sessions, answered["sessions"], strict=True):
            for step, answers in zip(session.steps, steps, strict=True):
                self.seen.add_run(TOGETHER, step.unit, Run([Answer(**answer) for answer in answers]))
        if any(_failed(run) for runs in self.seen.runs[TOGETHER].values() for run in runs):
            self._read_failures(None)

    def restart(self) -> None:
        """A restart between requests, and between the steps of sessions."""
        self.during = RESTART
        self.call("close")
        turn = 0
        if self.plan.requests:
            for _ in range(2):
                self._restart(turn)
                turn += 1
                for step in self.plan.requests:
                    self._run(step, None)
        budget = RESTARTS
        for session in self.plan.sessions:
            gaps = _spread(len(session.steps) - 1, min(RESTARTS_A_SESSION, budget))
            budget -= len(gaps)
            jar = f"{RESTART}:{session.name}"
            for index, step in enumerate(session.steps):
                self._run(step, None, jar=jar)
                if index in gaps:
                    self._restart(turn)
                    turn += 1

    def elsewhere(self) -> None:
        """Everything once, with another current directory."""
        self.during = ELSEWHERE
        for step in self.plan.requests:
            self._run(step, "0")
        for session in self.plan.sessions:
            self._session(session, lambda _index: "0")

    def _restart(self, turn: int) -> None:
        if turn % 2:
            self.server.kill_children()
        else:
            self.server.graceful()

    def _session(self, session: Session, line: Callable[[int], str], **how: bool) -> None:
        jar = f"{self.during}:{session.name}:{len(self.seen.runs.get(self.during, {}).get(session.steps[0].unit, ()))}"
        sent = 0
        for step in session.steps:
            runs = [self._send(step, line(sent + turn), jar, **how) for turn in range(step.times)]
            sent += step.times
            answers = [answer for run in runs for answer in run.answers]
            run = Run(answers, runs[0].child, all(run.same_child for run in runs))
            self.seen.add_run(self.during, step.unit, run)

    def _run(self, step: Step, line: str | None, jar: str | None = None, look: bool = False, repeated: bool = False) -> Run:
        runs = [self._send(step, line, jar, look, repeated) for _ in range(step.times)]
        run = Run([answer for run in runs for answer in run.answers], runs[0].child, runs[0].same_child)
        self.seen.add_run(self.during, step.unit, run)
        return run

    def _send(self, step: Step, line: str | None, jar: str | None, look: bool = False, repeated: bool = False) -> Run:
        answered = self.call("exchange", request=step.command(), on=line, jar=jar, look=look)
        answer = Answer(**answered["answer"])
        child = None
        if answered["look"] is not None:
            self._take_look(step, answered["look"], repeated)
            child = answered["look"]["pid"] if answered["same"] else None
        run = Run([answer], child, self.first_child in (None, child))
        if _failed(run):
            self._read_failures(step.unit)
        return run

    def _take_look(self, step: Step, look: dict[str, Any], repeated: bool) -> None:
        changes = self.seen.changes.setdefault(step.unit, [])
        for found in look["changes"]:
            change = Change(**found, repeated=repeated)
            if change not in changes and sum(other.name == change.name for other in changes) < 4:
                changes.append(change)
        for found in look["findings"]:
            self._event(found, step.unit)

    def _event(self, found: dict[str, Any], unit: str | None) -> None:
        event = Event(**{key: found[key] for key in ("kind", "what", "file", "line", "function", "phase")}, unit=unit)
        if event not in self.seen.events:
            self.seen.events.append(event)

    def _read_failures(self, unit: str | None) -> list[Failure]:
        for _ in range(5):
            text = self.server.log()
            if len(text) > self.logged:
                break
            time.sleep(0.05)  # it is on its way
        found = log.failures(text[self.logged :])
        self.logged = len(text)
        for failure in found:
            named = Failure(failure.sentence, failure.file, failure.line, failure.importing, unit, self.during)
            if named not in self.seen.failures:
                self.seen.failures.append(named)
        return found

    def _judge_usable(self, silent: int) -> None:
        if silent >= 2:
            error = self.seen.runs[ALONE][self.plan.requests[0].unit][0].answers[0].error
            self.seen.unusable = f"the application does not answer: {error}."
            return
        failing = {failure.unit: failure for failure in self.seen.failures if failure.importing}
        if failing and all(unit in failing for unit in self.seen.runs[ALONE]):
            failure = next(iter(failing.values()))
            where = f" ({failure.file}, line {failure.line})" if failure.file else ""
            self.seen.unusable = f"the application cannot be imported: {failure.sentence}{where}."


_NOTHING = {"method": "GET", "path": "/.portability-look", "headers": [], "body": None, "wanted": []}


def _failed(run: Run) -> bool:
    return any(answer.error or answer.status is None or answer.status >= 500 for answer in run.answers)


def _spread(gaps: int, most: int) -> set[int]:
    """At most so many of the gaps, evenly."""
    if gaps <= most:
        return set(range(gaps))
    return {round((index + 0.5) * gaps / most - 0.5) for index in range(most)}
