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
    began, rounds, busy = time.monotonic(), 0, _ran_or_ready()
    while began < end:
        sum(range(2000))
        rounds += 1
        now = time.monotonic()
        if now - began >= SLICE:
            # The children's clocks are one: that of the machine.
            line = {"at": 1000 * now, "took": 1000 * (now - began), "rounds": rounds}
            busy_now = _ran_or_ready()
            if busy_now is not None:
                line["blocked"] = max(0, 1000 * (now - began - (busy_now - busy)))
            _say(req, line)
            began, rounds, busy = now, 0, busy_now


def _ran_or_ready():
    """The seconds in which this thread had a processor, or waited for one; None where the system does not say.

    A thread that computes waits for nothing else but the GIL. So this tells the
    GIL apart from other work on the machine, which slows it down as well.
    """
    try:
        with open("/proc/thread-self/schedstat") as file:
            ran, ready = map(int, file.read().split()[:2])
    except (OSError, ValueError):
        return None
    return (ran + ready) / 1e9 if ran else None


def _say(req, line):
    req.write(json.dumps(line) + "\n")
    req.flush()
