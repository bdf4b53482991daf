"""docker/commands: runs the blocks of the manual that are marked for it, on a fresh Debian with the package installed."""

from __future__ import annotations

import argparse
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from matrix.command import default_bundle, status_of
from matrix.docker import Docker, DockerError, Files
from matrix.systems import SYSTEMS, Refusal

from . import pages
from .pages import REPOSITORY, Block

NAME = "docker/commands"
EPILOG = "Exit status: 0 when all that was run has succeeded, 1 when a command failed, 2 when nothing can be done here."
# What apt fetches on two slow cores, and what one page does.
INSTALL_LIMIT = 15 * 60
PAGE_LIMIT = 5 * 60
SURROUNDINGS = Path(__file__).resolve().parent.parent.parent / "image" / "commands"


def parser() -> argparse.ArgumentParser:
    suites = [system.suite for system in SYSTEMS if system.has_package]
    options = argparse.ArgumentParser(
        NAME,
        description="Runs the commands of README and of docs/ that need a system, page by page, each page on a fresh Debian with Debian's httpd and the package that "
        "docker/deb makes. The comments '<!-- run -->', '<!-- file PATH -->' and '<!-- expect' beside a page's blocks say what is run (docker/lib/manual/pages.py).",
        epilog=EPILOG,
    )
    options.add_argument("pages", nargs="*", metavar="PAGE", help="which pages, such as docs/logs.md (all that have something to run)")
    options.add_argument("--suite", default="bookworm", choices=suites, help="the release (%(default)s)")
    options.add_argument("--package", type=Path, metavar="FILE", help="the package (target/deb/SUITE/libapache2-mod-python_*.deb)")
    options.add_argument("--ca", type=Path, default=default_bundle(), metavar="FILE", help="certificates that pip trusts beside the system's (%(default)s)")
    return options


def main(arguments: list[str]) -> int:
    return status_of(NAME, run, parser().parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    programs = {name: script for name in options.pages or pages.names() if (script := script_of(name))}
    if unknown := [name for name in options.pages if name not in programs]:
        raise Refusal(f"{unknown[0]} has nothing to run: '<!-- run -->' stands before what is to be.")
    package = options.package or found_package(options.suite)
    if not package.is_file():
        raise Refusal(f"there is no package {package}.")
    docker = Docker()
    docker.check()
    base = f"debian:{options.suite}-slim"
    if not docker.has_image(base):
        raise Refusal(f"there is no image {base}: docker/base {options.suite} makes it, or pull it.")

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    image = ""
    failed = []
    try:
        print(f"{options.suite}: installing {package.name} on a fresh system", flush=True)
        image = installed(docker, base, package, options.ca)
        for name, script in programs.items():
            print(f"{options.suite}: {name}", flush=True)
            if words := wrong_with(docker, image, script):
                failed.append(name)
                print("\n".join(f"    {line}" for line in words), file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{NAME}: interrupted.", file=sys.stderr)
        return 1
    finally:
        docker.end()
        if image:
            subprocess.run(["docker", "rmi", "--force", image], capture_output=True, timeout=60, check=False)
    if failed:
        print(f"{NAME}: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def found_package(suite: str) -> Path:
    found = sorted((REPOSITORY / "target" / "deb" / suite).glob("libapache2-mod-python_*.deb"))
    if not found:
        raise Refusal(f"there is no package for {suite}: docker/deb {suite} makes it, or --package names one.")
    return found[-1]


def script_of(name: str) -> str:
    """The shell program that does what a page says; empty if it says nothing that is run."""
    blocks = pages.blocks(name, pages.read(name))
    if not any(block.is_run for block in blocks):
        return ""
    lines = ["set -eu", "cd /root", "systemctl start apache2"]
    for block in blocks:
        if block.file:
            lines.append(written(block))
        if block.is_run:
            lines += [said(f"== {block.place}"), block.setup, "(set -x", block.text.rstrip(), ")", block.expect]
    return "\n".join(filter(None, lines)) + "\n"


def written(block: Block) -> str:
    """Puts a block into its file."""
    folder = shlex.quote(str(Path(block.file).parent))
    return f"mkdir -p {folder}\ncat >{shlex.quote(block.file)} <<'END-OF-BLOCK'\n{block.text}END-OF-BLOCK"


def said(words: str) -> str:
    return f"echo {shlex.quote(words)}"


def installed(docker: Docker, base: str, package: Path, ca_bundle: Path | None) -> str:
    """An image of a system with httpd and the package, for this run alone."""
    files = Files().add_folder("commands").add_file(package, f"commands/{package.name}").add_tree(SURROUNDINGS, "commands/program")
    if ca_bundle and ca_bundle.is_file():
        files.add_file(ca_bundle, "commands/ca.crt")
    container = docker.call("create", *docker.label(), "--entrypoint", "/commands/program/install", base)
    try:
        docker.copy_in(container, "/", files)
        status, output = finished(docker, ["start", "--attach", container], INSTALL_LIMIT)
        # docker start gives the status of the container.
        if status != 0:
            raise DockerError("the package is not installed:\n" + "\n".join(output.splitlines()[-20:]))
        return docker.call("commit", container, limit=300)
    finally:
        docker.remove(container)


def wrong_with(docker: Docker, image: str, script: str) -> list[str]:
    """Runs a page's program in a container of its own; what it said, from the block that failed on, or nothing."""
    container = docker.call("run", "--detach", *docker.label(), "--init", "--entrypoint", "sleep", image, "infinity")
    try:
        # As a file: what it runs may read its standard input.
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(script)
            file.flush()
            docker.copy_in(container, "/", Files().add_file(Path(file.name), "commands/page"))
        status, output = finished(docker, ["exec", container, "sh", "/commands/page"], PAGE_LIMIT)
    finally:
        docker.remove(container)
    if status == 0:
        return []
    return re.split(r"^(?=== )", output, flags=re.MULTILINE)[-1].splitlines()[-40:] or [f"status {status}"]


def finished(docker: Docker, command: list[str], limit: float) -> tuple[int, str]:
    """A docker command's status, and all that it said."""
    process = docker.open(*command, stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise DockerError(f"docker {command[0]}: not done after {limit:.0f} s") from None
    finally:
        docker.forget(process)
    return process.returncode, output.decode(errors="replace")
