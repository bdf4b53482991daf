"""``mod_python install``: puts the module into the httpd of the system. ``apxs/install`` is the same, for a checkout."""

import argparse
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile

from ._command import CommandError
from ._command_httpd import SystemHttpd, package_of
from ._command_install_layout import Layout
from ._command_serve import MODULE_HELP

EPILOG = """\
It copies the module, without its symbols, into httpd's folder of modules (the symbols go beside it), and adds its LoadModule line where this httpd
keeps such lines; on Debian that is mods-available/python.load, with a2enmod. From a virtual environment the line 'PythonHome' of that is added.
Run again, it brings both up to date. --remove takes away what was installed, and asks first if the configuration uses it.

It writes into folders that belong to root: as in 'sudo .venv/bin/mod_python install'.
"""


def add_arguments(parser):
    """The arguments of the command line."""
    add = parser.add_argument
    add("--remove", action="store_true", help="take the module out again")
    add("--httpd", metavar="PROGRAM", help="the httpd, if there is more than one (MOD_PYTHON_HTTPD)")
    add("--module", metavar="FILE", help=MODULE_HELP.partition(", else the one in httpd's")[0])
    add("--no-home", action="store_true", help="leave PythonHome out: the module then runs the packages of the system's Python")
    add("--yes", "-y", action="store_true", help="do not ask")
    # For apxs/install
    add("--header", metavar="FILE", help=argparse.SUPPRESS)
    add("--check", action="store_true", help=argparse.SUPPRESS)


def run(options):
    """Install it, or take it out."""
    command = Install(options)
    if options.check:
        return command.check()
    return command.remove() if options.remove else command.install()


class Install:
    """One run of the command."""

    def __init__(self, options):
        self.options = options
        self.httpd = SystemHttpd.find(options.httpd)
        if not self.httpd.modules:
            raise CommandError(f"the folder of the modules of {self.httpd.program} was not found: name its apxs with APXS.")
        self.layout = Layout.of(self.httpd)
        if not os.path.isfile(self.httpd.own_configuration):
            raise CommandError(f"{self.httpd.program} has no configuration {self.httpd.own_configuration}: install all of it (apache2 on Debian and Ubuntu).")

    # What is asked before anything is built: 0 if this user may do it, 3 if root has to, with the folder on standard output
    def check(self):
        """For apxs/install."""
        if not self.options.remove:
            self.layout.refuse_others()
        place = self.closed()
        if place is not None:
            print(place)
            return 3
        return 0

    def closed(self):
        """A place that this user may not write to; None if there is none."""
        layout = self.layout
        places = [os.path.dirname(layout.module), os.path.dirname(os.path.realpath(layout.load_file)), *([self.httpd.includes] if self.options.header else [])]
        if layout.kind == "debian":
            places.append(os.path.dirname(layout.enabled))
        return next((place for place in places if place and not os.access(place, os.W_OK)), None)

    def need_rights(self):
        """Raise CommandError unless all can be written, before anything is."""
        place = self.closed()
        if place is None:
            return
        if os.geteuid() == 0:
            raise CommandError(f"{place} cannot be written to, not even by root: is it mounted read-only?")
        words = " ".join([sys.argv[0] if os.path.basename(sys.argv[0]) == "mod_python" else "mod_python", "install", *(["--remove"] if self.options.remove else [])])
        raise CommandError(f"{place} belongs to root, or another user: run 'sudo {words}'.")

    def install(self):
        """Install it."""
        httpd, layout = self.httpd, self.layout
        layout.refuse_others()
        self.need_rights()
        module = self.find_module()
        self.test(module)
        from ._command_install_symbols import split
        from ._command_serve_httpd import python_of

        python = python_of(module)
        was_loaded = layout.is_ours()
        print(f"Installed for {httpd.program} (Python {python or 'unknown'}):")
        with tempfile.TemporaryDirectory() as folder:
            stripped, symbols = split(module, folder)
            put(stripped, layout.module)
            if symbols is not None:
                put(symbols, layout.module + ".debug")
            elif os.path.exists(layout.module + ".debug"):
                os.unlink(layout.module + ".debug")
            if self.options.header and httpd.includes:
                put(self.options.header, os.path.join(httpd.includes, "mod_python.h"))
        before = layout.is_ours(), _read(layout.load_file)
        done = layout.enable([f'LoadModule python_module "{layout.module}"', *self.home(python)])
        print(f"  {done}")
        is_accepted, said = httpd.test()
        if not is_accepted:
            self.take_back(before)
            raise CommandError(f"with the module httpd does not accept its configuration, so nothing is enabled; it says:\n{said}")
        print(f"  httpd accepts its configuration: {said.splitlines()[-1] if said else 'Syntax OK'}")
        print(f"\n{restart_words(httpd, layout, was_loaded)}\n{_EXAMPLE}")
        return 0

    def take_back(self, before):
        """Undo what was written to the configuration."""
        was_ours, text = before
        if was_ours or self.layout.kind == "line":
            from ._command_install_layout import write

            write(self.layout.load_file, text)
        else:
            self.layout.disable()

    def find_module(self):
        """The module to install."""
        from ._command_serve_httpd import find_module, module_places

        found = find_module(self.options.module, "")
        if found is None:
            raise CommandError(f"there is no {module_places('')[0]}: this package has the library alone; --module names the module (apxs/install builds one).")
        return found

    def test(self, module):
        """Whether httpd takes the module, before anything is written."""
        is_accepted, said = self.httpd.test()
        if not is_accepted and "Invalid command 'Python" not in said:
            raise CommandError(f"httpd does not accept its configuration as it is: correct that first. It says:\n{said}")
        if self.layout.is_ours():
            return
        is_accepted, said = self.httpd.test("-C", f'LoadModule python_module "{module}"')
        if not is_accepted:
            missing = re.search(r"(libpython3\.\d+)\S*: cannot open shared object", said)
            advice = f"\nThe library of its Python is not on this system: install it ({missing[1]} on Debian and Ubuntu, python3-libs on Fedora)." if missing else ""
            raise CommandError(f"httpd does not take {module}, so nothing was installed; it says:\n{said}{advice}")

    def home(self, python):
        """The line for the virtual environment that this command runs in."""
        from ._command_serve_httpd import User
        from ._command_serve_venv import Venv, fault_of

        if sys.prefix == sys.base_prefix or self.options.no_home or fault_of(sys.prefix):
            return []
        venv = Venv(sys.prefix)
        if not venv.fits(python):
            return []
        name = self.httpd.facts().get("User", "")
        try:
            user = User.named(name) if name and os.geteuid() == 0 else None
        except CommandError:
            user = None
        if user is not None and not user.can_read(os.path.join(venv.folder, "pyvenv.cfg")):
            print(f"  without PythonHome {venv.folder}: httpd's user {user.name} cannot read it")
            return []
        return [f'PythonHome "{venv.folder}"']

    def remove(self):
        """Take it out."""
        httpd, layout = self.httpd, self.layout
        if not layout.is_ours():
            package = package_of(layout.module) or package_of(layout.load_file)
            if package:
                raise CommandError(f"{layout.module} belongs to the package {package}: remove that.")
            print(f"Nothing to take away: {layout.load_file} has no line that 'mod_python install' has written.")
            return 0
        self.need_rights()
        self.ask()
        print(f"Taken away from {httpd.program}:")
        print(f"  {layout.disable()}")
        header = os.path.join(httpd.includes, "mod_python.h") if httpd.includes else ""
        for place in (layout.module, layout.module + ".debug", header):
            if place and os.path.exists(place) and not package_of(place):
                os.unlink(place)
                print(f"  {place}")
        is_accepted, said = httpd.test()
        if not is_accepted:
            print(f"\n{self.options.called}: httpd does not accept its configuration as it is now:\n{said}", file=sys.stderr)
        else:
            print("  httpd accepts its configuration as it is now")
        print(f"\n{restart_words(httpd, layout, True)}")
        return 0

    def ask(self):
        """Say what uses the module, and go on only if that is right."""
        from ._command_install_uses import uses

        tree = self.httpd.tree()
        if tree is None:
            is_accepted, said = self.httpd.test()
            print(f"{self.options.called}: what uses the module cannot be listed: {'httpd has no mod_info' if is_accepted else said}", file=sys.stderr)
            return
        found = uses(tree, self.layout._is_our_line)
        if not found:
            return
        print(f"{self.httpd.configuration} uses the module; without it httpd does not accept these lines, or serves their files as they are:", file=sys.stderr)
        for place, text in found:
            print(f"  {place}: {text}", file=sys.stderr)
        if self.options.yes:
            return
        if not sys.stdin.isatty():
            raise CommandError("nothing was taken away: remove these lines first, or say --yes.")
        print("Take the module out all the same? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was taken away.")


def put(source, target, mode=0o644):
    """Copy a file to its place in one step: an httpd that has the old one open keeps the old one."""
    if os.path.exists(target) and filecmp.cmp(source, target, shallow=False):
        print(f"  {target} is up to date")
        return
    shutil.copyfile(source, target + ".new")
    os.chmod(target + ".new", mode)
    os.replace(target + ".new", target)
    if os.access("/usr/sbin/restorecon", os.X_OK):
        subprocess.run(["/usr/sbin/restorecon", target], capture_output=True)
    size = os.path.getsize(target)
    print(f"  {target} ({size / 1e6:.1f} MB)" if size >= 1e5 else f"  {target}")


def restart_words(httpd, layout, was_loaded):
    """How httpd comes to have what is on the disk. It keeps a module that it has loaded through restarts, so it has to be stopped for a new one."""
    service = os.path.basename(httpd.program)
    control = next((path for path in (httpd.program + "ctl", os.path.join(os.path.dirname(httpd.program), "apachectl")) if os.access(path, os.X_OK)), httpd.program)
    if layout.kind != "line" and os.path.isdir("/run/systemd/system"):
        return f"httpd has it after: systemctl restart {service}"
    if layout.kind != "line" and os.path.exists(f"/etc/init.d/{service}"):
        return f"httpd has it after: service {service} restart"
    if not was_loaded:
        return f"httpd has it after: {control} -k graceful (or -k start, if it does not run)"
    return f"httpd has it after it was stopped and started: {control} -k stop, and when it has ended, {control} -k start. A restart keeps the module that is loaded."


def _read(path):
    if not os.path.isfile(path):
        return ""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


_EXAMPLE = """\
Then have a WSGI application served in httpd's configuration:
    PythonApplication / mysite.wsgi:application path=/srv/mysite
or hand a folder to a handler, which is code that lies elsewhere:
    <Directory "/srv/www/app">
        Require all granted
        SetHandler mod_python
        PythonHandler hello
        PythonPath "['/srv/app'] + sys.path"
    </Directory>
'mod_python check' says whether all of it loads."""
