"""``mod_python serve``: serves an application from a private httpd, in the foreground. ``apxs/serve`` is the same, for a checkout."""

import argparse
import os
import re
import shutil
import sys
import tempfile

from ._command import CommandError, UsageError
from ._command_serve_app import App, Finder

EPILOG = """\
APP is one of
  FOLDER            a WSGI application is found in it: the project of a manage.py (Django), a wsgi.py, an app.wsgi, an app.py
  MODULE:OBJECT     a WSGI application in a module of the current directory, as other servers have it: mysite.wsgi:application
  FILE[:OBJECT]     a WSGI application in a .py or .wsgi file; OBJECT is application or app unless it is named
and for handlers of mod_python
  FOLDER            every name.py at its top level that defines handler(req) answers at /name and /name.py;
                    other files are served as they are, Python source never. If it has an httpd.conf, that is
                    included in each virtual host instead, with APP defined as the folder
  MODULE::HANDLER   a handler of a module in the current directory; it answers every URL

Exit status: 0 after Ctrl-C or a signal to stop, 1 when it could not serve, 2 for a command line that makes no sense.
"""

MODULE_HELP = "mod_python.so; else it is that of MOD_PYTHON_SO, else the one beside this package, else the one in httpd's folder of modules"

_SHAPES = ("prefork", "worker", "event", "winnt", "itk")


def add_arguments(parser):
    """The arguments of the command line."""
    add = parser.add_argument
    add("app", metavar="APP", nargs="?", help="what is served; see below")
    add("--venv", metavar="DIR", help="a virtual environment with its packages; default the active one (VIRTUAL_ENV)")
    add("--factory", action="store_true", help="OBJECT is called once, and makes the application: myapp:create_app")
    add("--static", metavar="URL=DIR", action="append", default=[], help="files that httpd itself sends: --static /static=./static; may be repeated")
    add("--mpm", metavar="MPM", default="", help="prefork, worker, event, winnt (one child with many threads) or itk (mpm_itk, as root); default event")
    add("--processes", metavar="N", type=_number(1, 1000), default=0, help="children of httpd")
    add("--threads", metavar="N", type=_number(1, 1000), default=0, help="threads of each child, which serve a request each")
    add("--port", metavar="N", type=_number(1, 65535), default=8080, help="the port; default 8080")
    add("--host", metavar="ADDR", default="127.0.0.1", help="the address to listen on; default 127.0.0.1")
    add("--vhost", metavar="NAME", default="", help="a virtual host of that name beside the default one, with an interpreter of its own")
    add("--gil", metavar="GIL", default="shared", help="shared (default), or own: each interpreter has a GIL of its own (Python 3.12 or later)")
    add("--https", action="store_true", help="with a certificate for this machine, made for this run; browsers ask about it")
    add("--reload", action=argparse.BooleanOptionalAction, default=True, help="load files that were edited again (default)")
    add("--access-log", action=argparse.BooleanOptionalAction, default=None, help="a line for each request; default on a terminal")
    add("--open", action="store_true", help="open a browser when the server answers")
    add("--module", metavar="FILE", help=MODULE_HELP)
    # For apxs/serve, which builds what is missing.
    add("--python", metavar="PROGRAM", help=argparse.SUPPRESS)
    add("--yes", "-y", action="store_true", help=argparse.SUPPRESS)
    add("--check", action="store_true", help=argparse.SUPPRESS)
    add("--demo", metavar="FOLDER", help=argparse.SUPPRESS)


def _number(least, most):
    def number(text):
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from {least} to {most}")
        return int(text)

    return number


def run(options):
    """Serve it."""
    command = Serve(options)
    command.look()
    if options.check:
        command.check()
        return 0
    return command.serve()


class Serve:
    """One run of the command."""

    def __init__(self, options):
        self.options = options
        self.called = options.called

    def note(self, text):
        """Say something to the user."""
        print(f"{self.called}: {text}", file=sys.stderr, flush=True)

    def look(self):
        """Find out what is served, and stop for what makes no sense, before anything is built or written."""
        from ._command_serve_venv import chosen

        options = self.options
        if options.mpm not in ("", *_SHAPES):
            raise UsageError(f"the MPM is {', '.join(_SHAPES[:-1])} or {_SHAPES[-1]}, not '{options.mpm}'.")
        if options.gil not in ("shared", "own"):
            raise UsageError(f"the GIL is shared or own, not '{options.gil}'.")
        for name in ("app", "venv"):
            if getattr(options, name) == "":
                raise UsageError(f"{'APP' if name == 'app' else '--venv'} is empty.")
        if not re.fullmatch(r"[A-Za-z0-9.:_-]+", options.host):
            raise UsageError(f"the host is an address of this machine, not '{options.host}'.")
        if options.vhost and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", options.vhost):
            raise UsageError(f"the virtual host is a host name, not '{options.vhost}'.")
        if options.threads and options.mpm in ("prefork", "itk"):
            raise UsageError(f"a child of {options.mpm} has one thread: leave out --threads, or choose another --mpm.")
        if options.processes > 1 and options.mpm == "winnt":
            raise UsageError("winnt has one child: leave out --processes, or choose another --mpm.")
        self.static = [_static(text) for text in options.static]
        self.venv = chosen(options.venv, self.note)
        if options.app is None:
            if not options.demo:
                raise UsageError("APP is missing: name a folder, a file or module:object.")
            if options.static:
                raise UsageError("--static needs an APP beside it.")
            if options.factory:
                raise UsageError("--factory is for a WSGI application, and the demo is none.")
            self.app, self.venv = App("demo", "the demo", options.demo), None
        else:
            self.app = Finder(self.called, options.factory, self.venv).read(options.app)

    def check(self):
        """Stop for what a module of that Python could not do, before it is built."""
        from ._command_serve_run import check_port
        from ._command_serve_venv import checked

        version = os.environ.get("MOD_PYTHON_BUILT_FOR", "")
        if version:
            self.check_gil(version)
            checked(self.venv, version, self.app.kind, lambda text: None)
        check_port(self.options.host, self.options.port)

    def check_gil(self, version):
        """Stop for a GIL that a Python, as X.Y, does not have."""
        if self.options.gil == "own" and tuple(map(int, version.split("."))) < (3, 12):
            raise CommandError(f"an own GIL needs Python 3.12 or later, and this is {version}.")

    def say_what_is_served(self):
        """Before anything is started: what is served, and with which packages."""
        app, venv = self.app, self.venv
        if app.found:
            self.note(f"found {app.found}.")
        if venv is not None:
            self.note(f"packages come from {venv.folder}{', the active environment' if venv.is_active else ''}.")
        elif app.kind == "application":
            for name in (".venv", "venv", "env"):
                folder = os.path.join(app.place, name)
                if os.path.isfile(os.path.join(folder, "pyvenv.cfg")):
                    self.note(f"there is a virtual environment here; to use it: --venv {folder}")
                    break

    def serve(self):
        """Serve until it is stopped; the exit status."""
        from ._command_serve_httpd import Httpd, User, python_of
        from ._command_serve_run import Run, check_port
        from ._command_serve_site import Site, check_path
        from ._command_serve_venv import checked

        options, app = self.options, self.app
        self.say_what_is_served()
        httpd = Httpd.find()
        mpm, shape = httpd.mpm(options.mpm)
        if options.threads and shape == "prefork":
            raise CommandError("this httpd has only prefork, whose children have one thread: leave out --threads.")
        module = self.find_module(httpd)
        python = python_of(module)
        self.check_gil(python)
        self.venv = venv = checked(self.venv, python, app.kind, self.note)
        for path in (app.place, module, venv and venv.folder, *(folder for _, folder in self.static)):
            check_path(path)
        if options.https and not httpd.has_module("ssl"):
            raise CommandError(f"{httpd.program} has no mod_ssl for --https: install it (mod_ssl on Fedora; Debian's apache2-bin has it).")
        check_port(options.host, options.port)
        user = User.of_server()
        if user is not None:
            self.check_readable(user)
        root = self.make_root()
        try:
            if user is not None:
                self.make_readable(root, user)
            site = Site(
                self.app, httpd, module, root, user, mpm, shape,
                host=options.host, port=options.port, gil=options.gil, vhost=options.vhost, venv=venv, static=self.static,
                processes=options.processes, threads=options.threads, is_reloading=options.reload,
            )  # fmt: skip
            return Run(site, self.note, python, is_logging=self.is_logging(), is_opened=options.open, has_https=options.https).run()
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def is_logging(self):
        """Whether requests are shown."""
        return self.options.access_log if self.options.access_log is not None else sys.stdout.isatty()

    def find_module(self, httpd):
        """The path of mod_python.so."""
        from ._command_serve_httpd import find_module, module_places

        found = find_module(self.options.module, httpd.modules)
        if found is None:
            places = " nor ".join(module_places(httpd.modules))
            raise CommandError(f"there is no module: neither {places} is there; --module names it, apxs/serve of a checkout builds it.")
        return found

    def make_root(self):
        """A folder for what httpd needs."""
        parent = os.environ.get("XDG_RUNTIME_DIR", "")
        # Root's own runtime folder is closed to httpd's user
        if os.geteuid() == 0 or not os.path.isdir(parent) or not os.access(parent, os.W_OK):
            parent = "/tmp"
        return tempfile.mkdtemp(prefix="mod_python.", dir=parent)

    def make_readable(self, root, user):
        """Root's httpd hands requests to another user: what that one cannot read is served from a copy."""
        from ._command_serve_site import copy

        app = self.app
        if app.kind == "demo" or user.can_read_all_in(app.place):
            return
        size = 0
        for folder, _, files in os.walk(app.place):
            for name in files:
                try:
                    size += os.lstat(os.path.join(folder, name)).st_size
                except OSError:
                    pass
            if size > 100 << 20:
                raise CommandError(f"httpd's user {user.name} cannot read {app.place}, and it is too large to copy: run this as an ordinary user.")
        self.note(f"httpd's user {user.name} cannot read {app.place}: serving a copy, which later changes do not reach.")
        place, target = app.place, os.path.join(root, "app")
        copy(place, target, user)
        if app.file:
            app.file = app.file.replace(place, target, 1)
            app.target = app.target.replace(place, target, 1)
        app.place = target

    def check_readable(self, user):
        """The rest is not copied: it can be large, and lies where its owner has put it."""
        paths = [folder for _, folder in self.static]
        if self.venv is not None:
            paths.append(os.path.join(self.venv.folder, "pyvenv.cfg"))
        for path in paths:
            if not user.can_read(path):
                raise CommandError(f"httpd's user {user.name} cannot read {path}: make it readable, or run this as an ordinary user.")


def _static(text):
    """URL=DIR: the URL, and the folder's path."""
    url, equals, folder = text.partition("=")
    if not equals or not folder:
        raise UsageError(f"--static takes URL=DIR, as in --static /static=./static, not '{text}'.")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", url.removesuffix("/")):
        raise UsageError(f"the URL of --static is a path such as /static, not '{url}'.")
    if not os.path.isdir(folder):
        raise UsageError(f"there is no folder {folder} for --static {url}.")
    return url.removesuffix("/"), os.path.realpath(folder)
