"""The page: page.html filled with the facts of the interpreter that answers."""

import html
import inspect
import json
import string
import urllib.parse
from pathlib import Path

from mod_python import apache

import counters
import facts

# Relative to this file: the current directory belongs to the whole process,
# and httpd's is `/`.
_HERE = Path(__file__).resolve().parent

_TEMPLATE = string.Template((_HERE / "page.html").read_text("utf-8"))
_STYLE = (_HERE / "page.css").read_text("utf-8")
_SCRIPT = (_HERE / "page.js").read_text("utf-8")
_IN_GLOBALS_CODE = inspect.getsource(counters.InGlobals).rstrip()
_IN_FILE_CODE = inspect.getsource(counters.InFile).rstrip()

_views = counters.InGlobals()


def handler(req):
    if req.uri != "/":
        return apache.HTTP_NOT_FOUND
    if not facts.only_reads(req):
        return apache.HTTP_METHOD_NOT_ALLOWED

    answer = facts.answerer()
    answer["globals"] = _views.add()
    answer["file"] = facts.shared_counter(req).add()
    mpm = facts.mpm()
    port = _port(req)

    body = _TEMPLATE.substitute(
        _escaped(
            child=answer["child"],
            thread=answer["thread"],
            in_globals=answer["globals"],
            in_file=answer["file"],
            port=port,
            colon_port="" if port == 80 else ":%d" % port,
            **_interpreter_words(answer["interpreter"]),
            **_mpm_words(mpm),
            in_globals_code=_IN_GLOBALS_CODE,
            in_file_code=_IN_FILE_CODE,
        ),
        **_process_model(mpm),
        style=_STYLE,
        script=_SCRIPT,
        # In a script element only `<` could end the data too early.
        first=json.dumps(answer).replace("<", "\\u003c"),
    )

    req.content_type = "text/html; charset=utf-8"
    req.headers_out["Cache-Control"] = "no-store"
    req.write(body)
    return apache.OK


def _escaped(**values):
    return {name: html.escape(str(value)) for name, value in values.items()}


def _port(req):
    """The port as the browser sees it, which a tunnel may have changed."""
    host = req.headers_in.get("Host")
    if host:
        try:
            return urllib.parse.urlsplit("//" + host).port or 80
        except ValueError:
            pass
    return req.connection.local_addr[1]


def _interpreter_words(info):
    if info["gil"] == "own":
        gil = "it runs beside the child's other interpreters"
    else:
        gil = "one thread of the child runs Python at a time"
    return {
        "interpreter": info["name"],
        "interpreter_id": info["id"],
        "gil": info["gil"],
        "gil_words": gil,
        "python": info["python"],
        "thread_states": info["thread_states"],
    }


def _mpm_words(mpm):
    words = {"mpm_" + name: value for name, value in mpm.items()}
    for name in ("mpm_threaded", "mpm_forked"):
        words[name] = "yes" if words[name] else "no"
    limit = mpm["max_requests_daemon"]
    words["mpm_max_requests_daemon"] = "%d connections" % limit if limit else "no limit"

    children, threads = mpm["max_daemons"], mpm["max_threads"]
    if not mpm["threaded"]:
        words["mpm_shape"] = "up to %d children, one request at a time in each" % children
    elif children > 1:
        words["mpm_shape"] = "up to %d children of %d threads" % (children, threads)
    else:
        words["mpm_shape"] = "one child of %d threads" % threads
    return words


def _process_model(mpm):
    """Marks the one of the page's three process models that is true here."""
    if not mpm["threaded"]:
        here = "here_processes"
    elif mpm["max_daemons"] > 1:
        here = "here_both"
    else:
        here = "here_threads"
    marks = dict.fromkeys(("here_processes", "here_both", "here_threads"), "")
    marks[here] = ' class="here"'
    return marks
