"""Counts POSTs in a file that outlives every child: no update is lost, whoever serves it."""

import fcntl
import os

FILE = os.environ["STORE"]


def handler(req):
    with open(FILE, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        count = int(file.read() or 0)
        if req.method == "POST":
            count += 1
            file.seek(0)
            file.truncate()
            file.write(str(count))
    req.content_type = "text/plain"
    req.write("%d\n" % count)
    return 0
