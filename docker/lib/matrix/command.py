"""docker/matrix: its options, and the run as a whole."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import report
from .docker import Docker, DockerError
from .images import BuildError, Images
from .report import Result, Run
from .scenario import run_scenario
from .systems import Refusal, System, select
from .terminal import Table
from .tests import run_tests

REPOSITORY = Path(__file__).resolve().parents[3]

DESCRIPTION = """
Builds mod_python in a container for each system and drives a real httpd inside under every process model and kind of GIL:
the integration tests against the image to deploy, as its unprivileged user, then a scenario across containers on a private
network (graceful restart, killed child, killed container, under load).
"""
EPILOG = """
A selection names a system (bookworm, trixie, forky, forky-3.15), a Python (3.13), a process model (prefork, worker, event,
winnt, itk) and a GIL (shared, own), or some of them: --only 'trixie event'. Exit status: 0 when every cell passed, 1 when one
failed, 2 for a command line that makes no sense or a machine on which nothing can be run.
"""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser("docker/matrix", description=DESCRIPTION, epilog=EPILOG)
    options.add_argument("--only", action="append", default=[], metavar="WORDS", help="run the cells that have all these words; may be given again")
    options.add_argument("--list", action="store_true", help="list the cells and end")
    options.add_argument("--jobs", type=int, default=min(8, (os.cpu_count() or 1) + 1), metavar="N", help="cells that run at once (%(default)s)")
    options.add_argument("--ca", type=Path, default=default_bundle(), metavar="FILE", help="certificates that builds trust beside the system's (%(default)s)")
    options.add_argument("--report", type=Path, default=REPOSITORY / "target/matrix", metavar="FOLDER", help="where report.html and report.json go")
    return options


def default_bundle() -> Path | None:
    """The bundle that this machine's own tools are told to use."""
    for name in ("CARGO_HTTP_CAINFO", "SSL_CERT_FILE"):
        if value := os.environ.get(name):
            return Path(value)
    return None


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        return run(options)
    except Refusal as refusal:
        print(f"docker/matrix: {refusal}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace) -> int:
    cells = select(options.only)
    if options.list:
        for cell in cells:
            print(f"{cell.name:26} {'' if cell.reason is None else 'does not run: ' + cell.reason}".rstrip())
        return 0
    if options.jobs < 1:
        raise Refusal("--jobs is a number from 1 on.")
    if options.ca and not options.ca.is_file():
        raise Refusal(f"--ca: there is no file {options.ca}.")
    docker = Docker()
    docker.check()
    images = Images(docker, REPOSITORY, options.ca, min(2, options.jobs))
    images.check_disk()
    whole = Run(cells)
    if not whole.to_run:
        raise Refusal("nothing runs: " + "; ".join(f"{result.cell.name}: {result.cell.reason}" for result in whole.results) + ".")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    begun = time.monotonic()
    interrupted = False
    try:
        with Table(whole):
            Crew(docker, images, whole, options.jobs).work()
    except KeyboardInterrupt:
        interrupted = True
        print("docker/matrix: ending what runs.", file=sys.stderr)
    finally:
        docker.end()
    whole.seconds = time.monotonic() - begun
    report.write(whole, options.report)
    return summary(whole, options.report, interrupted)


class Crew:
    """Builds the images and runs the cells, some at a time; a cell begins as soon as its image is there."""

    def __init__(self, docker: Docker, images: Images, whole: Run, jobs: int) -> None:
        self._docker, self._images, self._whole = docker, images, whole
        self._cells = ThreadPoolExecutor(jobs)
        self._builds = ThreadPoolExecutor(2)
        self._stopped = threading.Event()

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

    def _prepare(self, system: System, results: list[Result]) -> list:
        def progress(words: str) -> None:
            for result in results:
                self._whole.tell(result, doing=words)

        try:
            deployed = self._images.deployed(system, progress)
            cell = self._images.cell(system, progress)
            versions = self._versions(deployed, system)
            size = int(self._docker.call("image", "inspect", "--format", "{{.Size}}", deployed))
            self._whole.images[deployed] = size
        except BuildError as error:
            for result in results:
                self._whole.tell(result, state="failed", error=str(error), output=error.output)
            return []
        except DockerError as error:
            for result in results:
                self._whole.tell(result, state="failed", error=str(error))
            return []
        return [self._cells.submit(self._run, result, deployed, cell, versions) for result in results]

    def _versions(self, image: str, system: System) -> dict[str, str]:
        """What is really in the image."""
        words = f"apache2 -v | head -n 1; python{system.python} -V"
        lines = self._docker.call("run", "--rm", *self._docker.label(), "--entrypoint", "bash", image, "-c", words).splitlines()
        return {"httpd": lines[0].partition("/")[2].split()[0], "Python": lines[1].split()[1]}

    def _run(self, result: Result, deployed: str, image: str, versions: dict[str, str]) -> None:
        cell, tell = result.cell, self._whole.tell
        begun = time.monotonic()
        tell(result, state="running", begun=begun, doing="tests", versions=versions)
        try:
            tests = run_tests(self._docker, cell, image, lambda words: tell(result, doing=f"tests {words}"))
            tell(result, tests=tests, doing="scenario")
            # mpm_itk is no part of the image to deploy.
            story = run_scenario(
                self._docker, cell, image if cell.model == "itk" else deployed, lambda words: tell(result, doing=f"scenario: {words}")
            )
            tell(result, story=story)
        except DockerError as error:
            tell(result, error=str(error))
        finally:
            seconds = time.monotonic() - begun
            tell(result, seconds=seconds, state="failed" if result.problems else "passed")


def summary(whole: Run, folder: Path, interrupted: bool) -> int:
    """The last words, and the exit status."""
    ran = whole.to_run
    passed = [result for result in ran if result.state == "passed"]
    tests = sum(result.tests.passed for result in ran if result.tests)
    print(f"\n{len(passed)} of {len(ran)} cells passed, {tests} tests, {whole.seconds / 60:.1f} minutes: {folder / 'report.html'}")
    for result in ran:
        for name, _ in result.problems:
            print(f"  {result.cell.name}: {name}")
    if interrupted:
        print("docker/matrix: interrupted; nothing is left running.", file=sys.stderr)
        return 1
    return 0 if whole.is_green else 1
