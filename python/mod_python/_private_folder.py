"""Folders and files that nobody but this server's own user can have made or changed."""

import errno
import os
import stat

from ._sessions_base import SessionError

KEY_FILE = ".mp_sess.key"
KEY_LENGTH = 32
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # not to wait for the writer of a pipe
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# The keys of this interpreter, by path: what identifies the file, and what is in it
_keys = {}


class Folder:
    """An open folder that belongs to this server's own user and cannot be written by others; a context manager that closes it.

    remedy says what the administrator can do where it is another's.
    """

    def __init__(self, path, remedy, create=False, within=None):
        self.path = path
        self.remedy = remedy
        place = None if within is None else within.fd
        name = path if within is None else os.path.basename(path)
        try:
            self.fd = self._opened(name, place)
        except FileNotFoundError:
            if not create:
                raise
            try:
                os.mkdir(name, 0o700, dir_fd=place)
            except FileExistsError:
                pass
            self.fd = self._opened(name, place)
        try:
            self.require_own(os.fstat(self.fd), path)
        except BaseException:
            os.close(self.fd)
            raise

    def _opened(self, name, place):
        try:
            return os.open(name, _FOLDER, dir_fd=place)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise SessionError(f"MP0510: {self.path} is not a folder but a link or a file, so it is not used: {self.remedy}") from error
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def folder(self, name, create=False):
        """A folder in this one."""
        return Folder(f"{self.path}/{name}", self.remedy, create, self)

    def require_own(self, status, path):
        """Refuses what others have made or could change."""
        own = os.geteuid()
        if status.st_uid != own:
            problem = f"belongs to user {status.st_uid}, and not to this server's own user {own}"
        elif status.st_mode & 0o022:
            problem = f"can be written by others (its mode is {stat.S_IMODE(status.st_mode):04o})"
        else:
            return
        raise SessionError(f"MP0510: {path} {problem}, so what is in it cannot be trusted: {self.remedy}")

    def hide(self):
        """Makes the folder its owner's alone: the names of its files are ids of sessions."""
        mode = stat.S_IMODE(os.fstat(self.fd).st_mode)
        if mode & 0o077:
            os.fchmod(self.fd, mode & 0o700)

    def read(self, name, is_touched=False):
        """What is in a file. OSError: there is none, or it cannot be read."""
        file = os.open(name, _OLD, dir_fd=self.fd)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "it is not a file")
            if status.st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, f"it belongs to user {status.st_uid}")
            parts = []
            while part := os.read(file, max(status.st_size + 1, 65536)):
                parts.append(part)
            if is_touched:
                os.utime(file)
            return b"".join(parts)
        finally:
            os.close(file)

    def write(self, name, data):
        """Makes or replaces a file, in one step: others find the old one or the new one, whole."""
        temporary = self._written(data)
        try:
            os.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except BaseException:
            self.remove(temporary)
            raise

    def _written(self, data):
        """Writes a new file that nobody looks for, and returns its name."""
        temporary = f".{os.urandom(16).hex()}.tmp"
        file = os.open(temporary, _NEW, 0o600, dir_fd=self.fd)
        try:
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(file, left) :]
            finally:
                # Some file systems say only now that they are full
                os.close(file)
        except BaseException:
            self.remove(temporary)
            raise
        return temporary

    def remove(self, name):
        """Removes a file, if there is one."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            pass

    def key(self):
        """The folder's random key: made by whoever asks first, and the same for all."""
        path = f"{self.path}/{KEY_FILE}"
        try:
            status = os.stat(KEY_FILE, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            self._make_key(path)
            status = os.stat(KEY_FILE, dir_fd=self.fd, follow_symlinks=False)
        identity = status.st_dev, status.st_ino, status.st_ctime_ns
        known = _keys.get(path)
        if known is not None and known[0] == identity:
            return known[1]
        self.require_own(status, path)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
            raise SessionError(f"MP0510: {path} is not a file that only its owner can read, so it is no secret: remove it")
        key = self.read(KEY_FILE)
        if len(key) != KEY_LENGTH:
            raise SessionError(f"MP0510: {path} has {len(key)} bytes instead of {KEY_LENGTH}: remove it, and a new one is made")
        _keys[path] = identity, key
        return key

    def _make_key(self, path):
        temporary = self._written(os.urandom(KEY_LENGTH))
        try:
            # Unlike a renamed file, a link never replaces the key that another process has just made
            os.link(temporary, KEY_FILE, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
        except FileExistsError:
            pass
        except OSError as error:
            raise SessionError(
                f"MP0511: the key {path} cannot be made: {error.strerror}. Set PythonOption mod_python.session.key to at least 32 random"
                " characters, or choose another folder"
            ) from error
        finally:
            self.remove(temporary)
