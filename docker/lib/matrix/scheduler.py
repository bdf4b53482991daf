"""Builds the images and runs the cells, some at a time."""

from __future__ import annotations

import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor

from .docker import Docker, DockerError
from .images import ImageError
from .report import Result, Run
from .systems import System
from .work import Work

# Builds that run at once: a compiler takes all cores for itself most of the time.
BUILDS = 2
# The models whose cells take longest.
SLOW = ("winnt", "itk")


class Scheduler:
    """A cell begins as soon as its image is there. Whatever goes wrong in a cell is that cell's error, and the others go on."""

    def __init__(self, docker: Docker, run: Run, work: Work, jobs: int) -> None:
        self._docker, self._run, self._work = docker, run, work
        self._cells = ThreadPoolExecutor(jobs)
        self._builds = ThreadPoolExecutor(BUILDS)

    def work(self) -> None:
        """Returns when every cell has run; KeyboardInterrupt ends them all."""
        try:
            self._everything()
        except BaseException:
            self._docker.end()
            raise
        finally:
            self._builds.shutdown(cancel_futures=True)
            self._cells.shutdown(cancel_futures=True)

    def _everything(self) -> None:
        results = self._run.to_run
        if self._work.first_cell_decides:
            first = results[0]
            for cell in self._prepare(first.cell.system, [first]):
                cell.result()
            if first.problems:
                for other in results[1:]:
                    self._run.tell(other, state="not run", reason=f"the first cell, {first.cell.name}, has failed")
                return
            results = results[1:]
        # A package is no part of the other cells' image: neither waits for the other.
        groups: dict[tuple[System, bool], list[Result]] = {}
        for result in results:
            groups.setdefault((result.cell.system, result.cell.is_package), []).append(result)
        builds = [self._builds.submit(self._prepare, system, some) for (system, _), some in groups.items()]
        for cells in [build.result() for build in builds]:
            for cell in cells:
                cell.result()

    def _prepare(self, system: System, results: list[Result]) -> list[Future[None]]:
        """Builds what these cells of a system need, and has them run."""

        def progress(words: str) -> None:
            for result in results:
                self._run.tell(result, doing=words)

        try:
            images = {model: self._work.image(system, model, progress) for model in {result.cell.model for result in results}}
            # What a package runs with is what it is installed beside.
            versions = {} if results[0].cell.is_package else self._work.versions(system, progress)
        except Exception as error:
            for result in results:
                self._run.tell(result, state="failed", **described(error))
            return []
        # The longest first, so that none of them is left alone at the end.
        results = sorted(results, key=lambda result: result.cell.model not in SLOW)
        return [self._cells.submit(self._cell, result, images[result.cell.model], versions) for result in results]

    def _cell(self, result: Result, image: str, versions: dict[str, str]) -> None:
        """Runs one cell, for so long at most as its work may take."""
        name, limit = result.cell.name, self._work.limit
        overdue, done = threading.Event(), threading.Event()

        def end() -> None:
            overdue.set()
            while not done.is_set():
                self._docker.end_cell(name)
                done.wait(1)

        timer = threading.Timer(limit, end)
        timer.start()
        begun = time.monotonic()
        self._run.tell(result, state="running", doing="starting", begun=begun, versions=versions)
        error: dict[str, str] = {}
        try:
            self._work.run(result, image)
        except Exception as failure:
            error = described(failure)
        finally:
            timer.cancel()
            done.set()
        if overdue.is_set():
            error = {"error": f"not done after {limit} s: it was ended", "output": error.get("output", "")}
        if error:
            self._run.tell(result, **error)
        state = "failed" if result.problems else "passed"
        self._run.tell(result, seconds=time.monotonic() - begun, state=state)


def described(error: Exception) -> dict[str, str]:
    """An error as a result has it. One that nobody has thought of comes with its traceback."""
    if isinstance(error, ImageError):
        return {"error": str(error), "output": error.output}
    if isinstance(error, DockerError):
        return {"error": str(error)}
    return {"error": f"docker/matrix has a defect: {type(error).__name__}: {error}", "output": "".join(traceback.format_exception(error))}
