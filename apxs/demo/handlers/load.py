"""Computes for a while, and says ten times a second how far it has come.

`?ms=3000` is how long; with `?child=PID` any other child says only that it is
another one: the page wants two interpreters of the same child.
"""

import json
import os
import threading
import time

from mod_python import apache

import facts

LONGEST = 6000
SLICE = 0.1

_one_at_a_time = threading.Lock()


def handler(req):
    if not facts.only_reads(req):
        return apache.HTTP_METHOD_NOT_ALLOWED
    duration = facts.number_asked(req, "ms", LONGEST, LONGEST)
    child = facts.number_asked(req, "child", 0)
    if not duration or child is None:
        return apache.HTTP_BAD_REQUEST
    req.headers_out["Cache-Control"] = "no-store"
    req.content_type = "application/x-ndjson"
    if child and child != os.getpid():
        _say(req, {"another": os.getpid()})
        return apache.OK
    if not _one_at_a_time.acquire(blocking=False):
        return apache.HTTP_SERVICE_UNAVAILABLE
    try:
        _say(req, {**facts.answerer(), "load": os.getloadavg()[0], "processors": os.cpu_count()})
        _compute(req, time.monotonic() + duration / 1000)
    finally:
        _one_at_a_time.release()
    return apache.OK


def _compute(req, end):
    began, rounds = time.monotonic(), 0
    while began < end:
        sum(range(2000))
        rounds += 1
        now = time.monotonic()
        if now - began >= SLICE:
            # The children's clocks are one: that of the machine.
            _say(req, {"at": 1000 * now, "took": 1000 * (now - began), "rounds": rounds})
            began, rounds = now, 0


def _say(req, line):
    req.write(json.dumps(line) + "\n")
    req.flush()
