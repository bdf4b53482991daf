"""Reads the file of requests: TOML, described in docs/portable-handlers.md."""

import re
import tomllib
from pathlib import Path
from typing import Any

from .plan import Expectation, Plan, Request, Session, Step

_TOP = ("request", "session", "limit", "ignore")
_REQUEST = ("name", "method", "path", "headers", "body", "body_file", "expect", "ignore")
_STEP = (*_REQUEST, "times")
_EXPECT = ("status", "body", "matches", "body_file", "headers")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MOST_TIMES = 64


class PlanError(Exception):
    """What is wrong with the file of requests, in one sentence."""


def load(path: str | Path) -> Plan:
    """The plan in a file; PlanError says what is wrong with it, and where."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PlanError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise PlanError(f"{path} is not UTF-8 at byte {error.start}: save it as UTF-8.") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{path} is not TOML: {str(error)[0].lower()}{str(error)[1:]}.") from None
    return _Reader(path, text).plan(table)


class _Reader:
    def __init__(self, path: Path, text: str) -> None:
        self.path, self.lines = path, text.splitlines()
        self.units: set[str] = set()
        self.sessions: set[str] = set()
        self.common: tuple[re.Pattern[str], ...] = ()

    def plan(self, table: dict[str, Any]) -> Plan:
        where = str(self.path)
        self.known(table, _TOP, where)
        limit = table.get("limit", 10)
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit <= 600:
            raise PlanError(f"{where}: limit is the number of seconds that an answer may take, up to 600, not {limit!r}.")
        self.common = self.patterns(table, where)
        requests = [
            self.step(entry, self.place("request", number), _REQUEST, "")
            for number, entry in enumerate(self.tables(table, "request", where))
        ]
        sessions = [self.session(entry, number) for number, entry in enumerate(self.tables(table, "session", where))]
        if not requests and not sessions:
            raise PlanError(f"{where} has no requests: write a [[request]] with a path.")
        return Plan(where, tuple(requests), tuple(sessions), float(limit))

    def session(self, entry: dict[str, Any], number: int) -> Session:
        where = self.place("session", number)
        self.known(entry, ("name", "request"), where)
        name = self.text(entry, "name", where) or f"session {number + 1}"
        if name in self.sessions:
            raise PlanError(f"{where}: the name {name!r} is taken by a session before it.")
        self.sessions.add(name)
        entries = self.tables(entry, "request", where, "session.request")
        if not entries:
            raise PlanError(f"{where} has no steps: write a [[session.request]] below it.")
        steps = [self.step(step, f"{where}, step {index + 1}", _STEP, name) for index, step in enumerate(entries)]
        return Session(name, tuple(steps))

    def step(self, entry: dict[str, Any], where: str, keys: tuple[str, ...], session: str) -> Step:
        if "times" in entry and "times" not in keys:
            raise PlanError(f"{where}: times is for the steps of a session; a [[request]] is sent many times anyway.")
        self.known(entry, keys, where)
        request = self.request(entry, where)
        times = entry.get("times", 1)
        if type(times) is not int or not 1 <= times <= _MOST_TIMES:
            raise PlanError(f"{where}: times is a number from 1 to {_MOST_TIMES}, not {times!r}.")
        name = self.text(entry, "name", where)
        unit = f"{session}: {name or f'{request.method} {request.path}'}" if session else name or f"{request.method} {request.path}"
        if unit in self.units:
            if name:
                raise PlanError(f"{where}: the name {unit!r} is taken by an entry before it.")
            unit = next(f"{unit} ({n})" for n in range(2, len(self.units) + 3) if f"{unit} ({n})" not in self.units)
        self.units.add(unit)
        return Step(unit, request, self.expectation(entry, where), self.common + self.patterns(entry, where), times)

    def request(self, entry: dict[str, Any], where: str) -> Request:
        method = self.text(entry, "method", where) or "GET"
        if not _TOKEN.fullmatch(method):
            raise PlanError(f"{where}: {method!r} is not an HTTP method.")
        path = self.text(entry, "path", where)
        if path is None:
            raise PlanError(f"{where} has no path.")
        if not re.fullmatch(r"/[!-~]*", path):
            raise PlanError(
                f"{where}: the path {path!r} must begin with / and have no blanks and only ASCII characters; percent-encode the others."
            )
        body = self.content(entry, where)
        return Request(method, path, self.headers(entry, where), body)

    def content(self, entry: dict[str, Any], where: str) -> bytes | None:
        text, file = self.text(entry, "body", where), self.text(entry, "body_file", where)
        if text is not None and file is not None:
            raise PlanError(f"{where} has both body and body_file: keep one.")
        if file is None:
            return None if text is None else text.encode()
        path = self.path.parent / file
        try:
            return path.read_bytes()
        except OSError as error:
            raise PlanError(f"{where}: body_file {path} cannot be read: {error.strerror}.") from None
        except ValueError:  # a NUL in it
            raise PlanError(f"{where}: body_file {file!r} is not the name of a file.") from None

    def expectation(self, entry: dict[str, Any], where: str) -> Expectation:
        table = entry.get("expect", {})
        where = f"{where}, expect"
        if not isinstance(table, dict):
            raise PlanError(f"{where} must be a table, such as expect = {{ status = 200 }}, not {table!r}.")
        self.known(table, _EXPECT, where)
        status = table.get("status")
        if status is not None and (type(status) is not int or not 100 <= status <= 599):
            raise PlanError(f"{where}: {status!r} is not an HTTP status.")
        matches = self.text(table, "matches", where)
        body = self.content(table, where)
        if body is not None and matches is not None:
            raise PlanError(f"{where} has both a body and matches: keep one.")
        pattern = None if matches is None else self.pattern(matches, where)
        text = None if body is None else body.decode("utf-8", "backslashreplace")
        return Expectation(status, text, pattern, self.headers(table, where))

    def headers(self, entry: dict[str, Any], where: str) -> tuple[tuple[str, str], ...]:
        table = entry.get("headers", {})
        if not isinstance(table, dict):
            raise PlanError(f"{where}: headers must be a table of names and values, not {table!r}.")
        found = []
        for name, value in table.items():
            if not _TOKEN.fullmatch(name):
                raise PlanError(f"{where}: {name!r} is not the name of a header.")
            if not isinstance(value, str) or not re.fullmatch(r"[\t -~\xa0-\xff]*", value):
                raise PlanError(f"{where}: the value of the header {name} must be text on one line, not {value!r}.")
            found.append((name, value))
        return tuple(found)

    def patterns(self, entry: dict[str, Any], where: str) -> tuple[re.Pattern[str], ...]:
        given = entry.get("ignore", [])
        if isinstance(given, str):
            given = [given]
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise PlanError(f"{where}: ignore must be a list of regular expressions, not {given!r}.")
        return tuple(self.pattern(one, where) for one in given)

    def pattern(self, text: str, where: str) -> re.Pattern[str]:
        try:
            return re.compile(text, re.DOTALL)
        except re.error as error:
            raise PlanError(f"{where}: the regular expression {text!r} is wrong: {error}.") from None
        except (OverflowError, RecursionError):
            shown = text if len(text) <= 60 else f"{text[:60]}..."
            raise PlanError(f"{where}: the regular expression {shown!r} is too large.") from None

    def text(self, entry: dict[str, Any], key: str, where: str) -> str | None:
        value = entry.get(key)
        if value is not None and not isinstance(value, str):
            raise PlanError(f"{where}: {key} must be text, not {value!r}.")
        return value

    def tables(self, entry: dict[str, Any], key: str, where: str, shown: str | None = None) -> list[dict[str, Any]]:
        value = entry.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise PlanError(f"{where}: write [[{shown or key}]] with two brackets, once for each.")
        return value

    def known(self, entry: dict[str, Any], keys: tuple[str, ...], where: str) -> None:
        for key in entry:
            if key not in keys:
                raise PlanError(f"{where}: there is no key {key!r} here; there are {', '.join(keys)}.")

    def place(self, kind: str, number: int) -> str:
        """The entry as a reader finds it: its number and, where its heading is found, its line."""
        headings = [n for n, line in enumerate(self.lines, 1) if re.match(rf"\s*\[\[\s*{kind}\s*\]\]", line)]
        line = f":{headings[number]}" if number < len(headings) else ""
        return f"{self.path}{line}: {kind} {number + 1}"
