"""The page: the files of the folder page, filled with the facts of the interpreter that answers."""

import html
import inspect
import json
import os
import string
import urllib.parse
from pathlib import Path

from mod_python import apache

import counters
import facts

# Relative to this file: the current directory belongs to the whole process,
# and httpd's is `/`.
_PAGE = Path(__file__).resolve().parent / "page"

# The sections in their order: each has NAME.html, and NAME.css and NAME.js if it needs them.
SECTIONS = ("map", "gil", "lost", "interpreters", "model", "advice", "first")


def _text(name):
    file = _PAGE / name
    return file.read_text("utf-8") if file.exists() else ""


_SECTIONS = string.Template("\n".join(_text(name + ".html") for name in SECTIONS))
_TEMPLATE = string.Template(_text("page.html"))
_STYLE = "".join(_text(name + ".css") for name in ("page", *SECTIONS))
_SCRIPT = "".join(_text(name + ".js") for name in ("base", *SECTIONS, "start"))
_WITHOUT_LOCK_CODE = inspect.getsource(counters.WithoutLock).rstrip()
_IN_GLOBALS_CODE = inspect.getsource(counters.InGlobals).rstrip()
_IN_FILE_CODE = inspect.getsource(counters.InFile).rstrip()
_IN_STORE_CODE = (_PAGE.parent / "visit.py").read_text("utf-8").rstrip()

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
    are_served = "demo.docs" in req.get_options()

    sections = _SECTIONS.substitute(
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
            without_lock_code=_WITHOUT_LOCK_CODE,
            in_store_code=_IN_STORE_CODE,
            gil_lead=_gil_words(mpm),
        ),
        **_process_model(mpm),
        reading=_reading(are_served),
        store_document=_document("store.md", are_served),
        own_gil=_own_gil(req, answer["interpreter"]["python"]),
    )
    body = _TEMPLATE.substitute(
        sections=sections,
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


_DOCUMENTS = {
    "applications.md": "deploy Django, Flask and other applications",
    "python-api.md": "what a handler can do with a request",
    "store.md": "data and locks for all children",
    "directives.md": "all that can be configured",
    "process-model.md": "this page, in words",
    "operation.md": "installation, restarts, logs",
}


def _reading(are_served):
    """The documents; those of a checkout are served beside the page."""
    return "\n      ".join("<li>%s: %s</li>" % (_document(name, are_served), about) for name, about in _DOCUMENTS.items())


def _document(name, is_served):
    return ('<a href="/docs/%s">%s</a>' if is_served else "<b>%.0s%s</b>") % (name, name)


def _gil_words(mpm):
    words = (
        "An interpreter computes and says ten times a second how fast it is. After a while another interpreter of the same child "
        "begins to compute, too. Whether the first one feels it depends on the GIL."
    )
    if mpm["threaded"]:
        return words
    return words.replace("another interpreter of the same child", "another interpreter") + (
        " Under %s a child serves one request at a time, so the two are in different processes, and never wait for each other." % mpm["name"]
    )


def _own_gil(req, python):
    """The second chart, if site.conf was told that this Python has such interpreters."""
    if req.get_options().get("demo.own_gil") != "yes":
        return string.Template(_text("gil-none.html")).substitute(python=html.escape(python))
    count = os.cpu_count() or 1
    processors = "" if count > 1 else ": this machine has only one, so here too they take turns"
    return string.Template(_text("gil-own.html")).substitute(processors=processors)


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
