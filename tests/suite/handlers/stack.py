from mod_python import apache
later = []

def a(req):
    req.write("a")
    return apache.OK
def b(req):
    later.append(req.uri)
    req.write("b")
    return apache.OK
def c(req):
    req.write("c")
    return apache.OK
def a_unflushed(req):
    req.write("a", 0)
    return apache.OK
def declined(req):
    return apache.DECLINED
def done(req):
    req.write("done")
    return apache.DONE
def conflict(req):
    return apache.HTTP_CONFLICT
def gives_up(req):
    req.write("gave up")
    raise apache.SERVER_RETURN(apache.DONE)
def fails(req):
    raise ValueError("no")
def nothing(req):
    return apache.OK
def leaves(req):
    req.write("first %s" % getattr(req, "mark", "nothing"))
    req.mark = "left"
    return apache.OK
def finds(req):
    req.write(", then %s" % req.mark)
    return apache.OK
def ran(req):
    req.write(" ".join(later))
    return apache.OK
