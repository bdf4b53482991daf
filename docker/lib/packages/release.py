"""docker/release: everything that is given away, in one folder."""

from __future__ import annotations

import argparse
import gzip
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from matrix.command import REPOSITORY, default_bundle, status_of
from matrix.docker import Docker, DockerError
from matrix.images import ImageError, Images
from matrix.systems import Refusal, System

from . import deb, wheel
from .command import EPILOG, Kind, begin, known, try_out
from .files import SUMS, compare, write_sums
from .trial import take_out
from .versions import date_of, version_of

DESCRIPTION = """
Makes what is given away, in one folder: the Debian packages and the wheel of each release, the source package, the image to deploy, a list of the
crates in the module (SBOM), what cargo-deny and pip-audit say about them, and SHA256SUMS. Packages and wheels are tried on fresh systems, as docker/deb and
docker/wheel do.
"""
# The release that the image is of, as in docker/Dockerfile.
IMAGE_SUITE = "trixie"
REPORTS_LIMIT = 10 * 60


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser("docker/release", description=DESCRIPTION, epilog=EPILOG)
    options.add_argument("suites", nargs="*", metavar="SUITE", help=f"which releases, of {', '.join(known())} (all)")
    options.add_argument("--output", type=Path, default=REPOSITORY / "target/dist", metavar="FOLDER", help="what is in it is replaced (%(default)s)")
    options.add_argument("--check", action="store_true", help="build packages and wheels a second time, in another folder, and compare them byte for byte")
    options.add_argument("--no-trial", action="store_true", help="do not try them")
    options.add_argument("--no-image", action="store_true", help="without the image")
    options.add_argument("--ca", type=Path, default=default_bundle(), metavar="FILE", help="certificates that builds trust beside the system's (%(default)s)")
    return options


def main(arguments: list[str]) -> int:
    return status_of("docker/release", run, parser().parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    version = version_of(REPOSITORY)
    if not is_ours(options.output):
        raise Refusal(f"--output: {options.output} is there already and is no release (it has no {SUMS}): name another folder, or empty it.")
    docker, images, systems = begin(options)
    release = Release(docker, images, version, options)
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="mod_python-release-") as work:
            release.make(systems, Path(work))
    except KeyboardInterrupt:
        print(f"docker/release: interrupted; what was made is in {release.folder}.", file=sys.stderr)
        return 1
    finally:
        docker.end()
    minutes = f"after {(time.monotonic() - begun) / 60:.1f} minutes"
    for failure in release.failures:
        print(f"docker/release: {failure}", file=sys.stderr)
    if release.failures:
        print(f"docker/release: no release, {minutes}; what was made is in {release.folder}.", file=sys.stderr)
        return 1
    count = write_sums(release.folder)
    put_in_place(release.folder, options.output)
    print(f"release {version}: {count} files with {SUMS} in {options.output}, {minutes}")
    return 0


def is_ours(folder: Path) -> bool:
    """Whether a folder may be replaced: there is none, nothing in it, or a release of an earlier run."""
    return not folder.exists() or (folder.is_dir() and (not any(folder.iterdir()) or (folder / SUMS).is_file()))


def put_in_place(made: Path, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    made.rename(folder)


@dataclass
class Release:
    """One run."""

    docker: Docker
    images: Images
    version: str
    options: argparse.Namespace
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where it is made; it goes to where it is wanted when it is whole."""
        return self.options.output.with_name(self.options.output.name + ".part")

    def say(self, words: str) -> None:
        print(words, flush=True)

    def make(self, systems: list[System], work: Path) -> None:
        """Makes all of it. What fails is noted, and the rest is made all the same."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
        (self.folder / "reports").mkdir(parents=True)
        for system in systems:
            for kind in (deb.KIND, wheel.KIND):
                self.package(kind, system, work)
        self.reports()
        if not self.options.no_image:
            self.image(next((system for system in systems if system.suite == IMAGE_SUITE), systems[0]))
        if self.options.check:
            (self.folder / "reports/reproducible.txt").write_text("".join(f"{note}\n" for note in self.notes))

    def package(self, kind: Kind, system: System, work: Path) -> None:
        """One kind of package of one system: made, compared with a second build, tried, and taken into the release."""
        what = f"{system.suite}: {kind.command}"
        made, again = work / kind.trial / system.suite / "1", work / kind.trial / system.suite / "2"
        try:
            self.say(f"{what}: building")
            names = take_out(self.docker, kind.build(self.images, system, lambda words: None), made, kind.pattern)
            if self.options.check:
                self.say(f"{what}: building it again")
                take_out(self.docker, kind.build(self.images, system, lambda words: None, 2), again, kind.pattern)
        except (ImageError, DockerError) as error:
            print("\n".join(getattr(error, "output", "").splitlines()[-40:]), file=sys.stderr)
            self.failures.append(f"{what}: {error}")
            return
        self.say(f"{what}: {', '.join(names)}")
        if self.options.check:
            same, different = compare(made, again)
            for words in [*(f"{name} is the same byte for byte in two builds" for name in same), *different]:
                self.notes.append(f"{system.suite}: {words}")
                self.say(self.notes[-1])
            self.failures += [f"{what}: not reproducible: {words}" for words in different]
        if not self.options.no_trial and not try_out(kind, self.docker, system, made, self.options.ca):
            self.failures.append(f"{what}: it does not work on a fresh system.")
        self.take(kind, system, made)

    def take(self, kind: Kind, system: System, made: Path) -> None:
        """Puts packages where the release has them. Debian's have the same names on every system; the source package is the same file."""
        folder = self.folder / "deb" / system.suite if kind is deb.KIND else self.folder
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(made.iterdir()):
            target = folder / file.name
            if target.exists() and target.read_bytes() != file.read_bytes():
                self.failures.append(f"{file.name} of {system.suite} is another file than that of an earlier system.")
            shutil.copyfile(file, target)

    def image(self, system: System) -> None:
        """The image to deploy, as docker load takes it. Two builds of it differ: apt's and Docker's own dates are in its layers."""
        target = self.folder / f"mod_python-{self.version}-{system.suite}-image.tar.gz"
        try:
            self.say(f"{system.suite}: the image: building")
            name = self.images.deployed(system, lambda words: None)
            process = self.docker.open("save", name)
            try:
                with target.open("wb") as file, gzip.GzipFile("", "wb", 6, file, 0) as packed:
                    assert process.stdout
                    shutil.copyfileobj(process.stdout, packed, 1 << 20)
                if process.wait() != 0:
                    raise DockerError("docker save did not give the image")
            finally:
                self.docker.forget(process)
        except (ImageError, DockerError) as error:
            print("\n".join(getattr(error, "output", "").splitlines()[-40:]), file=sys.stderr)
            self.failures.append(f"the image: {error}")
            return
        self.notes.append(f"{system.suite}: {target.name} is another file in each build, since its layers have the dates of what apt and Docker wrote")
        self.say(f"{system.suite}: the image: {target.name}")

    def reports(self) -> None:
        """The SBOM, and what cargo-deny and pip-audit say."""
        system = known()[IMAGE_SUITE]
        try:
            self.say("reports: building what makes them")
            image = self.images.reports(system, lambda words: None)
            date = f"SOURCE_DATE_EPOCH={date_of(REPOSITORY)}"
            container = self.docker.call("create", *self.docker.label(), "--env", date, image)
            try:
                self.say("reports: being made")
                said = self.docker.call("start", "--attach", container, limit=REPORTS_LIMIT)
                folder = self.folder / "reports"
                for name, text in self.docker.copy_out(container, "/reports/.").items():
                    (folder / Path(name).name).write_text(text)
            finally:
                self.docker.remove(container)
        except (ImageError, DockerError) as error:
            print("\n".join(getattr(error, "output", "").splitlines()[-40:]), file=sys.stderr)
            self.failures.append(f"the reports: {error}")
            return
        for name, outcome, sentence in read_reports(said):
            self.say(f"reports: {name}: {sentence}")
            if outcome == "bad":
                self.failures.append(f"{name}: {sentence}")
        if (made := folder / "sbom.cdx.json").is_file():
            made.rename(self.folder / f"mod_python-{self.version}.cdx.json")


def read_reports(said: str) -> list[tuple[str, str, str]]:
    """The lines of docker/image/release/reports: a report, its outcome and a sentence. A report that says nothing is one that failed."""
    expected = ["sbom", "cargo-deny", "cargo-deny-advisories", "pip-audit"]
    found = {}
    for line in said.splitlines():
        name, _, rest = line.partition("\t")
        outcome, _, sentence = rest.partition("\t")
        if name in expected and outcome in ("ok", "bad", "absent"):
            found[name] = (name, outcome, sentence)
    return [found.get(name, (name, "bad", "it was not made.")) for name in expected]
