"""Handlers that fail, each in its own way; the query names it."""

from mod_python import apache

not_callable = 5


class Page:
    def __init__(self, req):
        self.req = req

    def show(self, req):
        req.write("shown %r\n" % (req is self.req))
        return apache.OK


class Bad:
    def __init__(self, req):
        raise ValueError("the class")

    def show(self, req):
        return apache.OK


page = Page(None)


class Callable:
    def __call__(self, req):
        req.write("called\n")
        return apache.OK


callable_instance = Callable()


def returns(req):
    return eval(req.args, {"req": req, "apache": apache})


def plain(req):
    req.content_type = "text/plain"
    return returns(req)


def writes_then(req):
    req.content_type = "text/plain"
    req.write("written before\n")
    return returns(req)


def collects_then(req):
    req.content_type = "text/plain"
    req.write("collected before\n", 0)
    return returns(req)


def raises(req):
    raise ValueError("raised <here> & there")


def raises_chained(req):
    try:
        raise KeyError("first")
    except KeyError as error:
        raise ValueError("second") from error


def raises_late(req):
    req.content_type = "text/plain"
    req.write("written before\n")
    raise ValueError("raised late")


def raises_unicode(req):
    raise ValueError("caf\u00e9")


def raises_lines(req):
    raise ValueError("one\ntwo")


def raises_after_headers(req):
    req.headers_out["X-Set"] = "before"
    req.err_headers_out["X-Err"] = "before"
    req.status = 202
    req.content_type = "text/plain"
    raise ValueError("after headers")


def recurses(req):
    return recurses(req)


def exits(req):
    raise SystemExit(3)


def interrupts(req):
    raise KeyboardInterrupt


def server_return(req):
    raise eval("apache.SERVER_RETURN" + (req.args or ""))


def syntax(req):
    exec("1 +")


def wrong_arguments():
    return apache.OK


def sets_status(req):
    req.status = int(req.args)
    req.content_type = "text/plain"
    req.write("own page\n")
    return apache.OK


def sets_status_line(req):
    req.status = 299
    req.status_line = "299 Own Words"
    req.content_type = "text/plain"
    req.write("own page\n")
    return apache.OK


def sets_status_only(req):
    req.status = int(req.args)
    return apache.OK


def sets_location(req):
    req.headers_out["Location"] = "/elsewhere"
    return apache.HTTP_MOVED_TEMPORARILY


def done(req):
    req.write("done\n")
    return apache.DONE
