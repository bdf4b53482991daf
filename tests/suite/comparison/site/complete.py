"""Every function that PythonHandlerModule looks for."""

from mod_python import apache

import phases

postreadrequesthandler = transhandler = headerparserhandler = accesshandler = fixuphandler = typehandler = phases.act("module")
inithandler = loghandler = cleanuphandler = phases.act("module")


def authenhandler(req):
    return apache.DECLINED


def authzhandler(req):
    return apache.DECLINED


def handler(req):
    req.content_type = "text/plain"
    req.write("complete %r\n" % req.known)
    return apache.OK
