"""Where an httpd keeps the lines that load its modules, and what of it is ours."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from ._command import CommandError
from ._command_httpd import load_lines, package_of

MARK = "# Written by 'mod_python install' or apxs/install; 'mod_python install --remove' and 'apxs/install --uninstall' take it away."
_MARKS = (MARK, "# Written by mod_python's apxs/install; 'apxs/install --uninstall' takes it away.")


@dataclass
class Layout:
    """debian (a file for a2enmod), drop-in (a file in a folder that httpd.conf includes) or line (a line in httpd.conf itself)."""

    httpd: object
    kind: str
    load_file: str

    @classmethod
    def of(cls, httpd):
        """That of an httpd."""
        folder = httpd.folder
        if os.path.isdir(os.path.join(folder, "mods-available")) and shutil.which("a2enmod", path=_path()):
            return cls(httpd, "debian", os.path.join(folder, "mods-available", "python.load"))
        for place in (os.path.join(folder.removesuffix("/conf"), "conf.modules.d"), os.path.join(folder, "conf.modules.d")):
            if os.path.isdir(place) and re.search(r"^\s*Include(Optional)?\s.*conf\.modules\.d/", _text(httpd.own_configuration), re.M | re.I):
                return cls(httpd, "drop-in", os.path.join(place, "10-mod_python.conf"))
        return cls(httpd, "line", httpd.own_configuration)

    @property
    def module(self):
        """Where the module goes."""
        return os.path.join(self.httpd.modules, "mod_python.so")

    @property
    def enabled(self):
        """Debian's link that has the file read."""
        return os.path.join(self.httpd.folder, "mods-enabled", "python.load")

    def is_ours(self):
        """Whether our lines are there."""
        text = _text(self.load_file)
        return any(mark in text for mark in _MARKS)

    def files(self):
        """The files with lines that load modules, those that are not enabled too."""
        return list(dict.fromkeys([*self.httpd.files(), self.load_file]))

    def refuse_others(self):
        """Raise CommandError for another Python in this httpd: whoever has put it there takes it away."""
        for file, number, name, path in load_lines(self.files(), "python_module", "wsgi_module"):
            if self._is_our_line(file, number):
                continue
            package = package_of(file) or package_of(os.path.join(self.httpd.compiled.get("HTTPD_ROOT", "/"), path))
            if package:
                raise CommandError(
                    f"{file}:{number} loads {name}, and belongs to the package {package}: remove that first ({_remover(package)}), or keep it and "
                    "leave this one out; an httpd has one Python."
                )
            is_read = file in self.httpd.files()
            raise CommandError(
                f"{file}:{number} loads {name}{'' if is_read else ' when it is enabled'}, and was not written by 'mod_python install': take the line away, "
                "or leave this one out; an httpd has one Python."
            )
        if self.kind != "line" and os.path.lexists(self.load_file) and not self.is_ours():
            raise CommandError(f"{self.load_file}{owner(self.load_file)} is there, and was not written by 'mod_python install': remove it first.")
        for place in (self.module, self.module + ".debug"):
            if os.path.exists(place) and (package_of(place) or not self.is_ours()):
                raise CommandError(f"{place}{owner(place)} is there, and was not put there by 'mod_python install': remove it first.")

    def _is_our_line(self, file, number):
        lines = _text(file).splitlines()
        return any(mark in _MARKS for mark in lines[max(0, number - 3) : number - 1])

    def enable(self, lines):
        """Have these lines read; what was done, in words."""
        text = "\n".join([MARK, *lines]) + "\n"
        if self.kind == "line":
            write(self.load_file, self._with(lines))
            return f"a LoadModule line in {self.load_file}"
        write(self.load_file, text)
        if self.kind == "debian" and not os.path.lexists(self.enabled):
            self._a2("a2enmod")
            return f"{self.load_file}, enabled with a2enmod python"
        return self.load_file

    def disable(self):
        """The reverse of it."""
        if self.kind == "line":
            write(self.load_file, self._without())
            return f"the LoadModule line in {self.load_file}"
        if self.kind == "debian":
            # Without a trace: else a package of the module that is installed later would stay disabled, as if the administrator had chosen it
            self._a2("a2dismod", "-f", "-p")
        os.unlink(self.load_file)
        return self.load_file

    def _a2(self, program, *options):
        command = [shutil.which(program, path=_path()), "-q", *options, "python"]
        environ = {**os.environ, "APACHE_CONFDIR": self.httpd.folder, "PATH": _path()}
        done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise CommandError(f"{program} python failed: {(done.stderr or done.stdout).strip()}")

    def _without(self):
        """httpd.conf without our lines."""
        kept, ours = [], False
        for line in _text(self.load_file).splitlines(True):
            word = line.split()[:1]
            if line.rstrip("\n") in _MARKS:
                ours = True
            elif not (ours and word in (["LoadModule"], ["PythonHome"])):
                ours = False
                kept.append(line)
        return "".join(kept)

    def _with(self, lines):
        """httpd.conf with them: behind the last LoadModule line outside of all sections, or at the end."""
        text = self._without().splitlines(True)
        place, depth = len(text), 0
        for number, line in enumerate(text, 1):
            stripped = line.strip()
            depth += (stripped.startswith("<") and not stripped.startswith("</")) - stripped.startswith("</")
            if not depth and re.match(r"#?loadmodule\s", stripped, re.I):
                place = number
        if text and not text[-1].endswith("\n"):
            text[-1] += "\n"
        return "".join([*text[:place], *(f"{line}\n" for line in [MARK, *lines]), *text[place:]])


def owner(path):
    """The package that a file belongs to, in brackets; "" if none does."""
    package = package_of(path)
    return f" (package {package})" if package else ""


def _remover(package):
    return f"apt-get remove {package}" if shutil.which("apt-get") else f"dnf remove {package}"


def _path():
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def _text(path):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def write(path, text):
    """Write a file in one step, unless it is so already; what it is a link to, if it is one."""
    if _text(path) == text and os.path.exists(path):
        return
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    number, made = tempfile.mkstemp(dir=folder)
    with open(number, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    os.chmod(made, os.stat(path).st_mode & 0o7777 if os.path.exists(path) else 0o644)
    os.replace(made, path)
