"""Sessions of Django in a store: SESSION_ENGINE = "mod_python.django_sessions". MOD_PYTHON_SESSION_STORE names the store."""

from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError

from . import store

_PREFIX = "django.sessions:"


class SessionStore(SessionBase):
    """What is stored is signed with the site's SECRET_KEY, and no pickle."""

    @property
    def _store(self):
        return store.open(getattr(settings, "MOD_PYTHON_SESSION_STORE", "default"))

    def load(self):
        data = self._store.get(_PREFIX + self.session_key) if self.session_key else None
        if isinstance(data, str):
            return self.decode(data)
        self._session_key = None
        return {}

    def exists(self, session_key):
        return bool(session_key) and _PREFIX + session_key in self._store

    def create(self):
        while True:
            self._session_key = self._get_new_session_key()
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create=False):
        if self.session_key is None:
            return self.create()
        key, data = _PREFIX + self.session_key, self.encode(self._get_session(no_load=must_create))
        ttl = max(1, self.get_expiry_age())
        if must_create:
            if not self._store.add(key, data, ttl):
                raise CreateError
            return

        def update(t):
            # Not one that another request has ended meanwhile
            if key not in t:
                raise UpdateError
            t.set(key, data, ttl)

        self._store.transaction().run(update)

    def delete(self, session_key=None):
        session_key = session_key or self.session_key
        if session_key:
            self._store.delete(_PREFIX + session_key)

    @classmethod
    def clear_expired(cls):
        """The store forgets by itself."""
