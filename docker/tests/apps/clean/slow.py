"""Nothing wrong: it only takes its time."""

import time


def handler(req):
    req.content_type = "text/plain"
    time.sleep(0.1)
    req.write("at last\n")
    return 0
