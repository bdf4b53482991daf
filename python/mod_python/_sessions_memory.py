"""Sessions in the memory of one interpreter of one process."""

import time

from ._sessions_base import BaseSession

_stored = {}


class MemorySession(BaseSession):
    """A session in memory: each interpreter of each process has its own, and forgets them when it ends."""

    def __init__(self, req, sid=0, secret=None, timeout=0, lock=1):
        BaseSession.__init__(self, req, sid=sid, secret=secret, timeout=timeout, lock=lock)

    def do_load(self):
        """The stored dict, or None."""
        return _stored.get(self._sid)

    def do_save(self, dict):
        """Store a dict. What is in it is not copied."""
        _stored[self._sid] = dict

    def do_delete(self):
        """Forget the session."""
        _stored.pop(self._sid, None)

    def do_cleanup(self):
        """Forget what has expired, when the request is over."""
        self._req.register_cleanup(mem_cleanup, _stored)


def mem_cleanup(sdict):
    """Remove expired sessions from a dict; for req.register_cleanup()."""
    now = time.time()
    for sid, stored in list(sdict.items()):
        # One that is saved in this moment is another dict
        if now - stored["_accessed"] > stored["_timeout"] and sdict.get(sid) is stored:
            sdict.pop(sid, None)
