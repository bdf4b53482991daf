"""What happens when a thread that an application started ends with an exception."""

import _thread
import sys

from ._constants import APLOG_ERR
from ._entries import entry, exception


def install(interpreter):
    """Make the error log say which thread of which interpreter ended, and why.

    An application can still set threading.excepthook to a function of its own. The module threading is not imported for this, which
    would be a third of the time it takes to make an interpreter: it finds its first hook in _thread.
    """

    def excepthook(args):
        if issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread is not None else _thread.get_ident()
        entry(
            APLOG_ERR,
            f"MP0701: thread {name!r} of interpreter {interpreter!r} ended by an uncaught exception, "
            f"{args.exc_type.__name__}; nothing waits for it, the server goes on",
        )
        error = args.exc_value if args.exc_value is not None else args.exc_type()
        exception(APLOG_ERR, error.with_traceback(args.exc_traceback))

    # First for whoever imports threading from now on, then for what _bootstrap, a .pth file or sitecustomize has imported
    _thread._excepthook = excepthook
    threading = sys.modules.get("threading")
    if threading is not None:
        if threading.excepthook is threading.__excepthook__:
            threading.excepthook = excepthook
        threading.__excepthook__ = excepthook
