"""Who builds and runs the cells, some at a time."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

from .docker import Docker, DockerError
from .images import BuildError
from .report import Result, Run
from .systems import System
from .work import Work


class Crew:
    """Builds the images and runs the cells, some at a time; a cell begins as soon as its image is there."""

    def __init__(self, docker: Docker, whole: Run, work: Work, jobs: int) -> None:
        self._docker, self._whole, self._work = docker, whole, work
        self._cells = ThreadPoolExecutor(jobs)
        self._builds = ThreadPoolExecutor(2)

    def work(self) -> None:
        """Returns when every cell has run; KeyboardInterrupt ends them all."""
        systems: dict[System, list[Result]] = {}
        for result in self._whole.to_run:
            systems.setdefault(result.cell.system, []).append(result)
        try:
            builds = [self._builds.submit(self._prepare, system, results) for system, results in systems.items()]
            for runs in [build.result() for build in builds]:
                for run in runs:
                    run.result()
        except BaseException:
            self._docker.end()
            raise
        finally:
            self._builds.shutdown(cancel_futures=True)
            self._cells.shutdown(cancel_futures=True)

    def _prepare(self, system: System, results: list[Result]) -> list[Future[None]]:
        def progress(words: str) -> None:
            for result in results:
                self._whole.tell(result, doing=words)

        try:
            images = {model: self._work.image(system, model, progress) for model in {result.cell.model for result in results}}
            versions = self._work.versions(system, progress)
        except (BuildError, DockerError) as error:
            for result in results:
                self._whole.tell(result, state="failed", error=str(error), output=getattr(error, "output", ""))
            return []
        return [self._cells.submit(self._run, result, images[result.cell.model], versions) for result in results]

    def _run(self, result: Result, image: str, versions: dict[str, str]) -> None:
        begun = time.monotonic()
        self._whole.tell(result, state="running", begun=begun, versions=versions)
        try:
            self._work.run(result, image)
        except DockerError as error:
            self._whole.tell(result, error=str(error))
        finally:
            seconds = time.monotonic() - begun
            self._whole.tell(result, seconds=seconds, state="failed" if result.problems else "passed")
