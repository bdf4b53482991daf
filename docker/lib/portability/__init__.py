"""The portability check: whether an application answers the same under every process model.

    plan = requests.load(path)                                  what to send, and what must come back
    observed = check.run(cells, plan, progress)                 what is seen in the cells, the ways to serve the application
    found = verdict.judge(plan, observed)                       what depends on the process model, and why
    print(verdict.text(found)); found.to_json(); found.passed

PlanError and CheckError are sentences for the user. docs/portable-handlers.md has the rules and the format of the file of requests.
"""

from collections.abc import Iterable
from pathlib import Path

from . import check, requests, verdict
from .check import Cell, CheckError, Progress
from .observations import Observations
from .requests import PlanError
from .verdict import Verdict

__all__ = ["Cell", "CheckError", "Observations", "PlanError", "Verdict", "examine"]


def examine(path: str | Path, cells: Iterable[Cell], progress: Progress = lambda _sentence: None) -> tuple[Verdict, dict[str, Observations]]:
    """The verdict on the application that the cells serve, and what was seen in each.

    PlanError: the file of requests has an error. CheckError: the application does not work in the first cell, or a server or the
    client does not.
    """
    plan = requests.load(path)
    observed = check.run(cells, plan, progress)
    return verdict.judge(plan, observed), observed
