"""Answers with who answers: the child, and its parent."""

import os


def handler(req):
    req.content_type = "text/plain"
    req.write("%d %d\n" % (os.getpid(), os.getppid()))
    return 0
