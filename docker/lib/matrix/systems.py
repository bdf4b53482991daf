"""The systems, process models and GIL modes, and the cells that they make."""

from __future__ import annotations

from dataclasses import dataclass


class Refusal(Exception):
    """Something that stops the whole run: one sentence for whoever started it."""


@dataclass(frozen=True)
class System:
    """A Debian release with one of its Pythons."""

    name: str
    suite: str
    python: str
    package: str = "python3"

    @property
    def base(self) -> str:
        """The base image, under the name that Debian publishes it."""
        return f"debian:{self.suite}-slim"

    @property
    def has_own_gil(self) -> bool:
        return tuple(map(int, self.python.split("."))) >= (3, 12)

    @property
    def has_package(self) -> bool:
        """Whether there is a Debian package for it. One is for the release's own python3."""
        return self.package == "python3"


# The oldest first: the test programs are linked there.
SYSTEMS = (
    System("bookworm", "bookworm", "3.11"),
    System("trixie", "trixie", "3.13"),
    System("forky", "forky", "3.14"),
    System("forky-3.15", "forky", "3.15", "python3.15"),
)

MODELS = ("prefork", "worker", "event", "winnt", "itk")
GILS = ("shared", "own")
# In the place of a model: the Debian package, installed, with the model and the GIL that it comes with.
PACKAGE = "package"


@dataclass(frozen=True)
class Cell:
    """One system under one process model with one kind of GIL, or its package, whose GIL has no word."""

    system: System
    model: str
    gil: str

    @property
    def name(self) -> str:
        return f"{self.system.name} {self.model} {self.gil}".rstrip()

    @property
    def words(self) -> set[str]:
        """What selects this cell."""
        return {self.system.name, self.system.suite, self.system.python, self.model, self.gil} - {""}

    @property
    def is_package(self) -> bool:
        return self.model == PACKAGE

    @property
    def reason(self) -> str | None:
        """Why this cell does not run, if it makes no sense."""
        if self.is_package and not self.system.has_package:
            return f"a Debian package is for the release's own python3, and Python {self.system.python} is another one there"
        if self.gil == "own" and not self.system.has_own_gil:
            return f"Python {self.system.python} has one GIL for all interpreters; an own one takes 3.12"
        return None


def all_cells(packages: bool = True) -> list[Cell]:
    """Every cell, in the order of the report; also those that do not run."""
    cells = []
    for system in SYSTEMS:
        cells += [Cell(system, model, gil) for gil in GILS for model in MODELS]
        cells += [Cell(system, PACKAGE, "")] if packages else []
    return cells


def select(selections: list[str], packages: bool = True) -> list[Cell]:
    """The cells that have all the words of one of the selections; all cells if there is none. Those of packages only where they are wanted.

    Raises Refusal for a word that selects nothing, and for words that select nothing together.
    """
    cells = all_cells(packages)
    known = set().union(*(cell.words for cell in cells))
    chosen: set[Cell] = set()
    for selection in selections:
        words = set(selection.split())
        if unknown := words - known:
            systems = ", ".join(system.name for system in SYSTEMS)
            raise Refusal(
                f"--only '{selection}': there is no '{sorted(unknown)[0]}'; the systems are {systems}, or a Python's X.Y, "
                f"the process models {', '.join(MODELS)}, the GILs {', '.join(GILS)}{f', or {PACKAGE}' if packages else ''}."
            )
        found = {cell for cell in cells if words <= cell.words}
        if not found:
            raise Refusal(f"--only '{selection}' selects no cell: no cell is all of that together.")
        chosen |= found
    return [cell for cell in cells if not selections or cell in chosen]
