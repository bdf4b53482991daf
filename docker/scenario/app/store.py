"""Counts POSTs in a file that outlives every child: a byte for each, appended at once, so that none is lost whoever is killed."""

import os

FILE = os.environ["STORE"]


def handler(req):
    store = os.open(FILE, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o666)
    try:
        if req.method == "POST":
            os.write(store, b".")
        count = os.fstat(store).st_size
    finally:
        os.close(store)
    req.content_type = "text/plain"
    req.write("%d\n" % count)
    return 0
