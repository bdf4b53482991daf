"""``mod_python check``: what httpd's configuration has for Python, whether it loads, and what a graceful restart would do."""

import difflib
import os
import time

from . import _httpdconf_names as names
from ._command import CommandError
from ._command_check_files import faults, find, has_object, packages_of, python_for, with_imports
from ._command_check_programs import programs
from ._command_check_running import Running
from ._command_httpd import SystemHttpd, load_lines
from ._command_install_uses import access_lines

EPILOG = """\
It tests the configuration as 'apache2ctl configtest' does, and lists each handler and each application that it names: for which URLs, in which
interpreter, with which virtual environment, whether its file is there, can be read by httpd's user and compiles, and what a graceful restart
would do with files that were edited since httpd's children have started. Nothing of them is run.

CONF is an httpd.conf, or the folder that 'mod_python create' or 'setup-server' has made; without it the configuration of the system's httpd is
looked at. As root, since others cannot read all of it.

Exit status: 0 if all is well, 1 if something is wrong, 2 for a command line that makes no sense.
"""


def add_arguments(parser):
    """The arguments of the command line."""
    parser.add_argument("conf", metavar="CONF", nargs="?", default="", help="the configuration; default that of the httpd")
    parser.add_argument("-f", dest="file", metavar="FILE", default="", help="the same, as httpd has it")
    parser.add_argument("--httpd", metavar="PROGRAM", help="httpd, if there is more than one (MOD_PYTHON_HTTPD)")


def run(options):
    """Look at it."""
    httpd = SystemHttpd.find(options.httpd, _configuration(options.conf or options.file))
    return 1 if Check(httpd).run() else 0


def _configuration(name):
    if not name:
        return ""
    for path in (os.path.join(name, "conf", "httpd.conf"), os.path.join(name, "httpd.conf"), name):
        if os.path.isfile(path):
            if path.endswith(".py"):
                raise CommandError(f"{path} is the Python file, not the configuration: name the httpd.conf that is made of it.")
            return os.path.abspath(path)
    raise CommandError(f"there is no configuration {name}: name an httpd.conf, or the folder that 'mod_python create' or 'setup-server' has made.")


class Check:
    """One look at a configuration. ``faults`` counts what is wrong."""

    def __init__(self, httpd):
        self.httpd, self.faults = httpd, 0
        self.version = ""

    def say(self, label, text):
        """A line of the report."""
        print(f"{label:14} {text}")

    def wrong(self, text):
        """A line about something that is wrong."""
        self.faults += 1
        print(f"{'':14} WRONG: {text}")

    def run(self):
        """Report; how many things are wrong."""
        httpd = self.httpd
        self.say("httpd", f"{httpd.program} {httpd.version}")
        is_accepted, said = httpd.test()
        self.say("configuration", f"{httpd.configuration}: {'accepted' if is_accepted else 'not accepted'}")
        if not is_accepted:
            return self.not_accepted(said)
        if not self.module():
            return self.faults
        facts = httpd.facts()
        running = Running(facts.get("PidFile", ""))
        self.say("running", str(running))
        tree = httpd.tree()
        if tree is None:
            self.wrong(f"{httpd.program} has no mod_info.so, which shows what is configured: install it to have handlers and applications listed.")
            return self.faults
        found = programs(tree)
        if not found:
            self.say("programs", "the configuration names no handler and no application.")
        user = _user(facts.get("User", ""))
        for program in found:
            self.program(program, user, running)
        self.access_files(tree)
        self.end(running)
        return self.faults

    def not_accepted(self, said):
        """httpd's own words, and what they mean for Python."""
        for line in said.splitlines():
            print(f"{'':14} {line}")
        if "Permission denied" in said and os.geteuid() != 0:
            self.wrong("run this as root, who can read all that the configuration names.")
        elif "Invalid command 'Python" in said and "MP0254" not in said and not load_lines(self.httpd.files(), "python_module"):
            self.wrong("mod_python is not loaded: 'mod_python module-config' prints the line that loads it; on Debian also 'a2enmod python'.")
        else:
            self.wrong("correct what httpd says. A graceful restart would leave httpd as it runs now; a restart or start would fail.")
        return self.faults

    def module(self):
        """Which module is loaded; False if there is none."""
        from ._command_serve_httpd import check_module, python_of

        lines = load_lines(self.httpd.files(), "python_module")
        if "python_module" not in self.httpd.loaded():
            self.say("module", "mod_python is not loaded.")
            self.wrong("nothing of Python is served: 'mod_python module-config' prints the line that loads it; on Debian also 'a2enmod python'.")
            return False
        if not lines:
            self.say("module", "loaded, by a line that was not found.")
            return True
        file, number, _, path = lines[0]
        path = os.path.join(self.httpd.compiled.get("HTTPD_ROOT", "/"), path)
        self.version = python_of(path)
        self.say("module", f"{path}, Python {self.version or 'unknown'} ({file}:{number})")
        try:
            check_module(path)
        except CommandError as error:
            self.wrong(str(error))
            return False
        return True

    def access_files(self, tree):
        """Directives in .htaccess files that there are not: httpd reads these files when a request comes, and not now."""
        known = [name for text in (names.OWN_ONE, names.OWN_LINE) for name in text.split()]
        lower = {name.lower(): name for name in known}
        for place, line in access_lines(tree):
            name = line.split()[0].lower()
            near = difflib.get_close_matches(name, lower, 1, 0.85)
            if near and name not in lower:
                self.wrong(f"{place}: there is no directive {line.split()[0]}: did you mean {lower[near[0]]}?")

    def program(self, program, user, running):
        """One handler or application."""
        scope = program.scope
        print()
        self.say(program.node.name, f"{program.text} ({program.node.place})")
        self.say("", f"{scope.where}; interpreter {scope.interpreter}; {'venv ' + scope.venv if scope.venv else 'packages of the system'}")
        if program.module == "mod_python" or program.module.startswith("mod_python."):
            self.say("", "part of mod_python.")
            return
        path = self.file_of(program)
        if path is None:
            return
        folders = [folder for folder in scope.folders if folder]
        files = with_imports(path, folders)
        bad = faults(self.python(scope.venv), files)
        if path in bad:
            self.wrong(f"{path}: {bad[path]}")
        elif program.object and not has_object(path, program.object.partition(".")[0]):
            self.wrong(f"{path} does not define {program.object}{self.advice(program, path)}.")
        else:
            others = len(files) - 1 - len([other for other in bad if other != path])
            more = "" if not others else ", as does the module that it imports from there" if others == 1 else f", as do the {others} modules that it imports from there"
            self.say("", f"{path} compiles{more}.")
        for other, why in sorted(bad.items()):
            if other != path:
                self.wrong(f"{other}, which it imports: {why}")
        self.readable(user, [*files, *([os.path.join(scope.venv, "pyvenv.cfg")] if scope.venv else [])])
        for file in files:
            edited = running.since(file)
            if edited:
                self.say("", f"{file} was edited at {_time(edited)}, after children have started: {self.fate(file, file in bad, file == path and scope.is_reloading, running)}")

    @staticmethod
    def advice(program, path):
        """What to write instead."""
        if program.node.is_named("PythonHandler") and has_object(path, "application"):
            return f": it defines application, so write 'PythonApplication / {program.module}:application' in place of PythonHandler"
        if program.is_application and has_object(path, "handler"):
            return f": it defines handler, so write 'PythonHandler {program.module or os.path.basename(path)}' with 'SetHandler mod_python'"
        return ""

    @staticmethod
    def fate(file, is_bad, is_reloaded, running):
        """What becomes of an edited file."""
        if is_bad:
            return "they keep what they have loaded; after a graceful restart requests for it get 500 until it is mended"
        if is_reloaded:
            return "it is loaded again at the next request (PythonAutoReload)"
        return "a graceful restart loads it"

    def file_of(self, program):
        """The path of a program's file; None if it is not there, or not to be looked at."""
        scope = program.scope
        if program.file:
            path = os.path.join(self.httpd.facts().get("ServerRoot", "/"), program.file)
            if "$" in path:
                self.say("", "the path depends on the URL: it was not looked at.")
                return None
            if os.path.isdir(path):
                self.say("", f"every file in {path} is an application: they were not looked at.")
                return None
            if not os.path.isfile(path):
                self.wrong(f"there is no file {path}.")
                return None
            return path
        folders = [folder for folder in scope.folders if folder]
        for folder in folders:
            if not os.path.isdir(folder):
                self.wrong(f"there is no folder {folder}, in which it is looked for.")
        packages = [packages_of(scope.venv, self.version)] if scope.venv and self.version else []
        path = find(program.module, [*folders, *packages])
        if path:
            return path
        if path == "":
            self.say("", f"{program.module} is no Python source: it was not looked at.")
        elif self.python_has(scope.venv, program.module):
            self.say("", f"{program.module} is an installed package.")
        elif scope.is_computed or not (folders or packages):
            self.say("", f"{program.module} is looked for in folders that Python computes: it was not found, and may be there.")
        else:
            self.wrong(f"there is no module {program.module} in {' or '.join([*folders, *packages])}: correct the name, or PythonPath.")
        return None

    def python(self, venv):
        """The Python to compile with."""
        found = python_for(venv, self.version)
        if found is None:
            raise CommandError(f"there is no python{self.version} here to compile with: install it, or run the command of an environment of that version.")
        return found

    def python_has(self, venv, module):
        """Whether the Python that serves has a module without any help; its package is not run."""
        look = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
        import subprocess

        done = subprocess.run([self.python(venv), "-I", "-c", look, module.partition(".")[0]], stdin=subprocess.DEVNULL, capture_output=True)
        return done.returncode == 0

    def readable(self, user, paths):
        """Whether the user who serves can read them."""
        if user is None:
            return
        for path in paths:
            if os.path.exists(path) and not user.can_read(path):
                self.wrong(f"httpd's user {user.name} cannot read {path}: make it and the folders above it readable (chmod, chgrp).")

    def end(self, running):
        """The last line."""
        print()
        if self.faults:
            print(f"{self.faults} thing{'s are' if self.faults > 1 else ' is'} wrong.")
        elif running.pid is None:
            print("All is well.")
        else:
            print("All is well: a graceful restart would give every child this configuration and these files, without losing a request.")


def _user(name):
    from ._command_serve_httpd import User

    if os.geteuid() != 0 or not name or name.startswith("#"):
        return None
    try:
        return User.named(name)
    except CommandError:
        return None


def _time(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
