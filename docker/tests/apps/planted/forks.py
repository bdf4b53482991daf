"""Planted: a module that forks when it answers, and deals with being refused."""

import os


def handler(req):
    req.content_type = "text/plain"
    try:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    except RuntimeError:
        pass
    req.write("done\n")
    return 0
