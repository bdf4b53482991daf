"""The signal mask of programs that handlers start: that of httpd's start, not that of its threads."""

import os
import sys

import _apache

_SUBPROCESS = "_posixsubprocess"
_ENVIRONMENT = 5  # the place of the environment among the arguments of fork_exec


class Finder:
    """Finds the C part of subprocess when an application imports it, and replaces its fork_exec."""

    def find_spec(self, fullname, path=None, target=None):
        """The spec of that module with a _Loader, else None."""
        if fullname != _SUBPROCESS:
            return None
        for finder in sys.meta_path:
            if not isinstance(finder, Finder):
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    spec.loader = _Loader(spec.loader)
                    return spec
        return None


class _Loader:
    """Loads a module by another loader, and replaces its fork_exec."""

    def __init__(self, loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        _replace(module)


def install():
    """Make os.system(), os.posix_spawn(), os.posix_spawnp() and subprocess start programs with the signal mask that httpd was started with."""
    for name in ("posix_spawn", "posix_spawnp"):
        _set(name, _with_signal_mask(getattr(os, name)))
    _set("system", system)
    # After the finder of the library, which is used more often.
    sys.meta_path.insert(1, Finder())
    module = sys.modules.get(_SUBPROCESS)
    if module is not None:
        # A .pth file or sitecustomize has imported it.
        _replace(module)
        subprocess = sys.modules.get("subprocess")
        if subprocess is not None:
            subprocess._fork_exec = module.fork_exec


def system(command):
    """Run the command in a shell, in this interpreter's environment; the exit status as os.waitpid() gives it."""
    sys.audit("os.system", command)
    shell = os.posix_spawn("/bin/sh", ["sh", "-c", os.fsencode(command)], os.environ)
    return os.waitpid(shell, 0)[1]


def _set(name, function):
    function.__name__ = function.__qualname__ = name
    for module in (os, sys.modules.get("posix")):
        setattr(module, name, function)


def _with_signal_mask(spawn):
    def with_signal_mask(path, argv, env, /, **options):
        options.setdefault("setsigmask", _apache._inherited_signal_mask())
        # Since Python 3.13 it may be None, which is the environment of the process, not this interpreter's
        return spawn(path, argv, os.environ if env is None else env, **options)

    with_signal_mask.__doc__ = spawn.__doc__
    return with_signal_mask


def _replace(module):
    original = module.fork_exec

    def fork_exec(*arguments):
        if len(arguments) > _ENVIRONMENT and arguments[_ENVIRONMENT] is None:
            # What it would inherit is the environment of the process, not this interpreter's
            own = [name + b"=" + value for name, value in os.environb.items()]
            arguments = (*arguments[:_ENVIRONMENT], own, *arguments[_ENVIRONMENT + 1 :])
        return _apache._start_program(original, arguments)

    fork_exec.__doc__ = original.__doc__
    module.fork_exec = fork_exec
