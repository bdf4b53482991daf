"""Loads applications: from a module, or from a file that is run as one, as PythonApplication names them."""

import os
import sys
from _thread import allocate_lock, get_ident
from time import monotonic

from ._constants import APLOG_ERR, APLOG_NOTICE
from ._entries import entry, exception
from ._handler_modules import import_for_handler

ModuleType = type(sys)

_COROUTINE = 0x80 | 0x200  # inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

_products = {}  # (name of the module, object) of a factory -> Product
_scripts = {}  # path -> Script
_lock = allocate_lock()  # of both, held for looking things up only

AGAIN = 1.0  # seconds after which a file that did not load is run again

FILE = "_mod_python_"  # what a file's name as a module begins with
SCRIPT = "_mod_wsgi_"  # the same of mod_wsgi's scripts, which programs look for


def load(place, prefix, name, is_factory, folders, reload, log, directory=None, python_path=None):
    """The application that is called for a request: the object of that name in a module or in a file.

    place is the module's name or, with a prefix for its name as a module, the file's path. folders are put at the front of sys.path.
    With reload, the file is looked at, and loaded again if it was edited. directory and python_path are where a module is looked for, as
    for a handler.
    """
    for folder in reversed(folders.split(":")) if folders else ():
        if folder not in sys.path:
            sys.path.insert(0, folder)
    if prefix:
        module = load_script(place, reload, log, prefix)
    else:
        module = import_for_handler(place, reload, log, directory, python_path, tuple(folders.split(":")) if folders else None)
    found = _object(module, place, name, prefix == SCRIPT)
    if is_factory:
        found = _made(found, module, place, name)
    return _checked(found, place, name)


def _object(module, place, name, is_script):
    found = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            if found is module:
                raise AttributeError(_missing(module, place, name, is_script)) from None
            raise AttributeError(f"{place}: '{name}': {error}") from error
    return found


def _missing(module, place, name, is_script):
    sentence = f"{place} has no {name!r}"
    if is_script:
        other = next((other for other in ("application", "app") if callable(getattr(module, other, None))), None)
        return f"{sentence}: write 'WSGICallableObject {other}' for it" if other else f"{sentence}: define it there"
    for other in ("application", "app"):
        if callable(getattr(module, other, None)):
            return f"{sentence}: name the object that it has, as in '{place}:{other}'"
    for other in ("create_app", "make_app", "create_application", "get_wsgi_application"):
        if callable(getattr(module, other, None)):
            return f"{sentence}: to have {other}() make the application, write '{place}:{other} factory=on'"
    return f"{sentence}: name the application's object, as in '{place}:object'"


def _made(factory, module, place, name):
    if not callable(factory):
        raise TypeError(f"{place}:{name} is not callable, but {type(factory).__name__}: factory=on is for a function that makes the application")
    key = module.__name__, name
    with _lock:
        product = _products.get(key)
        if product is None:
            product = _products[key] = Product()
    known = product.known
    # A method is another object each time that it is looked up
    if known is not None and known[0] == factory:
        return known[1]
    what = f"{place}:{name}"
    # Others go on with what is there while one thread has a new one made
    if not product.begin(what, waits=known is None):
        return known[1]
    try:
        known = product.known
        if known is None or known[0] != factory:
            known = product.known = factory, factory()
        return known[1]
    finally:
        product.end()


def _checked(application, place, name):
    if not callable(application):
        kind = type(application).__name__
        raise TypeError(f"{place}:{name} is not callable, but {kind}: a WSGI application is called with environ and start_response")
    if _is_asynchronous(application):
        raise TypeError(
            f"{place}:{name} is an ASGI application or a coroutine function, and WSGI is served here: "
            "name the project's WSGI application, wrap this one (a2wsgi), or serve it with an ASGI server behind mod_proxy"
        )
    return application


def _is_asynchronous(application):
    while hasattr(application, "func") and type(application).__name__ == "partial":
        application = application.func
    for candidate in (application, getattr(type(application), "__call__", None)):
        code = getattr(candidate, "__code__", None)
        if code is not None:
            return bool(code.co_flags & _COROUTINE)
    return False


class Work:
    """What one thread does at a time."""

    def __init__(self):
        self.lock = allocate_lock()
        self.thread = None  # the one that holds the lock

    def begin(self, what, waits):
        """Whether it is this thread's turn; one that waits always gets it, and calls end() afterwards."""
        if self.thread == get_ident() and waits:
            raise RuntimeError(f"{what} needs itself: it was asked for again, in the same thread, before it was made")
        if not self.lock.acquire(blocking=waits):
            return False
        self.thread = get_ident()
        return True

    def end(self):
        self.thread = None
        self.lock.release()


class Product(Work):
    """What a factory makes."""

    def __init__(self):
        super().__init__()
        self.known = None  # the factory and what it has made


class Script(Work):
    """A file that is run as a module."""

    def __init__(self, path, prefix):
        super().__init__()
        self.path = path
        self.name = module_name(path, prefix)
        self.module = None
        self.known = None  # the file as it was loaded
        self.failed = None  # the file as it was when it did not load
        self.reason = None  # why, as text: an exception would keep what the file had made
        self.error = None  # while debugging the exception all the same, and its traceback
        self.failed_at = None  # when, by the monotonic clock


def load_script(path, reload, log, prefix):
    """The module that a file is run as; with reload, again if it was edited.

    log is whether PythonDebug is on: then the error of an edited file that does not load is raised, in the place of the old code.
    """
    with _lock:
        script = _scripts.get(path)
        if script is None:
            script = _scripts[path] = Script(path, prefix)
    if script.module is not None and not reload:
        return script.module
    # Others go on with what is there while one thread loads the file again
    since = monotonic()
    if not script.begin(path, waits=script.module is None or (log and script.thread != get_ident())):
        return script.module
    try:
        return _look(script, log, since)
    finally:
        script.end()


def _look(script, log, since):
    try:
        state = os.stat(script.path)
    except OSError as error:
        if script.module is not None:
            return script.module
        raise _with_advice(error, script.path) from None
    identity = state.st_mtime_ns, state.st_size
    if script.module is not None and (identity == script.known or (identity == script.failed and not log)):
        return script.module
    if identity == script.failed and (script.failed_at >= since or monotonic() - script.failed_at < AGAIN):
        # It failed while this thread waited for it, or a moment ago
        if log and script.error is not None:
            error, traceback = script.error
            raise error.with_traceback(traceback)
        raise ImportError(f"{script.path} does not load: {script.reason}", path=script.path)
    if log and script.module is not None:
        entry(APLOG_NOTICE, f"MP0702: loading {script.path!r} again, because it was edited")
    try:
        script.module = _run(script.path, script.name)
    except BaseException as error:
        if not isinstance(error, (Exception, SystemExit)):
            raise
        script.failed, script.reason, script.failed_at = identity, _text(error), monotonic()
        script.error = (error, error.__traceback__) if log else None
        if script.module is None or log:
            raise
        entry(
            APLOG_ERR,
            f"MP0703: {script.path!r} was edited and does not load ({type(error).__name__}, below); the code loaded before goes on until "
            "it is saved again. Children that start meanwhile, as after a graceful restart, have no such code and answer with 500",
        )
        exception(APLOG_ERR, error)
        return script.module
    script.known, script.failed, script.error = identity, None, None
    return script.module


def _text(error):
    kind = type(error).__name__
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{kind}: {text}" if text else kind


def _with_advice(error, path):
    if not isinstance(error, PermissionError):
        return error
    from ._permissions import advice

    sentence = advice(path)
    return PermissionError(error.errno, f"{error.strerror}; {sentence}", path) if sentence else error


def _run(path, name):
    try:
        with open(path, "rb") as file:
            source = file.read()
    except PermissionError as error:
        raise _with_advice(error, path) from None
    code = compile(source, path, "exec", dont_inherit=True)
    folder = os.path.dirname(path)
    if folder not in sys.path:
        # Last: what stands beside the file must not hide another module
        sys.path.append(folder)
    module = ModuleType(name)
    module.__file__ = path
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before
        raise
    return module


def module_name(path, prefix):
    """The name in sys.modules of a file that is run as a module: its path, with letters that a name may have."""
    return prefix + "".join(letter if letter.isalnum() else "_" for letter in path)
