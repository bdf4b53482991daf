"""The modules of handlers: each directory's own, also where several directories of one interpreter hold a file of the same name.

sys.modules has one place for a name, and the module that was imported first has it. Another directory's file gets a name of its own,
``index@/srv/two`` for ``index``. A package does not, since its modules import each other by its name: a warning says which is used.
"""

import os
import sys

from _frozen_importlib_external import PathFinder, spec_from_file_location

from ._constants import APLOG_WARNING
from ._entries import entry
from ._importing import load
from ._path import path_of
from ._standard_library import NAMES

_specs = {}  # where a module is looked for, and its name -> its file and whether it is a package, or None
_own = {}  # name of a module that is loaded beside another one -> its file
_checked = set()  # where a module is looked for, and its name, if its imports were compared with what lies there


def import_for_handler(module_name, autoreload=1, log=0, directory=None, python_path=None, search=None):
    """Import the module of a handler: from directory if it is there, else from the path that the text of a PythonPath has made.

    search, a tuple of folders, comes before both. log is whether PythonDebug is on: then the error of an edited file that does not load is
    raised, which shows it in the browser.
    """
    if search is None:
        search = (directory,) if directory is not None else path_of(python_path)
    if search is None or not isinstance(module_name, str):
        return load(module_name, autoreload, log, log)
    top, dot, rest = module_name.partition(".")
    file, is_package = _find(top, search) or (None, False)
    own = None
    if file is not None and not is_package:
        own = _own_name(top, file)
        there = sys.modules.get(top)
        if own in sys.modules or (there is not None and not _is_from(there, file)):
            return _import_own(own, file, dot + rest, autoreload, log, search)
    module = load(module_name, autoreload, log, log)
    if file is not None and (search, module_name) not in _checked:
        if not _is_from(sys.modules.get(top), file):
            if own is not None:
                # Another thread was faster, or another directory is in front on sys.path
                return _import_own(own, file, dot + rest, autoreload, log, search)
            _warn(f"package {top!r} of the handler {module_name!r}", sys.modules.get(top), file)
            _checked.add((search, module_name))
        _compare_once(module, module_name, search)
    return module


def _import_own(own, file, rest, autoreload, log, search):
    if own not in _own:
        _own[own] = file
        if _Finder not in sys.meta_path:
            sys.meta_path.append(_Finder)
    module = load(own + rest, autoreload, log, log)
    _compare_once(module, own + rest, search)
    return module


class _Finder:
    """Finds the modules that are loaded beside others of their name."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        """The spec of such a module, else None."""
        return spec_from_file_location(fullname, _own[fullname]) if fullname in _own else None


def _own_name(top, file):
    # A dot would make it a part of a package
    folder = os.path.dirname(file).replace("%", "%25").replace(".", "%2E")
    return f"{top}@{folder}"


def _find(name, search):
    """The file of a module as these folders have it, and whether it is a package; None if it is not there or no Python source."""
    key = search, name
    if key in _specs:
        return _specs[key]
    found = None
    if name and name not in NAMES and name not in sys.builtin_module_names and name != "mod_python":
        spec = PathFinder.find_spec(name, list(search))
        if spec is not None and spec.has_location and hasattr(spec.loader, "source_to_code"):
            found = spec.origin, spec.submodule_search_locations is not None
    if found is not None:
        _specs[key] = found
    return found


def _is_from(module, file):
    theirs = getattr(module, "__file__", None)
    if theirs is None or theirs == file:
        return theirs == file
    try:
        return os.path.samefile(theirs, file)
    except OSError:
        return False


def _warn(what, module, file):
    used = getattr(module, "__file__", None) or f"that of {list(getattr(module, '__path__', ['no file']))}"
    entry(
        APLOG_WARNING,
        f"MP0430: {what} is {used}, which this interpreter has loaded before; {file} is not used. Rename one of them, or give each "
        "directory an interpreter of its own by PythonInterpPerDirectory or PythonInterpreter",
    )


def _compare_once(module, name, search):
    """Warn of modules that a handler's module imports and that are not those of its own directory."""
    if (search, name) in _checked:
        return
    _checked.add((search, name))
    spec = module.__spec__
    if len({folders for folders, _ in _specs}) < 2 or not hasattr(spec.loader, "get_code"):
        return
    for name in _names(spec.loader.get_code(spec.name)):
        there = sys.modules.get(name)
        if getattr(there, "__file__", None) is None or there is module:
            continue
        found = _find(name, search)
        if found is not None and not _is_from(there, found[0]):
            _warn(f"module {name!r} as {module.__file__} imports it", there, found[0])


def _names(code):
    """The names that code uses, those of the modules that it imports among them."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            names |= _names(constant)
    return names
