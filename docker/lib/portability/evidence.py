"""What the watch and the log know about a difference in answers: the places in the application that it comes from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from .observations import Change, Event, Failure, Observations
from .plan import Plan


@dataclass(frozen=True)
class Evidence:
    """One thing that was seen, and where in the application; `name` is that of a global, if it is about one."""

    sentence: str
    file: str | None = None
    line: int | None = None
    name: str | None = None


def place(file: str | None, line: int | None) -> str:
    """File and line in words."""
    if file is None:
        return "an unknown place"
    return PurePath(file).name + (f" line {line}" if line else "")


def of_change(change: Change) -> Evidence:
    """A changed global."""
    path = PurePath(change.file)
    return Evidence(
        f"the global `{change.name}` of {path.name} changes (from {change.before} to {change.after}"
        + (f"; line {change.line})" if change.line else ")"),
        change.file,
        change.line,
        change.name,
    )


def of_event(event: Event) -> Evidence:
    """Something that the watch noted."""
    inside = f" in {event.function}()" if event.function and event.function != "<module>" else ""
    return Evidence(f"{event.what} at {place(event.file, event.line)}{inside}", event.file, event.line)


def of_failure(failure: Failure) -> Evidence:
    """An exception."""
    where = f" at {place(failure.file, failure.line)}" if failure.file else ""
    return Evidence(f"{short(failure.sentence)}{where}", failure.file, failure.line)


def short(sentence: str) -> str:
    """A sentence of the log, not longer than a line or two."""
    sentence = re.sub(r"\s+", " ", sentence)
    return sentence if len(sentence) <= 240 else sentence[:237] + "..."


def related(plan: Plan, unit: str) -> list[str]:
    """The unit and, of a session, the steps up to it: what an answer may come from."""
    session = plan.session_of.get(unit)
    if session is None:
        return [unit]
    units = [step.unit for step in session.steps]
    return units[: units.index(unit) + 1]


def changes(plan: Plan, seen: Observations, unit: str) -> list[Evidence]:
    """The globals that this unit changes, each once; those that change with every request first."""
    found = [change for one in related(plan, unit) for change in seen.changes.get(one, ())]
    # What was only compared with the source may have changed at the import, as a registry does.
    found = [change for change in found if not change.since_import] or found
    found.sort(key=lambda change: not change.repeated)
    kept = {(change.file, change.name): change for change in reversed(found)}
    # An attribute of an object or a class says more than the object.
    names = {name for _, name in kept}
    ordered = sorted(kept.values(), key=found.index)
    return [of_change(change) for change in ordered if not any(name.startswith(f"{change.name}.") for name in names)]


def events(plan: Plan, seen: Observations, unit: str, kinds: Iterable[str]) -> list[Evidence]:
    """What the watch noted of these kinds, for this unit."""
    units = related(plan, unit)
    return unique(of_event(event) for event in seen.events if event.kind in kinds and event.unit in units)


def failures(seen: Observations, unit: str, during: str) -> list[Failure]:
    """What failed in a pass: for this unit, or for one that is not known."""
    found = [failure for failure in seen.failures if failure.during == during]
    return [failure for failure in found if failure.unit == unit] or [failure for failure in found if failure.unit is None]


def unique(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Each piece of evidence once."""
    return list(dict.fromkeys(evidence))
