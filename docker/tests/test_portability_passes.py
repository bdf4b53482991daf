"""The passes, with a server and a client that do what a test says: what is kept of a cell when something goes wrong in it."""

import unittest
from contextlib import contextmanager

import local_server  # noqa: F401 - puts docker/lib on the path

from portability import check, verdict
from portability.observations import RESTART
from portability.plan import Plan, Request, Session, Step

PLAN = Plan("r.toml", tuple(Step(f"page {n}", Request("GET", f"/{n}")) for n in range(3)))
NOTED = {"kind": "fork", "what": "os.fork()", "file": "/srv/app/a.py", "line": 3, "function": "handler", "phase": "request"}


class Cell:
    """Serves nothing; it is its own server and its own client."""

    name, system, python, model, gil = "trixie event shared", "trixie", "3.13", "event", "shared"
    address = ("server", 8080)

    def __init__(self, **answers):
        self.answers, self.commands, self.failing = answers, [], {}

    @contextmanager
    def serve(self, *, environment={}):
        self.failing = {} if environment else {name: error for name, error in self.answers.items() if isinstance(error, Exception)}
        yield self

    @contextmanager
    def client(self):
        yield self

    def _do(self, name, answer=None):
        if name in self.failing:
            raise self.failing[name]
        return answer

    def graceful(self):
        self._do("graceful")

    def kill_children(self):
        self._do("kill_children")

    def log(self):
        return self._do("log", "")

    def findings(self):
        return self._do("findings", [NOTED])

    def call(self, command):
        self.commands.append(command)
        answer = {"status": self.answers.get("status", 200), "headers": {}, "body": "a", "error": None}
        look = {"pid": 7, "changes": [], "findings": []}
        match command["do"]:
            case "ready":
                return {"answer": answer, "look": None if self.answers.get("unwatched") else look}
            case "pin":
                return {"children": {"0": 7, "1": 8}}
            case "exchange":
                return {"answer": answer, "look": look if command["look"] else None, "same": True}
            case "together":
                sent = self.answers.get("sent", 99)
                load = {unit: [{"answer": answer, "count": 1}] if n < sent else [] for n, (unit, _) in enumerate(command["load"])}
                return {"load": load, "sessions": [[[answer] * times for _, times in steps] for steps in command["sessions"]]}
        return {}


class Looks(unittest.TestCase):
    def test_no_cell_is_checked_without_the_watch(self):
        with self.assertRaisesRegex(check.CheckError, "GET /.portability-look was answered with status 200 and 'a', not by the watch"):
            check.run_cell(Cell(unwatched=True), PLAN)


class Restarts(unittest.TestCase):
    """What goes wrong in the pass `restart`: the application's fault, or trouble of the check."""

    GONE = check.RestartError("the server ended while waiting for the next generation: it said nothing.")
    STOPPED = check.CheckError("docker exec: container 1 is not running")

    def failures(self, **errors):
        seen = check.run_cell(Cell(**errors), PLAN)
        self.assertIn("elsewhere", seen.runs)
        return [(failure.sentence, failure.crash, failure.during) for failure in seen.failures]

    def test_a_server_that_does_not_come_back_is_a_finding(self):
        finding = (str(self.GONE).rstrip("."), True, RESTART)
        for name in ("graceful", "kill_children"):
            self.assertEqual(self.failures(**{name: self.GONE}), [finding])

    def test_a_server_that_is_gone_may_take_along_what_it_wrote(self):
        for lost in ({"findings": self.STOPPED}, {"findings": self.STOPPED, "log": self.STOPPED}):
            self.assertEqual(len(self.failures(graceful=self.GONE, **lost)), 1)

    def test_what_it_left_is_taken(self):
        seen = check.run_cell(Cell(graceful=self.GONE), PLAN)
        self.assertEqual([event.kind for event in seen.events], ["fork"])

    def test_trouble_of_the_check_is_none(self):
        for name in ("graceful", "findings"):
            with self.assertRaises(check.CheckError):
                check.run_cell(Cell(**{name: self.STOPPED}), PLAN)


class Together(unittest.TestCase):
    def seconds(self, plan):
        cell = Cell()
        check.run_cell(cell, plan)
        return next(command["seconds"] for command in cell.commands if command["do"] == "together")

    def test_its_time_grows_with_what_is_to_be_sent(self):
        many = tuple(Step(f"page {n}", Request("GET", f"/{n}")) for n in range(400))
        session = Session("s", tuple(Step(f"s: {n}", Request("GET", f"/{n}")) for n in range(10)))
        self.assertEqual(self.seconds(PLAN), 2.5)
        self.assertEqual(self.seconds(Plan("r.toml", many[:20])), 10)
        self.assertEqual(self.seconds(Plan("r.toml", many[:20], (session,))), 15)
        self.assertEqual(self.seconds(Plan("r.toml", many)), 60)

    def test_what_was_not_sent_is_told(self):
        found = verdict.judge(PLAN, {"x": check.run_cell(Cell(sent=1), PLAN)})
        notes = [finding.sentence for finding in found.notes]
        self.assertEqual(
            notes,
            [
                "page 1, page 2: not sent in the pass `together`, whose time was up: races were not looked at there. "
                "Have fewer requests in one file."
            ],
        )
        self.assertEqual(verdict.judge(PLAN, {"x": check.run_cell(Cell(), PLAN)}).notes, [])

    def test_nothing_is_left_to_send(self):
        found = verdict.judge(PLAN, {"x": check.run_cell(Cell(status=500), PLAN)})
        self.assertEqual({finding.rule for finding in found.faults}, {"failures", "fork"})


if __name__ == "__main__":
    unittest.main()
