"""Cells without containers: docker/image/entrypoint on this machine, for the tests of the portability check."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DOCKER = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(DOCKER / "lib"))

from portability.check import CheckError, RestartError  # noqa: E402

WAIT = 20.0


def module() -> str | None:
    """The module that is built, if there is one."""
    named = os.environ.get("MOD_PYTHON_SO")
    candidates = [Path(named)] if named else [DOCKER.parent / "target" / kind / "libmod_python.so" for kind in ("release", "debug")]
    return next((str(path) for path in candidates if path.is_file()), None)


class LocalServer:
    """A running httpd."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.address = ("127.0.0.1", _free_port())
        self._log = folder / "error.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [DOCKER / "image" / "entrypoint"],
                env={**os.environ, **environment, "HOST": self.address[0], "PORT": str(self.address[1])},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self._wait(self._answers, "it does not answer", CheckError)

    def graceful(self) -> None:
        """Restart gracefully."""
        before = set(self._children())
        self._process.send_signal(signal.SIGUSR1)
        # An old child that hangs in a handler stays; it does not listen any more.
        patience = time.monotonic() + 2
        self._wait(
            lambda: (not before & set(self._children()) or time.monotonic() > patience) and self._answers(),
            "it did not come back after a graceful restart",
            RestartError,
        )

    def kill_children(self) -> None:
        """Kill every child."""
        before = set(self._children())
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        self._wait(lambda: set(self._children()) - before and self._answers(), "it has no new children", RestartError)

    def log(self) -> str:
        """The error log so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def findings(self) -> list[dict[str, Any]]:
        """What the watch wrote."""
        files = sorted((self.folder / "watch").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def stop(self) -> None:
        """End it, and what is left of its children."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def _children(self) -> list[int]:
        path = f"/proc/{self._process.pid}/task/{self._process.pid}/children"
        try:
            return [int(pid) for pid in Path(path).read_text().split()]
        except OSError:
            return []

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(*self.address, timeout=5)
        try:
            connection.request("GET", "/.portability-look", headers={"Connection": "close"})
            return connection.getresponse().status > 0
        except OSError:
            return False
        finally:
            connection.close()

    def _wait(self, condition: Callable[[], bool], failing: str, error: type[CheckError]) -> None:
        deadline = time.monotonic() + WAIT
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                last = re.findall(r"[^\n]+", self.log())[-1:] or ["nothing in its log"]
                self.stop()
                raise error(f"the server: {failing}: {last[0]}")
            time.sleep(0.02)


class LocalCell:
    """This machine's httpd and Python under one process model."""

    def __init__(self, app: Path | str, model: str, gil: str = "shared") -> None:
        self.app, self.model, self.gil = str(app), model, gil
        self.system, self.python = "here", "3"
        self.name = f"here {model} {gil}"

    @contextmanager
    def serve(self, *, environment: Mapping[str, str] = {}) -> Iterator[LocalServer]:
        """Serve the application afresh."""
        with tempfile.TemporaryDirectory(prefix="portability.") as name:
            folder = Path(name)
            folder.chmod(0o755)
            (folder / "watch").mkdir()
            (folder / "watch").chmod(0o777)
            server = LocalServer(
                folder,
                {
                    "APP": self.app,
                    "MPM": self.model,
                    "GIL": self.gil,
                    "MOD_PYTHON_SO": module() or "",
                    "MOD_PYTHON_RUN": str(folder / "run"),
                    "MOD_PYTHON_CONF": str(DOCKER / "watch" / "conf"),
                    "PYTHONPATH": str(DOCKER / "watch"),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "WATCH_FOLDER": str(folder / "watch"),
                    "STATE": str(folder / "watch"),  # where the applications of the tests may write
                    **environment,
                },
            )
            try:
                yield server
            finally:
                server.stop()

    @contextmanager
    def client(self) -> Iterator["LocalClient"]:
        """A client."""
        client = LocalClient()
        try:
            yield client
        finally:
            client.close()


class LocalClient:
    """client.py as a process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, DOCKER / "client" / "client.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def call(self, command: dict[str, Any]) -> dict[str, Any]:
        """Its answer to a command."""
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise CheckError("the client ended.")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
