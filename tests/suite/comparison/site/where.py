"""Tells where a handler runs, and what the configuration says there."""

from mod_python import apache

MARK = "kept for as long as this interpreter"


def tell(req, what):
    req.err_headers_out.add("X-Where", "%s in %s, dir %r" % (what, apache.interpreter, req.hlist.directory))


def handler(req):
    req.content_type = "text/plain"
    facts = {
        "interpreter": apache.interpreter,
        "req.interpreter": req.interpreter,
        "directory": req.hlist.directory,
        "handler": req.hlist.handler,
        "is_location": bool(req.hlist.is_location),
        "extension": req.extension,
        "config": sorted(req.get_config().items()),
        "options": sorted(req.get_options().items()),
        "server config": sorted(req.server.get_config().items()),
        "server options": sorted(req.server.get_options().items()),
        "types": (type(req.get_config()).__name__, type(req.get_options()).__name__),
    }
    req.write("== facts\n" + "".join("%s ==> %r\n" % fact for fact in facts.items()))
    return apache.OK


def another(req):
    req.write("another handler\n")
    return apache.OK


def passing(req):
    tell(req, req.phase)
    return apache.DECLINED if req.phase == "PythonTransHandler" else apache.OK


def outputfilter(filter):
    filter.req.headers_out["X-Filter"] = "in %s, dir %r" % (apache.interpreter, filter.dir)
    piece = filter.read()
    while piece:
        filter.write(piece)
        piece = filter.read()
    if piece is None:
        filter.close()
