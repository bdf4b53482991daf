"""A trial: packages are installed on a fresh system and used there, by a program that says what it does."""

from __future__ import annotations

import io
import subprocess
import tarfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matrix.docker import Docker, DockerError, Files, kill_group
from matrix.systems import System

# What apt fetches and httpd starts, on two slow cores.
TRIAL_LIMIT = 20 * 60


@dataclass
class Trial:
    """What came of it: the steps, the first thing that was not as it must be, and what was said about it."""

    steps: list[str] = field(default_factory=list)
    fault: str | None = None
    log: str = ""
    versions: dict[str, str] = field(default_factory=dict)


class Reader:
    """Follows the output of a trial's program: `== STEP` when one begins, `=== NAME VERSION`, and `FAILED: WHY` as the end of it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.lines: list[str] = []
        self._trial = Trial()
        self._tell = tell
        self._done = False

    def line(self, line: str) -> None:
        self.lines.append(line)
        if line == "== done":
            self._done = True
        elif line.startswith("== "):
            self._trial.steps.append(line[3:])
            self._tell(line[3:])
        elif line.startswith("=== "):
            name, _, version = line[4:].partition(" ")
            self._trial.versions[name] = version
        elif line.startswith("FAILED: "):
            self._trial.fault = line[8:].strip()

    def over(self, status: int) -> Trial:
        """Closes the account; the step that failed is no step of it, but where."""
        trial = self._trial
        if trial.fault is None and (status != 0 or not self._done):
            trial.fault = f"it ended with status {status}"
        if trial.fault is not None:
            where = trial.steps.pop() if trial.steps else "before the first step"
            trial.fault = f"{where}: {trial.fault}"
            trial.log = "\n".join(self.lines)
        return trial


def take_out(docker: Docker, image: str, folder: Path, pattern: str, cell: str | None = None) -> list[str]:
    """Copies the packages out of the image that built them, in the place of earlier ones; their names."""
    container = docker.call("create", *docker.label(cell), image)
    try:
        archive = docker.read_out(container, "/made/.")
    finally:
        docker.remove(container)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(pattern):
        old.unlink()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = []
        for entry in tar:
            if file := tar.extractfile(entry):
                name = Path(entry.name).name
                (folder / name).write_bytes(file.read())
                names.append(name)
    return sorted(names)


def run_trial(
    docker: Docker, system: System, packages: Path, program: Path, ca_bundle: Path | None, tell: Callable[[str], None],
    arguments: Sequence[str] = (), cell: str | None = None, options: Sequence[str] = (),
) -> Trial:  # fmt: skip
    """Tries the packages of a folder on a fresh system; `program` is the folder of what does it, a cell's containers bear its label. Raises DockerError."""
    files = Files().add_folder("trial").add_tree(packages, "trial/packages").add_tree(program, "trial/program")
    if ca_bundle:
        # What pip fetches comes through the same proxy as everything else
        files.add_file(ca_bundle, "trial/ca.crt")
    container = docker.call("create", *docker.label(cell), *options, "--entrypoint", "/trial/program/trial", system.base, *arguments)
    try:
        docker.copy_in(container, "/", files)
        reader = Reader(tell)
        follow(docker, container, reader)
        return reader.over(int(docker.call("inspect", "--format", "{{.State.ExitCode}}", container)))
    finally:
        docker.remove(container)


def follow(docker: Docker, container: str, reader: Reader) -> None:
    """Runs a container, and reads what it says."""
    process = docker.open("start", "--attach", container, stderr=subprocess.STDOUT)
    overdue = threading.Event()
    timer = threading.Timer(TRIAL_LIMIT, lambda: (overdue.set(), kill_group(process)))
    timer.start()
    try:
        assert process.stdout
        for line in process.stdout:
            reader.line(line.decode(errors="replace").rstrip("\n"))
        process.wait()
    finally:
        timer.cancel()
        docker.forget(process)
    if docker.ending.is_set():
        raise DockerError("the run is ending")
    if overdue.is_set():
        raise DockerError(f"the trial was not done after {TRIAL_LIMIT // 60} minutes")
