"""Sessions in a dbm file."""

import os
import re
import stat
import time
from contextlib import contextmanager

import _apache

from ._authenticated import HEADER, expiry, seal
from ._constants import APLOG_ERR, APLOG_INFO
from ._entries import entry
from ._options import first_of
from ._private_folder import Folder
from ._sessions_base import SessionError
from ._sessions_sealed import FOLDER, SealedSession, directory, remedy

_OPTION = "mod_python.dbm_session.database_directory"
_FILE = "mp_sess.dbm"
# What the kinds of dbm make of a name
_ENDINGS = ("", ".db", ".dir", ".pag", ".dat", ".bak", "-journal", "-wal", "-shm")
_AT_ONCE = 100  # how many records are looked at before others have their turn
_is_sid = re.compile(rb"[0-9a-f]{32}").fullmatch


class DbmSession(SealedSession):
    """A session in a dbm file that all have in common: mp_sess/mp_sess.dbm in the folder that is configured, or the file dbm.

    dbmtype is a module with an open() as that of dbm.
    """

    def __init__(self, req, dbm=None, sid=0, secret=None, dbmtype=None, timeout=0, lock=1):
        self._req = req
        self._database = Database(req.server, self._path(dbm), dbmtype)
        SealedSession.__init__(self, req, sid=sid, secret=secret, timeout=timeout, lock=lock)

    def _path(self, path):
        options = self._options()
        path = path or first_of(options, "mod_python.dbm_session.database_filename", "session_dbm", default=_FILE)
        return path if os.path.isabs(path) else os.path.join(directory(options, _OPTION), FOLDER, path)

    def do_load(self):
        """Read the session's record."""
        database = self._database
        try:
            with database.opened("r") as opened:
                if opened is None:
                    return None
                folder, records = opened
                try:
                    record = records[self._sid.encode("ascii")]
                except KeyError:
                    return None
                return self._opened_record(self._key(folder), record, database.path)
        except OSError as error:
            entry(APLOG_ERR, f"MP0517: {database.problem(error)}; a new session begins")
            return None

    def do_save(self, dict):
        """Write the session's record."""
        self._change(lambda folder, records, sid: records.__setitem__(sid, seal(self._key(folder), self._sid, dict)), "c")

    def do_delete(self):
        """Remove the session's record."""
        self._change(lambda folder, records, sid: sid in records and records.__delitem__(sid), "w")

    def _change(self, change, flag):
        try:
            with self._database.opened(flag) as opened:
                if opened is not None:
                    change(*opened, self._sid.encode("ascii"))
        except OSError as error:
            raise SessionError(f"MP0517: {self._database.problem(error)}") from None

    def do_cleanup(self):
        """Remove expired records when the request is over."""
        self._req.register_cleanup(dbm_cleanup, self._database)


class Database:
    """The file. It is opened for each access, and by one thread of all processes at a time."""

    def __init__(self, server, path, module):
        self.server = server
        self.path = os.path.abspath(path)
        self.module = module
        self.is_default_place = os.path.basename(os.path.dirname(self.path)) == FOLDER

    @contextmanager
    def opened(self, flag):
        """The folder and the records, while nobody else has them. None if there is no file, unless the flag is c."""
        _apache._global_lock(self.server, None, 0)
        try:
            try:
                folder = Folder(os.path.dirname(self.path), remedy(_OPTION), flag == "c" and self.is_default_place)
            except FileNotFoundError:
                if flag == "c":
                    raise
                yield None
                return
            with folder:
                if not self._is_there(folder) and flag != "c":
                    yield None
                    return
                if flag == "c" and self.is_default_place:
                    folder.hide()
                records = self._open(flag)
                try:
                    yield folder, records
                finally:
                    records.close()
        finally:
            _apache._global_unlock(self.server, None, 0)

    def _open(self, flag):
        module = self.module
        if module is None:
            import dbm as module
        try:
            return module.open(self.path, flag, 0o600)
        except OSError:
            raise
        # Each kind has exceptions of its own, and a damaged file gives any
        except Exception as error:
            raise OSError(None, f"{type(error).__name__}: {error}") from error

    def _is_there(self, folder):
        """Whether there is a file; what others have made is refused, what was never written is removed."""
        empty, is_there = [], False
        for ending in _ENDINGS:
            name = os.path.basename(self.path) + ending
            try:
                status = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(status.st_mode):
                raise SessionError(f"MP0510: {self.path}{ending} is not a file, so it is not used: remove it")
            folder.require_own(status, self.path + ending)
            if status.st_size:
                is_there = True
            else:
                empty.append(name)
        if not is_there:
            for name in empty:
                folder.remove(name)
        return is_there

    def problem(self, error):
        """What is wrong with the file, and what to do."""
        return (
            f"the sessions' file {self.path} cannot be used: {error.strerror or error}. If it is damaged, remove it and"
            " what begins with its name"
        )

    def clean_up(self):
        """Removes expired records, some at a time."""
        with self.opened("r") as opened:
            sids = [] if opened is None else [sid for sid in opened[1].keys() if _is_sid(sid)]
        expired = 0
        for first in range(0, len(sids), _AT_ONCE):
            with self.opened("w") as opened:
                if opened is None:
                    return
                records = opened[1]
                now = time.time()
                for sid in sids[first : first + _AT_ONCE]:
                    # What is no record of ours may be another program's
                    expires = expiry(records[sid][:HEADER]) if sid in records else None
                    if expires is not None and now > expires:
                        del records[sid]
                        expired += 1
        entry(APLOG_INFO, f"DbmSession: {expired} of {len(sids)} sessions in {self.path} had expired")


def dbm_cleanup(data):
    """Run a clean-up; for req.register_cleanup()."""
    try:
        data.clean_up()
    # Nobody waits for it; the next one tries again
    except Exception as error:
        entry(APLOG_ERR, f"MP0516: the sessions cannot be cleaned up: {error}")
