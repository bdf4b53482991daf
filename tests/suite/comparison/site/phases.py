"""Handlers of every phase. Each says in a header that it ran, and does what the query says of it:
?PythonFixupHandler.first=apache.HTTP_FORBIDDEN&..."""

import os
import urllib.parse

from mod_python import apache


def wanted(req, place):
    for pair in (req.args or "").split("&"):
        name, _, value = pair.partition("=")
        if name == place:
            return urllib.parse.unquote(value)
    return "apache.OK"


def trace(req, text):
    """In the response's headers, or in a file once it has gone."""
    if req.phase in ("PythonLogHandler", "PythonCleanupHandler") or text.startswith("cleanup"):
        with open(os.path.join(req.get_options()["scratch"], "trace"), "a") as file:
            file.write(text + "\n")
    else:
        req.err_headers_out.add("X-Trace", text)


def act(place):
    def handler(req):
        known = getattr(req, "known", "nothing")
        req.known = place
        trace(req, "%s.%s knows %s, %r %r %r" % (req.phase, place, known, req.extension, req.user, req.hlist.handler))
        code = wanted(req, "%s.%s" % (req.phase, place))
        if code.startswith("raise "):
            exec(code, globals())
        return eval(code, globals(), {"req": req})

    return handler


first, second, third = act("first"), act("second"), act("third")


def content(req):
    req.content_type = "text/plain"
    req.write("content %r %r\n" % (req.user, req.known))
    return apache.OK


# What PythonHandlerModule looks for, less some of it
accesshandler = fixuphandler = act("module")


def authenhandler(req):
    password = req.get_basic_auth_pw()
    trace(req, "authen %r %r" % (req.user, password))
    if (req.user, password) == ("jim", "beam"):
        return apache.OK
    if req.user == "nobody":
        return apache.DECLINED
    if req.user == "forbidden":
        return apache.HTTP_FORBIDDEN
    return apache.HTTP_UNAUTHORIZED


def authen_without_user(req):
    return apache.OK


def authen_sets_user(req):
    req.user = "somebody"
    req.ap_auth_type = "Python"
    return apache.OK


def authzhandler(req):
    trace(req, "authz %r" % req.user)
    return apache.HTTP_FORBIDDEN if req.args == "no" else apache.OK


def adds(req):
    """Adds handlers to this phase and to later ones."""
    for phase in ("PythonFixupHandler", "PythonHandler", "PythonLogHandler"):
        req.add_handler(phase, "phases::third")
    req.add_handler("PythonFixupHandler", "phases::third", "/somewhere")
    trace(req, "added in %s" % req.phase)
    return apache.OK


def skips(req):
    """Goes past the next handler."""
    trace(req, "%s %s" % (req.hlist.handler, req.hlist.directory))
    req.hlist.next()
    trace(req, "then %s" % req.hlist.handler)
    return apache.OK


def cleans(req):
    """Registers clean-ups."""
    for number in (1, 2, 3):
        req.register_cleanup(lambda data: trace(req, "cleanup %r" % (data,)), number)
    req.register_cleanup(fails, "data")
    req.register_cleanup(lambda data: trace(req, "cleanup %r" % (data,)))
    req.content_type = "text/plain"
    req.write("registered\n")
    return apache.OK


def fails(data):
    raise ValueError(data)


def traced(req):
    """What was traced by requests before, once the last of them has come to its end."""
    path = os.path.join(req.get_options()["scratch"], "trace")
    try:
        with open(path) as file:
            text = file.read()
        os.unlink(path)
    except FileNotFoundError:
        text = "nothing\n"
    req.content_type = "text/plain"
    req.write(text)
    return apache.OK


def translates(req):
    trace(req, "%s uri %r file %r" % (req.phase, req.uri, req.filename))
    if req.uri == "/translated":
        req.filename = req.document_root() + "/all/page.html"
        return apache.OK
    if req.uri == "/moved":
        req.uri = "/all/page.html"
        return apache.DECLINED
    if req.uri == "/refused":
        return apache.HTTP_FORBIDDEN
    return apache.DECLINED


def early(req):
    trace(req, "%s %r %r %r" % (req.phase, req.uri, req.filename, getattr(req, "seen", None)))
    req.seen = req.phase
    if req.uri == "/refused-early":
        return apache.HTTP_SERVICE_UNAVAILABLE
    return apache.OK if req.args != "declined" else apache.DECLINED


def types(req):
    trace(req, "%s %r" % (req.phase, req.content_type))
    req.content_type = "text/x-typed"
    return apache.OK


def fixes(req):
    """Makes the request another one than the configuration says."""
    req.handler = "mod_python"
    req.add_handler("PythonHandler", "phases::content")
    req.known = "fixed"
    return apache.OK
