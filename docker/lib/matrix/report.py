"""What a run came to: kept while it goes, and written as JSON and as a page."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path

from packages.trial import Trial

from .scenario import ScenarioResult
from .systems import Cell
from .tests import TestRun


@dataclass
class Result:
    """One cell's."""

    cell: Cell
    # waiting, running, passed, failed, not run
    state: str = "waiting"
    doing: str = ""
    begun: float | None = None
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    tests: TestRun | None = None
    scenario: ScenarioResult | None = None
    package: Trial | None = None
    # Why it does not run, where it does not.
    reason: str | None = None
    error: str | None = None
    output: str = ""

    @property
    def problems(self) -> list[tuple[str, str]]:
        """What failed, each with what it said."""
        found = [(failure.name, failure.output) for failure in (self.tests.failures if self.tests else [])]
        if self.scenario and self.scenario.fault:
            found.append((f"scenario: {self.scenario.fault}", self.scenario.log))
        if self.package and self.package.fault:
            found.append((f"package: {self.package.fault}", self.package.log))
        if self.error:
            found.append((self.error, self.output))
        return found

    def facts(self) -> dict:
        return {
            "cell": self.cell.name,
            "system": self.cell.system.name,
            "model": self.cell.model,
            "gil": self.cell.gil,
            "state": self.state,
            "reason": self.reason,
            "versions": self.versions,
            "seconds": round(self.seconds, 1),
            "tests": None if self.tests is None else {"total": self.tests.total, "passed": self.tests.passed},
            "scenario": None if self.scenario is None else asdict(self.scenario),
            "package": None if self.package is None else asdict(self.package),
            "failures": [{"name": name, "output": output} for name, output in self.problems],
        }


class Run:
    """All results; changed by the threads that run the cells."""

    def __init__(self, cells: list[Cell]) -> None:
        self.results = [Result(cell, state="not run" if cell.reason else "waiting", reason=cell.reason) for cell in cells]
        self.begun = time.time()
        self.seconds = 0.0
        self.images: dict[str, int] = {}
        self.changed = threading.Condition()

    @property
    def to_run(self) -> list[Result]:
        return [result for result in self.results if result.state != "not run"]

    @property
    def is_green(self) -> bool:
        return all(result.state == "passed" for result in self.to_run)

    def tell(self, result: Result, **changes: object) -> None:
        """Changes a result, for everybody who looks on."""
        with self.changed:
            for name, value in changes.items():
                setattr(result, name, value)
            self.changed.notify_all()

    def facts(self) -> dict:
        return {
            "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.begun)),
            "seconds": round(self.seconds, 1),
            "green": self.is_green,
            "images": self.images,
            "cells": [result.facts() for result in self.results],
        }


def prepare(folder: Path) -> None:
    """Makes the report's folder, sees that it can be written to, and removes what an earlier run left there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("report.json", "report.html"):
        (folder / name).touch()
        (folder / name).unlink()


def write(run: Run, folder: Path, extra: dict | None = None, section: str = "") -> None:
    """Writes report.json and report.html; `extra` and `section` are what an application's check adds to them."""
    facts = {**run.facts(), **(extra or {})}
    (folder / "report.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(page(facts, section), encoding="utf-8")


STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #c62828; --quiet: #888; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.passed { color: var(--good); font-weight: 600; } .failed { color: var(--bad); font-weight: 600; }
.quiet { color: var(--quiet); }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); font-size: 12px; max-height: 30rem; }
summary { cursor: pointer; }
"""


def page(facts: dict, section: str) -> str:
    """The report as a page of its own."""
    cells = facts["cells"]
    ran = [cell for cell in cells if cell["state"] != "not run"]
    failed = [cell for cell in ran if cell["state"] != "passed"]
    tests = sum(cell["tests"]["passed"] for cell in ran if cell["tests"])
    title = f"{len(ran) - len(failed)} of {len(ran)} cells passed"
    images = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in sorted(facts["images"].items()))
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>mod_python matrix: {title}</title><style>{STYLE}</style><h1>{title}</h1>",
        f"<p>{facts['begun']}, {facts['seconds'] / 60:.1f} minutes, {tests} tests passed. {escape(images)}</p>",
        section,
        "<table><tr><th>system<th>model<th>GIL<th>versions<th>result<th>tests<th>scenario<th>package<th>time</tr>",
        *map(row, cells),
        "</table>",
    ]
    for cell in failed:
        parts.append(f"<h2 class=failed>{escape(cell['cell'])}</h2>")
        for failure in cell["failures"]:
            parts.append(f"<details><summary>{escape(failure['name'])}</summary><pre>{escape(failure['output'])}</pre></details>")
    for kind, title in (("scenario", "Scenarios"), ("package", "Packages")):
        stories = [cell for cell in ran if cell[kind]]
        if stories:
            parts.append(f"<h2>{title}</h2>")
        for cell in stories:
            steps = "".join(f"<li>{escape(step)}" for step in cell[kind]["steps"])
            parts.append(f"<details><summary>{escape(cell['cell'])}</summary><ul>{steps}</ul></details>")
    return "\n".join(parts) + "</html>\n"


def row(cell: dict) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in cell["versions"].items())
    tests = cell["tests"]
    if cell["state"] == "not run":
        rest = f"<td class=quiet colspan=6>does not run: {escape(cell['reason'] or '')}"
    else:
        counts = f"{tests['passed']}/{tests['total']}" if tests else ""
        scene, package = (
            "" if story is None else "failed" if story["fault"] else f"{len(story['steps'])} steps" for story in (cell["scenario"], cell["package"])
        )
        rest = (
            f"<td>{escape(versions)}<td class={cell['state']}>{cell['state']}<td class=number>{counts}<td>{scene}<td>{package}"
            f"<td class=number>{cell['seconds']:.0f} s"
        )
    return f"<tr><td>{escape(cell['system'])}<td>{escape(cell['model'])}<td>{escape(cell['gil'])}{rest}</tr>"
