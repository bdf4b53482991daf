"""The directive PythonPath: sys.path from a Python expression."""

import sys
from _thread import RLock

from ._constants import APLOG_WARNING
from ._entries import entry
from ._standard_library import finder, is_on_path

_lock = RLock()
_seen = {}  # the texts in the order in which they were evaluated, each with the path that it gave


def use_python_path(text):
    """Evaluate the text of a PythonPath directive and set sys.path to it, once for each distinct text in an interpreter.

    The expression can use all names of the module apache, sys and os among them. If it fails, it is evaluated again at the next call.
    """
    if text in _seen:
        return
    with _lock:
        if text in _seen:
            return
        from . import apache

        try:
            path = eval(text, dict(vars(apache)))
        except Exception as error:
            raise ValueError(
                f"MP0706: PythonPath {text!r} cannot be evaluated, {type(error).__name__}: {error}; "
                "it must be a Python expression that gives a list of strings, such as \"sys.path + ['/srv/app']\""
            ) from error
        if not isinstance(path, (list, tuple)) or not all(isinstance(folder, str) for folder in path):
            raise ValueError(f"MP0706: PythonPath {text!r} must evaluate to a list of strings, got {_described(path)}")
        if sys.path != path:
            sys.path[:] = path
        _seen[text] = tuple(path)
        if not is_on_path():
            entry(
                APLOG_WARNING,
                f"MP0320: PythonPath {text!r} leaves out Python's standard library ({finder.path[0]}), so nearly all imports will fail. "
                "Write \"[...] + sys.path\"",
            )


def path_of(text):
    """What a PythonPath has given; None for None and for one that was not evaluated."""
    return _seen.get(text)


def say_where(error):
    """Add to a ModuleNotFoundError what is wrong with sys.path: it has no standard library, or a folder that cannot be read."""
    if not isinstance(error.msg, str) or "sys.path" in error.msg:
        return
    if is_on_path():
        unreadable = _unreadable()
        if not unreadable:
            return
        error.msg += f"; of the folders of sys.path, {unreadable}"
    else:
        path = f"PythonPath {next(reversed(_seen))!r} has set sys.path," if _seen else "sys.path is"
        error.msg += f"; {path} without Python's standard library ({finder.path[0]})"
    error.args = (error.msg,)


def _unreadable():
    from ._permissions import advice

    return next(filter(None, (advice(folder) for folder in sys.path if isinstance(folder, str) and folder)), "")


def _described(value):
    shown = repr(value)
    return f"{type(value).__name__}: {shown if len(shown) <= 200 else shown[:200] + '…'}"
