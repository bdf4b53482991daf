"""The clean-up of FileSession: it removes files of expired sessions, one of the 256 folders after the other.

One process does it at a time, for no longer than a limit, and the next goes on where it stopped.
"""

import fcntl
import os
import re
import stat
import time

import _apache

from ._authenticated import HEADER, expiry
from ._constants import APLOG_ERR, APLOG_INFO
from ._entries import entry

LOCK_FILE = ".mp_sess.lck"
STATUS_FILE = "fs_status.txt"
STATUS_VERSION = "MPFS_3.2"
FOLDERS = 256

_is_sid = re.compile(r"[0-9a-f]{32}").fullmatch
_is_temporary = re.compile(r"\.[0-9a-f]{32}\.tmp").fullmatch


class Cleanup:
    """What a clean-up does, and where it is."""

    def __init__(self, session, server, folder, is_fast, is_verified, timeout, grace_period, time_limit):
        self.session = session
        self.server = server
        self.folder = folder  # returns the opened folder of all sessions
        self.is_fast = is_fast
        self.is_verified = is_verified or not is_fast
        self.timeout = timeout
        self.grace_period = grace_period
        self.time_limit = time_limit
        self.next_folder = self.expired = self.total = 0
        self.seconds = 0.0

    def run(self):
        """Does its part, unless another process is at it."""
        session = self.session()
        if session is not None:
            # The request is over; its mutex may be that of others, too
            session.unlock()
        try:
            opened = self.folder()
        except FileNotFoundError:
            return
        with opened as folder:
            lock = os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder.fd)
            try:
                # The system releases it if this process ends before
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            else:
                self._read_status(folder)
                self._remove_from_folders(folder)
                self._write_status(folder)
            finally:
                os.close(lock)

    def _remove_from_folders(self, folder):
        started = time.monotonic()
        self._remove_temporary(folder)
        while self.next_folder < FOLDERS:
            try:
                with folder.folder(f"{self.next_folder:02x}") as place:
                    self._remove_from(place)
            except FileNotFoundError:
                pass
            self.next_folder += 1
            if self.time_limit and time.monotonic() - started >= self.time_limit:
                break
        self.seconds += time.monotonic() - started

    def _remove_from(self, place):
        with os.scandir(place.fd) as entries:
            names = [found.name for found in entries]
        self._remove_temporary(place, names)
        for name in names:
            if _is_sid(name) and name[:2] == os.path.basename(place.path):
                self.total += 1
                try:
                    is_removed = self._has_expired(place, name) and self._remove(place, name)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    entry(APLOG_ERR, f"MP0516: a session in {place.path} cannot be cleaned up: {error.strerror}")
                    continue
                self.expired += is_removed

    def _has_expired(self, place, name):
        """Whether a session's file may go."""
        status = os.stat(name, dir_fd=place.fd, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            return False
        now = time.time()
        is_old = now - status.st_mtime > self.timeout + self.grace_period
        if self.is_fast and not is_old:
            return False
        if not self.is_verified:
            return True
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=place.fd)
        try:
            expires = expiry(os.read(file, HEADER))
        finally:
            os.close(file)
        # What is no record of ours, no session can use
        return is_old if expires is None else now > expires + self.grace_period

    def _remove(self, place, name):
        """Removes a session's file, unless a request has the session open."""
        if not _apache._global_trylock(self.server, name):
            return False
        try:
            # It may have been saved meanwhile
            is_removed = self._has_expired(place, name)
            if is_removed:
                place.remove(name)
            return is_removed
        finally:
            _apache._global_unlock(self.server, name)

    def _remove_temporary(self, place, names=None):
        """Removes files that a process was writing when it ended."""
        for name in os.listdir(place.fd) if names is None else names:
            if _is_temporary(name):
                try:
                    if time.time() - os.stat(name, dir_fd=place.fd, follow_symlinks=False).st_mtime > max(self.grace_period, 60):
                        place.remove(name)
                except FileNotFoundError:
                    pass

    def _read_status(self, folder):
        """Where the last clean-up stopped."""
        try:
            version, next_folder, expired, total, seconds = folder.read(STATUS_FILE).decode("ascii").split()
            if version == STATUS_VERSION and 0 < int(next_folder) < FOLDERS:
                self.next_folder, self.expired, self.total = int(next_folder), int(expired), int(total)
                self.seconds = float(seconds)
        except (OSError, ValueError):
            self.next_folder = 0

    def _write_status(self, folder):
        if self.next_folder >= FOLDERS:
            entry(APLOG_INFO, f"FileSession: {self.expired} of {self.total} sessions in {folder.path} had expired; {self.seconds:.1f} s")
            self.next_folder = self.expired = self.total = 0
            self.seconds = 0.0
        text = f"{STATUS_VERSION} {self.next_folder} {self.expired} {self.total} {self.seconds:.3f}\n"
        folder.write(STATUS_FILE, text.encode("ascii"))


def filesession_cleanup(data):
    """Run a clean-up; for req.register_cleanup()."""
    try:
        data.run()
    # Nobody waits for it; the next one tries again
    except Exception as error:
        entry(APLOG_ERR, f"MP0516: the sessions cannot be cleaned up: {error}")
