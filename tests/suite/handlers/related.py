from mod_python import apache

def part(req):
    req.write("part of %s, %s" % (req.main.uri, req.prev))
    return apache.OK
def lost(req):
    req.write("%s lost by %s, %s" % (req.prev.uri, req.prev.status, getattr(req.prev, "mark", "unmarked")))
    return apache.OK
def broken(req):
    raise ValueError("the subrequest")
def fails(req):
    req.mark = "marked"
    req.status = apache.HTTP_ACCEPTED
    req.write("unflushed", 0)
    raise ValueError("the page")
def worse(req):
    raise ValueError("the error's page")
