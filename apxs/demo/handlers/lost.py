"""Counts a visit in a file: without a lock (`?how=plain`) or with one (`?how=locked`). `?add=0` only looks."""

import json
import os

from mod_python import apache

import counters
import facts

_KINDS = {"plain": counters.WithoutLock, "locked": counters.InFile}


def handler(req):
    if not facts.only_reads(req):
        return apache.HTTP_METHOD_NOT_ALLOWED
    how = facts.asked(req, "how")
    add = facts.number_asked(req, "add", 1, 1)
    if how not in _KINDS or add is None:
        return apache.HTTP_BAD_REQUEST
    path = os.path.join(req.get_options()["demo.state"], "lost-" + how + ".count")
    req.content_type = "application/json"
    req.headers_out["Cache-Control"] = "no-store"
    req.write(json.dumps({"value": _KINDS[how](path).add(add)}) + "\n")
    return apache.OK
