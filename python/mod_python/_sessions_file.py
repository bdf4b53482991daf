"""Sessions that are each stored in a file."""

from _weakref import ref

from ._authenticated import seal
from ._options import is_on, number
from ._private_folder import Folder
from ._sessions_base import SessionError, _module
from ._sessions_sealed import FOLDER, SealedSession, directory, remedy

_OPTION = "mod_python.file_session.database_directory"


class FileSession(SealedSession):
    """A session in a file of its own, in the folder mp_sess below the one that is configured.

    fast_cleanup and verify_cleanup are what mod_python.file_session.enable_fast_cleanup and .verify_session_timeout say, unless given.
    """

    def __init__(self, req, sid=0, secret=None, timeout=0, lock=1, fast_cleanup=-1, verify_cleanup=-1):
        self._req = req
        options = self._options()
        defaults = _module()
        self._directory = f"{directory(options, _OPTION)}/{FOLDER}"
        self._fast_cleanup = fast_cleanup
        if fast_cleanup == -1:
            names = ("mod_python.file_session.enable_fast_cleanup", "session_fast_cleanup")
            self._fast_cleanup = is_on(options, *names, default=defaults.DFT_FAST_CLEANUP)
        self._verify_cleanup = verify_cleanup
        if verify_cleanup == -1:
            names = ("mod_python.file_session.verify_session_timeout", "session_verify_cleanup")
            self._verify_cleanup = is_on(options, *names, default=defaults.DFT_VERIFY_CLEANUP)
        names = ("mod_python.file_session.cleanup_grace_period", "session_grace_period")
        self._grace_period = number(options, *names, default=defaults.DFT_GRACE_PERIOD)
        names = ("mod_python.file_session.cleanup_time_limit", "session_cleanup_time_limit")
        self._cleanup_time_limit = number(options, *names, default=defaults.DFT_CLEANUP_TIME_LIMIT)
        SealedSession.__init__(self, req, sid=sid, secret=secret, timeout=timeout, lock=lock)

    def _folder(self, create=False):
        return Folder(self._directory, remedy(_OPTION), create)

    def do_load(self):
        """Read the session's file."""
        try:
            with self._folder() as folder, folder.folder(self._sid[:2]) as place:
                # The time of the file tells the clean-up that the session is in use
                record = place.read(self._sid, is_touched=True)
                return self._opened_record(self._key(folder), record, place.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._log_unreadable(f"{self._directory}/{self._sid[:2]}", error)
            return None

    def do_save(self, dict):
        """Write the session's file."""
        try:
            with self._folder(create=True) as folder:
                folder.hide()
                record = seal(self._key(folder), self._sid, dict)
                with folder.folder(self._sid[:2], create=True) as place:
                    place.write(self._sid, record)
        except OSError as error:
            # The error itself names the file, which is the session's id
            raise SessionError(f"MP0511: a session could not be stored in {self._directory}: {error.strerror}") from None

    def do_delete(self):
        """Remove the session's file."""
        try:
            with self._folder() as folder, folder.folder(self._sid[:2]) as place:
                place.remove(self._sid)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SessionError(f"MP0511: a session could not be removed from {self._directory}: {error.strerror}") from None

    def do_cleanup(self):
        """Remove the files of expired sessions when the request is over."""
        from ._sessions_file_cleanup import Cleanup, filesession_cleanup

        cleanup = Cleanup(
            session=ref(self),
            server=self._req.server,
            folder=self._folder,
            is_fast=bool(self._fast_cleanup),
            is_verified=bool(self._verify_cleanup),
            timeout=self._timeout,
            grace_period=self._grace_period,
            time_limit=self._cleanup_time_limit,
        )
        self._req.register_cleanup(filesession_cleanup, cleanup)
