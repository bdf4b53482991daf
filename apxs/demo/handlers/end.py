"""Kills the child that answers, when the answer is sent: what the kernel does to a process when memory is short.

POST with the header X-Demo, which a page of another site cannot send without asking.
"""

import json
import os
import signal

from mod_python import apache


def handler(req):
    if req.method != "POST":
        req.allow_methods(["POST"], 1)
        return apache.HTTP_METHOD_NOT_ALLOWED
    if req.headers_in.get("X-Demo") != "end":
        return apache.HTTP_FORBIDDEN
    body = json.dumps({"child": os.getpid()}) + "\n"
    req.content_type = "application/json"
    req.headers_out["Cache-Control"] = "no-store"
    req.set_content_length(len(body))
    req.write(body)
    req.flush()
    os.kill(os.getpid(), signal.SIGKILL)
    return apache.OK
