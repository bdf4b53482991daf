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
from dataclasses import replace
from typing import Any, Protocol

from . import compare, evidence, log
from .observations import ALONE, ELSEWHERE, ONE_CHILD, RESTART, ROUNDS, TOGETHER
from .observations import Answer, Change, Event, Failure, Observations, Run
from .plan import Plan, Session, Step

CONNECTIONS = 3  # to different children, in the pass `rounds`
SPREAD_TRIES = 40
CLIENTS = 12
TOGETHER_LEAST, TOGETHER_EACH, TOGETHER_MOST = 2.5, 0.5, 60.0  # seconds: for all, for a request or a step, for all requests
RESTARTS_A_SESSION = 3
RESTARTS = 4  # for all sessions of a cell, but one for each at least
START_SECONDS = 20
SILENT = 2  # requests without an answer, before the others are not tried
ANOTHER_DIRECTORY = "/usr/lib"  # there on every system, and not where anything else begins

Progress = Callable[[str], None]


class CheckError(Exception):
    """Why the check cannot go on, in one sentence."""


class RestartError(CheckError):
    """The server did not come back after a restart, or without its children: the application's fault, and the check goes on."""


class Server(Protocol):
    """A running server of a cell."""

    address: tuple[str, int]

    def graceful(self) -> None:
        """Restart gracefully; return when the new generation serves. RestartError is raised if none does."""

    def kill_children(self) -> None:
        """Kill every child; return when there are new ones. RestartError is raised if none come."""

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
            passes.demand_look()
            progress(f"{cell.name}: alone")
            passes.alone()
            if seen.unusable is None:
                progress(f"{cell.name}: rounds")
                passes.rounds()
                progress(f"{cell.name}: together")
                passes.together()
                progress(f"{cell.name}: restart")
                try:
                    passes.restart()
                except RestartError as error:  # that it does not survive a restart is a finding
                    seen.failures.append(Failure(str(error).rstrip("."), crash=True, during=RESTART))
                    passes.gone = True
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
        self.lines: dict[str, int | None] = {}  # kept connections, with the child that each leads to
        self.lost = True  # whether one of them may lead elsewhere by now
        self.answered: dict[str, set[int]] = {}  # the children that have answered a unit
        self.requests, self.sessions = list(plan.requests), list(plan.sessions)
        self.restarts = 0
        self.gone = False  # whether the server did not come back

    def begin(self) -> None:
        """Wait for the server."""
        host, port = self.server.address
        self.call("server", host=host, port=port, limit=self.plan.limit)
        answer = self.call("ready", seconds=START_SECONDS)["answer"]
        if answer["error"]:
            raise CheckError(f"{self.seen.cell['name']}: the server does not answer: {answer['error']}.")

    def demand_look(self) -> None:
        """See that the watch can be asked: without it no child is known, nothing is compared, and nothing found is no proof."""
        answered = self.call("ready", seconds=START_SECONDS)
        if answered["look"] is not None:
            return
        answer = Answer(**answered["answer"])
        what = answer.error or f"status {answer.status}"
        if answer.status == 200:
            what += f" and {answer.body[:40]!r}"
        self._read_failures(None)
        logged = [evidence.of_failure(failure).sentence for failure in self.seen.failures]
        what += f" ({logged[-1]})" if logged else ""
        raise CheckError(
            f"{self.seen.cell['name']}: GET /.portability-look was answered with {what}, not by the watch, without which no globals are "
            "compared: the application's configuration takes this address, by a PythonInitHandler or PythonTransHandler of the whole server, "
            "a redirect of every address or an <If> of its own, or its image has another entrypoint; let the address through to "
            "docker/watch/conf/look.conf."
        )

    def end(self) -> None:
        """Take what no answer told of: what the watch wrote and no look has seen, and children that crashed."""
        known = {(event.kind, event.what, event.file, event.line) for event in self.seen.events}
        for found in self._left(self.server.findings, []):
            if (found["kind"], found["what"], found["file"], found["line"]) not in known:
                self._event(found, None)
        for failure in log.failures(self._left(self.server.log, "")):
            if failure.crash and failure.sentence not in {known.sentence for known in self.seen.failures}:
                self.seen.failures.append(failure)

    def _left(self, read: Callable[[], Any], nothing: Any) -> Any:
        """What the server left behind. Of one that is gone it may be out of reach: that it is gone is the finding."""
        try:
            return read()
        except CheckError:
            if not self.gone:
                raise
            return nothing

    def alone(self) -> None:
        """Everything in order, through one connection."""
        self.during = ALONE
        # First the connections: the looks that find the children also note their settings before the first request.
        self._pin()
        line = self._any_line()
        for step in self.plan.requests:
            self._run(step, line, look=True)
            if self._is_silent():
                break
        for session in self.plan.sessions if not self._is_silent() else ():
            self._session(session, lambda _index: line, look=True)
        self._judge_usable()
        self._leave_out_failed()

    def rounds(self) -> None:
        """Everything again: first by the same child, then by others."""
        self.during = ROUNDS
        for turn in range(CONNECTIONS):
            self._pin()
            for index, step in enumerate(self.requests):
                first, *others = self._home(step)
                if turn:
                    self._run(step, others[(index + turn) % len(others)], look=True)
                elif not self._run(step, first, look=True).same_child:
                    self._run(step, first, look=True)  # the child of the pass `alone` is out of reach
        for session in self.sessions:
            self._pin()
            first = self._home(session.steps[0])[0]
            if not self._session(session, lambda _index, first=first: first, look=True):
                self._session(session, lambda _index, first=first: first, look=True)
            self._pin()
            lines = self._home(session.steps[0])
            self._session(session, lambda index, lines=lines: lines[index % len(lines)], look=True)

    def together(self) -> None:
        """From many threads: the independent requests as a load, and beside it each session's steps."""
        self.during = TOGETHER
        self.call("close")
        answered = self.call(
            "together",
            load=[[step.unit, step.command()] for step in self.requests],
            sessions=[[[step.command(), step.times] for step in session.steps] for session in self.sessions],
            clients=CLIENTS,
            seconds=_together_seconds(len(self.requests), sum(len(session.steps) for session in self.sessions)),
        )
        self.seen.unsent = [unit for unit, answers in answered["load"].items() if not answers]
        for unit, answers in answered["load"].items():
            for one in answers:
                self.seen.add_run(TOGETHER, unit, Run([Answer(**one["answer"])]))
        for session, steps in zip(self.sessions, answered["sessions"], strict=True):
            for step, answers in zip(session.steps, steps, strict=True):
                self.seen.add_run(TOGETHER, step.unit, Run([Answer(**answer) for answer in answers]))
        if any(_failed(run) for runs in self.seen.runs.get(TOGETHER, {}).values() for run in runs):
            self._read_failures(None)

    def restart(self) -> None:
        """A restart between requests, and between the steps of sessions."""
        self.during = RESTART
        self.call("close")
        most = max(1, min(RESTARTS_A_SESSION, RESTARTS // max(1, len(self.sessions))))
        for session in self.sessions:
            gaps = _spread(len(session.steps) - 1, most)
            jar = f"{RESTART}:{session.name}"
            for index, step in enumerate(session.steps):
                self._run(step, None, jar=jar)
                if index in gaps:
                    self._restart()
        while self.requests and self.restarts < 2:
            self._restart()

    def elsewhere(self) -> None:
        """Everything once, with another current directory."""
        self.during = ELSEWHERE
        self._leave_out_failed()
        for step in self.requests:
            self._run(step, "0")
        for session in self.sessions:
            self._session(session, lambda _index: "0")

    def _pin(self) -> None:
        """See that there are connections to different children."""
        if self.lost:
            tries = 2 if self.seen.cell["model"] == ONE_CHILD else SPREAD_TRIES
            self.lines = self.call("pin", first="0", wanted=CONNECTIONS, tries=tries)["children"]
            self.seen.children = max(self.seen.children, len(set(self.lines.values())))
            self.lost = False

    def _any_line(self) -> str:
        return next(iter(self.lines), "0")

    def _home(self, step: Step) -> list[str]:
        """The connections, first the one to the child that answered this step in the pass `alone`; two at least."""
        child = self.seen.runs[ALONE][step.unit][0].child
        lines = sorted(self.lines, key=lambda name: self.lines[name] != child) or ["0"]
        return lines * 2 if len(lines) == 1 else lines

    def _leave_out_failed(self) -> None:
        """What fails for one client already says nothing more, and httpd closes the connection after it."""

        def has_failed(step: Step) -> bool:
            runs = self.seen.runs[ALONE].get(step.unit)
            return runs is None or compare.failed(runs[0], step) is not None

        self.requests = [step for step in self.plan.requests if not has_failed(step)]
        self.sessions = [session for session in self.plan.sessions if not any(map(has_failed, session.steps))]

    def _restart(self) -> None:
        """The one way and the other in turn; after each for the first time, the independent requests."""
        if self.restarts % 2:
            self.server.kill_children()
        else:
            self.server.graceful()
        self.restarts += 1
        for step in self.requests if self.restarts <= 2 else ():
            self._run(step, None)

    def _session(self, session: Session, line: Callable[[int], str], look: bool = False) -> bool:
        """Send the steps; whether one child answered all, and had answered all before."""
        jar = f"{self.during}:{session.name}:{len(self.seen.runs.get(self.during, {}).get(session.steps[0].unit, ()))}"
        sent, joined = 0, []
        for step in session.steps:
            runs = [self._send(step, line(sent + turn), jar, look) for turn in range(step.times)]
            sent += step.times
            joined.append(replace(runs[0], answers=[answer for run in runs for answer in run.answers]))
        same_child = all(run.same_child for run in joined) and len({run.child for run in joined}) == 1
        for step, run in zip(session.steps, joined, strict=True):
            self.seen.add_run(self.during, step.unit, replace(run, same_child=same_child))
        return same_child

    def _run(self, step: Step, line: str | None, jar: str | None = None, look: bool = False) -> Run:
        runs = [self._send(step, line, jar, look) for _ in range(step.times)]
        run = replace(runs[0], answers=[answer for run in runs for answer in run.answers])
        self.seen.add_run(self.during, step.unit, run)
        return run

    def _send(self, step: Step, line: str | None, jar: str | None, look: bool) -> Run:
        answered = self.call("exchange", request=step.command(), on=line, jar=jar, look=look)
        child, known = None, self.answered.setdefault(step.unit, set())
        if answered["look"] is not None:
            child = answered["look"]["pid"] if answered["same"] else None
            self._take_look(step, answered["look"], child in known)
        self.lost = self.lost or line in self.lines and child != self.lines[line]
        run = Run([Answer(**answered["answer"])], child, child in known)
        if child is not None:
            known.add(child)
        if _failed(run):
            error = run.answers[0].error
            self._read_failures(step.unit, broken=error is not None and "connection" in error)
        return run

    def _take_look(self, step: Step, look: dict[str, Any], repeated: bool) -> None:
        if look["changes"] is not None:
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

    def _read_failures(self, unit: str | None, broken: bool = False) -> None:
        """Take what the log says about a failure. If the connection broke, the child may have: httpd notices within a second."""
        deadline = time.monotonic() + (1.5 if broken else 0.3)
        while True:
            text = self.server.log()
            found = log.failures(text[self.logged :])
            if (any(failure.crash for failure in found) if broken else len(text) > self.logged) or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self.logged = len(text)
        for failure in found:
            named = replace(failure, unit=unit, during=self.during)
            if named not in self.seen.failures:
                self.seen.failures.append(named)

    def _is_silent(self) -> bool:
        """Whether the first requests had no answer: then there will be none to the others either."""
        runs = list(self.seen.runs[ALONE].values())
        return len(runs) >= SILENT and all(run.answers[0].error for found in runs for run in found)

    def _judge_usable(self) -> None:
        if self._is_silent():
            first = next(iter(self.seen.runs[ALONE].values()))[0].answers[0]
            self.seen.unusable = f"the application does not answer: {first.error}."
            return
        failing = {failure.unit: failure for failure in self.seen.failures if failure.importing}
        if failing and all(unit in failing for unit in self.seen.runs[ALONE]):
            failure = next(iter(failing.values()))
            where = f" ({failure.file}, line {failure.line})" if failure.file else ""
            self.seen.unusable = f"the application cannot be imported: {failure.sentence}{where}."


def _failed(run: Run) -> bool:
    return any(answer.error or answer.status is None or answer.status >= 500 for answer in run.answers)


def _together_seconds(requests: int, steps: int) -> float:
    """How long the pass may last: slow ones take their time, many of them not for ever."""
    return max(TOGETHER_LEAST, TOGETHER_EACH * steps + min(TOGETHER_MOST, TOGETHER_EACH * requests))


def _spread(gaps: int, most: int) -> set[int]:
    """At most so many of the gaps, evenly."""
    if gaps <= most:
        return set(range(gaps))
    return {round((index + 0.5) * gaps / most - 0.5) for index in range(most)}
