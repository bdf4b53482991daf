"""mod_wsgi's part: what its directives set an interpreter up with, and the module mod_wsgi that programs ask."""

import os
import sys

from _frozen_importlib import ModuleSpec

from ._constants import APLOG_WARNING
from ._entries import entry

# The version whose directives and keys are understood
VERSION = (6, 1, 1)

_groups = None  # the process group and the application group, where directives name any


def set_up(process_group, application_group, folders, environment, interval, write_bytecode, filters, signals, stdin, stdout):
    """Set this interpreter up as the directives say it.

    folders are lists for sys.path, the last one to come first; environment has names and values; interval is in seconds, or 0;
    filters are those of WSGIPythonWarnings. signals, stdin and stdout say what programs may use.
    """
    global _groups
    _groups = process_group, application_group
    for name, value in environment:
        # Below its methods, which would write to the process
        os.environ._data[os.fsencode(name)] = os.fsencode(value)
    for names in folders:
        _add(names.split(":"))
    if interval:
        sys.setswitchinterval(interval)
    if not write_bytecode:
        sys.dont_write_bytecode = True
    if filters:
        import warnings

        sys.warnoptions.extend(filters)
        warnings._processoptions(filters)
    if not signals:
        _ignore_handlers_of_signals()
    if not stdin:
        sys.stdin = Restricted("sys.stdin", "WSGIRestrictStdin")
    if not stdout:
        sys.stdout = Restricted("sys.stdout", "WSGIRestrictStdout")


def _add(folders):
    """Put folders at the front of sys.path, with what their .pth files name."""
    import site

    before = list(sys.path)
    for folder in folders:
        if folder:
            site.addsitedir(folder)
    fresh = [path for path in sys.path if path not in before]
    sys.path[:] = fresh + [path for path in sys.path if path not in fresh]


def _ignore_handlers_of_signals():
    """Have signal.signal() do nothing and say so: programs call it at their start, whoever serves them."""
    import _signal  # signal.signal() looks its function up there at each call

    def signal(signalnum, handler, /):
        """Do nothing but to warn."""
        frame, caller = sys._getframe(1), ""
        while frame is not None and frame.f_globals.get("__name__") == "signal":
            frame = frame.f_back
        if frame is not None:
            caller = f" ({frame.f_code.co_filename}:{frame.f_lineno})"
        entry(
            APLOG_WARNING,
            f"MP0460: signal.signal({int(signalnum)}, …){caller} is ignored, since signals are httpd's: leave it out where mod_wsgi or this "
            "module serves, or write 'WSGIRestrictSignal Off' to have Python decide",
        )
        return _signal.getsignal(signalnum)

    _signal.signal = signal


class Restricted:
    """A stream that must not be used."""

    def __init__(self, name, directive):
        self.__dict__.update(_name=name, _directive=directive)

    def __getattr__(self, attribute):
        """Raise OSError."""
        raise OSError(f"{self._name} must not be used: '{self._directive} On' stands in httpd's configuration")

    def __iter__(self):
        """Raise OSError."""
        return self.__getattr__("__iter__")


class Loader:
    """Loads the module mod_wsgi: ours, or a package of that name (mod_wsgi-express) with our attributes in it."""

    def __init__(self, package=None):
        self.package = package  # the loader of the package

    def create_module(self, spec):
        """The package's module, or None for an ordinary one."""
        return self.package.create_module(spec) if self.package else None

    def exec_module(self, module):
        """Run the package's code, if there is a package."""
        if self.package:
            self.package.exec_module(module)
        vars(module).update(attributes())

    def __getattr__(self, name):
        """What else the package's loader has."""
        package = self.__dict__.get("package")
        if package is None:
            raise AttributeError(name)
        return getattr(package, name)


def find_spec(finder):
    """The spec of the module mod_wsgi. Finders behind the one given are asked for a package first."""
    behind = sys.meta_path[sys.meta_path.index(finder) + 1 :]
    for other in behind:
        spec = other.find_spec("mod_wsgi", None)
        if spec is not None and hasattr(spec.loader, "exec_module") and spec.origin:
            spec.loader = Loader(spec.loader)
            return spec
    return ModuleSpec("mod_wsgi", Loader(), origin="mod_python")


def attributes():
    """What the module has."""
    from . import apache
    from ._wsgi import FileWrapper

    name = apache.interpreter
    process_group, application_group = _groups or ("", "" if name == "main_interpreter" else name)

    def subscribe_shutdown(callback):
        """Have a function called when the process ends, with the keyword shutdown_reason."""
        apache.register_cleanup(lambda _: callback("process_stopping", shutdown_reason="shutdown_signal"))
        return callback

    return {
        "version": VERSION,
        "process_group": process_group,
        "application_group": application_group,
        "maximum_processes": apache.mpm_query(apache.AP_MPMQ_MAX_DAEMONS),
        "threads_per_process": max(apache.mpm_query(apache.AP_MPMQ_MAX_THREADS), 1),
        "FileWrapper": FileWrapper,
        "subscribe_shutdown": subscribe_shutdown,
    }
