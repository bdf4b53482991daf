"""The manual's first pages."""


def say(req, what="NOTHING"):
    return "I am saying %s" % what


def both(req, what, times="1"):
    return what * int(times)


def file(req, upload):
    return "%s: %d bytes, %s" % (upload.filename, len(upload.value), upload.type)


def fields(req):
    return "\n".join("%s=%s" % (name, field.value) for name, field in req.form.items())


def where(req):
    return "%s %s" % (req.filename.rpartition("/")[2], req.path_info)


def unhappy(req):
    raise ValueError("the page is unhappy")


async def later(req):
    return "later"


def one_by_one(req):
    yield "one"
