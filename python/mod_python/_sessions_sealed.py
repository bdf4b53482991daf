"""What the kinds of sessions share that are stored outside of the process."""

from ._authenticated import NotAuthentic, NotLoaded, record_key, unseal
from ._constants import APLOG_ERR, APLOG_WARNING
from ._entries import entry
from ._options import first_of
from ._sessions_base import BaseSession

FOLDER = "mp_sess"


class SealedSession(BaseSession):
    """A session that is stored as an authenticated record."""

    def _key(self, folder):
        return record_key(self._options(), self._secret, folder.key)

    def _opened_record(self, key, record, where):
        """What a record holds; None, with an entry in the error log, if it is not to be used."""
        try:
            return unseal(key, self._sid, record)
        except NotAuthentic as error:
            entry(APLOG_WARNING, f"MP0512: a session in {where} is not used, and a new one begins: {error}")
        except NotLoaded as error:
            entry(APLOG_ERR, f"MP0514: a session in {where} cannot be unpickled, and a new one begins: {error}")
        return None

    def _log_unreadable(self, where, error):
        entry(APLOG_ERR, f"MP0513: a session in {where} cannot be read, and a new one begins: {error.strerror}")


def directory(options, *names):
    """The folder that the first of these options names, else that for temporary files."""
    chosen = first_of(options, *names, "session_directory", "mod_python.session.database_directory")
    if chosen is None:
        from tempfile import gettempdir

        return gettempdir()
    return chosen.rstrip("/") or "/"


def remedy(option):
    """What to do about a folder that is not safe."""
    return f"set PythonOption {option} to a folder that belongs to httpd's own user and that nobody else can write to"
