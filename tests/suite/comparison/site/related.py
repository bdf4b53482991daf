"""Requests that stand in a relation to others."""

from mod_python import apache


def describe(req):
    if req is None:
        return None
    return req.uri, getattr(req, "attribute", "no attribute"), req.status


def handler(req):
    req.content_type = "text/plain"
    req.write("related: %r main %r prev %r args %r\n" % (req.uri, describe(req.main), describe(req.prev), req.args))
    req.write("phase %r, headers_out of prev: %r\n" % (req.phase, sorted(req.prev.headers_out.keys()) if req.prev else None))
    return apache.OK


def lost(req):
    req.content_type = "text/plain"
    req.write("lost: %r, status %r\n" % (describe(req.prev), req.status))
    return apache.OK
