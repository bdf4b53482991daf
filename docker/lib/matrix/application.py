"""The portability check of an application, cell by cell: containers for what `portability` asks of a cell."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portability import requests, rules
from portability.check import CheckError, RestartError, run_cell
from portability.observations import Observations
from portability.plan import Plan
from portability.verdict import Verdict

from .docker import Docker, DockerError, Files, walk
from .serving import Client, Container, ContainerError, client, network, server, tail
from .systems import Cell, Refusal

DOCKER_FOLDER = Path(__file__).resolve().parents[2]
# Where things are in the server's container.
APP, WATCH, FOUND, STATE = "/srv/app", "/srv/watch", "/srv/found", "/srv/state"
# Where its entrypoint reads more configuration, if the environment names no other folder.
CONFIGURATION = "/etc/mod_python"
# More than this is no application's code.
APP_LIMIT = 200 << 20


@dataclass
class Application:
    """What is checked, and with which requests."""

    folder: Path
    plan: Plan
    _files: dict[str, Files] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, folder: Path, wanted: Path) -> "Application":
        """Raises Refusal for a folder that cannot be served or requests that cannot be read."""
        if not folder.is_dir():
            raise Refusal(f"--app: there is no folder {folder}.")
        paths = list(walk(folder))
        if unreadable := [path for path in paths if not os.access(path, os.R_OK)]:
            raise Refusal(f"--app: {unreadable[0]} cannot be read: run this as a user who can.")
        size = sum(path.stat().st_size for path in paths if path.is_file())
        if size > APP_LIMIT:
            raise Refusal(f"--app: {folder} has {size / 1e6:.0f} MB, and {APP_LIMIT / 1e6:.0f} are taken: name the folder of the code alone.")
        try:
            return cls(folder, requests.load(wanted))
        except requests.PlanError as error:
            raise Refusal(f"--requests: {error}") from None

    @property
    def has_image(self) -> bool:
        """Whether it brings a Dockerfile for what it needs beside its code."""
        return (self.folder / "Dockerfile").is_file()

    def files(self, configuration: str) -> Files:
        """What a server of it has beside its image, which reads more configuration from that folder."""
        if configuration not in self._files:
            files = Files().add_tree(self.folder, APP[1:]).add_tree(DOCKER_FOLDER / "watch", WATCH[1:])
            files.add_tree(DOCKER_FOLDER / "watch/conf", configuration.strip("/"))
            files.add_folder(FOUND[1:], 0o1777).add_folder(STATE[1:], 0o1777)
            files.tar()  # by one thread, before others have it
            self._files[configuration] = files
        return self._files[configuration]


class Served:
    """A server container, in the words of the check."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self.address = container.address
        self.graceful = self._restarting(container.graceful)
        self.kill_children = self._restarting(container.kill_children)
        self.log = saying_why(container.log)

    def _restarting(self, call: Callable[[], None]) -> Callable[[], None]:
        """The same call; a server that does not come back is what the check is about, Docker's trouble is not."""

        def called() -> None:
            try:
                call()
            except ContainerError as error:
                raise RestartError(str(error)) from None
            except DockerError as error:
                if self._container.runs():
                    raise CheckError(str(error)) from None
                # Docker's words are about the container, and not why it ended.
                raise RestartError(f"the server has ended: {tail(self._container.log(), 1)}") from None

        return called

    def findings(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in saying_why(self._found)().splitlines()]

    def _found(self) -> str:
        try:
            return self._container.read(f"{FOUND}/*.jsonl")
        except DockerError:
            if self._container.runs():
                raise
            return self._container.read_ended(FOUND)


class ContainerCell:
    """A cell, in the words of the check: every server of it is a container of its own on the cell's network."""

    def __init__(self, docker: Docker, cell: Cell, image: str, network: str, application: Application) -> None:
        self.name, self.system, self.python = cell.name, cell.system.name, cell.system.python
        self.model, self.gil = cell.model, cell.gil
        self._docker, self._cell, self._image, self._network, self._application = docker, cell, image, network, application
        self._role = cell.name.replace(" ", "-")

    @contextmanager
    def serve(self, *, environment: Mapping[str, str] = {}) -> Iterator[Served]:
        given = self._docker.image_environment(self._image)
        files = self._application.files(given.get("MOD_PYTHON_CONF") or CONFIGURATION)
        paths = [WATCH, given.get("PYTHONPATH", "")]
        settings = {"PYTHONPATH": ":".join(filter(None, paths)), "WATCH_FOLDER": FOUND, "STATE": STATE, **environment}
        starting = True
        try:
            with server(self._docker, self._cell, self._image, self._network, f"{self._role}-app", files, settings) as made:
                starting = False
                yield Served(made)
        except ContainerError as error:
            raise CheckError(f"{self.name}: {'the application cannot be served: ' if starting else ''}{error}") from None

    @contextmanager
    def client(self) -> Iterator[Client]:
        program = DOCKER_FOLDER / "client/client.py"
        with client(self._docker, self._cell, self._image, self._network, f"{self._role}-client", program) as made:
            yield made


def saying_why(call: Callable) -> Callable:
    """The same call, with what went wrong between containers as the check's own error."""

    def called(*arguments: Any) -> Any:
        try:
            return call(*arguments)
        except (ContainerError, DockerError) as error:
            raise CheckError(str(error)) from None

    return called


def observe(docker: Docker, cell: Cell, image: str, application: Application, tell: Callable[[str], None]) -> Observations:
    """What is seen of the application in a cell. Raises CheckError where it cannot be served at all."""
    with network(docker, f"{cell.name.replace(' ', '-')}-app") as net:
        return run_cell(ContainerCell(docker, cell, image, net, application), application.plan, tell)


def verdict_section(verdict: Verdict, missing: list[str]) -> str:
    """The verdict as a part of the report's page; `missing` are the cells in which nothing was seen."""
    title = "portable, as far as these requests show" if verdict.passed else f"{len(verdict.faults)} faults"
    parts = [f"<h2 class={'passed' if verdict.passed and not missing else 'failed'}>The application: {title}</h2>"]
    if missing:
        parts.append(f"<p class=failed>Not checked in: {html.escape(', '.join(missing))}.</p>")
    for finding in verdict.findings:
        evidence = "".join(
            f"<li>{html.escape(one.sentence)}" + (f" <code>{html.escape(f'{one.file}:{one.line}')}</code>" if one.file and one.line else "")
            for one in finding.evidence
        )
        about = f"<b>{html.escape(finding.request)}</b>: " if finding.request else ""
        rule = rules.BY_ANCHOR[finding.rule]
        style = "failed" if finding.severity == "fault" else "quiet"
        parts.append(
            f"<p><span class={style}>{finding.severity}</span> {about}{html.escape(finding.sentence)}<br>"
            f"<span class=quiet>{html.escape(finding.where)}</span></p><ul>{evidence}</ul>"
            f"<p class=quiet>{html.escape(rule.sentence)} ({rules.PAGE}#{rule.anchor})</p>"
        )
    return "\n".join(parts)
