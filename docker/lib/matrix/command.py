"""docker/matrix: its options, and the run as a whole."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import report
from .application import Application
from .docker import RUN_LABEL, Docker, DockerError
from .images import Images
from .report import Run
from .scheduler import Scheduler
from .systems import Refusal, select
from .terminal import Table
from .work import Check, IntegrationTests

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REPOSITORY = Path(__file__).resolve().parents[3]

DESCRIPTION = """
Builds mod_python in a container for each system and drives a real httpd inside under every process model and kind of GIL:
the integration tests against the image to deploy, as its unprivileged user, then a scenario across containers on a private
network (graceful restart, killed child, killed container, under load). Of each system one cell installs the Debian package on a fresh one, and uses it.
"""
EPILOG = """
A selection names a system (bookworm, trixie, forky, forky-3.15), a Python (3.13), a process model (prefork, worker, event,
winnt, itk) and a GIL (shared, own), or some of them: --only 'trixie event'; or a package: --only 'trixie package'. Exit status: 0 when every cell passed, 1 when one
failed, 2 for a command line that makes no sense or a machine on which nothing can be run.
"""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser("docker/matrix", description=DESCRIPTION, epilog=EPILOG)
    options.add_argument("--only", action="append", default=[], metavar="WORDS", help="run the cells that have all these words; may be given again")
    options.add_argument("--app", type=Path, metavar="DIR", help="check whether an application is portable, in the place of the tests: a folder as apxs/serve takes it")
    options.add_argument("--requests", type=Path, metavar="FILE", help="what is asked of it: docs/portable-handlers.md has the format")
    options.add_argument("--list", action="store_true", help="list the cells and end")
    options.add_argument("--jobs", type=int, default=default_jobs(), metavar="N", help="cells that run at once (%(default)s)")
    options.add_argument("--ca", type=Path, default=default_bundle(), metavar="FILE", help="certificates that builds trust beside the system's (%(default)s)")
    options.add_argument("--report", type=Path, default=REPOSITORY / "target/matrix", metavar="FOLDER", help="where report.html and report.json go")
    return options


def default_jobs() -> int:
    """Enough cells to keep the processors busy, since most of the time a cell waits for what it has started; as many as there is memory
    for, which most take a quarter of."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(8, 3 * (os.cpu_count() or 1), memory // (1 << 30)))


def default_bundle() -> Path | None:
    """The bundle that this machine's own tools are told to use."""
    for name in ("CARGO_HTTP_CAINFO", "SSL_CERT_FILE"):
        if value := os.environ.get(name):
            return Path(value)
    return None


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        return status_of("docker/matrix", run, options)
    except KeyboardInterrupt:
        print("docker/matrix: interrupted before anything ran.", file=sys.stderr)
        return 1


def status_of(name: str, run: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Runs a program of docker/; its exit status. What stops all of it is said in one sentence."""
    try:
        return run(options)
    except Refusal as refusal:
        words, status = refusal, 2
    except DockerError as error:
        words, status = error, 1
    print(f"{name}: {words}", file=sys.stderr)
    return status


def check_bundle(bundle: Path | None) -> None:
    """Raises Refusal if --ca names no file."""
    if bundle and not bundle.is_file():
        raise Refusal(f"--ca (by default what CARGO_HTTP_CAINFO or SSL_CERT_FILE name): there is no file {bundle}.")


def run(options: argparse.Namespace) -> int:
    # A package has no application in it.
    cells = select(options.only, packages=not options.app)
    if options.list:
        for cell in cells:
            print(f"{cell.name:26} {'' if cell.reason is None else 'does not run: ' + cell.reason}".rstrip())
        return 0
    if options.jobs < 1:
        raise Refusal("--jobs is a number from 1 on.")
    check_bundle(options.ca)
    if bool(options.app) != bool(options.requests):
        raise Refusal("--app DIR and --requests FILE go together: what is served, and what is asked of it.")
    application = Application.load(options.app, options.requests) if options.app else None
    docker = Docker()
    docker.check()
    try:
        images = Images(docker, REPOSITORY, options.ca, min(2, options.jobs))
    except OSError as error:
        raise Refusal(f"{error.filename or REPOSITORY}, which a build needs, cannot be read: {error.strerror}.") from None
    images.check_disk()
    whole = Run(cells)
    if not whole.to_run:
        raise Refusal("nothing runs: " + "; ".join(f"{result.cell.name}: {result.cell.reason}" for result in whole.results) + ".")
    try:
        report.prepare(options.report)
    except OSError as error:
        raise Refusal(f"--report: {options.report} cannot be written to: {error.strerror}.") from None
    work = Check(docker, images, whole, application) if application else IntegrationTests(docker, images, whole)

    def interrupt(*_: object) -> None:
        # Once is enough: what follows is the end.
        for number in INTERRUPTS:
            signal.signal(number, signal.SIG_IGN)
        print("\ndocker/matrix: ending what runs.", file=sys.stderr)
        raise KeyboardInterrupt

    for number in INTERRUPTS:
        # What nohup has it ignore stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    begun = time.monotonic()
    outcome, interrupted, clean = ({}, "", ""), False, False
    try:
        with Table(whole):
            Scheduler(docker, whole, work, options.jobs).work()
            outcome = work.finish()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        clean = docker.end()
    whole.seconds = time.monotonic() - begun
    facts, section, words = outcome
    try:
        report.write(whole, options.report, facts, section)
    except OSError as error:
        print(f"docker/matrix: the report could not be written: {error}.", file=sys.stderr)
    if not clean:
        label = f"{RUN_LABEL}={docker.run_id}"
        print(f"docker/matrix: Docker did not end all of it: docker ps -a, docker network ls and docker volume ls with --filter label={label} show what is left.", file=sys.stderr)
    return summary(whole, words, options.report, interrupted)


def summary(whole: Run, words: str, folder: Path, interrupted: bool) -> int:
    """Says the last words, and the exit status."""
    ran = whole.to_run
    passed = [result for result in ran if result.state == "passed"]
    tests = sum(result.tests.passed for result in ran if result.tests)
    counted = f", {tests} tests" if tests else ""
    print(f"\n{words}{len(passed)} of {len(ran)} cells passed{counted}, {whole.seconds / 60:.1f} minutes: {folder / 'report.html'}")
    # What went wrong for many, an image that there is not say, is said once, and what a test said about it as the first of them has it:
    # where only these words are kept, CI say, nothing else tells.
    cells: dict[str, list[str]] = {}
    said: dict[str, list[str]] = {}
    for result in ran:
        for name in dict.fromkeys(name for name, _ in result.problems):
            cells.setdefault(name, []).append(result.cell.name)
        for failure in result.tests.failures if result.tests else []:
            said.setdefault(failure.name, failure.words)
    for name, where in cells.items():
        print(f"  {'every cell' if 1 < len(where) == len(ran) else ', '.join(where)}: {name}")
        if len(where) > 1 and name in said:
            print(f"    {where[0]}:")
        for line in said.get(name, []):
            print(f"    {line}")
    if interrupted:
        print("docker/matrix: interrupted.", file=sys.stderr)
        return 1
    return 0 if whole.is_green else 1
