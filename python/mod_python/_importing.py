"""import_module(): import a module once, and load it again into the same module object when its file was edited.

What is remembered of a module is in its namespace: ``__mtime__`` (the file's time when it was loaded), ``__mtime_check__`` (when
the file was last looked at) and ``__mp_loaded__``. A module that is loaded again keeps its object, so that references to it
stay good; names that the new code does not set keep their values.
"""

import os
import sys
import time
from _thread import allocate_lock

from ._constants import APLOG_ERR, APLOG_NOTICE, APLOG_WARNING
from ._entries import entry, exception

ModuleType = type(sys)
CHECK_INTERVAL = 1.0  # seconds between two looks at a module's file

_started = time.time_ns()
_importing_since = {}  # name of a module whose first import is under way -> when that began


def import_module(module_name, autoreload=1, log=0, path=None):
    """Import a module and return it, loading it and its parents again if their files were edited.

    With autoreload, the files are looked at once a second at most. While one thread loads a module again, others go on with
    what is there. If the new code does not load, the module is as it was before, the error is logged once for each change of the
    file, and the module is returned.

    path, a list of folders, restricts where the module may come from: one that was imported from elsewhere is imported anew,
    as another module object. With log, each import and each reload is logged at the level notice.
    """
    if not isinstance(module_name, str):
        raise TypeError(f"a module's name must be str, not {type(module_name).__name__}")
    if path is not None:
        from ._importing_from import import_from

        return import_from(module_name, autoreload, log, path)
    names = chain(module_name)
    missing = [name for name in names if not _is_there(name)]
    if missing:
        _import_first(module_name, missing, log)
    if autoreload:
        for name in names:
            refresh(name, sys.modules.get(name), log)
    return sys.modules[module_name]


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
        # Python's own import holds its lock of the module, so that the module is made once whoever else imports it
        __import__(name)
        return
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
    # The listing of a folder is kept until the folder's time changes: a file made within the same tick was not seen
    import importlib

    importlib.invalidate_caches()
    __import__(name)


def log_import(name, path=None):
    """Log that a module is about to be imported."""
    where = "" if path is None else f" with the path {path!r}"
    entry(APLOG_NOTICE, f"MP0702: importing module {name!r}{where}")


class Loaded:
    """What a module was loaded from."""

    __slots__ = ("known", "failed", "gone", "lock")

    def __init__(self, known):
        self.known = known  # the file as it was loaded, or None if that is not certain
        self.failed = None  # the file as it was when loading it failed
        self.gone = False  # whether it was logged that the file is not there
        self.lock = allocate_lock()  # held by the thread that looks at the file


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
    # Last, since other threads go by it; the first one's counts
    return namespace.setdefault("__mp_loaded__", Loaded(known))


def refresh(name, module, log):
    """Load a module again if its file was edited, unless that was looked at within the last second."""
    if not isinstance(module, ModuleType):
        return
    namespace = module.__dict__
    loaded = namespace.get("__mp_loaded__")
    if loaded is None:
        # Not remembered yet by the thread that imports it; or by an ordinary import, some time after this interpreter was made
        loaded = remember(name, module, _importing_since.get(name, _started))
        if loaded is None:
            return
    now = time.time()
    if 0 <= now - namespace.get("__mtime_check__", 0) < CHECK_INTERVAL:
        return
    if not loaded.lock.acquire(blocking=False):
        return
    try:
        namespace["__mtime_check__"] = now
        _look(name, module, loaded, log)
    finally:
        loaded.lock.release()


def _look(name, module, loaded, log):
    file = module.__file__
    try:
        state = os.stat(file)
    except OSError as error:
        if not loaded.gone:
            loaded.gone = True
            entry(
                APLOG_WARNING,
                f"MP0704: the file of module {name!r} cannot be looked at ({error}); "
                "the code in memory goes on until the file is back",
            )
        return
    loaded.gone = False
    identity = _identity(state)
    if identity == loaded.failed:
        return
    if identity == loaded.known and module.__dict__.get("__mtime__") == state.st_mtime:
        return
    if log:
        entry(APLOG_NOTICE, f"MP0702: loading module {name!r} again, because {file!r} was edited")
    _reload(name, module, loaded, state)


def _reload(name, module, loaded, state):
    namespace = module.__dict__
    before = dict(namespace)
    file = module.__file__
    loader = module.__spec__.loader
    try:
        _remove_outdated_bytecode(module, state)
        exec(loader.source_to_code(loader.get_data(file), file), namespace)
    except BaseException as error:
        for key in list(namespace):
            if key not in before:
                namespace.pop(key, None)
        namespace.update(before)
        if not isinstance(error, (Exception, SystemExit)):
            raise
        loaded.failed = _identity(state)
        entry(
            APLOG_ERR,
            f"MP0703: module {name!r} was edited and does not load ({type(error).__name__}, below); "
            f"the code loaded before goes on until {file!r} is saved again",
        )
        exception(APLOG_ERR, error.with_traceback(_without_importing(error.__traceback__)))
        return
    loaded.known, loaded.failed = _identity(state), None
    namespace["__mtime__"] = state.st_mtime


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
    """The module's .pyc file if it was made from an earlier state of the source and Python would take it for the present one.

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
