"""The images of the cells: base, tools and dependencies (seldom new), the image to deploy, the test programs."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

from .docker import Docker, DockerError, end_groups, kill_group, last_line
from .systems import SYSTEMS, Refusal, System

Progress = Callable[[str], None]

# Longer than any of them takes on two slow cores.
BUILD_LIMIT = 40 * 60
BASE_LIMIT = 15 * 60
# 1980, in seconds since 1970: before any build.
LONG_AGO = 315_532_800
# Less than this is not enough for one system's layers.
DISK_NEEDED = 4 << 30


class Images:
    """Builds images, each once, whoever asks for it."""

    def __init__(self, docker: Docker, repository: Path, ca_bundle: Path | None, jobs: int) -> None:
        self._docker = docker
        self._repository = repository
        self._context = context(repository, ca_bundle)
        self._slots = threading.Semaphore(jobs)
        self._locks: dict[str, threading.Lock] = {}
        self._done: dict[str, ImageError | None] = {}
        self._lock = threading.Lock()

    def check_disk(self) -> None:
        """Raises Refusal if Docker's disk, as far as it can be seen from here, is too full."""
        try:
            folder = Path(self._docker.call("info", "--format", "{{.DockerRootDir}}"))
        except DockerError as error:
            raise Refusal(f"Docker does not answer as it should: {error}.") from None
        if folder.exists() and (free := shutil.disk_usage(folder).free) < DISK_NEEDED:
            raise Refusal(
                f"Docker's disk at {folder} has {free / 1e9:.1f} GB free and a build takes {DISK_NEEDED / 1e9:.0f}: make room "
                "(docker system prune)."
            )

    def base(self, system: System, progress: Progress) -> str:
        """The base image: from this machine, a registry, or Debian's archive."""

        def make() -> None:
            if self._docker.has_image(system.base):
                return
            progress(f"pulling {system.base}")
            try:
                self._docker.call("pull", "--quiet", system.base, limit=600)
                return
            except DockerError as error:
                words = str(error)
            progress(f"making {system.base} from Debian's archive")
            # What is made here is tried, and not deployed: an archive copy that has not been refreshed will do.
            making = self._docker.spawn(["env", "ALLOW_STALE=1", str(self._repository / "docker/base"), system.suite])
            try:
                _, said = making.communicate(timeout=BASE_LIMIT)
                failure = None if making.returncode == 0 else last_line(said.decode(errors="replace")) or f"status {making.returncode}"
            except subprocess.TimeoutExpired:
                # It leaves a system half made if it is killed outright.
                end_groups([making])
                failure, said = f"not done after {BASE_LIMIT} s", b""
            finally:
                self._docker.forget(making)
            if failure:
                raise ImageError(
                    f"there is no base image {system.base}: no registry gave it ({words}), and it could not be made ({failure})",
                    said.decode(errors="replace"),
                )

        return self._once(system.base, make)

    def deployed(self, system: System, progress: Progress) -> str:
        """The image to deploy."""
        self.base(system, progress)
        return self._build(f"mod_python:{system.name}", "docker/Dockerfile", None, system_arguments(system), progress)

    def itk(self, system: System, progress: Progress) -> str:
        """The image to deploy with mpm_itk in it."""
        arguments = {"TOOLS": self._stage(system, "tools", progress), "IMAGE": self.deployed(system, progress)}
        return self._build(f"mod_python-itk:{system.name}", "docker/images/itk.Dockerfile", None, arguments, progress)

    def cell(self, system: System, progress: Progress) -> str:
        """The same, with the test programs."""
        # First what is this system's alone: others need not wait for it.
        arguments = {"IMAGE": self.itk(system, progress), "TOOLS": self._stage(system, "tools", progress), "TESTS": self._tests(progress)}
        return self._build(f"mod_python-cell:{system.name}", "docker/images/cell.Dockerfile", None, arguments, progress)

    def debian_package(self, system: System, progress: Progress, number: int = 1) -> str:
        """An image with the system's Debian packages in /made. Another number is another build of the same."""
        return self._package("deb", system, progress, number)

    def wheel(self, system: System, progress: Progress, number: int = 1) -> str:
        """An image with the system's wheel, and the source package, in /made. Another number is another build of the same."""
        return self._package("wheel", system, progress, number)

    def reports(self, system: System, progress: Progress) -> str:
        """An image that says what is known about the crates and packages of a release."""
        arguments = {"TOOLS": self._stage(system, "tools", progress)}
        return self._build("mod_python-reports:latest", "docker/images/reports.Dockerfile", None, arguments, progress)

    def _package(self, kind: str, system: System, progress: Progress, number: int) -> str:
        arguments = {"TOOLS": self._stage(system, "tools", progress), "BUILD": str(number)}
        name = f"mod_python-{kind}:{system.name}{'' if number == 1 else f'-{number}'}"
        return self._build(name, f"docker/images/{kind}.Dockerfile", None, arguments, progress)

    def application(self, system: System, image: str, folder: Path, progress: Progress) -> str:
        """An image made of another one by the application's own Dockerfile, which begins with `ARG IMAGE` and `FROM ${IMAGE}`."""
        tag = f"mod_python-app:{image.replace(':', '-').removeprefix('mod_python-')}"

        def make() -> None:
            with self._slots:
                progress(f"building {tag}")
                self._run_build(tag, ["--build-arg", f"IMAGE={image}", str(folder)], b"", progress)

        return self._once(tag, make)

    def _tests(self, progress: Progress) -> str:
        oldest = SYSTEMS[0]
        dependencies = self._stage(oldest, "dependencies", progress)
        return self._build(
            "mod_python-tests:latest", "docker/images/tests.Dockerfile", None, {"DEPENDENCIES": dependencies}, progress
        )

    def _stage(self, system: System, stage: str, progress: Progress) -> str:
        self.base(system, progress)
        return self._build(f"mod_python-{stage}:{system.name}", "docker/Dockerfile", stage, system_arguments(system), progress)

    def _once(self, name: str, make: Callable[[], None]) -> str:
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._done:
                try:
                    make()
                    self._done[name] = None
                except ImageError as error:
                    self._done[name] = error
            if failure := self._done[name]:
                raise failure
        return name

    def _build(self, tag: str, file: str, stage: str | None, arguments: dict[str, str], progress: Progress) -> str:
        def make() -> None:
            with self._slots:
                progress(f"building {tag}")
                options = ["--file", file, *(["--target", stage] if stage else [])]
                for name, value in arguments.items():
                    options += ["--build-arg", f"{name}={value}"]
                self._run_build(tag, [*options, "-"], self._context, progress)

        return self._once(tag, make)

    def _run_build(self, tag: str, options: list[str], context: bytes, progress: Progress) -> None:
        process = self._docker.open("build", "--force-rm", "--tag", tag, *options, stdin=subprocess.PIPE, stderr=subprocess.STDOUT)
        overdue = threading.Event()
        timer = threading.Timer(BUILD_LIMIT, lambda: (overdue.set(), kill_group(process)))
        timer.start()
        try:
            assert process.stdin and process.stdout
            try:
                process.stdin.write(context)
                process.stdin.close()
            except BrokenPipeError:
                pass
            lines = []
            for line in process.stdout:
                lines.append(re.sub(r"\x1b\[[0-9;]*m", "", line.decode(errors="replace")).rstrip())
                if step := re.match(r"Step (\d+/\d+) : (\w+)|#\d+ \[.*?(\d+/\d+)\] (\w+)", lines[-1]):
                    progress(f"building {tag}: {step[1] or step[3]} {step[2] or step[4]}")
            status = process.wait()
        finally:
            timer.cancel()
            self._docker.forget(process)
        if self._docker.ending.is_set():
            raise DockerError("the run is ending")
        if overdue.is_set():
            raise ImageError(f"the image {tag} was not built within {BUILD_LIMIT // 60} minutes", "\n".join(lines))
        if status != 0:
            raise BuildError(tag, lines)


class ImageError(Exception):
    """An image that there is not: one sentence, and what was said about it."""

    def __init__(self, sentence: str, output: str) -> None:
        super().__init__(sentence)
        self.output = output


class BuildError(ImageError):
    """An image that could not be built."""

    def __init__(self, tag: str, lines: list[str]) -> None:
        output = "\n".join(lines)
        # Of a package's own tests, the first that failed: what comes behind it says only that they did.
        failed = (line for line in lines if re.match(r"(FAIL|ERROR): test_", line))
        cause = next(failed, None) or next((line for line in reversed(lines) if is_cause(line)), last_line(output))
        if re.search(r"Temporary failure resolving|Could not resolve|Network is unreachable|Unable to connect", output):
            why = "the network, or the archive, cannot be reached from inside a build"
        elif "no space left on device" in output.lower():
            why = "Docker's disk is full (docker system prune makes room)"
        elif re.search(r"(?i)certificate (verify|problem)|SSL certificate|unable to get local issuer", output):
            why = "a certificate was not trusted inside the build (--ca names the bundle of a proxy that inspects TLS)"
        else:
            why = cause
        super().__init__(f"the image {tag} could not be built: {why}", output)


def is_cause(line: str) -> bool:
    """Whether a line says why a build failed; cargo's last line says only that it did."""
    return bool(re.search(r"(?i)\berror|failed|cannot|could not", line)) and "build failed, waiting for other jobs" not in line


def system_arguments(system: System) -> dict[str, str]:
    return {"BASE": system.base, "PYTHON": system.package}


def context(repository: Path, ca_bundle: Path | None) -> bytes:
    """What a build gets to see, as a tar: the files of the checkout, and the certificates."""
    names = checkout_files(repository)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in names:
            tar.add(repository / name, name, recursive=False, filter=anonymous)
        if ca_bundle:
            tar.add(ca_bundle, "docker/ca/given.crt", recursive=False, filter=anonymous)
    return buffer.getvalue()


def checkout_files(repository: Path) -> list[str]:
    """The files that belong to the project, committed or not yet."""
    try:
        listing = subprocess.run(
            ["git", "-c", f"safe.directory={repository}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=repository, capture_output=True, check=True,
        )  # fmt: skip
        names = listing.stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = []
    if "docker/Dockerfile" not in names:
        # An unpacked archive, in another checkout perhaps: everything but what a build leaves.
        names = [
            str(path.relative_to(repository))
            for path in repository.rglob("*")
            if not {"target", ".git", "__pycache__"} & set(path.relative_to(repository).parts)
        ]
    return sorted(name for name in names if name and (repository / name).is_file())


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same layer whoever checked out the files, when, and with whatever umask.

    cargo builds again what is older than a file that it depends on: none of these is newer than what an earlier build has left in a
    layer, and docker/Dockerfile touches what it is to build again.
    """
    entry.mtime = LONG_AGO
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry
