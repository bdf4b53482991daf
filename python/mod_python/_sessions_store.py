"""Sessions in a store."""

import time

from . import _store
from ._authenticated import KEY_OPTION, record_key, seal
from ._constants import APLOG_ERR, APLOG_WARNING
from ._entries import entry
from ._sessions_base import SessionError
from ._sessions_sealed import SealedSession
from ._store_base import LOCK, SESSION
from ._store_errors import StoreError
from ._store_locks import take

STORE_OPTION = "mod_python.session.store"

# Nobody's own locks begin so; and no session has this id
_LOCK_PREFIX = "\0session:"
_KEY = "key"
_KEY_LENGTH = 32


class StoreSession(SealedSession):
    """A session in a store: the one of this name, by default that of PythonOption mod_python.session.store, else "default"."""

    def __init__(self, req, sid=0, secret=None, timeout=0, lock=1, store=None):
        self._req = req
        self._store = _opened(store or self._options().get(STORE_OPTION) or "default")
        SealedSession.__init__(self, req, sid=sid, secret=secret, timeout=timeout, lock=lock)

    def _record_key(self):
        return record_key(self._options(), self._secret, self._own_key)

    def _own_key(self):
        """The store's own key, random, made once."""
        if self._store._others_can_write:
            raise SessionError(
                f"MP0518: others can write to the store {self._store.name!r}, so sessions in it need a key that they do not have: set"
                f" PythonOption {KEY_OPTION} to 32 random characters, or more"
            )
        from secrets import token_bytes

        name = _store.name(SESSION, _KEY)
        while (key := self._store._read([name])[0]) is None:
            # One of those that come at once makes it
            self._store._commit([(name, None)], [(name, _store.encode(token_bytes(_KEY_LENGTH)), None)])
        return _store.decode(key)

    def do_load(self):
        """Read the session's entry."""
        with _Problem("read from", self._store):
            (value,) = self._store._read([_store.name(SESSION, self._sid)])
            if value is None:
                return None
            record = _store.decode(value)
            key = self._record_key()
        return self._opened_record(key, record if isinstance(record, bytes) else b"", f"the store {self._store.name!r}")

    def do_save(self, dict):
        """Write the session's entry. It expires by itself."""
        with _Problem("stored in", self._store):
            value = _store.encode(seal(self._record_key(), self._sid, dict))
            # As long as load() would take it
            ttl = max(1.0, dict["_accessed"] + dict["_timeout"] - time.time() + 1)
            self._store._commit([], [(_store.name(SESSION, self._sid), value, min(ttl, 1e9))])

    def do_delete(self):
        """Delete the session's entry."""
        with _Problem("removed from", self._store):
            self._store._commit([], [(_store.name(SESSION, self._sid), None, None)])

    # The lock belongs to the request, which may end on another thread than it began on

    def _take_lock(self):
        name = _store.name(LOCK, _LOCK_PREFIX + self._sid)
        with _Problem("locked in", self._store):
            return name, take(self._store, name, None, None)

    def _give_lock(self, name, token):
        try:
            if not self._store._lock_release(name, token):
                entry(
                    APLOG_WARNING,
                    f"MP0519: the lock of a session in the store {self._store.name!r} ended before its request did; another request may have had the session",
                )
        except StoreError as error:
            # The lock ends by itself, and the request has done its work
            entry(APLOG_ERR, f"MP0519: a session in the store {self._store.name!r} could not be unlocked: {error}")


class _Problem:
    """What a store cannot do is a SessionError."""

    def __init__(self, what, store):
        self.what = what
        self.store = store

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is not None and issubclass(kind, (StoreError, ValueError)):
            raise SessionError(f"MP0519: a session could not be {self.what} the store {self.store.name!r}: {error}") from error


def _opened(name):
    from . import store

    try:
        return store.open(name)
    except LookupError as error:
        raise SessionError(f"MP0518: PythonOption {STORE_OPTION} is {name!r}: {error}") from None
    except StoreError as error:
        raise SessionError(f"MP0519: the sessions' store {name!r} cannot be opened: {error}") from error
