"""The verdict on an application: what depends on the process model, over all cells."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from . import compare, judge as judging, rules
from .evidence import Evidence
from .judge import FAULT, NOTE, Raw
from .observations import ALONE, Observations
from .plan import Plan, Step

_AXES = (("python", "Python {}"), ("system", "{}"), ("model", "{}"), ("gil", "gil={}"))


@dataclass
class Finding:
    """Something that an administrator has to know before another process model is used."""

    severity: str  # "fault" or "note"
    rule: str  # an anchor in docs/portable-handlers.md
    request: str | None  # the name of a request, or of a session and its step
    cells: list[str]
    where: str  # the cells in words
    sentence: str
    evidence: list[Evidence] = field(default_factory=list)


@dataclass
class Verdict:
    """What was found, and where was looked."""

    cells: list[str]
    findings: list[Finding] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether something was looked at, and there is no fault."""
        return bool(self.cells) and not self.faults

    @property
    def faults(self) -> list[Finding]:
        """The findings that say: this application is not portable."""
        return [finding for finding in self.findings if finding.severity == FAULT]

    @property
    def notes(self) -> list[Finding]:
        """What is good to know, and made no difference."""
        return [finding for finding in self.findings if finding.severity == NOTE]

    def to_json(self) -> dict[str, Any]:
        """As data for json.dumps."""
        return {"passed": self.passed, **asdict(self)}


def judge(plan: Plan, observed: Mapping[str, Observations]) -> Verdict:
    """The verdict on what was seen in the cells, by their names; the first one's answers are those of the record."""
    merged: dict[tuple, tuple[Raw, list[str]]] = {}
    for name, seen in observed.items():
        for raw in judging.cell(plan, seen):
            known, cells = merged.setdefault(_identity(raw), (raw, []))
            if name not in cells:
                cells.append(name)
            places = {(one.file, one.line, one.name) for one in known.evidence}
            known.evidence += [one for one in raw.evidence if (one.file, one.line, one.name) not in places]
    findings = [
        Finding(raw.severity, raw.rule.anchor, raw.unit, cells, _where(cells, observed), raw.sentence, raw.evidence)
        for raw, cells in _without_told(merged.values())
    ]
    findings += _between(plan, observed, {finding.request for finding in findings if finding.severity == FAULT})
    findings.sort(key=lambda finding: (finding.severity != FAULT, finding.request is None))
    return Verdict(list(observed), findings)


def text(verdict: Verdict) -> str:
    """The verdict for a terminal."""
    if not verdict.cells:
        return "The application was checked in no cell.\n"
    cells = _count(len(verdict.cells), "cell")
    if not verdict.findings:
        return f"The application is portable as far as these requests show: no difference in {cells}.\n"
    faults, notes = _count(len(verdict.faults), "fault"), _count(len(verdict.notes), "note")
    parts = [f"{faults} and {notes} in {cells}.\n"]
    for finding in verdict.findings:
        about = f"{finding.request}: " if finding.request else ""
        lines = [f"{finding.severity}: {about}{finding.sentence}", f"    {finding.where}"]
        for one in finding.evidence:
            place = f" [{one.file}:{one.line}]" if one.file and one.line else ""
            lines.append(f"    {one.sentence}{place}")
        rule = rules.BY_ANCHOR[finding.rule]
        lines.append(f"    {rule.sentence} See {rules.PAGE}#{rule.anchor}.")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _identity(raw: Raw) -> tuple:
    if raw.unit is not None and raw.severity == FAULT:
        return raw.severity, raw.rule.anchor, raw.unit, raw.sentence.partition(":")[0]
    place = [(one.file, one.line, one.name) for one in raw.evidence]
    return raw.severity, raw.rule.anchor, raw.sentence if not place else None, *place


def _without_told(merged: Iterable[tuple[Raw, list[str]]]) -> list[tuple[Raw, list[str]]]:
    """Without notes about a place that a fault of any cell tells of."""
    found = list(merged)
    told = {(one.file, one.line, one.name) for raw, _ in found if raw.severity == FAULT for one in raw.evidence}
    return [
        (raw, cells)
        for raw, cells in found
        if raw.severity == FAULT or not any((one.file, one.line, one.name) in told for one in raw.evidence)
    ]


def _between(plan: Plan, observed: Mapping[str, Observations], told: set[str | None]) -> list[Finding]:
    """Requests that agree in each cell, and differ between cells."""
    found = []
    for steps in [[step] for step in plan.requests] + [list(session.steps) for session in plan.sessions]:
        if any(step.unit in told for step in steps):
            continue
        for step in steps:
            groups: dict[Any, list[str]] = {}
            for name, seen in observed.items():
                if seen.unusable is not None:
                    continue
                for run in seen.runs.get(ALONE, {}).get(step.unit, [])[:1]:
                    groups.setdefault(compare.run_key(run, step), []).append(name)
            if len(groups) > 1:
                found.append(_split(step, list(groups.values()), observed))
                break
    return found


def _split(step: Step, groups: list[list[str]], observed: Mapping[str, Observations]) -> Finding:
    first = observed[groups[0][0]].runs[ALONE][step.unit][0]
    parts = []
    for group in groups[1:]:
        other = observed[group[0]].runs[ALONE][step.unit][0]
        one, another = compare.difference(first, other, step)
        parts.append(f"{another} {_where(group, observed)}, {one} {_where(groups[0], observed)}")
    axes = [axis for axis, _ in _AXES if all(_is_split_by(axis, group, observed) for group in groups)]
    rule = {"gil": rules.INTERPRETERS, "model": rules.MODELS}.get(axes[0] if axes else "model", rules.VERSIONS)
    cells = [name for group in groups[1:] for name in group]
    sentence = f"the answer differs between cells: {'; '.join(parts)}."
    return Finding(FAULT, rule.anchor, step.unit, cells, _where(cells, observed), sentence)


def _is_split_by(axis: str, cells: list[str], observed: Mapping[str, Observations]) -> bool:
    """Whether these are exactly the cells with some values on an axis."""
    values = {observed[name].cell[axis] for name in cells}
    return {name for name, seen in observed.items() if seen.cell[axis] in values} == set(cells)


def _where(cells: list[str], observed: Mapping[str, Observations]) -> str:
    """The cells in words: by what they have in common and no other has, or by their names."""
    if len(cells) == len(observed):
        return "in every cell" if len(cells) > 1 else f"in {cells[0]}"
    for axis, form in _AXES:
        values = list(dict.fromkeys(observed[name].cell[axis] for name in cells))
        if _is_split_by(axis, cells, observed):
            return "with " + ", ".join(form.format(value) for value in values)
    return "in " + ", ".join(cells)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
