"""The table in the terminal: redrawn while it runs; a line for each event where there is no terminal."""

from __future__ import annotations

import shutil
import sys
import threading
import time

from .report import Result, Run

MARKS = {"waiting": "·", "running": "…", "passed": "✓", "failed": "✗", "not run": "-"}
COLOURS = {"running": "36", "passed": "32", "failed": "31", "not run": "90", "waiting": "90"}


class Table:
    """Shows a run until it is over. Use as a context manager."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._live = sys.stdout.isatty()
        self._drawn = 0
        self._said: dict[str, str] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Table":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._run.changed:
            self._run.changed.notify_all()
        self._thread.join()

    def _follow(self) -> None:
        while not self._over.is_set():
            with self._run.changed:
                self._run.changed.wait(timeout=1)
            self._show()
            if self._live:
                time.sleep(0.1)
        self._show()

    def _show(self) -> None:
        if self._live:
            self._draw()
            return
        for result in self._run.results:
            if result.state == "waiting":
                # The cells of a system wait for the same image, its package for one of its own.
                who, text = result.cell.name if result.cell.is_package else result.cell.system.name, stage(result.doing)
                words = f"{who}: {text}"
            else:
                who, text = result.cell.name, result.state + stage(result.doing if result.state == "running" else "")
                words = line(result, 160)
            if text and self._said.get(who) != text:
                self._said[who] = text
                print(words, flush=True)

    def _draw(self) -> None:
        width, height = shutil.get_terminal_size()
        lines = [colour(result.state, line(result, width - 1)) for result in self._run.results]
        # What does not fit is shown at the end.
        if len(lines) > height - 2 and not self._over.is_set():
            busy = [text for text, result in zip(lines, self._run.results) if result.state in ("running", "failed")]
            done = sum(result.state == "passed" for result in self._run.results)
            lines = [f"{done} of {len(self._run.to_run)} cells passed", *busy][: height - 2]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        sys.stdout.write(up + "\x1b[J" + "\n".join(lines) + "\n")
        sys.stdout.flush()
        self._drawn = len(lines)


def stage(doing: str) -> str:
    """What a cell is doing, without how far it is."""
    words = doing.partition(": ")[0]
    return "tests" if words.startswith("tests") else words


def line(result: Result, width: int) -> str:
    """A cell's line."""
    if result.state == "not run":
        rest = result.reason or ""
    elif result.state == "running":
        rest = f"{time.monotonic() - (result.begun or 0):4.0f} s  {result.doing}"
    elif result.state == "waiting":
        rest = result.doing
    else:
        tests = f"{result.tests.summary} tests" if result.tests else ""
        scene = f"scenario {len(result.scenario.steps)} steps" if result.scenario else ""
        package = f"package {len(result.package.steps)} steps" if result.package else ""
        problems = "; ".join(name for name, _ in result.problems)
        rest = f"{result.seconds:4.0f} s  " + ", ".join(part for part in (tests, scene, package, problems) if part)
    return f"{MARKS[result.state]} {result.cell.name:26} {rest}"[:width]


def colour(state: str, text: str) -> str:
    return f"\x1b[{COLOURS[state]}m{text}\x1b[0m"
