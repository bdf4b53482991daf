"""What pages include of it."""

from mod_python import apache


def text():
    return "text of a module"


def fixuphandler(req):
    req.ssi_globals = {"filled": "by the fixup handler"}
    return apache.OK
