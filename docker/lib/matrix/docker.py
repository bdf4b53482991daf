"""Docker, through its command: everything that is started bears the label of this run, and goes with it."""

from __future__ import annotations

import io
import subprocess
import tarfile
import threading
import uuid
from pathlib import Path

from .systems import Refusal

LABEL = "mod_python.matrix"


class DockerError(Exception):
    """What Docker did not do, and its own words."""


class Docker:
    """The Docker of this machine. Calls may come from any thread; after `end` there are no more."""

    def __init__(self) -> None:
        self.run_id = uuid.uuid4().hex[:8]
        self.ending = threading.Event()
        self._processes: set[subprocess.Popen[bytes]] = set()
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
        process = self.open(*arguments, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL)
        try:
            out, err = process.communicate(input, timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise DockerError(f"docker {arguments[0]}: not done after {limit:.0f} s") from None
        finally:
            self.forget(process)
        if process.returncode != 0:
            raise DockerError(f"docker {arguments[0]}: {last_line(err.decode(errors='replace')) or f'status {process.returncode}'}")
        return out.decode(errors="replace").strip()

    def open(self, *arguments: str, stdin: int = subprocess.DEVNULL, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Starts a docker command with its output in a pipe; `forget` it when it is over."""
        with self._lock:
            if self.ending.is_set():
                raise DockerError("the run is ending")
            # A group of its own: Ctrl-C is for the matrix, which ends what it started in order.
            process = subprocess.Popen(
                ["docker", *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
            )
            self._processes.add(process)
            return process

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._processes.discard(process)

    def label(self) -> list[str]:
        return ["--label", f"{LABEL}={self.run_id}"]

    def name(self, role: str) -> str:
        return f"mod_python-{self.run_id}-{role}"

    def has_image(self, name: str) -> bool:
        try:
            return bool(self.call("image", "inspect", "--format", "{{.Id}}", name))
        except DockerError:
            return False

    def copy_in(self, container: str, folder: str, files: "Files") -> None:
        """Puts files into a container that need not run."""
        self.call("cp", "-", f"{container}:{folder}", input=files.tar())

    def remove(self, *containers: str) -> None:
        """Ends and removes containers; those that are not there are no error."""
        try:
            self.call("rm", "--force", "--volumes", *containers)
        except DockerError:
            pass

    def end(self) -> None:
        """Ends everything that this run has started, and refuses to start more."""
        with self._lock:
            self.ending.set()
            processes = list(self._processes)
        for process in processes:
            process.kill()
        ours = f"label={LABEL}={self.run_id}"
        for kind, remove in (("ps", ["rm", "--force", "--volumes"]), ("network", ["network", "rm"])):
            listing = ["ps", "--all"] if kind == "ps" else ["network", "ls"]
            found = subprocess.run(["docker", *listing, "--quiet", "--filter", ours], capture_output=True, text=True).stdout.split()
            if found:
                subprocess.run(["docker", *remove, *found], capture_output=True)


class Files:
    """Files on their way into a container: readable by everybody there, whatever their rights are here."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.GNU_FORMAT)

    def add_tree(self, source: Path, target: str) -> "Files":
        """Adds a folder, without caches of compiled Python."""
        for path in [source, *sorted(source.rglob("*"))]:
            if "__pycache__" not in path.parts and (path.is_dir() or path.is_file()):
                self._add(path, str(Path(target) / path.relative_to(source)))
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
        self._tar.close()
        return self._buffer.getvalue()


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
