"""Compares answers, and shows them."""

import re
from collections.abc import Hashable, Iterable

from .observations import Answer, Run
from .plan import COMPARED, Step

_SHOWN = 60


def has_failed(answer: Answer, step: Step) -> bool:
    """Whether there is no answer, or a status that tells of a failure and is not the expected one."""
    if answer.error is not None or answer.status is None:
        return True
    return answer.status >= 500 and step.expect.status != answer.status


def failed(run: Run, step: Step) -> Answer | None:
    """The first answer that has failed."""
    return next((answer for answer in run.answers if has_failed(answer, step)), None)


def key(answer: Answer, step: Step) -> Hashable:
    """What must be the same in two answers; not the body if the expectation says what it is."""
    if answer.error is not None:
        return answer.error
    expected = {name.lower() for name, _ in step.expect.headers}
    headers = tuple(answer.headers.get(name) for name in COMPARED if name.lower() not in expected)
    return answer.status, headers, None if step.expect.covers_body else body(answer, step)


def run_key(run: Run, step: Step) -> Hashable:
    """What must be the same in two runs: the answers, in whatever order."""
    return tuple(sorted((key(answer, step) for answer in run.answers), key=repr))


def body(answer: Answer, step: Step) -> str:
    """The body without the parts that may differ."""
    text = answer.body
    for pattern in step.ignore:
        text = pattern.sub("…", text)
    return text


def unmet(answer: Answer, step: Step) -> str | None:
    """How the answer differs from the expectation, or None."""
    expect = step.expect
    if expect.status is not None and answer.status != expect.status:
        return f"the status is {answer.status}, not {expect.status}"
    for name, value in expect.headers:
        if answer.headers.get(name) != value:
            return f"the header {name} is {answer.headers.get(name)!r}, not {value!r}"
    if expect.body is not None:
        wanted = body(Answer(None, expect.body), step)
        if body(answer, step) != wanted:
            return "the body is {}, not {}".format(*_two_texts(body(answer, step), wanted))
    if expect.matches is not None and not expect.matches.search(answer.body):
        return f"the body {_text(answer.body)} does not match {expect.matches.pattern!r}"
    return None


def shown(answer: Answer, step: Step) -> str:
    """The answer in a few words."""
    if answer.error is not None:
        return answer.error
    status = "" if answer.status == 200 else f"{answer.status} "
    location = answer.headers.get("Location")
    return f"{status}{f'to {location} ' if location else ''}{_text(body(answer, step))}".strip()


def difference(one: Run, other: Run, step: Step) -> tuple[str, str]:
    """Two runs that differ, each in a few words that show the difference."""
    firsts, others = _only(one, other, step), _only(other, one, step)
    a, b = (firsts or one.answers)[0], (others or other.answers)[0]
    if len(one.answers) > 1 or len(other.answers) > 1:
        return _several(one, step), _several(other, step)
    if a.error is None and b.error is None and a.status == b.status and body(a, step) != body(b, step):
        return _two_texts(body(a, step), body(b, step))
    if a.error is None and b.error is None and shown(a, step) == shown(b, step):
        types = (a.headers.get("Content-Type"), b.headers.get("Content-Type"))
        return f"{shown(a, step)} as {types[0]}", f"{shown(b, step)} as {types[1]}"
    return shown(a, step), shown(b, step)


def shown_runs(runs: Iterable[Run], step: Step, most: int = 3) -> str:
    """Different runs in a few words: "1", "2", "3", ..."""
    texts = list(dict.fromkeys(_several(run, step) for run in runs))
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")


def _only(run: Run, other: Run, step: Step) -> list[Answer]:
    there = {key(answer, step) for answer in other.answers}
    return [answer for answer in run.answers if key(answer, step) not in there]


def _several(run: Run, step: Step) -> str:
    texts = sorted(shown(answer, step) for answer in run.answers)
    counted = dict.fromkeys(texts)
    if len(counted) == len(texts) and len(texts) <= 4:
        return " ".join(texts)
    parts = [f"{texts.count(text)}× {text}" if texts.count(text) > 1 else text for text in counted]
    return " ".join(parts[:4]) + (" ..." if len(parts) > 4 else "")


def _two_texts(one: str, other: str) -> tuple[str, str]:
    """Both texts, shortened to where they differ."""
    same = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = max(0, same - _SHOWN // 3) if max(len(one), len(other)) > _SHOWN else 0
    return _text(one, start), _text(other, start)


def _text(text: str, start: int = 0) -> str:
    part = re.sub(r"\s+", " ", text[start : start + _SHOWN]).strip()
    return f'"{"..." if start else ""}{part}{"..." if start + _SHOWN < len(text) else ""}"'
