"""Facts about cookies and sessions, by scripts as those of probe.py."""

import time

import probe
from mod_python import Cookie, Session, apache


def kept(kind, req, **arguments):
    """A session that was saved. Without its lock: mod_python 3.5 may lose one, and wait for ever for the next."""
    session = kind(req, lock=0, **arguments)
    session["x"] = 1
    session.save()
    return session


def ago(session, seconds):
    """The session as if it had been saved so long ago."""
    session._accessed = time.time() - seconds
    session.save()
    return session.id()


def values(cookies):
    return sorted((name, type(cookie).__name__, cookie.value) for name, cookie in cookies.items())


def handler(req):
    more = {
        "Cookie": Cookie,
        "Session": Session,
        "C": Cookie.Cookie,
        "kept": kept,
        "ago": ago,
        "values": values,
        "time": time,
    }
    return probe.tell(req, probe.script_of(req), more)
