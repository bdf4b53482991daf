"""Threads: what happens when one that an application started ends with an exception, and what programs see of the others."""

import _thread
import sys

import _apache

from ._constants import APLOG_ERR
from ._entries import entry, exception


def install(interpreter):
    """Log which thread of which interpreter has ended, and why.

    An application can still set threading.excepthook. The module threading is not imported for this, which
    would take a third of the time of creating an interpreter: it takes its first hook from _thread.
    """

    def excepthook(args):
        if issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread is not None else _thread.get_ident()
        entry(
            APLOG_ERR,
            f"MP0701: thread {name!r} of interpreter {interpreter!r} ended by an uncaught exception, "
            f"{args.exc_type.__name__}; the server is not affected",
        )
        error = args.exc_value if args.exc_value is not None else args.exc_type()
        exception(APLOG_ERR, error.with_traceback(args.exc_traceback))

    # First for later imports of threading, then for one by _bootstrap, a .pth file or sitecustomize
    _thread._excepthook = excepthook
    threading = sys.modules.get("threading")
    if threading is not None:
        if threading.excepthook is threading.__excepthook__:
            threading.excepthook = excepthook
        threading.__excepthook__ = excepthook


def see_own_interpreter():
    """Make what looks into all interpreters of the process look into this one only: others may run meanwhile, under GILs of their own."""
    # Not functions of Python: their frames would be what this thread is in
    sys._current_frames = _apache._current_frames
    sys._current_exceptions = _apache._current_exceptions
    if sys.version_info >= (3, 12) and _apache._interpreters_have_own_gils():

        def getallocatedblocks():
            """0, by which Python says that it cannot tell: the blocks of other interpreters cannot be counted while these run."""
            return 0

        sys.getallocatedblocks = getallocatedblocks
