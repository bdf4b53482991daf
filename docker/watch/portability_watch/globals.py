"""Which globals of the application's modules changed between two looks.

Only built-in types are looked into, and no code of the application is called: not its __repr__, not its __eq__.
"""

import sys
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from . import record, source

_PLAIN = (int, float, complex, str, bytes, bool, type(None))
_IGNORED = (ModuleType, FunctionType, BuiltinFunctionType, MethodType, property, classmethod, staticmethod)
_MOST = 200  # elements of a container that are looked at
_SHOWN = 60

_before = {}


def changes() -> list:
    """Each global that has another value than at the last look, or than its module gave it if this is the first one."""
    found = []
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or record.is_foreign(file) or record.is_package(file):
            continue
        present = _fingerprints(module)
        known = _before.get(file)
        _before[file] = present
        at_import = known is None
        if at_import:
            # The first look comes after the first request: what the source says is what was there before.
            known = {name: _described(value) for name, value in source.initial_values(file).items()}
        for name, (mark, shown) in present.items():
            if name in known and known[name][0] == mark or at_import and name not in known:
                continue
            before = known[name][1] if name in known else "not there"
            line = source.where_changed(file, name)
            found.append(
                {
                    "module": module.__name__,
                    "file": file,
                    "line": line,
                    "name": name,
                    "before": before,
                    "after": shown,
                    "since_import": at_import,
                }
            )
    return found


def _fingerprints(module):
    present = {}
    for name, value in _items(vars(module)):
        if name.startswith("__"):
            continue
        if isinstance(value, type):
            if value.__module__ == module.__name__:
                for attribute, inner in _items(vars(value)):
                    if not attribute.startswith("__"):
                        _put(present, f"{name}.{attribute}", inner)
        elif isinstance(value, FunctionType) and value.__module__ == module.__name__:
            for attribute, inner in _items(vars(value)):
                if not attribute.startswith("__"):
                    _put(present, f"{name}.{attribute}", inner)
            for inner in value.__defaults__ or ():
                if isinstance(inner, (list, dict, set)):
                    _put(present, f"{name}(default)", inner)
        else:
            _put(present, name, value)
            if type(value).__module__ == module.__name__:
                for attribute, inner in _items(getattr(value, "__dict__", {})):
                    _put(present, f"{name}.{attribute}", inner)
    return present


def _put(present, name, value):
    if isinstance(value, _IGNORED):
        return
    present[name] = _described(value)


def _described(value):
    mark = _mark(value, 2)
    return mark, _show(value, mark)


def _items(mapping):
    try:
        return [(name, value) for name, value in list(mapping.items()) if isinstance(name, str)]
    except RuntimeError:  # it changed meanwhile
        return []


def _mark(value, depth):
    kind = type(value)
    if kind in _PLAIN:
        text = repr(value) if kind is not int or value.bit_length() < 4000 else hex(value)
        return kind.__name__, text if len(text) <= 500 else (len(text), hash(value))
    if depth and kind in (list, tuple, dict, set, frozenset) or kind.__module__ == "collections" and depth:
        try:
            elements = list(value.items() if isinstance(value, dict) else value)[:_MOST]
            marks = [_mark(element, depth - 1) for element in elements]
            return kind.__name__, len(value), sorted(map(repr, marks)) if kind in (set, frozenset) else marks
        except Exception:  # it changed meanwhile, or is of a type that only looks like these
            return kind.__name__, id(value)
    if kind is tuple:
        return kind.__name__, len(value)
    if kind.__module__ == "itertools" and kind.__name__ == "count":
        return kind.__name__, repr(value)
    if kind is bytearray:
        return kind.__name__, bytes(value[:500]), len(value)
    return kind.__name__, id(value)


def _show(value, mark):
    kind = type(value)
    if kind in _PLAIN or kind.__name__ == "count":
        text = str(mark[1]) if isinstance(mark[1], str) else repr(value)
        return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    if isinstance(mark[1], int) and len(mark) == 3:
        return f"{kind.__name__} of {mark[1]}"
    return kind.__name__
