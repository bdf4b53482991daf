"""Python imports this at the start of every interpreter; it puts the portability watch in place.

What goes wrong here must not touch the application: it is then served without the watch.
"""

import sys

try:
    # A program that the application starts has this on its path too, and may do what it likes: it has a process of its own.
    if "_apache" in sys.builtin_module_names:
        import portability_watch

        portability_watch.install()
except Exception as _error:  # noqa: BLE001 - the application comes first
    print(f"portability watch: not in place: {_error!r}", file=sys.__stderr__)


def _run_the_next_one():
    """Run the sitecustomize that this file hides, if there is one: the system's, or the application's."""
    from importlib.machinery import PathFinder

    here = __file__.rpartition("/")[0]
    spec = PathFinder.find_spec("sitecustomize", [folder for folder in sys.path if folder != here])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(sys.modules[__name__])


_run_the_next_one()
