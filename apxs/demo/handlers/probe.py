"""Answers who answered: as JSON to the page, which sends its requests here, and as a page to who follows a link.

`?wait=40` makes the handler wait that many milliseconds, as one that asks a
database would, so that requests overlap where the MPM lets them.
"""

import html
import json
import threading
import time

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
    wait = facts.number_asked(req, "wait", 0, LONGEST_WAIT)
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

    is_page = "text/html" in req.headers_in.get("Accept", "")
    req.content_type = "text/html; charset=utf-8" if is_page else "application/json"
    req.headers_out["Cache-Control"] = "no-store"
    # The page asks other virtual hosts, which to a browser are other origins.
    req.headers_out["Access-Control-Allow-Origin"] = "*"
    req.write(_page(req, answer) if is_page else json.dumps(answer, indent=2) + "\n")
    return apache.OK


def _page(req, answer):
    """The same for somebody who has followed a link."""
    told = [
        ("Child", answer["child"]),
        ("Thread", answer["thread"]),
        ("Interpreter", answer["interpreter"]["name"]),
        ("GIL", answer["interpreter"]["gil"]),
        ("Counter in globals", answer["globals"]),
        ("Counter in the file", answer["file"]),
    ]
    host = req.hostname or "this server"
    return _PAGE % {
        "title": html.escape(host + req.uri),
        "rows": "".join("<dt>%s</dt><dd>%s</dd>" % (name, html.escape(str(value))) for name, value in told),
    }


_PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>%(title)s</title>
<style>body { font: 1.0625rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem } dt { opacity: .7 } dd { margin: 0; font-weight: 600 }</style>
<h1>%(title)s</h1><p>was answered by</p><dl>%(rows)s</dl>
<p>Reload the page: another child may answer, whose globals have counted for themselves. The file counts for all.</p></html>
"""
