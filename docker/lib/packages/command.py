"""What docker/deb and docker/wheel share: packages are built in a container of each release, and tried on a fresh one."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matrix.command import REPOSITORY, check_bundle, default_bundle, status_of
from matrix.docker import Docker, DockerError
from matrix.images import ImageError, Images, Progress
from matrix.systems import SYSTEMS, Refusal, System

from .trial import run_trial, take_out

EPILOG = "Exit status: 0 when all were built and work, 1 when one was not or does not, 2 when nothing can be done here."


@dataclass(frozen=True)
class Kind:
    """A kind of package."""

    command: str
    description: str
    build: Callable[..., str]  # of Images, System, Progress and the number of the build: the image with them in /made
    pattern: str  # of their names
    trial: str  # the folder with the program that tries them


def parser(kind: Kind) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(kind.command, description=kind.description, epilog=EPILOG)
    options.add_argument("suites", nargs="*", metavar="SUITE", help=f"which releases, of {', '.join(known())} (all)")
    options.add_argument("--output", type=Path, default=REPOSITORY / "target" / Path(kind.command).name, metavar="FOLDER", help="where the packages go (%(default)s)")
    either = options.add_mutually_exclusive_group()
    either.add_argument("--no-trial", action="store_true", help="build only")
    either.add_argument("--trial-only", action="store_true", help="try what an earlier run has put into FOLDER")
    options.add_argument("--ca", type=Path, default=default_bundle(), metavar="FILE", help="certificates that builds trust beside the system's (%(default)s)")
    return options


def known() -> dict[str, System]:
    """The releases. A package is for the release's own python3."""
    return {system.suite: system for system in SYSTEMS if system.has_package}


def main(kind: Kind, arguments: list[str]) -> int:
    return status_of(kind.command, lambda options: run(kind, options), parser(kind).parse_args(arguments))


def begin(options: argparse.Namespace) -> tuple[Docker, Images, list[System]]:
    """What makes packages, and the releases that they are for. Raises Refusal if that cannot be. SIGTERM is an interruption from here on."""
    systems = known()
    if unknown := [suite for suite in options.suites if suite not in systems]:
        raise Refusal(f"there is no release {unknown[0]}: it is one of {', '.join(systems)}.")
    check_bundle(options.ca)
    docker = Docker()
    docker.check()
    images = Images(docker, REPOSITORY, options.ca, 1)
    images.check_disk()

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    return docker, images, [systems[suite] for suite in options.suites or systems]


def run(kind: Kind, options: argparse.Namespace) -> int:
    docker, images, systems = begin(options)
    failed = []
    try:
        for system in systems:
            if not make(kind, docker, images, system, options):
                failed.append(system.suite)
    except KeyboardInterrupt:
        print(f"{kind.command}: interrupted.", file=sys.stderr)
        return 1
    finally:
        docker.end()
    if failed:
        print(f"{kind.command}: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def make(kind: Kind, docker: Docker, images: Images, system: System, options: argparse.Namespace) -> bool:
    """Builds and tries one system's package; says whether it works."""
    shown = {""}

    def progress(words: str) -> None:
        # Of a build's steps only that it builds.
        words = words.split(": ")[0]
        if words not in shown:
            shown.add(words)
            print(f"{system.suite}: {words}", flush=True)

    folder = options.output / system.suite
    try:
        if options.trial_only:
            images.base(system, progress)
            names = sorted(file.name for file in folder.glob(kind.pattern))
            if not names:
                print(f"{system.suite}: {folder} has no package to try.", file=sys.stderr)
                return False
        else:
            names = take_out(docker, kind.build(images, system, progress), folder, kind.pattern)
    except (ImageError, DockerError) as error:
        print(f"{system.suite}: {error}", file=sys.stderr)
        print("\n".join(getattr(error, "output", "").splitlines()[-40:]), file=sys.stderr)
        return False
    print(f"{system.suite}: {', '.join(name for name in names if name.endswith(('deb', 'whl', 'gz')))} in {folder}")
    if options.no_trial:
        return True
    print(f"{system.suite}: installing it on a fresh system", flush=True)
    return try_out(kind, docker, system, folder, options.ca)


def try_out(kind: Kind, docker: Docker, system: System, folder: Path, ca_bundle: Path | None) -> bool:
    """Installs the package on a fresh system and uses it; says whether all went as it should."""

    def tell(step: str) -> None:
        print(f"{system.suite}: == {step}", flush=True)

    try:
        trial = run_trial(docker, system, folder, REPOSITORY / kind.trial, ca_bundle, tell)
    except DockerError as error:
        print(f"{system.suite}: {error}", file=sys.stderr)
        return False
    for line in trial.log.splitlines():
        print(f"{system.suite}: {line}", flush=True)
    return trial.fault is None
