"""The httpd of the system, with its configuration: found, asked, tested. For ``mod_python install`` and ``mod_python check``."""

import os
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property

from . import _installation
from ._command import CommandError
from ._command_httpd_tree import parsed

_INSTALL = "install it (apache2 on Debian and Ubuntu, httpd on Fedora), or name the program with --httpd"


# Debian's folder of the pid file is made by its script when httpd is started, and httpd tests nothing without it
_WITH_ENVIRONMENT = """\
. "$0"
[ -z "${APACHE_RUN_DIR:-}" ] || [ -d "$APACHE_RUN_DIR" ] || mkdir -p "$APACHE_RUN_DIR" 2>/dev/null
exec "$@"
"""


def programs():
    """The httpds of this machine, each once; the one that the environment names, if it does."""
    named = os.environ.get("MOD_PYTHON_HTTPD") or (_installation.value("HTTPD") if os.environ.get("APXS") else "")
    if named:
        return [_installation._found(named) or named]
    folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), *_installation._FOLDERS]
    found = {}
    for folder in folders:
        for name in _installation._PROGRAMS:
            path = os.path.join(folder, name)
            if folder and os.path.isfile(path) and os.access(path, os.X_OK) and os.path.realpath(path) not in found:
                if "Apache/" in _installation._run(path, "-v"):
                    found[os.path.realpath(path)] = path
    return list(found.values())


@dataclass
class SystemHttpd:
    """An httpd. conf: its configuration, if it is not the one that the program has by itself."""

    program: str
    conf: str = ""

    @classmethod
    def find(cls, named=None, conf=""):
        """The one that is named, else the only one of this machine; CommandError says what to do if there is none, or several."""
        if named:
            program = _installation._found(named)
            if program is None or "Apache/" not in _installation._run(program, "-v"):
                raise CommandError(f"{named} is not an httpd that runs: name its program, such as /usr/sbin/apache2, with --httpd.")
            found = [program]
        else:
            found = programs()
        if not found:
            raise CommandError(f"there is no httpd here: {_INSTALL}.")
        if len(found) > 1:
            raise CommandError(f"there are {len(found)} httpds here, {' and '.join(found)}: choose one with --httpd.")
        made = cls(os.path.abspath(found[0]), os.path.abspath(conf) if conf else "")
        version = re.search(r"Apache/(\d+\.\d+)\.", made._said("-v"))
        if not version or version[1] != "2.4":
            raise CommandError(f"{made.program} is not an httpd 2.4 that runs: choose another with --httpd.")
        return made

    def _said(self, option):
        # Debian's fails for -V without its environment, after it has said everything
        done = subprocess.run([self.program, option], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=20)
        return done.stdout

    @cached_property
    def compiled(self):
        """What it was compiled with: {"HTTPD_ROOT": …}."""
        return dict(re.findall(r'^ -D (\w+)="(.*)"$', self._said("-V"), re.MULTILINE))

    @cached_property
    def version(self):
        """Its version, "2.4.62"."""
        found = re.search(r"Apache/(\d+\.\d+\.\d+)", self._said("-v"))
        return found[1] if found else ""

    @property
    def own_configuration(self):
        """The file that it reads if nobody names one."""
        return os.path.join(self.compiled.get("HTTPD_ROOT", "/"), self.compiled.get("SERVER_CONFIG_FILE", "conf/httpd.conf"))

    @property
    def configuration(self):
        """The file that it reads."""
        return self.conf or self.own_configuration

    @property
    def folder(self):
        """The folder of its own configuration."""
        return os.path.dirname(self.own_configuration)

    @cached_property
    def modules(self):
        """The folder of its modules; "" if it cannot be found."""
        answer = self._of_apxs("LIBEXECDIR")
        candidates = (answer, os.path.join(self.compiled.get("HTTPD_ROOT", ""), "modules"), *_installation._MODULES)
        return _installation._first_folder(candidates)

    @cached_property
    def includes(self):
        """The folder of its headers; "" if they are not there."""
        folder = self._of_apxs("INCLUDEDIR")
        return folder if folder and os.path.isfile(os.path.join(folder, "httpd.h")) else ""

    def _of_apxs(self, variable):
        """What apxs says, if it is that of this httpd."""
        theirs = os.path.join(_installation._query("sbindir"), _installation._query("progname"))
        return _installation._query(variable) if os.path.realpath(theirs) == os.path.realpath(self.program) else ""

    def command(self, *arguments):
        """The command line, with the environment that the distribution's script gives it."""
        line = [self.program, *(("-f", self.conf) if self.conf else ()), *arguments]
        for file in (os.path.join(self.folder, "envvars"), os.path.join(os.path.dirname(self.program), "envvars")):
            if os.path.isfile(file):
                return ["/bin/sh", "-c", _WITH_ENVIRONMENT, file, *line]
        return line

    def run(self, *arguments):
        """Run it to its end."""
        environ = {**os.environ, "APACHE_CONFDIR": self.folder}
        try:
            return subprocess.run(
                self.command(*arguments), env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=60
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise CommandError(f"{self.program} could not be run: {error}.") from error

    def test(self, *arguments):
        """Whether it accepts its configuration, and what it says."""
        done = self.run(*arguments, "-t")
        return done.returncode == 0, (done.stderr or done.stdout).strip()

    def facts(self):
        """What it reads in its configuration, as it says it itself: {"PidFile": …, "User": …}."""
        said = self.run("-t", "-D", "DUMP_RUN_CFG").stdout
        found = dict(re.findall(r'^(?:Main )?(\w+): "(.*)"$', said, re.MULTILINE))
        user = re.search(r'^User: name="([^"]*)"', said, re.MULTILINE)
        return {**found, "User": user[1] if user else ""}

    def loaded(self):
        """The names of the modules that it loads: {"core_module", "python_module", …}."""
        return set(re.findall(r"^ (\w+_module) \(", self.run("-t", "-D", "DUMP_MODULES").stdout, re.MULTILINE))

    def files(self):
        """The files of its configuration."""
        said = self.run("-t", "-D", "DUMP_INCLUDES").stdout
        found = re.findall(r"^\s+\((?:\*|\d+)\) (/.*)$", said, re.MULTILINE)
        return list(dict.fromkeys(found)) or [self.configuration]

    def tree(self):
        """The lines of its configuration, as it has understood them; None where it has no mod_info, which shows them."""
        more = ()
        if "info_module" not in self.loaded():
            module = os.path.join(self.modules, "mod_info.so")
            if not os.path.isfile(module):
                return None
            more = ("-C", f'LoadModule info_module "{module}"')
        done = self.run(*more, "-t", "-D", "DUMP_CONFIG")
        return parsed(done.stdout) if done.returncode == 0 else None


def load_lines(files, *names):
    """The LoadModule lines for modules of these names: (file, number, name, path of the module)."""
    found = []
    for file in files:
        try:
            with open(file, encoding="utf-8", errors="surrogateescape") as text:
                for number, line in enumerate(text, 1):
                    words = line.split()
                    if len(words) >= 3 and words[0].lower() == "loadmodule" and words[1] in names:
                        found.append((file, number, words[1], " ".join(words[2:]).strip('"')))
        except OSError:
            continue
    return found


def package_of(path):
    """The distribution's package that a file belongs to; "" if none does."""
    # A relative path is a pattern to dpkg, for any file that ends like it
    for path in dict.fromkeys((path, os.path.realpath(path))) if os.path.isabs(path) else ():
        said = _installation._run("dpkg-query", "-S", path)
        found = re.match(r"([a-z0-9.+-]+)[:,]", said)
        if found:
            return found[1]
        said = _installation._run("rpm", "-qf", "--queryformat", "%{NAME}", path)
        if re.fullmatch(r"[A-Za-z0-9._+-]+", said):
            return said
    return ""
