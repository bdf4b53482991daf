"""import_module() with a path: modules of one name in several folders."""

import os
import sys
import time

# Python's lock of a module detects deadlocks between threads; another lock would not
from _frozen_importlib import _load_unlocked, _ModuleLockManager
from _frozen_importlib_external import PathFinder

from ._importing import chain, forget_listings, log_import, refresh, remember


def import_from(module_name, autoreload, log, path):
    """Import a module from one of these folders, again if the one in sys.modules is from elsewhere."""
    folders = [os.fspath(folder) for folder in ([path] if isinstance(path, (str, os.PathLike)) else path)]
    search, parent = folders, None
    for name in chain(module_name):
        module = _import_one(name, search, folders, log)
        if parent is not None:
            setattr(parent, name.rpartition(".")[2], module)
        if autoreload:
            refresh(name, module, log)
        search, parent = getattr(module, "__path__", ()), module
    return module


def _import_one(name, search, folders, log):
    with _ModuleLockManager(name):
        there = sys.modules.get(name)
        if there is not None and _is_from(there, folders):
            return there
        spec = _find(name, search)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r} in {list(search)!r}", name=name)
        if log:
            log_import(name, list(search))
        began = time.time_ns()
        try:
            module = _load_unlocked(spec)
        except BaseException:
            if there is not None:
                sys.modules[name] = there
            raise
        remember(name, module, began)
        return module


def _find(name, search):
    spec = PathFinder.find_spec(name, search)
    if spec is None:
        forget_listings()
        spec = PathFinder.find_spec(name, search)
    return spec


def _is_from(module, folders):
    """Whether a module comes from one of the folders; true for a module without a file."""
    file = getattr(module, "__file__", None)
    locations = [file] if file else list(getattr(module, "__path__", ()))
    return not locations or any(_is_in(location, folder) for location in locations for folder in folders)


def _is_in(location, folder):
    folder = os.path.join(os.path.abspath(folder), "")
    return os.path.join(os.path.abspath(location), "").startswith(folder)
