"""Planted: a counter in a global."""

hits = 0


def handler(req):
    global hits
    hits += 1
    req.content_type = "text/plain"
    req.write(f"visit {hits}\n")
    return 0
