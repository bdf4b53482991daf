"""The virtual environment of what is served."""

import os
import subprocess
import sys

from ._command import CommandError, UsageError


class Venv:
    """A virtual environment. ``is_active``: nobody asked for it, the shell or this command has it."""

    def __init__(self, folder, is_active=False):
        fault = fault_of(folder)
        if fault:
            raise UsageError(f"{folder} is no virtual environment: {fault}.")
        self.folder, self.is_active = os.path.realpath(folder), is_active

    @property
    def python(self):
        """Its Python."""
        return os.path.join(self.folder, "bin", "python")

    def has_module(self, name):
        """Whether a package is installed in it."""
        look = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
        try:
            done = subprocess.run([self.python, "-I", "-c", look, name.partition(".")[0]], capture_output=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            return False
        return done.returncode == 0

    def fits(self, version):
        """Whether it is of that Python, as X.Y: packages are made for one."""
        return os.path.isdir(os.path.join(self.folder, "lib", f"python{version}", "site-packages"))

    def of(self):
        """The Python that it is of: python3.Y."""
        return next((name for name in sorted(os.listdir(os.path.join(self.folder, "lib"))) if name.startswith("python3")), "python3")


def fault_of(folder):
    """What keeps a folder from being a virtual environment; "" if nothing does."""
    if not os.path.isdir(folder):
        return "there is no such folder"
    if not os.path.isfile(os.path.join(folder, "pyvenv.cfg")):
        return "it has no pyvenv.cfg"
    library = os.path.join(folder, "lib")
    names = os.listdir(library) if os.path.isdir(library) else []
    if not any(name.startswith("python3") and os.path.isdir(os.path.join(library, name, "site-packages")) for name in names):
        return "it has no lib/python3.Y/site-packages"
    return ""


def chosen(given, note):
    """The one that --venv names, else the active one, else that of this command, else None."""
    if given:
        return Venv(given)
    active = os.environ.get("VIRTUAL_ENV")
    if not active and sys.prefix != sys.base_prefix:
        active = sys.prefix
    if not active:
        return None
    fault = fault_of(active)
    if fault:
        note(f"VIRTUAL_ENV names {active}, which is no virtual environment: {fault}. It is not used.")
        return None
    return Venv(active, is_active=True)


def checked(venv, version, kind, note):
    """The environment if the module, which is built for that Python, can use it; None for an active one that nobody asked for."""
    if venv is None or venv.fits(version):
        return venv
    theirs = venv.of()
    if venv.is_active and kind != "application":
        note(f"{venv.folder} is of {theirs}, and the module is built for Python {version}: it is not used.")
        return None
    raise CommandError(
        f"{venv.folder} is of {theirs}, and the module is built for Python {version}: make one with python{version} -m venv, "
        f"or take a module for Python {theirs.removeprefix('python')} (PYO3_PYTHON={theirs} apxs/serve builds one)."
    )
