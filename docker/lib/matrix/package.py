"""The Debian package in a cell: installed on a fresh system and used, by the program with which docker/deb tries it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from packages.trial import Trial, run_trial, take_out

from .docker import Docker
from .systems import Cell
from .tests import MEMORY, PROCESSES

PROGRAM = Path(__file__).resolve().parents[2] / "image/deb"


def run_package(docker: Docker, cell: Cell, image: str, tell: Callable[[str], None]) -> Trial:
    """Tries the package in an image's /made. It is the short part of the trial: docker/deb does all of it."""
    limits = ["--memory", MEMORY, "--memory-swap", MEMORY, "--pids-limit", str(PROCESSES)]
    with tempfile.TemporaryDirectory(prefix="mod_python-matrix-") as folder:
        take_out(docker, image, Path(folder), "*", cell.name)
        return run_trial(docker, cell.system, Path(folder), PROGRAM, None, tell, ["quick"], cell.name, limits)
