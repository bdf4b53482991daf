"""Judges one cell: which answers differ between its passes, and by which rule."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import compare, rules
from . import evidence as ev
from .evidence import Evidence
from .observations import ALONE, ELSEWHERE, ONE_CHILD, RESTART, ROUNDS, TOGETHER, Observations, Run
from .plan import Plan, Step
from .rules import Rule

FAULT, NOTE = "fault", "note"


@dataclass
class Raw:
    """A finding in one cell."""

    severity: str
    rule: Rule
    unit: str | None
    sentence: str
    evidence: list[Evidence] = field(default_factory=list)


def cell(plan: Plan, seen: Observations) -> list[Raw]:
    """The findings of a cell; of a session only the first, since the others follow from it."""
    if seen.unusable is not None:
        return [Raw(FAULT, _rule_of_text(seen.unusable), None, _capital(seen.unusable))]
    judge = _Cell(plan, seen)
    found = [raw for step in plan.requests if (raw := judge.first([step])) is not None]
    found += [raw for session in plan.sessions if (raw := judge.first(session.steps)) is not None]
    found += judge.crashes(found)
    found += judge.events(found)
    found += judge.changes(found)
    found += judge.unlooked()
    return found


class _Cell:
    def __init__(self, plan: Plan, seen: Observations) -> None:
        self.plan, self.seen = plan, seen

    def first(self, steps: tuple[Step, ...] | list[Step]) -> Raw | None:
        """The first finding about these steps, pass by pass: a later pass builds on the earlier ones."""
        for judge in (self._alone, self._rounds, self._together, self._restart, self._elsewhere):
            for step in steps:
                if self._runs(ALONE, step) and (raw := judge(step)) is not None:
                    return raw
        return None

    def _runs(self, during: str, step: Step) -> list[Run]:
        return self.seen.runs.get(during, {}).get(step.unit, [])

    def _reference(self, step: Step) -> Run:
        return self._runs(ALONE, step)[0]

    def _differing(self, during: str, step: Step) -> list[Run]:
        """The runs of a pass that differ from the pass `alone`, or from the expectation."""
        wanted = compare.run_key(self._reference(step), step)
        return [
            run
            for run in self._runs(during, step)
            if compare.run_key(run, step) != wanted or any(compare.unmet(answer, step) for answer in run.answers)
        ]

    def _alone(self, step: Step) -> Raw | None:
        run = self._reference(step)
        if answer := compare.failed(run, step):
            failures = ev.failures(self.seen, step.unit, ALONE)
            cause = failures[0] if failures else None
            rule = self._rule_of_place(cause.file, cause.line) if cause else None
            sentence = f"fails: {compare.shown(answer, step) if answer.error else f'status {answer.status}'}"
            found = ev.unique(map(ev.of_failure, failures))
            return Raw(FAULT, rule or _rule_of_text(cause.sentence if cause else ""), step.unit, f"{sentence}.", found)
        for answer in run.answers:
            if reason := compare.unmet(answer, step):
                return Raw(FAULT, rules.EXPECTATIONS, step.unit, f"{reason}.")
        return None

    def _rounds(self, step: Step) -> Raw | None:
        differing = self._differing(ROUNDS, step)
        if not differing:
            return None
        changes = ev.changes(self.plan, self.seen, step.unit)
        again = self._changed_again(step)
        if again and not changes and all(again):
            return self._varying(step, differing, "when it is asked for again")
        if failure := self._failure(ROUNDS, step, differing, "when it is sent again, or answered by another child"):
            if failure.rule is rules.FAILURES and not any(answer.error for run in differing for answer in run.answers):
                failure.rule = rules.GLOBALS
            failure.evidence += changes[:3]
            return failure
        if any(again):
            texts = compare.shown_runs([self._reference(step), *differing], step)
            return self._raw(rules.GLOBALS, step, f"the answer changes from one request to the next in the same child: {texts}", changes)
        one, other = compare.difference(self._reference(step), differing[0], step)
        return self._raw(rules.GLOBALS, step, f"the answer depends on the child: {one} in the first one, {other} in another", changes)

    def _changed_again(self, step: Step) -> list[bool]:
        """For each time that a child was asked again, whether it answered otherwise than before."""
        latest, changed = {}, []
        for run in self._runs(ALONE, step) + self._runs(ROUNDS, step):
            key = compare.run_key(run, step)
            if run.same_child and run.child in latest:
                changed.append(latest[run.child] != key)
            latest[run.child] = key
        return changed

    def _together(self, step: Step) -> Raw | None:
        differing = self._differing(TOGETHER, step)
        if not differing:
            return None
        when = "when several requests are served at once"
        if failure := self._failure(TOGETHER, step, differing, when):
            failure.rule = rules.THREADS
            failure.evidence += ev.changes(self.plan, self.seen, step.unit)[:3]
            return failure
        if self._differing(RESTART, step) and self._differing(ELSEWHERE, step):
            return self._varying(step, differing, "a little later")
        one, other = compare.difference(self._reference(step), differing[0], step)
        changes = ev.changes(self.plan, self.seen, step.unit)
        return self._raw(rules.THREADS, step, f"the answer is another one {when}: {other}; one after the other: {one}", changes)

    def _restart(self, step: Step) -> Raw | None:
        differing = self._differing(RESTART, step)
        if not differing:
            return None
        when = "after its child was restarted or killed"
        if failure := self._failure(RESTART, step, differing, when):
            failure.rule = rules.CHILDREN
            return failure
        if self._differing(ELSEWHERE, step) and not self._relative(step):
            return self._varying(step, differing, "a little later")
        one, other = compare.difference(self._reference(step), differing[0], step)
        changes = ev.changes(self.plan, self.seen, step.unit)
        return self._raw(rules.CHILDREN, step, f"the answer is another one {when}: {other}; before: {one}", changes)

    def _elsewhere(self, step: Step) -> Raw | None:
        differing = self._differing(ELSEWHERE, step)
        if not differing:
            return None
        when = "with another current directory"
        if failure := self._failure(ELSEWHERE, step, differing, when):
            failure.rule = rules.DIRECTORY
            return failure
        one, other = compare.difference(self._reference(step), differing[0], step)
        return self._raw(rules.DIRECTORY, step, f"the answer is another one {when}: {other} instead of {one}", self._relative(step))

    def _failure(self, during: str, step: Step, runs: list[Run], when: str) -> Raw | None:
        answer = next((answer for run in runs if (answer := compare.failed(run, step))), None)
        if answer is None:
            return None
        failures = ev.failures(self.seen, step.unit, during)
        rule = next((rule for one in failures if (rule := self._rule_of_place(one.file, one.line))), rules.FAILURES)
        what = answer.error or f"status {answer.status}"
        return Raw(FAULT, rule, step.unit, f"fails {when}: {what}.", ev.unique(map(ev.of_failure, failures))[:3])

    def _varying(self, step: Step, differing: list[Run], when: str) -> Raw:
        texts = compare.shown_runs([self._reference(step), *differing], step)
        session = step.unit in self.plan.session_of
        advice = (
            "begin the session with a step that makes a known state"
            if session
            else "if that is right, name the part that may differ in `ignore`, or make it a session"
        )
        return self._raw(rules.VARYING, step, f"the answer is another one {when}, and no global explains it: {texts}; {advice}", [])

    def _relative(self, step: Step) -> list[Evidence]:
        return ev.events(self.plan, self.seen, step.unit, ("relative", "chdir"))

    def _raw(self, rule: Rule, step: Step, sentence: str, found: list[Evidence]) -> Raw:
        return Raw(FAULT, rule, step.unit, f"{sentence}.", found[:3])

    def _rule_of_place(self, file: str | None, line: int | None) -> Rule | None:
        """The rule that the watch saw broken where an exception comes from."""
        found = (event for event in self.seen.events if file and (event.file, event.line) == (file, line))
        return next((rules.OF_EVENT[event.kind] for event in found), None)

    def crashes(self, found: list[Raw]) -> Iterator[Raw]:
        """Children that crashed, if no finding tells."""
        told = {one.sentence for raw in found for one in raw.evidence}
        crashes = ev.unique(ev.of_failure(failure) for failure in self.seen.failures if failure.crash)
        yield from (Raw(FAULT, rules.FAILURES, None, f"{_capital(one.sentence)}.", []) for one in crashes if one.sentence not in told)

    def events(self, found: list[Raw]) -> Iterator[Raw]:
        """What the watch noted and no finding tells yet."""
        told = {(raw.rule, one.file, one.line) for raw in found for one in raw.evidence}
        for event in self.seen.events:
            rule = rules.OF_EVENT[event.kind]
            if (rule, event.file, event.line) in told:
                continue
            told.add((rule, event.file, event.line))
            severity = FAULT if event.kind in rules.FAULTS else NOTE
            yield Raw(severity, rule, event.unit, f"{_CALLS[event.kind].format(what=event.what)}.", [ev.at_event(event)])

    def changes(self, found: list[Raw]) -> Iterator[Raw]:
        """Globals that change with every request, though no answer showed it."""
        told = {(one.file, one.name) for raw in found for one in raw.evidence if one.name}
        for unit, changes in self.seen.changes.items():
            for change in changes:
                if change.repeated and (change.file, change.name) not in told:
                    told.add((change.file, change.name))
                    sentence = f"the global `{change.name}` of {change.module} changes with every request; each child has its own."
                    yield Raw(NOTE, rules.GLOBALS, unit, sentence, [ev.of_change(change)])

    def unlooked(self) -> Iterator[Raw]:
        """What was not looked at: no fault, but that none was found there says nothing."""
        seen = self.seen
        if seen.children < 2 and seen.runs.get(ROUNDS) and seen.cell["model"] != ONE_CHILD:
            yield Raw(NOTE, rules.GLOBALS, None, _ONE_ANSWERED)
        if unseen := [unit for unit in seen.runs.get(ALONE, ()) if unit not in seen.changes]:
            yield Raw(NOTE, rules.GLOBALS, None, f"The watch did not answer behind {_listed(unseen)}: whether globals change was not looked at.")
        if seen.unsent:
            yield Raw(NOTE, rules.THREADS, None, f"{_listed(seen.unsent)}: not sent {_TOO_MANY}")


_ONE_ANSWERED = (
    "Fewer than two children answered: differences between children were not looked at. "
    "See that the application's configuration lets httpd have several."
)
_TOO_MANY = "in the pass `together`, whose time was up: races were not looked at there. Have fewer requests in one file."

_CALLS = {
    "fork": "{what} is called; it is refused in every interpreter but the main one, and copies httpd's sockets in that",
    "chdir": "{what} changes the current directory of the whole child, for all threads and applications in it",
    "relative": "{what} is used; it is relative to whatever the current directory is",
    "environment": "{what} is changed while a request is served; C libraries see it in the whole child",
    "system": "{what} is called; the program gets the current directory and the C library's environment of the child",
    "signal": "{what} is called; it is refused in every interpreter but the main one",
    "umask": "{what} after a request, for the whole child",
    "time zone": "{what} after a request, for the whole child",
    "locale": "{what} after a request, for the whole child",
    "limit": "{what} is called; limits are those of the whole child",
}


def _rule_of_text(sentence: str) -> Rule:
    lower = sentence.lower()
    if "subinterpreter" in lower or "sub-interpreter" in lower or "mp0302" in lower:
        return rules.INTERPRETERS
    return rules.FAILURES


def _listed(units: list[str], most: int = 3) -> str:
    more = len(units) - most
    return ", ".join(units[:most]) + (f" and {more} other{'s' if more > 1 else ''}" if more > 0 else "")


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
