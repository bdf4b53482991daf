"""What a handler can find out about who is answering."""

import os
import threading
import urllib.parse

from mod_python import apache

import counters


def answerer():
    """The child, the thread and the interpreter that run this call."""
    return {
        "child": os.getpid(),
        "thread": threading.get_native_id(),
        "interpreter": apache.interpreter_info(),
    }


def mpm():
    """The multi-processing module's name and properties.

    A handler that has to know asks for a property, never for a name: there
    are more MPMs than prefork, worker and event.
    """
    ask = apache.mpm_query
    return {
        "name": apache.mpm_name(),
        "threaded": ask(apache.AP_MPMQ_IS_THREADED) != apache.AP_MPMQ_NOT_SUPPORTED,
        "forked": ask(apache.AP_MPMQ_IS_FORKED) != apache.AP_MPMQ_NOT_SUPPORTED,
        "max_daemons": ask(apache.AP_MPMQ_MAX_DAEMONS),
        "max_threads": ask(apache.AP_MPMQ_MAX_THREADS),
        "hard_limit_daemons": ask(apache.AP_MPMQ_HARD_LIMIT_DAEMONS),
        "hard_limit_threads": ask(apache.AP_MPMQ_HARD_LIMIT_THREADS),
        "min_spare_daemons": ask(apache.AP_MPMQ_MIN_SPARE_DAEMONS),
        "max_spare_daemons": ask(apache.AP_MPMQ_MAX_SPARE_DAEMONS),
        "min_spare_threads": ask(apache.AP_MPMQ_MIN_SPARE_THREADS),
        "max_spare_threads": ask(apache.AP_MPMQ_MAX_SPARE_THREADS),
        "max_requests_daemon": ask(apache.AP_MPMQ_MAX_REQUESTS_DAEMON),
    }


def shared_counter(req):
    """The counter in a file that this part of the configuration names."""
    options = req.get_options()
    for name in ("demo.state", "demo.counter"):
        if name not in options:
            raise LookupError("PythonOption %s is not set for %s" % (name, req.uri))
    name = options["demo.counter"] + ".count"
    return counters.InFile(os.path.join(options["demo.state"], name))


def asked(req, name):
    """A parameter of the query string; None if it is not there."""
    return urllib.parse.parse_qs(req.args or "").get(name, [None])[-1]


def number_asked(req, name, default, most=10**9):
    """The same as a number, at most that large; the default where it is not there, None if it makes no sense."""
    text = asked(req, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    return min(int(text), most)


def only_reads(req):
    """Whether the method only asks; if not, says which ones are allowed."""
    if req.method in ("GET", "HEAD"):
        return True
    req.allow_methods(["GET"], 1)
    return False
