"""What belongs to the whole process but must be an interpreter's own: its environment, and leave to fork."""

import os
import sys


def own_environ(snapshot):
    """Make os.environ and os.environb this interpreter's copy of the environment that the child started with.

    What other interpreters have set since is in the process's environment, which os.environ was made from. The mapping stays
    the same object, since modules keep references to it, and is changed below its methods, which would write to the process.
    """
    data = os.environ._data
    data.clear()
    data.update(snapshot)


def refuse_fork(interpreter):
    """Make os.fork() and os.forkpty() raise: the child of a fork in a sub-interpreter is aborted by Python."""

    def refused(function):
        def refuse():
            raise RuntimeError(
                f"MP0705: os.{function}() does not work in the interpreter {interpreter!r}, because Python ends a process that "
                "was forked in a sub-interpreter. Use subprocess, multiprocessing with the start method 'spawn', or "
                "'PythonInterpreter main_interpreter'"
            )

        refuse.__name__ = refuse.__qualname__ = function
        refuse.__doc__ = f"Refused in this interpreter: raises RuntimeError. See {function}(2) for what it does elsewhere."
        return refuse

    for function in ("fork", "forkpty"):
        if hasattr(os, function):
            refuse = refused(function)
            for module in (os, sys.modules.get("posix")):
                setattr(module, function, refuse)


def keep_signals():
    """Leave httpd its signals: setting a handler for one of them is refused, as CPython refuses all in a sub-interpreter."""
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
