"""What all sessions share: the id and its cookie, the lock, the time-out."""

import os
import re
import time
from _weakref import ref

import _apache

from . import Cookie
from ._options import first_of, is_on

_is_sid = re.compile(r"[0-9a-f]{32}").fullmatch


class SessionError(Exception):
    """A session cannot be opened or stored."""


class BaseSession(dict):
    """A dict that is kept between requests. A subclass says where, by do_load(), do_save(), do_delete() and do_cleanup()."""

    def __init__(self, req, sid=None, secret=None, lock=1, timeout=0):
        dict.__init__(self)
        self._req = req
        self._sid = None
        self._secret = secret
        self._lock = lock
        self._locked = 0
        self._invalid = 0
        self._new = False
        self._created = 0
        self._accessed = 0
        self._timeout = 0
        if sid:
            if not isinstance(sid, str) or not _is_sid(sid):
                raise ValueError("a session id has 32 hexadecimal digits, in lower case")
            self._sid = sid
        else:
            self._sid = self._received_sid()
        self.init_lock()
        if self._sid:
            self.lock()
            try:
                is_known = self.load()
            except BaseException:
                self.unlock()
                raise
            if not is_known:
                # An id that a client has made up is never used
                self.unlock()
                self._sid = None
        if not self._sid:
            self._begin(timeout)
        self._accessed = time.time()
        if _is_time_for_cleanup():
            self.cleanup()

    def _begin(self, timeout):
        self._sid = _new_sid(self._req)
        self.lock()
        self._new = True
        self._created = time.time()
        self._timeout = timeout or _module().DFT_TIMEOUT
        self._send_cookie(self.make_cookie())

    def _options(self):
        """The PythonOptions of the request."""
        try:
            return self._request_options
        except AttributeError:
            self._request_options = self._req.get_options()
            return self._request_options

    def do_load(self):
        """What is stored for this id: the dict that do_save() was given, or None."""
        raise NotImplementedError(f"{type(self).__name__} has no do_load()")

    def do_save(self, dict):
        """Store a dict for this id."""
        raise NotImplementedError(f"{type(self).__name__} has no do_save()")

    def do_delete(self):
        """Forget what is stored for this id."""
        raise NotImplementedError(f"{type(self).__name__} has no do_delete()")

    def do_cleanup(self):
        """Forget what has expired: register it for the end of the request, if it takes long."""

    # --- the cookie

    def _cookie_name(self):
        name = first_of(self._options(), "mod_python.session.cookie_name", "session_cookie_name")
        return name or _module().COOKIE_NAME

    def _received_sid(self):
        name = self._cookie_name()
        if self._secret:
            cookie = Cookie.get_cookie(self._req, name, Cookie.SignedCookie, secret=self._secret, mismatch=Cookie.IGNORE)
        else:
            cookie = Cookie.get_cookie(self._req, name)
        return cookie.value if cookie is not None and _is_sid(cookie.value) else None

    def make_cookie(self):
        """The cookie that brings the id back."""
        options = self._options()
        name = self._cookie_name()
        cookie = Cookie.SignedCookie(name, self._sid, self._secret) if self._secret else Cookie.Cookie(name, self._sid)
        cookie.path = first_of(options, "mod_python.session.application_path", "ApplicationPath") or self._default_path()
        if domain := options.get("mod_python.session.application_domain"):
            cookie.domain = domain
        # Not unless they are asked for: there are clients that split each attribute on its equals sign
        if is_on(options, "mod_python.session.cookie_secure"):
            cookie.secure = 1
        if is_on(options, "mod_python.session.cookie_httponly"):
            cookie.httponly = 1
        if same_site := options.get("mod_python.session.cookie_samesite"):
            if same_site.lower() not in ("strict", "lax", "none"):
                raise SessionError(f"MP0518: PythonOption mod_python.session.cookie_samesite is {same_site!r}: write Strict, Lax or None")
            cookie.samesite = same_site
        return cookie

    def _default_path(self):
        """The path of the handler's directory: what is below the document root, if it is."""
        handlers = self._req.hlist
        directory = handlers.directory if handlers is not None else None
        root = self._req.document_root().rstrip("/")
        if directory and directory.startswith(root + "/"):
            path = directory[len(root) :]
            if self._req.uri.startswith(path):
                return path
        return "/"

    def _send_cookie(self, cookie):
        """Sends the cookie, in place of one that this response has already."""
        headers = self._req.headers_out
        if "Set-Cookie" not in headers:
            Cookie.add_cookie(self._req, cookie)
            return
        sent = headers["Set-Cookie"]
        del headers["Set-Cookie"]
        for text in [sent] if isinstance(sent, str) else sent:
            if not text.startswith(cookie.name + "="):
                headers.add("Set-Cookie", text)
        headers.add("Set-Cookie", Cookie._sent_text(cookie))

    # --- the life of a session

    def is_new(self):
        """Whether the session begins with this request."""
        return self._new

    def id(self):
        """The session's id, 32 hexadecimal digits."""
        return self._sid

    def created(self):
        """When the session began, in seconds since 1970."""
        return self._created

    def last_accessed(self):
        """When it was last opened, in seconds since 1970."""
        return self._accessed

    def timeout(self):
        """For how many seconds it is kept after it was last saved."""
        return self._timeout

    def set_timeout(self, secs):
        """Set for how many seconds it is kept."""
        self._timeout = secs

    def load(self):
        """Read what is stored, in place of what is in the dict. 1; 0 if there is nothing, or it has expired."""
        stored = self.do_load()
        if stored is None or time.time() - stored["_accessed"] > stored["_timeout"]:
            return 0
        self._accessed = stored["_accessed"]
        self._created = stored["_created"]
        self._timeout = stored["_timeout"]
        self.clear()
        self.update(stored["_data"])
        return 1

    def save(self):
        """Store the dict. What is not saved is lost at the end of the request."""
        if not self._invalid:
            self.do_save(
                {"_data": dict(self), "_created": self._created, "_accessed": self._accessed, "_timeout": self._timeout}
            )

    def delete(self):
        """Forget what is stored, and empty the dict."""
        self.do_delete()
        self.clear()

    def invalidate(self):
        """End the session: forget what is stored, and have the client forget the cookie."""
        cookie = self.make_cookie()
        cookie.expires = 0
        self._send_cookie(cookie)
        self.delete()
        self._invalid = 1

    def regenerate(self):
        """Give the session another id and save it, so that the old id is worth nothing. To be called when a user logs in.

        Returns the new id.
        """
        if self._invalid:
            raise SessionError("the session was invalidated: open another one")
        if getattr(self._req, "sent_bodyct", 0):
            raise SessionError("the response has begun, so the client would not learn the new id: call regenerate() before req.write()")
        old, new = self._sid, _new_sid(self._req)
        self._sid = new
        try:
            self.save()
            # From here on the old id is gone, whatever happens
            self._sid = old
            self.do_delete()
        except BaseException:
            self._sid = old
            raise
        # Nobody else knows the new one yet, and one lock at a time is never a deadlock
        was_locked = self._locked
        self.unlock()
        self._sid = new
        if was_locked:
            self.lock()
        self._send_cookie(self.make_cookie())
        return new

    def cleanup(self):
        """Forget what has expired. One of CLEANUP_CHANCE sessions that are opened calls it."""
        self.do_cleanup()

    # --- the lock

    def init_lock(self):
        """Called before the session is first locked, for subclasses with a lock of their own."""

    def lock(self):
        """Wait until no other request has the session open. It is unlocked at the end of the request."""
        if not self._lock or self._locked:
            return
        opened = self._opened_in_request()
        other = opened.get(self._sid)
        other = other and other()
        if other is not None and other is not self and other._locked:
            raise SessionError(
                "MP0515: this request has opened the session already, and would wait for itself for ever: use that object, call its"
                " unlock() first, or open the session with lock=0"
            )
        self._held = self._take_lock()
        self._locked = 1
        opened[self._sid] = ref(self)

    def unlock(self):
        """Let other requests open the session."""
        if self._lock and self._locked:
            self._locked = 0
            self._give_lock(*self._held)

    def _take_lock(self):
        """Waits for the lock of this id. Returns what _give_lock() is given: the id may be another one by then."""
        server = self._req.server
        _apache._global_lock(server, self._sid)
        return server, self._sid

    def _give_lock(self, server, sid):
        _apache._global_unlock(server, sid)

    def _opened_in_request(self):
        """The sessions that were locked in this request, by their ids. At its end they are unlocked."""
        try:
            return self._req._opened_sessions
        except AttributeError:
            opened = self._req._opened_sessions = {}
            self._req.register_cleanup(_unlock_all, self._req)
            return opened

    def __del__(self):
        # It may have failed before it had a lock
        if getattr(self, "_locked", 0):
            self.unlock()


def unlock_session_cleanup(session):
    """Unlock a session; for req.register_cleanup()."""
    session.unlock()


def _unlock_all(req):
    opened = req._opened_sessions
    # A handler that runs later begins anew
    del req._opened_sessions
    for session in opened.values():
        session = session()
        if session is not None:
            session.unlock()


def _module():
    """The public module: programs set its names."""
    from . import Session

    return Session


def _is_time_for_cleanup():
    chance = _module().CLEANUP_CHANCE
    return chance > 0 and int.from_bytes(os.urandom(4)) % chance == 0


def _new_sid(req):
    from secrets import token_hex

    return token_hex(16)
