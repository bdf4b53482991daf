"""The audit hook: notes what an application asks of the process that holds it."""

import _signal  # signal.signal() looks its function up there at each call
import _thread
import os
import sys

from . import record

_busy = _thread._local()


def install(folder: str | None) -> None:
    """Put the hook in place; findings are also written to the folder."""
    record.write_to(folder)
    _import((), None)
    sys.addaudithook(_hook)


def _hook(event, arguments):
    watcher = _WATCHED.get(event)
    if watcher is None or getattr(_busy, "now", False):
        return
    _busy.now = True
    try:
        watcher(arguments, sys._getframe(1))
    except Exception:  # an exception would stop what the application does
        pass
    finally:
        _busy.now = False


def _fork(_arguments, frame):
    record.note("fork", "os.fork()", frame)


def _forkpty(_arguments, frame):
    record.note("fork", "os.forkpty()", frame)


def _chdir(arguments, frame):
    record.note("chdir", f"os.chdir({_shown(arguments[0])})", frame)


def _opened(arguments, frame):
    _relative(arguments[0], frame)


def _changed(paths):
    """A watcher of an event whose first arguments are paths; the last is a descriptor of the folder they start from, or -1."""

    def watch(arguments, frame):
        if arguments[-1] != -1:
            return
        for path in arguments[:paths]:
            _relative(path, frame)

    return watch


def _listed(arguments, frame):
    _relative("." if arguments[0] is None else arguments[0], frame)


def _database(arguments, frame):
    path = os.fspath(arguments[0])
    if path not in ("", ":memory:", b"", b":memory:") and not str(path).startswith("file:"):
        _relative(path, frame)


def _relative(path, frame):
    if isinstance(path, int) or path is None:
        return
    path = os.fspath(path)
    if path[:1] in ("/", b"/") or _below_a_folder(frame):
        return
    record.note("relative", f"the relative path {_shown(path)}", frame)


def _below_a_folder(frame):
    """Whether the standard library walks a tree by descriptors: its names look relative and are not."""
    for _ in range(3):
        if frame is None:
            return False
        code = frame.f_code
        if code.co_filename.startswith(record.STANDARD_LIBRARY) and "rmtree" in code.co_name or code.co_name == "_fwalk":
            return True
        frame = frame.f_back
    return False


def _environment(arguments, frame):
    found = record.place(frame)
    if found is not None and found[3] == "request":  # settings made while a module is loaded are the same in every child
        record.note("environment", f"os.environ[{_shown(os.fsdecode(arguments[0]))}]", frame)


def _system(_arguments, frame):
    record.note("system", "os.system()", frame)


def _limit(arguments, frame):
    record.note("limit", "resource.setrlimit()", frame)


def _shown(value):
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def _import(_arguments, _frame):
    """Stand before what mod_python refuses, as soon as it does: a refusal raises no event."""
    for name in ("fork", "forkpty"):
        function = getattr(os, name, None)
        if hasattr(function, "__code__") and function not in _ours:
            watched = _watched(function, "fork", lambda _arguments, name=name: f"os.{name}()")
            for module in (os, sys.modules["posix"]):
                setattr(module, name, watched)
    if _signal.signal not in _ours:
        _signal.signal = _watched(_signal.signal, "signal", lambda arguments: f"signal.signal({_signal_name(arguments[0])})")


def _signal_name(number):
    import signal

    try:
        return f"signal.{signal.Signals(number).name}"
    except ValueError:
        return str(number)


def _watched(function, kind, what):
    def watched(*arguments):
        try:
            record.note(kind, what(arguments), sys._getframe(1))
        except Exception:
            pass
        return function(*arguments)

    watched.__name__ = watched.__qualname__ = function.__name__
    watched.__doc__ = function.__doc__
    _ours.append(watched)
    return watched


_ours = []


_WATCHED = {
    "import": _import,
    "os.fork": _fork,
    "os.forkpty": _forkpty,
    "os.chdir": _chdir,
    "open": _opened,
    "os.listdir": _listed,
    "os.scandir": _listed,
    "os.mkdir": _changed(1),
    "os.remove": _changed(1),
    "os.rmdir": _changed(1),
    "os.truncate": _opened,
    "os.rename": _changed(2),
    "os.link": _changed(2),
    "sqlite3.connect": _database,
    "os.putenv": _environment,
    "os.unsetenv": _environment,
    "os.system": _system,
    "resource.setrlimit": _limit,
}
