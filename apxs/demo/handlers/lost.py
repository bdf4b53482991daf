"""Counts a visit in globals, in a file without a lock, and in the store. `?add=0` only looks."""

import json
import os

from mod_python import apache

import counters
import facts

_in_globals = counters.InGlobals()


def handler(req):
    if not facts.only_reads(req):
        return apache.HTTP_METHOD_NOT_ALLOWED
    add = facts.number_asked(req, "add", 1, 1)
    if add is None:
        return apache.HTTP_BAD_REQUEST
    file = os.path.join(req.get_options()["demo.state"], "lost.count")
    answer = {
        **facts.answerer(),
        "globals": _in_globals.add(add),
        "unlocked": counters.WithoutLock(file).add(add),
        "store": counters.InStore().add(add),
    }
    req.content_type = "application/json"
    req.headers_out["Cache-Control"] = "no-store"
    req.write(json.dumps(answer) + "\n")
    return apache.OK
