"""From observations to the verdict."""

import json
import re
import unittest

import local_server  # puts docker/lib on the path

from portability import log, verdict
from portability import rules as catalogue
from portability.observations import ALONE, ELSEWHERE, RESTART, ROUNDS, TOGETHER, Answer, Change, Event, Failure, Observations, Run
from portability.plan import Expectation, Plan, Request, Session, Step

PAGE = Step("page", Request("GET", "/"))
STEPS = (Step("s: put", Request("PUT", "/s")), Step("s: get", Request("GET", "/s")))
PLAN = Plan("r.toml", (PAGE,))
SESSION = Plan("r.toml", (), (Session("s", STEPS),))
CHANGE = Change("shop", "/srv/app/shop.py", 7, "hits", "1", "2")


def run(*bodies, status=200, same_child=False):
    return Run([Answer(status, body, {"Content-Type": "text/plain", "Location": None}) for body in bodies], 1, same_child)


def cell(name="trixie event", unit="page", changes=(), events=(), failures=(), **passes):
    """Observations in which every pass that is not named answered as the pass alone."""
    system, model, *gil = name.split()
    python = {"trixie": "3.13"}.get(system, "3.11")
    seen = Observations({"name": name, "system": system, "python": python, "model": model, "gil": (gil or ["shared"])[0]})
    runs = {during: [run("a")] for during in (ALONE, ROUNDS, TOGETHER, RESTART, ELSEWHERE)} | passes
    for during, found in runs.items():
        seen.runs[during] = {unit: found}
    seen.changes, seen.children = {unit: list(changes)}, 2
    seen.events, seen.failures = list(events), list(failures)
    return seen


def judge(*cells, plan=PLAN):
    return verdict.judge(plan, {seen.cell["name"]: seen for seen in cells})


def rules(found):
    return [(finding.severity, finding.rule) for finding in found.findings]


class Rules(unittest.TestCase):
    def test_nothing(self):
        found = judge(cell(), cell("trixie prefork"))
        self.assertEqual(found.findings, [])
        self.assertTrue(found.passed)
        self.assertIn("no difference in 2 cells", verdict.text(found))

    def test_no_cell(self):
        found = judge()
        self.assertFalse(found.passed)
        self.assertEqual(verdict.text(found), "The application was checked in no cell.\n")

    def test_state_in_a_global(self):
        found = judge(cell(rounds=[run("b", same_child=True)], together=[run("c")], changes=[CHANGE]))
        self.assertEqual(rules(found), [("fault", "globals")])
        (finding,) = found.findings
        self.assertIn('"a", "b"', finding.sentence)
        self.assertEqual((finding.evidence[0].file, finding.evidence[0].line), ("/srv/app/shop.py", 7))
        text = verdict.text(found)
        self.assertIn("`hits` of shop.py", text)
        self.assertIn("docs/portable-handlers.md#globals", text)

    def test_an_answer_that_depends_on_the_child(self):
        self.assertEqual(rules(judge(cell(rounds=[run("a", same_child=True), run("b")]))), [("fault", "globals")])

    def test_an_answer_that_varies_without_a_global(self):
        self.assertEqual(rules(judge(cell(rounds=[run("b", same_child=True), run("c")]))), [("fault", "varying-answers")])
        self.assertEqual(
            rules(judge(cell(together=[run("b")], restart=[run("c")], elsewhere=[run("d")]))), [("fault", "varying-answers")]
        )

    def test_a_race(self):
        self.assertEqual(rules(judge(cell(together=[run("a"), run("b")], changes=[CHANGE]))), [("fault", "threads")])

    def test_repeated_steps_may_answer_in_any_order(self):
        step = Step("s: put", Request("PUT", "/s"), times=3)
        plan = Plan("r.toml", (), (Session("s", (step,)),))
        passes = {during: [run("1", "2", "3")] for during in (ALONE, ROUNDS, RESTART, ELSEWHERE)}
        self.assertEqual(judge(cell(unit="s: put", together=[run("3", "1", "2")], **passes), plan=plan).findings, [])
        lost = judge(cell(unit="s: put", together=[run("1", "1", "2")], **passes), plan=plan)
        self.assertEqual(rules(lost), [("fault", "threads")])
        self.assertIn('2× "1" "2"', lost.findings[0].sentence)

    def test_state_that_is_gone_with_the_child(self):
        self.assertEqual(rules(judge(cell(restart=[run("b")]))), [("fault", "children")])

    def test_another_directory(self):
        events = [Event("relative", "the relative path 'x'", "/srv/app/shop.py", 3, "handler", "request", "page")]
        found = judge(cell(elsewhere=[run("b")], events=events))
        self.assertEqual(rules(found), [("fault", "current-directory")])
        self.assertEqual(found.findings[0].evidence[0].line, 3)

    def test_a_failure_is_explained_by_what_the_watch_saw_there(self):
        failures = [Failure("FileNotFoundError: 'x'", "/srv/app/shop.py", 3, unit="page")]
        broken = {"alone": [run("", status=500)], "rounds": [], "together": [], "restart": [], "elsewhere": []}
        self.assertEqual(rules(judge(cell(failures=failures, **broken))), [("fault", "failures")])
        events = [Event("relative", "the relative path 'x'", "/srv/app/shop.py", 3, "handler", "request", "page")]
        found = judge(cell(failures=failures, events=events, **broken))
        self.assertEqual(rules(found), [("fault", "current-directory")])

    def test_what_the_watch_notes(self):
        def event(kind):
            return Event(kind, kind, "/srv/app/shop.py", 3, "handler", "request", "page")

        for kind, wanted in {
            "fork": ("fault", "fork"),
            "chdir": ("fault", "current-directory"),
            "relative": ("note", "current-directory"),
            "environment": ("note", "environment"),
            "umask": ("note", "process-settings"),
            "signal": ("note", "signals"),
        }.items():
            found = judge(cell(events=[event(kind)]), cell("trixie prefork", events=[event(kind)]))
            self.assertEqual(rules(found), [wanted])
            self.assertEqual(found.passed, wanted[0] == "note")

    def test_a_global_that_changes_with_every_request_is_a_note(self):
        again = Change("shop", "/srv/app/shop.py", 7, "hits", "1", "2", repeated=True)
        self.assertEqual(rules(judge(cell(changes=[again]))), [("note", "globals")])
        self.assertEqual(judge(cell(changes=[CHANGE])).findings, [])

    def test_of_a_session_only_the_first_difference(self):
        seen = Observations({"name": "x", "system": "x", "python": "3", "model": "event", "gil": "shared"})
        for during in (ALONE, ROUNDS, TOGETHER, RESTART, ELSEWHERE):
            body = "b" if during == RESTART else "a"
            seen.runs[during] = {step.unit: [run(body)] for step in STEPS}
        seen.changes, seen.children = {step.unit: [] for step in STEPS}, 2
        found = verdict.judge(SESSION, {"x": seen})
        self.assertEqual([(f.rule, f.request) for f in found.findings], [("children", "s: put")])

    def test_only_one_child_answered(self):
        found = judge(*(cell(f"trixie {model}") for model in ("prefork", "worker", "event", "itk", "winnt")))
        self.assertEqual(found.findings, [])
        alone = [cell(f"trixie {model}") for model in ("prefork", "worker", "event", "itk", "winnt")]
        for seen in alone:
            seen.children = 1
        found = judge(*alone)
        self.assertEqual(rules(found), [("note", "globals")])
        self.assertEqual(found.findings[0].where, "with prefork, worker, event, itk")
        self.assertIn("differences between children were not looked at", verdict.text(found))
        self.assertTrue(found.passed)

    def test_a_request_that_no_look_came_behind(self):
        seen = cell()
        seen.changes = {}
        found = judge(seen)
        self.assertEqual(rules(found), [("note", "globals")])
        self.assertEqual(found.findings[0].sentence, "The watch did not answer behind page: whether globals change was not looked at.")

    def test_requests_that_were_not_sent_together(self):
        seen = cell()
        seen.unsent = [f"page {n}" for n in range(5)]
        found = judge(seen)
        self.assertEqual(rules(found), [("note", "threads")])
        self.assertIn("page 0, page 1, page 2 and 2 others: not sent in the pass `together`", found.findings[0].sentence)

    def test_crashed_children(self):
        found = judge(cell(failures=[Failure("a child was ended by the signal Segmentation fault (11)", crash=True)]))
        self.assertEqual(rules(found), [("fault", "failures")])
        self.assertEqual(found.findings[0].sentence, "A child was ended by the signal Segmentation fault (11).")


class Expectations(unittest.TestCase):
    def unmet(self, actual="a", **expect):
        plan = Plan("r.toml", (Step("page", Request("GET", "/"), Expectation(**expect), (re.compile(r"\d+"),)),))
        found = judge(cell(**{during: [run(actual)] for during in (ALONE, ROUNDS, TOGETHER, RESTART, ELSEWHERE)}), plan=plan)
        return [(finding.rule, finding.sentence) for finding in found.findings]

    def test_met(self):
        self.assertEqual(self.unmet(status=200, body="a", headers=(("Content-Type", "text/plain"),)), [])
        self.assertEqual(self.unmet("at 12", body="at 345"), [])
        self.assertEqual(self.unmet("at 12", matches=re.compile("^at")), [])

    def test_not_met(self):
        self.assertEqual(self.unmet(status=404), [("expectations", "the status is 200, not 404.")])
        self.assertEqual(self.unmet(body="b"), [("expectations", 'the body is "a", not "b".')])
        self.assertEqual(self.unmet(matches=re.compile("b")), [("expectations", "the body \"a\" does not match 'b'.")])
        self.assertEqual(
            self.unmet(headers=(("Content-Type", "text/html"),)),
            [("expectations", "the header Content-Type is 'text/plain', not 'text/html'.")],
        )

    def test_an_expected_body_may_vary_within_it(self):
        plan = Plan("r.toml", (Step("page", Request("GET", "/"), Expectation(matches=re.compile("^[ab]$"))),))
        self.assertEqual(judge(cell(rounds=[run("b", same_child=True)]), plan=plan).findings, [])
        found = judge(cell(together=[run("c")]), plan=plan)
        self.assertEqual(rules(found), [("fault", "threads")])


class Cells(unittest.TestCase):
    def differing(self, *names, other):
        def seen(name):
            body = "b" if other in name.split() else "a"
            return cell(name, **{during: [run(body)] for during in (ALONE, ROUNDS, TOGETHER, RESTART, ELSEWHERE)})

        found = judge(*map(seen, names))
        self.assertEqual(len(found.findings), 1)
        return found.findings[0]

    def test_the_line_along_which_they_split(self):
        names = ("trixie prefork shared", "trixie event shared", "trixie event own", "bookworm prefork shared", "bookworm event shared")
        for other, rule, where in (
            ("bookworm", "versions", "with Python 3.11"),
            ("event", "process-models", "with event"),
            ("own", "interpreters", "with gil=own"),
        ):
            finding = self.differing(*names, other=other)
            self.assertEqual((finding.rule, finding.where), (rule, where))
            self.assertEqual(finding.cells, [name for name in names if other in name.split()])

    def test_cells_that_fail_are_named(self):
        bad = cell("bookworm event", alone=[run("", status=500)], failures=[Failure("ImportError: x", unit="page")])
        (finding,) = judge(cell(), bad).findings
        self.assertEqual((finding.rule, finding.cells, finding.where), ("failures", ["bookworm event"], "with Python 3.11"))

    def test_an_unusable_cell(self):
        bad = cell("trixie worker own")
        bad.runs, bad.unusable = {ALONE: {}}, "the application cannot be imported: ImportError: module x does not support loading in subinterpreters."
        (finding,) = judge(cell(), bad).findings
        self.assertEqual((finding.rule, finding.request, finding.cells), ("interpreters", None, ["trixie worker own"]))

    def test_json(self):
        seen = cell(rounds=[run("b", same_child=True)], changes=[CHANGE], failures=[Failure("x")])
        self.assertEqual(json.loads(json.dumps(seen.to_json()))["runs"][ROUNDS]["page"][0]["answers"][0]["body"], "b")
        data = json.loads(json.dumps(judge(seen).to_json()))
        self.assertEqual((data["passed"], data["findings"][0]["rule"], data["findings"][0]["evidence"][0]["line"]), (False, "globals", 7))


class Page(unittest.TestCase):
    def test_every_rule_has_its_section(self):
        page = (local_server.DOCKER.parent / catalogue.PAGE).read_text(encoding="utf-8")
        table = dict(re.findall(r"^\| \[[^\]]*\]\(#([a-z-]+)\) \| (.*) \|$", page, re.MULTILINE))
        sections = {heading.replace(" ", "-") for heading in re.findall(r"^### (.*)$", page, re.MULTILINE)}
        self.assertEqual(set(table), sections)
        for rule in catalogue.ALL:
            self.assertEqual(table[rule.anchor] + ".", rule.sentence)
        self.assertLessEqual({rule.anchor for rule in catalogue.OF_EVENT.values()}, set(catalogue.BY_ANCHOR))


class Log(unittest.TestCase):
    def test_tracebacks_of_two_threads_at_once(self):
        def line(tid, text):
            return f"[Mon Nov 23 17:11:28.7 2026] [python:error] [pid 7:tid {tid}] [client 127.0.0.1:4] {text}"

        text = "\n".join(
            [
                line(1, "MP0401: PythonHandler 'a' (/c:25) in interpreter 'x' raised ValueError: one"),
                line(2, "MP0401: PythonHandler 'b' (/c:26) in interpreter 'x' raised ModuleNotFoundError: No module named 'n'"),
                line(1, "PythonHandler a: Traceback (most recent call last):"),
                line(2, 'PythonHandler b:   File "<mod_python.so>/mod_python/_importing.py", line 92, in _import'),
                line(1, 'PythonHandler a:   File "/srv/app/a.py", line 2, in handler'),
                line(2, 'PythonHandler b:   File "/srv/app/b.py", line 1, in <module>'),
                line(1, 'PythonHandler a:   File "/usr/lib/python3.13/json/decoder.py", line 345, in decode'),
                line(1, "PythonHandler a: ValueError: one"),
                "[Mon Nov 23 17:11:33 2026] [core:notice] [pid 1:tid 1] AH00052: child pid 7 exit signal Killed (9)",
                "[Mon Nov 23 17:11:33 2026] [core:notice] [pid 1:tid 1] AH00051: child pid 8 exit signal Segmentation fault (11), possible",
                "MP0401: not an entry",
            ]
        )
        one, two, crash = log.failures(text)
        self.assertEqual((one.sentence, one.file, one.line, one.importing), ("ValueError: one", "/srv/app/a.py", 2, False))
        self.assertEqual((two.file, two.line, two.importing), ("/srv/app/b.py", 1, True))
        self.assertTrue(crash.crash)
        self.assertIn("Segmentation fault (11)", crash.sentence)

    def test_children_of_mpm_itk(self):
        def line(number):
            return f"[Mon Nov 23 17:11:33.1 2026] [mpm_itk:error] [pid 7] child died with signal {number}\n"

        crashes = log.failures(line(9) + line(11) + line(15) + line(6) + line(999))
        self.assertEqual([crash.crash for crash in crashes], [True, True])
        self.assertEqual(crashes[0].sentence, "a child was ended by the signal Segmentation fault (11)")
        self.assertEqual(crashes[1].sentence, "a child was ended by the signal Aborted (6)")


if __name__ == "__main__":
    unittest.main()
