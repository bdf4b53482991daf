"""A page that shows whether mod_python works, and what it finds: PythonHandler mod_python.testhandler.

It shows the configuration of the server to whoever asks: it is for your own eyes, not for a public server.
"""

import os
import re
import sys

from . import apache
from .version import version

LINES = 100  # of the log
MOST_OF_LOG = 256 * 1024  # bytes from its end in which they are looked for

_SECRET = re.compile(r"authorization|cookie|passw|passphrase|secret|token|credential|session.?id|(?:^|[^a-z])(?:key|pwd|pass|auth)(?:[^a-z]|$)", re.I)
_IN_URL = re.compile(r"(://[^/\s:@]*):[^/\s@]*@")
_HIDDEN = "(not shown)"


def handler(req):
    """Write the page; with the query view_log=1 the end of the error log."""
    if "view_log=1" in (req.args or "").split("&"):
        return _show_log(req)
    req.content_type = "text/html; charset=utf-8"
    req.headers_out["Cache-Control"] = "no-store"
    req.add_common_vars()
    if req.method != "HEAD":
        req.write("".join(_page(req)))
    return apache.OK


def _page(req):
    yield "<!DOCTYPE html>\n<html><head><title>mod_python test page</title></head><body>\n"
    yield "<h3>General information</h3>\n"
    yield _facts(_general(req))
    yield "<h3>Processes, interpreter and threads</h3>\n"
    yield _facts(_process_model())
    for title, table in (
        ("Request input headers", req.headers_in),
        ("Request environment", req.subprocess_env),
        ("Request configuration", req.get_config()),
        ("Request options", req.get_options()),
        ("Request notes", req.notes),
        ("Server configuration", req.server.get_config()),
        ("Server options", req.server.get_options()),
    ):
        yield f"<h3>{title}</h3>\n"
        yield _pairs(table.items())
    yield "<h3>Server configuration tree</h3>\n<pre>"
    yield "".join(_tree(apache.config_tree(), 0))
    yield "</pre>\n</body></html>\n"


def _general(req):
    yield "Apache version", _software(req)
    yield "Apache MPM", apache.mpm_name()
    threaded = apache.mpm_query(apache.AP_MPMQ_IS_THREADED)
    threads = apache.mpm_query(apache.AP_MPMQ_MAX_THREADS)
    yield "Apache threaded MPM", f"Yes, maximum {threads} threads / process" if threaded else "No (single thread MPM)"
    forked = apache.mpm_query(apache.AP_MPMQ_IS_FORKED)
    children = apache.mpm_query(apache.AP_MPMQ_MAX_DAEMONS)
    yield "Apache forked MPM", f"Yes, maximum {children} processes" if forked else "No (single process MPM)"
    yield "Apache server root", apache.server_root()
    yield "Apache document root", req.document_root()
    log = req.server.error_fname
    yield "Apache error log", _Html(f'<code>{_escape(str(log))}</code> (<a href="?view_log=1">view last {LINES} lines</a>)')
    yield "mod_python version", version
    yield "Python sys.version", sys.version
    yield "Python sys.prefix", sys.prefix
    yield "Python sys.executable", str(sys.executable)
    yield "Python sys.path", _Html(f"<pre>{_escape(chr(10).join(map(str, sys.path)))}</pre>")
    for name in ("publisher", "psp"):
        yield f"mod_python.{name} available", "Yes" if _is_there(name) else "No"


def _process_model():
    import threading

    info = apache.interpreter_info()
    yield "Python interpreter name", info["name"]
    kind = "the main interpreter" if info["main"] else f"a sub-interpreter, number {info['id']}"
    gil = "one GIL for all interpreters of the process" if info["gil"] == "shared" else "a GIL of its own"
    yield "Python interpreter", f"{kind}, with {gil}"
    yield "Thread states of this interpreter", str(info["thread_states"])
    yield "Process", f"{os.getpid()}, child of {os.getppid()}, user {os.geteuid()}, group {os.getegid()}"
    yield "Thread", f"{threading.get_native_id()} ({threading.current_thread().name})"
    threaded = apache.mpm_query(apache.AP_MPMQ_IS_THREADED)
    forked = apache.mpm_query(apache.AP_MPMQ_IS_FORKED)
    children = apache.mpm_query(apache.AP_MPMQ_MAX_DAEMONS)
    if not forked:
        model = "one process, "
    elif children > 1:
        model = "several processes, which come and go: globals are not shared between them, "
    else:
        model = "one process at a time, which is replaced at a restart: globals are lost then, "
    if threaded:
        model += "with threads: handlers of one interpreter run at the same time, and what they share needs a lock"
    else:
        model += "with one request at a time in each process"
    yield "Process model", model


def _software(req):
    # What httpd calls itself is in the environment that CGI has
    try:
        return req.subprocess_env["SERVER_SOFTWARE"]
    except KeyError:
        return "unknown"


def _is_there(name):
    import importlib.util

    return importlib.util.find_spec(f"mod_python.{name}") is not None


class _Html(str):
    """Text that is HTML already."""


def _facts(facts):
    return "<table border=\"1\">\n" + "".join(_row(name, value) for name, value in facts) + "</table>\n"


def _pairs(pairs):
    rows = [_row(name, _shown(name, value)) for name, value in pairs]
    return '<table border="1"><tr><th>Key</th><th>Value</th></tr>\n' + "".join(rows) + "</table>\n"


def _row(name, value):
    value = value if isinstance(value, _Html) else f"<code>{_escape(value)}</code>"
    return f"<tr><td><code>{_escape(name)}</code></td><td>{value}</td></tr>\n"


def _tree(lines, depth):
    for line in lines:
        if isinstance(line, list):
            yield from _tree(line, depth + 1)
            continue
        directive, arguments = line
        if _SECRET.search(f"{directive.strip('<')} {arguments}"):
            arguments = _HIDDEN
        closing = ">" if directive.startswith("<") and not arguments.endswith(">") else ""
        text = _without_password(f"{directive} {arguments}")
        yield _escape("    " * depth + text.rstrip() + closing) + "\n"


def _shown(name, value):
    if _SECRET.search(name):
        return _HIDDEN
    return _without_password(str(value))


def _without_password(text):
    return _IN_URL.sub(r"\1:…@", text)


def _escape(text):
    import html

    return html.escape(str(text)).encode("utf-8", "backslashreplace").decode()


def _show_log(req):
    req.content_type = "text/plain; charset=utf-8"
    req.headers_out["Cache-Control"] = "no-store"
    name = req.server.error_fname
    if not name or name.startswith("|") or name.startswith("syslog"):
        req.status = apache.HTTP_NOT_FOUND
        req.write(f"The error log is no file: {name}\n")
        return apache.OK
    path = os.path.join(apache.server_root(), name)
    try:
        lines = _last_lines(path)
    except OSError as error:
        req.status = apache.HTTP_FORBIDDEN if isinstance(error, PermissionError) else apache.HTTP_NOT_FOUND
        why = "httpd's user may not read it, who opened it as another" if isinstance(error, PermissionError) else str(error.strerror)
        req.write(f"The error log {path} cannot be shown: {why}.\n")
        return apache.OK
    req.write(lines)
    return apache.OK


def _last_lines(path):
    """The last lines of a file, bytes."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(size - MOST_OF_LOG, 0)
        file.seek(start)
        lines = file.read(MOST_OF_LOG).split(b"\n")
    if start:
        del lines[0]  # a part of a line
    ended = lines and lines[-1] == b""
    return b"\n".join(lines[-LINES - 1 if ended else -LINES :])


__all__ = ["handler"]
