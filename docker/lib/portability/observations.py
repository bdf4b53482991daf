"""What was seen in one cell: plain data, as it goes into the report."""

from dataclasses import asdict, dataclass, field
from typing import Any

ALONE, ROUNDS, TOGETHER, RESTART, ELSEWHERE = PASSES = ("alone", "rounds", "together", "restart", "elsewhere")

ONE_CHILD = "winnt"  # the process model in which there is no other one to ask


@dataclass(frozen=True)
class Answer:
    """One answer, or the sentence that says why there was none."""

    status: int | None
    body: str = ""
    headers: dict[str, str | None] = field(default_factory=dict)
    error: str | None = None


@dataclass
class Run:
    """The answers to one sending of a unit: one, or as many as the step's times. `same_child`: by a child that had answered it before."""

    answers: list[Answer]
    child: int | None = None
    same_child: bool = False


@dataclass(frozen=True)
class Change:
    """A global that had another value after a request than before it.

    `since_import`: before is what the source says, so that also another request, or the import, may have changed it.
    `repeated`: the child had answered that request before.
    """

    module: str
    file: str
    line: int | None
    name: str
    before: str
    after: str
    since_import: bool = False
    repeated: bool = False


@dataclass(frozen=True)
class Event:
    """What the watch noted: see docker/watch. Without a unit, it is not known which request it was."""

    kind: str
    what: str
    file: str | None
    line: int | None
    function: str | None
    phase: str
    unit: str | None = None


@dataclass(frozen=True)
class Failure:
    """An exception, or the end of a child, in the error log."""

    sentence: str
    file: str | None = None
    line: int | None = None
    importing: bool = False
    crash: bool = False
    unit: str | None = None
    during: str = ALONE


@dataclass
class Observations:
    """All that was seen in a cell."""

    cell: dict[str, str]  # name, system, python, model, gil
    runs: dict[str, dict[str, list[Run]]] = field(default_factory=dict)  # pass, unit
    changes: dict[str, list[Change]] = field(default_factory=dict)  # unit; one that was never looked behind is not in it
    events: list[Event] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    children: int = 0  # that answered in the pass `rounds`
    unsent: list[str] = field(default_factory=list)  # units that the pass `together` did not come to
    unusable: str | None = None  # why the application cannot be checked here at all, a sentence
    seconds: float = 0.0

    def add_run(self, during: str, unit: str, run: Run) -> None:
        """Take a run of a unit in a pass."""
        self.runs.setdefault(during, {}).setdefault(unit, []).append(run)

    def to_json(self) -> dict[str, Any]:
        """As data for json.dumps."""
        return asdict(self)
