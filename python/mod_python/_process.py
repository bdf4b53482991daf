"""An interpreter's view of what belongs to the whole process: the environment, forks, and signals."""

import os
import sys

import _apache

from ._constants import APLOG_ERR
from ._entries import entry, exception

_after_fork = []  # functions to call in a process that httpd forks

# Functions of the standard library that modules have registered if they were imported before (by a .pth file, say). Functions that
# C code has registered with the system are called by the system.
_KNOWN_HOOKS = (
    ("threading", "_after_fork"),
    ("random", "seed"),
    ("logging", "_after_at_fork_child_reinit_locks"),
    ("concurrent.futures.thread", "_global_shutdown_lock._at_fork_reinit"),
    ("asyncio.events", "on_fork"),  # since Python 3.12
)


def note_fork_hooks():
    """Note the functions that os.register_at_fork() registers for the new process: Python calls them after os.fork() only."""
    for module, path in _KNOWN_HOOKS:
        hook = sys.modules.get(module)
        for name in path.split("."):
            hook = getattr(hook, name, None)
        if hook is not None:
            _after_fork.append(hook)
    register = os.register_at_fork

    def register_at_fork(**hooks):
        """Register callables that run before and after a fork, in both processes."""
        register(**hooks)
        if "after_in_child" in hooks:
            _after_fork.append(hooks["after_in_child"])

    for module in (os, sys.modules.get("posix")):
        module.register_at_fork = register_at_fork


def after_fork():
    """Call the noted functions in a process that httpd has forked: they set new random seeds and locks, and forget other threads."""
    for hook in list(_after_fork):  # one of them may register more
        try:
            hook()
        except BaseException as error:  # also SystemExit, which has no thread to end
            entry(APLOG_ERR, f"MP0708: {hook!r}, registered by os.register_at_fork(), failed in a process that httpd forked")
            exception(APLOG_ERR, error)


def own_environ(snapshot):
    """Make os.environ and os.environb this interpreter's copy of the environment that the child started with.

    os.environ was made from the process's environment, which other interpreters may have changed. The mapping stays
    the same object, since modules have references to it, and is changed without its methods, which would write to the process.
    """
    data = os.environ._data
    data.clear()
    data.update(snapshot)


def refuse_fork(interpreter):
    """Make os.fork() and os.forkpty() raise: Python aborts a process that was forked in a sub-interpreter."""

    def refused(function):
        def refuse():
            raise RuntimeError(
                f"MP0705: os.{function}() does not work in the interpreter {interpreter!r}, because Python ends a process that "
                "was forked in a sub-interpreter. Use subprocess, multiprocessing with the start method 'spawn', or "
                "'PythonInterpreter main_interpreter' for all of this httpd"
            )

        refuse.__doc__ = f"Refused in this interpreter: raises RuntimeError."
        return refuse

    _replace_forks(refused)


def guard_fork():
    """Make os.fork() and os.forkpty() raise in the main interpreter while there are others.

    CPython frees the others in the new process in a way that hangs it (before 3.12) or crashes it (gh-84139, gh-101437).
    """

    def guarded(name):
        function = getattr(os, name)

        def fork():
            if _apache._has_other_interpreters():
                raise RuntimeError(
                    f"MP0705: os.{name}() does not work while the process has other interpreters than the main one, because "
                    "Python breaks a process that was forked then. Use subprocess, or multiprocessing with the start method "
                    "'spawn'"
                )
            return function()

        fork.__doc__ = function.__doc__
        return fork

    _replace_forks(guarded)


def _replace_forks(make):
    for name in ("fork", "forkpty"):
        if hasattr(os, name):
            fork = make(name)
            fork.__name__ = fork.__qualname__ = name
            for module in (os, sys.modules.get("posix")):
                setattr(module, name, fork)


def keep_signals():
    """Refuse signal handlers for httpd's signals; in a sub-interpreter CPython refuses all."""
    import _signal  # builtin; signal.signal() looks its function up there at each call

    names = ("SIGHUP", "SIGINT", "SIGTERM", "SIGUSR1", "SIGWINCH", "SIGCHLD", "SIGPIPE", "SIGXFSZ")
    kept = {getattr(_signal, name): name for name in names}
    install = _signal.signal

    def signal(signalnum, handler, /):
        """Set the action for a signal that httpd does not use."""
        if signalnum in kept:
            raise ValueError(
                f"MP0707: {kept[signalnum]} belongs to httpd, which would not stop or restart properly without it. Use"
                " apache.register_cleanup for work at the end of a child"
            )
        return install(signalnum, handler)

    _signal.signal = signal
