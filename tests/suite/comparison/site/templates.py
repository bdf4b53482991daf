"""A handler that shows templates, as mod_python's manual has them."""

from mod_python import apache, psp


def handler(req):
    name = [part for part in req.uri.split("/") if part][1]
    return globals()[name](req)


def what(req):
    req.content_type = "text/html"
    template = psp.PSP(req, filename="what.tmpl")
    template.run({"what": "world"})
    return apache.OK


def twice(req):
    template = psp.PSP(req, filename="what.tmpl", vars={"what": "first"})
    template.run()
    template.run({"what": "second"})
    return apache.OK


def nested(req):
    menu = psp.PSP(req, filename="menu.tmpl", vars={"items": ["a", "b"]})
    page = psp.PSP(req, filename="outer.tmpl", vars={"menu": menu, "title": "T"})
    page.run()
    return apache.OK


def text(req):
    req.content_type = "text/plain"
    psp.PSP(req, string=b"<% for_ = 1\n%>[<%= for_ %>|<%= x %>]").run({"x": "y"}, flush=1)
    return apache.OK


def as_text(req):
    req.write("before ")
    req.write(str(psp.PSP(req, filename="what.tmpl", vars={"what": "text"})) + "after")
    return apache.OK


def missing(req):
    psp.PSP(req, filename="missing.tmpl").run()
    return apache.OK


def unnamed(req):
    psp.PSP(req, filename="what.tmpl").run()
    return apache.OK


def both(req):
    psp.PSP(req, filename="what.tmpl", string=b"x")
    return apache.OK


def code(req):
    psp.PSP(req, filename="what.tmpl").display_code()
    return apache.OK
