"""import_module(): import a module once, and load it again into the same module object when its file was edited.

What is loaded again runs in a namespace of its own, a copy of the old one. When it is complete it becomes the module's, in one step. Until
then whoever asks the module finds the old code, and functions of the old code keep the old namespace for as long as they run.

What is remembered of a module is in its namespace: ``__mtime__`` (the file's time when it was loaded), ``__mtime_check__`` (when
the file was last looked at) and ``__mp_loaded__``. A module that is loaded again keeps its object, so that references to it
stay good; names that the new code does not set keep their values.
"""

import os
import sys
import time
from _thread import allocate_lock, get_ident

from _frozen_importlib_external import PathFinder

import _apache

from ._constants import APLOG_ERR, APLOG_NOTICE, APLOG_WARNING
from ._entries import entry, exception
from ._path import say_where

ModuleType = type(sys)
CHECK_INTERVAL = 1.0  # seconds between two checks of a module's file

_started = time.time_ns()
_importing_since = {}  # name of a module whose first import is under way -> when that began


def import_module(module_name, autoreload=1, log=0, path=None):
    """Import a module and return it, loading it and its parents again if their files were edited.

    With autoreload, the files are checked at most once a second. While one thread loads a module again, others use the
    loaded code. If the new code does not load, the module stays as it was, the error is logged once for each change of the
    file, and the module is returned.

    path, a list of folders, restricts where the module may come from: a module that was imported from elsewhere is imported again,
    as another module object. With log, each import and each reload is logged at the level notice.
    """
    if path is not None and isinstance(module_name, str):
        from ._importing_from import import_from

        return import_from(module_name, autoreload, log, path)
    return load(module_name, autoreload, log)


def load(module_name, autoreload, log, shows=False):
    """The same. With shows, whose code does not load raises its error each time, in the place of the old code."""
    if not isinstance(module_name, str):
        raise TypeError(f"a module's name must be str, not {type(module_name).__name__}")
    names = chain(module_name)
    missing = [name for name in names if not _is_there(name)]
    if missing:
        _import_first(module_name, missing, log)
    if autoreload:
        for name in names:
            refresh(name, sys.modules.get(name), log, shows)
    while (module := sys.modules.get(module_name)) is None:
        # A thread that has waited for another's import is given the module even if that has failed, and was taken away again.
        _import(module_name)
    return module


def module_mtime(module):
    """When a module's file was modified, in seconds; of a .pyc file and its source the later; 0 if there is none."""
    times = [0]
    file = getattr(module, "__file__", None)
    for candidate in (file, file[:-1]) if file else ():
        try:
            times.append(os.stat(candidate).st_mtime)
        except OSError:
            pass
    return max(times)


def chain(name):
    """The module's parents from the left, then the module: a.b.c gives a, a.b and a.b.c."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _is_there(name):
    module = sys.modules.get(name)
    return module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False)


def _import_first(module_name, missing, log):
    began = time.time_ns()
    first = _importing_since.setdefault(module_name, began) is began
    for name in missing:
        _importing_since.setdefault(name, began)
    if first and log and not _is_there(module_name):
        log_import(module_name)
    try:
        _import(module_name)
    finally:
        for name in missing:
            since = _importing_since.get(name, began)
            if _is_there(name):
                remember(name, sys.modules[name], since)
            _importing_since.pop(name, None)


def _import(name):
    try:
        # Python's import holds its lock of the module, so that the module is imported once
        __import__(name)
        return
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            say_where(error)
            raise
    forget_listings()
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        say_where(error)
        raise


def forget_listings():
    """Have folders listed anew. A listing is kept until the folder's time changes: a file made within the same tick was not seen.

    importlib.invalidate_caches() does it too, and imports importlib.metadata for it with all that that needs.
    """
    for finder in [*sys.meta_path, *sys.path_importer_cache.values()]:
        if finder is not PathFinder and hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()


def log_import(name, path=None):
    """Log that a module is about to be imported."""
    where = "" if path is None else f" with the path {path!r}"
    entry(APLOG_NOTICE, f"MP0702: importing module {name!r}{where}")


class Loaded:
    """The file that a module was loaded from."""

    __slots__ = ("known", "failed", "error", "gone", "lock", "thread")

    def __init__(self, known):
        self.known = known  # the file as it was loaded, or None if that is not certain
        self.failed = None  # the file as it was when loading it failed
        self.error = None  # the exception, if it is to be shown
        self.gone = False  # whether it was logged that the file does not exist
        self.lock = allocate_lock()  # held by the thread that checks the file
        self.thread = None  # that one


def remember(name, module, since):
    """Note what a module was loaded from, if it can be loaded again. since: the file was read after that, in nanoseconds."""
    file = _reloadable_file(name, module)
    if file is None:
        return None
    known = mtime = None
    try:
        state = os.stat(file)
    except OSError:
        pass
    else:
        mtime = state.st_mtime
        if state.st_mtime_ns <= since and _outdated_bytecode(module, state) is None:
            known = _identity(state)
    namespace = module.__dict__
    namespace["__mtime__"] = mtime
    namespace["__mtime_check__"] = 0 if known is None else time.time()
    # Last, since other threads test for it; the first one is kept
    return namespace.setdefault("__mp_loaded__", Loaded(known))


def refresh(name, module, log, shows=False):
    """Load a module again if its file was edited, unless the file was checked within the last second.

    With shows, an error of code that does not load is raised until the file is saved again.
    """
    if not isinstance(module, ModuleType):
        return
    namespace = module.__dict__
    loaded = namespace.get("__mp_loaded__")
    if loaded is None:
        # Not noted yet by the thread that imports it, or imported by an ordinary import since this interpreter was created
        loaded = remember(name, module, _importing_since.get(name, _started))
        if loaded is None:
            return
    now = time.time()
    if 0 <= now - namespace.get("__mtime_check__", 0) < CHECK_INTERVAL:
        if shows:
            _raise(loaded)
        return
    # With shows, what another thread finds out is waited for
    if not loaded.lock.acquire(blocking=shows and loaded.thread != get_ident()):
        return
    loaded.thread = get_ident()
    try:
        namespace["__mtime_check__"] = now
        _look(name, module, loaded, log, shows)
        if shows:
            _raise(loaded)
    finally:
        loaded.thread = None
        loaded.lock.release()


def _raise(loaded):
    error = loaded.error
    if error is not None:
        # Each time from the place where the code has failed
        raise error.with_traceback(_without_importing(error.__traceback__))


def _look(name, module, loaded, log, shows):
    file = module.__file__
    try:
        state = os.stat(file)
    except OSError as error:
        if not loaded.gone:
            loaded.gone = True
            entry(
                APLOG_WARNING,
                f"MP0704: the file of module {name!r} cannot be checked ({error}); "
                "the loaded code stays in use until the file is back",
            )
        return
    loaded.gone = False
    identity = _identity(state)
    if identity == loaded.failed and not shows:
        return
    if identity == loaded.known and module.__dict__.get("__mtime__") == state.st_mtime:
        return
    if log:
        entry(APLOG_NOTICE, f"MP0702: loading module {name!r} again, because {file!r} was edited")
    _reload(name, module, loaded, state, shows)


def _reload(name, module, loaded, state, shows):
    # The new code runs in a namespace of its own: other threads are served by the old code meanwhile
    before = dict(module.__dict__)
    namespace = dict(before)
    file = module.__file__
    loader = module.__spec__.loader
    try:
        _remove_outdated_bytecode(module, state)
        exec(loader.source_to_code(loader.get_data(file), file), namespace)
    except BaseException as error:
        if not isinstance(error, (Exception, SystemExit)):
            raise
        loaded.failed, loaded.error = _identity(state), error if shows else None
        if shows:
            # It is raised, and so logged, as an error of the handler's
            return
        entry(
            APLOG_ERR,
            f"MP0703: module {name!r} was edited and does not load ({type(error).__name__}, below); "
            f"the code loaded before stays in use until {file!r} is saved again. Children that start meanwhile, as after a graceful "
            "restart, have no such code and answer with 500",
        )
        exception(APLOG_ERR, error.with_traceback(_without_importing(error.__traceback__)))
        return
    loaded.known, loaded.failed, loaded.error = _identity(state), None, None
    _take_over(before, module.__dict__, namespace)
    namespace["__mtime__"] = state.st_mtime
    _apache._replace_namespace(module, namespace)


def _take_over(before, now, namespace):
    """Put into the new namespace what the old one was given while the new code ran, unless the new code has set that too."""
    missing = object()
    for key in {**before, **now}:
        value = now.get(key, missing)
        if value is not before.get(key, missing) and namespace.get(key, missing) is before.get(key, missing):
            if value is missing:
                del namespace[key]
            else:
                namespace[key] = value


def _without_importing(traceback):
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file != __file__ and not file.startswith("<frozen importlib"):
            break
        traceback = traceback.tb_next
    return traceback


def _reloadable_file(name, module):
    """The source file of a module whose loader can compile it: not that of __main__, extension modules, namespaces and zips."""
    if name == "__main__" or not isinstance(module, ModuleType):
        return None
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    file = module.__dict__.get("__file__")
    if not isinstance(file, str) or file.endswith(".pyc"):
        return None
    if not hasattr(loader, "source_to_code") or not hasattr(loader, "get_data"):
        return None
    return file


def _identity(state):
    return state.st_mtime_ns, state.st_size


def _outdated_bytecode(module, state):
    """The module's .pyc file if it was compiled from an earlier state of the source, but Python would take it for the current one.

    A .pyc file holds its source's time in whole seconds, and its size.
    """
    try:
        path = module.__spec__.cached
        if path is None:
            return None
        with open(path, "rb", buffering=0) as file:
            written = os.fstat(file.fileno()).st_mtime_ns
            header = file.read(16)
    except (OSError, NotImplementedError):
        return None
    flags, mtime, size = (int.from_bytes(header[at : at + 4], "little") for at in (4, 8, 12))
    fits = flags == 0 and mtime == int(state.st_mtime) & 0xFFFFFFFF and size == state.st_size & 0xFFFFFFFF
    return path if fits and written < state.st_mtime_ns else None


def _remove_outdated_bytecode(module, state):
    path = _outdated_bytecode(module, state)
    if path is not None:
        try:
            os.unlink(path)
        except OSError:
            pass
