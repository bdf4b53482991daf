"""Docker, through its command: everything that is started bears the label of this run, and goes with it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from .systems import Refusal

# What is started bears the first; what belongs to a cell, the second too.
RUN_LABEL = "mod_python.matrix"
CELL_LABEL = "mod_python.cell"
# How long Docker may take to end something.
END_LIMIT = 60
# How long what is told to end may clean up.
CLEANING = 3


class DockerError(Exception):
    """What Docker did not do, and its own words."""


class Docker:
    """The Docker of this machine. Calls may come from any thread; after `end` there are no more."""

    def __init__(self) -> None:
        self.run_id = uuid.uuid4().hex[:8]
        self.ending = threading.Event()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._ended_cells: set[str] = set()
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises Refusal if there is no Docker that can be used."""
        try:
            answer = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, timeout=30)
        except FileNotFoundError:
            raise Refusal("there is no docker command here: install Docker (Debian: docker.io).") from None
        except subprocess.TimeoutExpired:
            raise Refusal("Docker's daemon does not answer: see to it that it runs.") from None
        if answer.returncode != 0:
            words = last_line(answer.stderr)
            if "permission denied" in words.lower():
                raise Refusal("Docker does not let you use it: be in the group docker, or run this as root.")
            raise Refusal(f"Docker's daemon does not answer: see to it that it runs ({words}).")

    def call(self, *arguments: str, input: bytes | None = None, limit: float = 120) -> str:
        """Runs a docker command; gives what it printed. Raises DockerError."""
        return self._output(*arguments, input=input, limit=limit).decode(errors="replace").strip()

    def _output(self, *arguments: str, input: bytes | None = None, limit: float = 120) -> bytes:
        process = self.open(*arguments, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL)
        try:
            out, err = process.communicate(input, timeout=limit)
        except subprocess.TimeoutExpired:
            raise DockerError(f"docker {arguments[0]}: not done after {limit:.0f} s") from None
        finally:
            self.forget(process)
        if process.returncode != 0:
            raise DockerError(f"docker {arguments[0]}: {last_line(err.decode(errors='replace')) or f'status {process.returncode}'}")
        return out

    def open(self, *arguments: str, stdin: int = subprocess.DEVNULL, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Starts a docker command with its output in a pipe; `forget` it when it is over."""
        return self.spawn(["docker", *arguments], stdin=stdin, stderr=stderr)

    def spawn(self, command: list[str], stdin: int = subprocess.DEVNULL, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Starts any command in the same way: it ends with the run."""
        with self._lock:
            if self.ending.is_set():
                raise DockerError("the run is ending")
            # A group of its own: Ctrl-C is for the matrix, which ends what it started in order.
            process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True)
            self._processes.add(process)
            return process

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Closes the account of a process that `open` or `spawn` gave; it is killed if it still runs."""
        with self._lock:
            self._processes.discard(process)
        if process.poll() is None:
            kill_group(process)
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            try:
                if pipe:
                    pipe.close()
            except OSError:
                # What was not yet sent to one that is gone.
                pass

    def label(self, cell: str | None = None) -> list[str]:
        """The options that mark a container, network or volume as this run's, and a cell's. Raises DockerError for a cell that was ended."""
        if cell in self._ended_cells:
            raise DockerError(f"the cell {cell} was ended")
        return ["--label", f"{RUN_LABEL}={self.run_id}", *(["--label", f"{CELL_LABEL}={cell}"] if cell else [])]

    def name(self, role: str) -> str:
        return f"mod_python-{self.run_id}-{role}"

    def has_image(self, name: str) -> bool:
        try:
            return bool(self.image_id(name))
        except DockerError:
            return False

    def image_id(self, name: str) -> str:
        """The number of an image, which stays its own when the name goes to another one. Raises DockerError."""
        return self.call("image", "inspect", "--format", "{{.Id}}", name)

    def image_environment(self, name: str) -> dict[str, str]:
        """The environment that an image gives its containers."""
        lines = self.call("image", "inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", name).splitlines()
        return {key: value for key, _, value in (line.partition("=") for line in lines if line)}

    def image_user(self, name: str) -> str:
        """The user and group that an image's containers run as."""
        return self.call("image", "inspect", "--format", "{{.Config.User}}", name)

    def volume(self, image: str, folder: str) -> str:
        """A volume of this run's with what the image has in a folder. Raises DockerError."""
        name = self.call("volume", "create", *self.label(), self.name(uuid.uuid4().hex[:8]))
        # Docker fills one that is empty from the first container that has it.
        self.call("run", "--rm", *self.label(), "--network", "none", "--volume", f"{name}:{folder}", "--entrypoint", "true", image, limit=600)
        return name

    def copy_in(self, container: str, folder: str, files: "Files") -> None:
        """Puts files into a container that need not run."""
        self.call("cp", "-", f"{container}:{folder}", input=files.tar())

    def copy_out(self, container: str, folder: str) -> dict[str, str]:
        """The files of a folder in a container that need not run, by their names."""
        with tarfile.open(fileobj=io.BytesIO(self.read_out(container, folder))) as tar:
            return {entry.name: file.read().decode(errors="replace") for entry in tar if (file := tar.extractfile(entry))}

    def read_out(self, container: str, folder: str) -> bytes:
        """The same as a tar."""
        return self._output("cp", f"{container}:{folder}", "-")

    def remove(self, *containers: str) -> None:
        """Ends and removes containers; those that are not there are no error."""
        try:
            self.call("rm", "--force", "--volumes", *containers)
        except DockerError:
            pass

    def end(self) -> bool:
        """Ends everything that this run has started, and refuses to start more; says whether nothing of it is left."""
        with self._lock:
            self.ending.set()
            processes = list(self._processes)
        end_groups(processes)
        # What a command that was just killed has asked for may still appear.
        for pause in (0, 0.5):
            time.sleep(pause if processes else 0)
            self._remove(["ps", "--all"], ["rm", "--force", "--volumes"], f"{RUN_LABEL}={self.run_id}")
        for kind in ("network", "volume"):
            self._remove([kind, "ls"], [kind, "rm"], f"{RUN_LABEL}={self.run_id}")
        return not any(self._found(listing, f"{RUN_LABEL}={self.run_id}") for listing in (["ps", "--all"], ["network", "ls"], ["volume", "ls"]))

    def end_cell(self, cell: str) -> None:
        """Ends the containers of one cell, whatever they are doing; there are no more. One that was just asked for may still
        appear: to be called again until the cell has come to its end."""
        self._ended_cells.add(cell)
        self._remove(["ps", "--all"], ["rm", "--force", "--volumes"], f"{RUN_LABEL}={self.run_id}", f"{CELL_LABEL}={cell}")

    def _remove(self, listing: list[str], removal: list[str], *labels: str) -> None:
        if found := self._found(listing, *labels):
            last_call(*removal, *found)

    @staticmethod
    def _found(listing: list[str], *labels: str) -> list[str]:
        filters = [part for label in labels for part in ("--filter", f"label={label}")]
        return last_call(*listing, "--quiet", *filters).split()


class Files:
    """Files on their way into a container: readable by everybody there, whatever their rights are here."""

    def __init__(self) -> None:
        self._whole: bytes | None = None
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.GNU_FORMAT)

    def add_tree(self, source: Path, target: str) -> "Files":
        """Adds a folder and what its links lead to, without caches of compiled Python. Raises OSError for what cannot be read."""
        for path in walk(source):
            self._add(path, str(Path(target) / path.relative_to(source)))
        return self

    def add_file(self, source: Path, target: str) -> "Files":
        """Adds a file."""
        self._add(source, target)
        return self

    def add_folder(self, target: str, mode: int = 0o755) -> "Files":
        entry = tarfile.TarInfo(target)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        self._tar.addfile(entry)
        return self

    def _add(self, path: Path, target: str) -> None:
        entry = self._tar.gettarinfo(str(path.resolve()), target)
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mode = 0o755 if path.is_dir() or entry.mode & 0o100 else 0o644
        if path.is_file():
            with path.open("rb") as file:
                self._tar.addfile(entry, file)
        else:
            self._tar.addfile(entry)

    def tar(self) -> bytes:
        """All of it; nothing can be added any more."""
        if self._whole is None:
            self._tar.close()
            self._whole = self._buffer.getvalue()
            self._buffer.close()
        return self._whole


def walk(folder: Path) -> Iterator[Path]:
    """A folder and what is in it, links followed; a link that leads to where it is itself is left out."""
    seen = set()
    for name, folders, files in os.walk(folder, followlinks=True):
        here = Path(name)
        if here.resolve() in seen:
            folders.clear()
            continue
        seen.add(here.resolve())
        folders[:] = sorted(each for each in folders if each != "__pycache__")
        yield here
        yield from (here / each for each in sorted(files) if (here / each).is_file())


def last_call(*arguments: str) -> str:
    """A docker command at the end of a run, when there are no others; nothing if Docker hangs."""
    try:
        return subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=END_LIMIT, start_new_session=True, stdin=subprocess.DEVNULL
        ).stdout
    except subprocess.TimeoutExpired:
        return ""


def end_groups(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ends processes with all that they have started: first in a way that lets them clean up, all at the same time."""
    for process in processes:
        signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + CLEANING
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            kill_group(process)
            process.wait()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kills a process with all that it has started."""
    signal_group(process, signal.SIGKILL)


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
