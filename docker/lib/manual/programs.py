"""What is known of the programs that the manual calls: whether a command of it can be right."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import subprocess
import sys
from pathlib import Path

from .pages import REPOSITORY, Command

# Folders of the repository that have programs
FOLDERS = ("apxs", "benches", "docker", "docs", "tests")
# What the manual writes for something of the reader's
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*|….*|.*…|\[.*|<.*")
HTTPD_OPTIONS = {"-t", "-X", "-S", "-M", "-v", "-V", "-f", "-D", "-k", "-l", "-L"}
HTTPD_SIGNALS = {"start", "stop", "restart", "graceful", "graceful-stop"}
APACHE2CTL = {*HTTPD_SIGNALS, "configtest", "status"}
UNITS = {"apache2", "httpd"}
SYSTEMCTL = {"reload", "restart", "start", "stop", "status", "edit"}
# In Debian's own httpd, and in its package of mod_wsgi
MODULES = {"python", "ssl", "headers", "remoteip", "status", "proxy", "proxy_http", "wsgi", "mpm_event", "mpm_prefork", "mpm_worker", "rewrite", "socache_shmcb"}
PACKAGES = {
    "apache2", "apache2-dev", "apache2-bin", "libapache2-mod-python", "libapache2-mod-wsgi-py3", "python3-dev", "python3-venv", "cargo",
    "valgrind", "wrk", "perl-modules-5.40", "libperl5.40",
    "libpython3.13",
}  # fmt: skip
# Of every system: to be tried, since it is the arguments that can be wrong. Run in a container, or excused.
TOOLS = {
    "awk", "cat", "cd", "chgrp", "chmod", "chown", "coredumpctl", "cp", "curl", "django-admin", "echo", "gdb", "grep", "install", "journalctl", "kill",
    "ldd", "ln", "logrotate", "ls", "mkdir", "namei", "openssl", "sort", "ss", "tail", "tee", "touch", "xargs", "umask", "id", "printf",
}  # fmt: skip
# Those that are right by the look at them
BUILTINS = {"export", "ulimit", ".", "cd"}


class Wrong(Exception):
    """What is wrong with a command."""


def is_program(word: str) -> bool:
    """Whether this begins a command."""
    return word in CHECKS or word in TOOLS or of_repository(word) is not None or word in BUILTINS


def check(command: Command) -> bool:
    """Looks at a command; says whether that is enough, without running it. Raises Wrong."""
    program, *arguments = command.words
    if program in BUILTINS:
        return True
    if (file := of_repository(program)) is not None:
        check_program(file, arguments)
        return True
    if known := CHECKS.get(program):
        return known(arguments) is not False
    if program in TOOLS:
        return False
    if program.startswith("/srv/") or program.startswith("venv/") or program.startswith("/tmp/"):
        return False
    raise Wrong(f"'{program}' is no program that docker/lib/manual/programs.py knows")


def of_repository(word: str) -> Path | None:
    """The file of a program of this repository."""
    parts = word.split("/")
    if len(parts) > 1 and parts[0] in FOLDERS:
        return REPOSITORY / word
    return None


def check_program(file: Path, arguments: list[str]) -> None:
    if not file.is_file() or not os.access(file, os.X_OK):
        raise Wrong(f"there is no program {file.relative_to(REPOSITORY)}")
    told = help_of(file)
    for argument in arguments:
        option = argument.split("=")[0]
        if option.startswith("-") and option != "--help" and not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", told):
            raise Wrong(f"{file.relative_to(REPOSITORY)} --help does not tell of {option}")


@functools.cache
def help_of(file: Path) -> str:
    """What a program says of itself; where it has no --help (tests/run), what its head says."""
    head = "".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:40])
    if "--help" not in file.read_text(encoding="utf-8") and "argparse" not in head and "python3" not in head:
        return head
    done = subprocess.run([file, "--help"], capture_output=True, text=True, timeout=60, cwd=REPOSITORY, stdin=subprocess.DEVNULL)
    return done.stdout + head


def check_options(arguments: list[str], known: set[str]) -> None:
    for argument in arguments:
        if argument.startswith("-") and argument not in known:
            raise Wrong(f"there is no option {argument}")


def httpd(arguments: list[str]) -> bool:
    check_options(arguments, HTTPD_OPTIONS)
    if "-k" in arguments and arguments[arguments.index("-k") + 1 :][:1] not in [[signal] for signal in HTTPD_SIGNALS]:
        raise Wrong(f"httpd -k takes one of {', '.join(sorted(HTTPD_SIGNALS))}")
    return False


def apache2ctl(arguments: list[str]) -> bool:
    if not arguments or arguments[0].startswith("-"):
        return httpd(arguments)
    if arguments[0] not in APACHE2CTL or len(arguments) > 1:
        raise Wrong(f"apache2ctl takes one of {', '.join(sorted(APACHE2CTL))}")
    return False


def apachectl(arguments: list[str]) -> bool:
    if arguments not in (["configtest"], ["start"], ["stop"], ["graceful"], ["foreground"]):
        raise Wrong("the script of setup-server takes start, stop, graceful, configtest and foreground")
    return False


def systemctl(arguments: list[str]) -> bool:
    if len(arguments) != 2 or arguments[0] not in SYSTEMCTL or arguments[1] not in UNITS:
        raise Wrong("systemctl takes a verb and apache2 (httpd on Fedora)")
    return False


def module_names(arguments: list[str]) -> bool:
    if unknown := [name for name in arguments if name not in MODULES]:
        raise Wrong(f"there is no module {unknown[0]}")
    return False


def configurations(arguments: list[str]) -> bool:
    if not arguments or any(argument.startswith("-") for argument in arguments):
        raise Wrong("it takes names of sites or configurations")
    return False


def apt(arguments: list[str]) -> bool:
    if arguments == ["build-dep", "./"]:
        return False
    if arguments[0] not in ("install", "remove", "purge", "update"):
        raise Wrong(f"apt has no {arguments[0]}")
    for name in arguments[1:]:
        if not name.startswith("-") and not name.endswith(".deb") and name not in PACKAGES:
            raise Wrong(f"{name} is no package that is known here")
    return False


def mod_python(arguments: list[str]) -> bool:
    """The command line is one that the command takes; the name of a subcommand alone names it."""
    sys.path.insert(0, str(REPOSITORY / "python"))
    try:
        from mod_python import _command
    finally:
        sys.path.pop(0)
    if arguments[1:] in ([], ["--help"]) and arguments[0] in [name for name, _, _ in _command.COMMANDS]:
        return True
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            _, left = _command.parser().parse_known_args(["9" if word == "N" else word for word in arguments])
    except SystemExit as end:
        if end.code:
            raise Wrong(said.getvalue().strip()) from None
        left = []
    if left:
        raise Wrong(f"mod_python {arguments[0]} has no {left[0]}")
    return True


def cargo(arguments: list[str]) -> bool:
    if arguments[0] not in ("build", "test", "fmt", "clippy"):
        raise Wrong(f"cargo {arguments[0]} is not used here")
    if arguments[:3] == ["test", "--test", "suite"] and len(arguments) > 3:
        area = arguments[3].split("::")[0]
        if area != "--" and not any((REPOSITORY / "tests/suite" / name).exists() for name in (area, f"{area}.rs")):
            raise Wrong(f"there is no area {area} in tests/suite")
    return True


def python(arguments: list[str]) -> bool:
    if arguments[:1] == ["-m"]:
        module, *rest = arguments[1:]
        if module == "unittest" and rest[:2] == ["discover", "-s"]:
            if not (REPOSITORY / rest[2]).is_dir():
                raise Wrong(f"there is no folder {rest[2]}")
            return True
        if module == "mod_python":
            return mod_python(rest) if rest else True
        if module == "venv":
            return False
        raise Wrong(f"python3 -m {module}")
    if arguments and of_repository(arguments[0]) is None and (REPOSITORY / arguments[0]).is_file():
        return True
    return False


def docker(arguments: list[str]) -> bool:
    if not arguments or arguments[0] not in ("build", "run", "compose", "stop", "kill", "images", "image", "ps", "network", "volume", "pull", "rmi", "load"):
        raise Wrong("docker has no such command")
    if arguments[0] == "build":
        files = [value for option, value in zip(arguments, arguments[1:]) if option == "-f"]
        text = (REPOSITORY / (files or ["Dockerfile"])[0]).read_text(encoding="utf-8")
        for option, value in zip(arguments, arguments[1:]):
            if option == "--build-arg" and not re.search(rf"^ARG {value.split('=')[0]}\b", text, re.MULTILINE):
                raise Wrong(f"{files[0]} has no ARG {value}")
    if arguments[0] == "compose" and not (REPOSITORY / arguments[arguments.index("-f") + 1]).is_file():
        raise Wrong("there is no such file")
    return True


def pip(arguments: list[str]) -> bool:
    if arguments[:1] not in (["install"], ["freeze"]):
        raise Wrong("pip install or pip freeze")
    for name in arguments[1:]:
        if name.startswith("./") and not (REPOSITORY / name).exists():
            raise Wrong(f"there is no {name}")
    return False


def apxs(arguments: list[str]) -> bool:
    check_options([argument for argument in arguments if not argument.startswith("--")], {"-c", "-i", "-a", "-q"})
    return True


CHECKS = {
    "a2disconf": configurations, "a2dismod": module_names, "a2dissite": configurations, "a2enconf": configurations, "a2enmod": module_names,
    "a2ensite": configurations, "apache2": httpd, "apache2ctl": apache2ctl, "apachectl": apachectl, "apt": apt, "apt-get": apt, "apxs": apxs,
    "cargo": cargo, "docker": docker, "httpd": httpd, "mod_python": mod_python, "pip": pip, "python": python, "python3": python, "systemctl": systemctl,
}  # fmt: skip
