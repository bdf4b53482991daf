"""The httpd that ``mod_python serve`` runs, and the user who serves if root starts it."""

import os
import pwd
import re
import subprocess
from dataclasses import dataclass

from . import _installation
from ._command import CommandError

_MPMS = ("event", "worker", "prefork")


@dataclass(frozen=True)
class Httpd:
    """An httpd: its program, the folder of its modules, the names of those that are compiled in."""

    program: str
    modules: str
    builtin: frozenset[str]

    @classmethod
    def find(cls):
        """The one of this machine; CommandError if there is none."""
        program = _installation.value("HTTPD")
        if not program or not os.access(program, os.X_OK):
            raise CommandError(
                "there is no httpd here: install it (apache2-bin on Debian and Ubuntu, httpd on Fedora), or name the program in MOD_PYTHON_HTTPD."
            )
        return cls(program, _installation.value("LIBEXECDIR"), frozenset(_installation.builtin_modules()))

    def has_module(self, name):
        """Whether it has a module of its own of that name."""
        return name in self.builtin or os.path.isfile(self._path(name))

    def load_module(self, name):
        """The lines that load a module; none if it is compiled in."""
        # httpd -l calls an MPM by its name alone.
        return [] if self.builtin & {name, name.removeprefix("mpm_")} else [f'LoadModule {name}_module "{self._path(name)}"']

    def _path(self, name):
        return os.path.join(self.modules, f"mod_{name}.so")

    def mpms(self):
        """The MPMs that it can load, in the order in which they are preferred."""
        compiled_in = [mpm for mpm in _MPMS if f"mpm_{mpm}" in self.builtin or mpm in self.builtin]
        return compiled_in[:1] or [mpm for mpm in _MPMS if os.path.isfile(self._path(f"mpm_{mpm}"))]

    def mpm(self, shape):
        """The MPM to load for a process model, and the model; CommandError if it has none."""
        wanted = {"winnt": ("event", "worker"), "itk": ("prefork",), "": _MPMS}.get(shape, (shape,))
        available = self.mpms()
        mpm = next((name for name in wanted if name in available), None)
        if mpm is None:
            raise CommandError(f"{self.program} has no MPM for '{shape or 'event'}'; it has: {', '.join(available)}.")
        if shape == "itk":
            if not os.path.isfile(os.path.join(self.modules, "mpm_itk.so")):
                raise CommandError(f"{self.program} has no mpm_itk: install libapache2-mpm-itk (Debian, Ubuntu).")
            if os.geteuid() != 0:
                raise CommandError("mpm_itk gives each connection to another user, which only root can: run this as root.")
        return mpm, shape if shape in ("winnt", "itk") else mpm


def find_module(named, folder):
    """The path of mod_python.so: that of --module or MOD_PYTHON_SO, else the one beside this package, else that of httpd's folder of modules.

    None if nobody names one, and there is none. CommandError if it is named and not there, or is not of this mod_python.
    """
    where = "--module" if named else "MOD_PYTHON_SO"
    named = named or os.environ.get("MOD_PYTHON_SO")
    if named:
        if not os.path.isfile(named):
            raise CommandError(f"{where}: {named} is not a file.")
        found = named
    else:
        found = next((path for path in module_places(folder) if os.path.isfile(path)), None)
        if found is None:
            return None
    found = os.path.realpath(found)
    check_module(found)
    return found


def module_places(folder):
    """Where the module is looked for if nobody names it; folder: that of httpd's modules."""
    folders = (os.path.dirname(os.path.abspath(__file__)), folder)
    return [os.path.join(place, "mod_python.so") for place in folders if place]


def check_module(path):
    """Raise CommandError if the module is that of mod_python 3.5 or older, which distributions have."""
    with open(path, "rb") as file:
        data = file.read()
    # What they call themselves in the Server header; each module of this mod_python has its codes of errors
    old = re.search(rb"mod_python/([23]\.\d+)", data)
    if old and b"MP0106" not in data:
        raise CommandError(
            f"{path} is mod_python {old[1].decode()}, not this one: install this one's module (apxs/install, or pip install of the whole source), "
            "or name it with --module or MOD_PYTHON_SO."
        )


def python_of(module):
    """The Python that a module runs, as X.Y; "" if it does not say. Raise CommandError if this system has not the library of that Python."""
    try:
        said = subprocess.run(["ldd", module], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"(libpython(3\.\d+)\S*) => (not found)?", said)
    if found and found[3]:
        raise CommandError(
            f"{module} takes {found[1]}, which is not on this system: install it (Debian, Ubuntu: apt install libpython{found[2]}; Fedora: dnf install python{found[2]}-libs)."
        )
    return found[2] if found else ""


@dataclass(frozen=True)
class User:
    """The user to whom root's httpd hands requests."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of_server(cls):
        """That user if root runs this, else None."""
        if os.geteuid() != 0:
            return None
        for name in ("www-data", "apache", "daemon", "nobody"):
            try:
                found = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(name, found.pw_uid, found.pw_gid)
        raise CommandError("httpd started by root needs a user for its children, and there is none of www-data, apache, daemon and nobody.")

    @classmethod
    def named(cls, name):
        """The user of that name; CommandError if there is none."""
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            raise CommandError(f"there is no user {name} on this machine.") from None
        return cls(name, found.pw_uid, found.pw_gid)

    def run(self, *command):
        """Whether a command succeeds with this user's rights."""
        try:
            done = subprocess.run(
                command, cwd="/", env={"HOME": "/", "PATH": os.defpath}, user=self.uid, group=self.gid, extra_groups=[],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return False, b""
        return done.returncode == 0, done.stdout

    def can_read(self, path):
        """Whether this user can read a file or folder."""
        return self.run("test", "-r", path)[0]

    def can_read_all_in(self, folder):
        """The same for a folder and what lies directly in it."""
        is_done, said = self.run("find", folder, "-maxdepth", "1", "!", "-readable", "-print", "-quit")
        return is_done and not said
