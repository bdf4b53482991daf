"""Answers who answered, as JSON. The page sends its fifty requests here.

`?wait=40` makes the handler wait that many milliseconds, as one that asks a
database would, so that requests overlap where the MPM lets them.
"""

import json
import threading
import time
import urllib.parse

from mod_python import apache

import counters
import facts

LONGEST_WAIT = 1000

# These live as long as this interpreter of this child does, no longer; an edit
# of this file that is reloaded starts them anew.
_answers = counters.InGlobals()
_inside = 0
_inside_lock = threading.Lock()


def handler(req):
    global _inside

    if not facts.only_reads(req):
        return apache.HTTP_METHOD_NOT_ALLOWED
    wait = _wait_asked(req)
    if wait is None:
        return apache.HTTP_BAD_REQUEST

    with _inside_lock:
        _inside += 1
        inside = _inside
    try:
        answer = facts.answerer()
        answer["inside"] = inside
        answer["globals"] = _answers.add()
        answer["file"] = facts.shared_counter(req).add()
        time.sleep(wait / 1000)
    finally:
        with _inside_lock:
            _inside -= 1

    req.content_type = "application/json"
    req.headers_out["Cache-Control"] = "no-store"
    # The page asks other virtual hosts, which to a browser are other origins.
    req.headers_out["Access-Control-Allow-Origin"] = "*"
    req.write(json.dumps(answer, indent=2) + "\n")
    return apache.OK


def _wait_asked(req):
    """The milliseconds in the query string; None if they make no sense."""
    text = urllib.parse.parse_qs(req.args or "").get("wait", ["0"])[-1]
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        return None
    return min(int(text), LONGEST_WAIT)
