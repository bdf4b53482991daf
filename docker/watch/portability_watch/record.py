"""What was found in this interpreter: kept for the next look, and written once to a file in WATCH_FOLDER."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STANDARD_LIBRARY = os.path.dirname(os.__file__) + "/"
PACKAGES = ("/site-packages/", "/dist-packages/")

_folder = None
_unseen = {}
_written = set()


def write_to(folder: str | None) -> None:
    """Also write findings to a file in this folder."""
    global _folder
    _folder = folder


def is_foreign(file: str) -> bool:
    """Whether a source file is neither the application's nor that of a package it brought along."""
    if file.startswith("<") or file.startswith(HERE) or file.endswith("/sitecustomize.py"):
        return True
    return file.startswith(STANDARD_LIBRARY) and not is_package(file)


def is_package(file: str) -> bool:
    """Whether a source file was installed, rather than belonging to the application itself."""
    return any(part in file for part in PACKAGES)


def place(frame):
    """(file, line, function, phase) of the application's code that this frame was called from, or None if there is none.

    The phase is "import" while a module is being loaded, else "request".
    """
    found, phase = None, "request"
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib"):
            if found is None:
                return None  # the import system's own doing
            phase = "import"
            break
        if found is None and not is_foreign(file):
            found = (file, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return found and (*found, phase)


def note(kind: str, what: str, frame=None, where=None) -> None:
    """Keep a finding. Its place is that of the frame, or else `where`, a pair of file and line that may be None."""
    function, phase = None, "request"
    if where is None:
        found = place(frame if frame is not None else sys._getframe(1))
        if found is None:
            return
        file, line, function, phase = found
    else:
        file, line = where
    finding = {"kind": kind, "what": what, "file": file, "line": line, "function": function, "phase": phase}
    key = (kind, what, file, line)
    _unseen[key] = finding
    if _folder and key not in _written:
        _written.add(key)
        _write({**finding, "pid": os.getpid()})


def take() -> list:
    """The findings since the last call."""
    global _unseen
    taken, _unseen = _unseen, {}
    return list(taken.values())


def _write(finding) -> None:
    # One file for each child, and one write for each line: nothing is mixed up however many threads and interpreters write.
    line = json.dumps(finding).encode() + b"\n"
    try:
        fd = os.open(f"{_folder}/findings-{os.getpid()}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, line)
        finally:
            os.close(fd)
    except OSError:
        pass
