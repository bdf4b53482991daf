"""The directive PythonPath: sys.path from a Python expression."""

import sys
from _thread import RLock

_lock = RLock()
_seen = set()


def use_python_path(text):
    """Evaluate the text of a PythonPath directive and set sys.path to it, once for each distinct text in an interpreter.

    The expression sees what the module apache holds, sys and os among it. One that fails is tried again at the next call.
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
        _seen.add(text)


def _described(value):
    shown = repr(value)
    return f"{type(value).__name__}: {shown if len(shown) <= 200 else shown[:200] + '…'}"
