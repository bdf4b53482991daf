"""Where httpd is on this machine: asked for when a program needs it, from the environment, apxs, and the usual places."""

import os
import re
import shutil
import sys
from functools import cache

_PROGRAMS = ("httpd", "apache2", "httpd2")
_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/apache2/bin", "/opt/apache2/bin", "/opt/homebrew/bin", "/usr/bin", "/usr/local/bin")
_MODULES = (
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/local/apache2/modules",
    "/usr/local/libexec/apache24",
    "/usr/lib/apache2",
    "/opt/homebrew/lib/httpd/modules",
)
_CONFIGURATIONS = ("/etc/apache2", "/etc/httpd", "/etc/httpd/conf", "/usr/local/apache2/conf", "/usr/local/etc/apache24", "/opt/homebrew/etc/httpd")

# The names that mod_python.version has, and the variables that decide before everything else
VARIABLES = {"HTTPD": "MOD_PYTHON_HTTPD", "LIBEXECDIR": "MOD_PYTHON_LIBEXECDIR", "SYSCONFDIR": "MOD_PYTHON_SYSCONFDIR"}


def _run(*command):
    """What a program prints, or "" if it cannot be run."""
    import subprocess

    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _found(name):
    path = shutil.which(name)
    if path is None and os.sep not in name:
        path = shutil.which(name, path=os.pathsep.join(_FOLDERS))
    return path


@cache
def _apxs():
    named = os.environ.get("APXS")
    for name in [named] if named else ("apxs", "apxs2"):
        path = _found(name)
        if path is not None:
            return path
    return None


@cache
def _query(variable):
    apxs = _apxs()
    answer = _run(apxs, "-q", variable).strip() if apxs is not None else ""
    return "" if "${" in answer else answer


def _first_folder(candidates):
    return next((folder for folder in candidates if folder and os.path.isdir(folder)), "")


def httpd():
    """The program; "" if there is none."""
    folder, name = _query("sbindir"), _query("progname")
    candidates = [os.path.join(folder, name)] if folder and name else []
    for candidate in (*candidates, *_PROGRAMS):
        path = _found(candidate)
        if path is not None:
            return path
    return ""


def httpd_version():
    """The version of httpd, "2.4.62"."""
    program = value("HTTPD")
    found = re.search(r"Apache/(\d+\.\d+\.\d+)", _run(program, "-v")) if program else None
    return found[1] if found else _query("HTTPD_VERSION")


def apr_version():
    """The version of APR."""
    config = _query("APR_CONFIG")
    for program in (config, "apr-1-config", "apr-2-config"):
        path = _found(program) if program else None
        answer = _run(path, "--version").strip() if path is not None else ""
        if answer:
            return answer
    program = value("HTTPD")
    found = re.search(r"loaded:\s+APR (\d+\.\d+\.\d+)", _run(program, "-V")) if program else None
    return found[1] if found else ""


def libexecdir():
    """The folder of httpd's modules."""
    return _first_folder((_query("LIBEXECDIR"), *_MODULES))


def sysconfdir():
    """The folder of httpd's configuration."""
    return _first_folder((_query("SYSCONFDIR"), *_CONFIGURATIONS))


def python_bin():
    """This Python."""
    return sys.executable or shutil.which("python3") or ""


_WHERE = {
    "HTTPD": httpd,
    "HTTPD_VERSION": httpd_version,
    "APR_VERSION": apr_version,
    "LIBEXECDIR": libexecdir,
    "SYSCONFDIR": sysconfdir,
    "PYTHON_BIN": python_bin,
}


def value(name):
    """One of these facts; "" if it cannot be found."""
    variable = VARIABLES.get(name)
    named = os.environ.get(variable, "") if variable else ""
    if not named:
        return _WHERE[name]()
    if name == "HTTPD" and os.sep not in named:
        return _found(named) or named
    return named


def builtin_modules():
    """The names of httpd's modules that are part of the program: {"core", "so", …}."""
    program = value("HTTPD")
    return set(re.findall(r"^\s+(?:mod_)?(\w+)\.c$", _run(program, "-l"), re.MULTILINE)) if program else set()
