"""``mod_python start``, ``stop`` and ``restart``: httpd is run in place of this process."""

import errno
import os
import re
import subprocess
import sys

from . import _installation
from ._command import CommandError
from ._command_create import _owner, _user

EPILOG = """\
CONF is an httpd.conf, or the folder of a server whose configuration is conf/httpd.conf. httpd takes the place of this command, and its
exit status is httpd's.
"""

_SIGNALS = {"start": "start", "stop": "graceful-stop", "restart": "graceful"}


def add_arguments(parser):
    """The arguments of the command line."""
    parser.add_argument("conf", metavar="CONF", help="the configuration, or the folder that 'mod_python create' has made")
    parser.add_argument("--httpd", metavar="PROGRAM", help="httpd, if it is not found by itself (MOD_PYTHON_HTTPD)")


def run(options):
    """Look for what may be wrong, and become httpd."""
    httpd = _httpd(options.httpd)
    conf = _configuration(options.conf)
    facts = _tested(httpd, conf)
    pid_file = facts.get("PidFile")
    pid = _running(pid_file)
    if pid is not None and not _may_signal(pid):
        raise CommandError(f"the httpd of {conf} runs as another user (process {pid}): run this as root, or as the user who started it")
    if options.command == "start" and pid is None:
        _check_folders(pid_file)
        _check_ports(conf)
    if options.command == "restart" and pid is None:
        raise CommandError(f"no httpd runs with {conf}: start it with 'mod_python start {options.conf}'")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(httpd, [httpd, "-f", conf, "-k", _SIGNALS[options.command]])


def _httpd(named):
    program = named or _installation.value("HTTPD")
    if not program:
        raise CommandError(
            "httpd was not found: install it (apache2 on Debian and Ubuntu, httpd on Fedora), or name the program with --httpd or MOD_PYTHON_HTTPD"
        )
    found = _installation._found(program)
    if found is None:
        raise CommandError(f"{program} is not a program that can be run: name httpd with --httpd or MOD_PYTHON_HTTPD")
    return os.path.abspath(found)


def _configuration(name):
    path = os.path.abspath(name)
    if os.path.isdir(path):
        inner = os.path.join(path, "conf", "httpd.conf")
        if not os.path.exists(inner):
            raise CommandError(f"there is no {inner}: create it with 'mod_python create', or name the httpd.conf itself")
        path = inner
    elif not os.path.exists(path):
        raise CommandError(f"there is no {path}: name an httpd.conf, or the folder that 'mod_python create' has made")
    if path.endswith(".py"):
        raise CommandError(f"{path} is the Python file, not the configuration: make it with 'mod_python genconfig {name} > httpd.conf'")
    if not os.access(path, os.R_OK):
        raise CommandError(f"user {_user()} cannot read {path}: run this as its owner, {_owner(path)}")
    return path


def _tested(httpd, conf):
    """What httpd reads in the configuration; CommandError if it is wrong."""
    done = subprocess.run([httpd, "-f", conf, "-t", "-D", "DUMP_RUN_CFG"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        sys.stderr.write(done.stderr or done.stdout)
        if "Permission denied" in done.stderr + done.stdout:
            raise CommandError(f"user {_user()} may not use what {conf} names: run this as {_owner(conf)}, who owns it")
        raise CommandError(f"the configuration {conf} is wrong: correct what httpd says")
    return dict(re.findall(r'^(?:Main )?(\w+): "(.*)"$', done.stdout, re.MULTILINE))


def _running(pid_file):
    """The process that the pid file names, if it is alive."""
    try:
        with open(pid_file, encoding="ascii") as file:
            pid = int(file.read())
        os.kill(pid, 0)
    except PermissionError as error:
        return pid if error.filename is None else None
    except (OSError, ValueError, TypeError, OverflowError):
        return None
    return pid if pid > 1 else None


def _may_signal(pid):
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def _check_folders(pid_file):
    folder = os.path.dirname(pid_file or "") or "/"
    if not os.path.isdir(folder):
        raise CommandError(f"there is no folder {folder}, which PidFile names: create it")
    if not os.access(folder, os.W_OK):
        raise CommandError(f"user {_user()} cannot write to {folder}: run this as its owner, {_owner(folder)}")


def _check_ports(conf):
    """Whether the addresses that the file itself says with Listen can be had."""
    import socket

    with open(conf, encoding="utf-8", errors="surrogateescape") as file:
        listens = re.findall(r"^\s*Listen\s+\"?(?:(\S+):)?(\d+)\"?(?:\s|$)", file.read(), re.MULTILINE | re.IGNORECASE)
    for address, port in listens:
        address = address.strip("[]")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((address, int(port)))
            except (OSError, OverflowError) as error:
                where = f"{address or 'all addresses'}, port {port}"
                number = getattr(error, "errno", None)
                if number == errno.EADDRINUSE:
                    raise CommandError(f"another program listens at {where}: stop it, or have httpd listen at another port ('Listen' in {conf})") from error
                if number == errno.EACCES:
                    raise CommandError(f"user {_user()} may not listen at {where}: run this as root, or have httpd listen at a port from 1024 on") from error
                if number == errno.EADDRNOTAVAIL:
                    raise CommandError(f"this machine has no address {address}: correct 'Listen' in {conf}") from error
