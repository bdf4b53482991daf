"""The server and the connection of the stand-in."""

import os
import stat as _stat
import time

from ._testing_table import mp_table


def not_imitated(name):
    """An error for what the stand-in does not do."""
    return NotImplementedError(f"{name} is not imitated by mod_python.testing: test it with a server")


class Log:
    """What was logged: pairs of level and text."""

    def __init__(self):
        self.entries = []

    def add(self, message, level=3):
        """Write an entry; None writes nothing."""
        if message is None:
            return
        if not isinstance(message, str):
            raise TypeError(f"log_error() argument 1 must be str, not {type(message).__name__}")
        self.entries.append((level, message))


class mp_server:
    """The server: one for all requests that are not given another one."""

    defn_name, defn_line_number = "httpd.conf", 1
    error_fname, path, pathlen = "logs/error_log", None, 0
    keep_alive, keep_alive_max, keep_alive_timeout, timeout = 1, 100, 5.0, 60.0
    limit_req_line, limit_req_fieldsize, limit_req_fields = 8190, 8190, 100
    loglevel, my_generation, is_virtual = 4, 0, 0
    names, wild_names, next = (), (), None

    def __init__(self, hostname="localhost", port=80, admin="webmaster@localhost", options=(), config=()):
        self.server_hostname, self.port, self.server_admin = hostname, port, admin
        self.restart_time = time.time()
        self._options, self._config, self._log, self._cleanups = mp_table(options), mp_table(config), Log(), []

    @property
    def log(self):
        """What was logged for the server, outside of requests: pairs of level and text."""
        return self._log.entries

    def get_config(self, /):
        """The directives of the server."""
        return self._config

    def get_options(self, /):
        """The PythonOptions of the server; what is written to them stays."""
        return self._options

    def log_error(self, message, level=3, /):
        """Write to the server's log."""
        self._log.add(message, level)

    def register_cleanup(self, req, callable, data=None, /):
        """Call callable(data) at the end of the child: when run_cleanups() is called."""
        if type(req).__name__ != "mp_request":
            raise ValueError("first argument must be a request object")
        self._register(callable, data)

    def _register(self, callable, data):
        if not hasattr(callable, "__call__"):
            raise ValueError("first argument must be a callable object")
        self._cleanups.append((callable, data))

    def run_cleanups(self):
        """End the child: call what was registered, the last first."""
        run_cleanups(self._cleanups, self._log)

    @property
    def _server_rec(self):
        raise not_imitated("server._server_rec")


def run_cleanups(cleanups, log):
    """Call all, the last registered first; an exception is logged."""
    while cleanups:
        callable, data = cleanups.pop()
        try:
            callable(data)
        except BaseException as error:
            log_exception(log, f"MP0501: cleanup {callable!r} failed", error)


def log_exception(log, first, error):
    """An entry and the traceback."""
    import traceback

    log.add(first)
    for line in "".join(traceback.format_exception(error)).splitlines():
        if line:
            log.add(line)


class mp_conn:
    """The connection of a request."""

    __slots__ = ("base_server", "client_ip", "client_addr", "local_ip", "local_addr", "local_host", "id", "keepalive", "notes", "_log")

    def __init__(self, server, client, local):
        self.base_server = server
        self.client_ip, self.client_addr = client[0], tuple(client)
        self.local_ip, self.local_addr, self.local_host = local[0], tuple(local), None
        self.id, self.keepalive, self.notes, self._log = 0, 1, mp_table(), server._log

    aborted = property(lambda self: 0)
    keepalives = property(lambda self: 0)
    double_reverse = property(lambda self: 0)
    remote_host = property(lambda self: None)
    remote_logname = property(lambda self: None)
    hlist = property(lambda self: None)
    remote_ip = property(lambda self: self.client_ip)
    remote_addr = property(lambda self: self.client_addr)

    def log_error(self, message, level=3, /):
        """Write to the server's log."""
        self._log.add(message, level)

    def read(self, n=0, /):
        """Not imitated."""
        raise not_imitated("connection.read()")

    def readline(self, n=0, /):
        """Not imitated."""
        raise not_imitated("connection.readline()")

    def write(self, data, /):
        """Not imitated."""
        raise not_imitated("connection.write()")

    @property
    def _conn_rec(self):
        raise not_imitated("connection._conn_rec")


_KINDS = ((_stat.S_ISREG, 1), (_stat.S_ISDIR, 2), (_stat.S_ISCHR, 3), (_stat.S_ISBLK, 4), (_stat.S_ISFIFO, 5), (_stat.S_ISLNK, 6), (_stat.S_ISSOCK, 7))


class mp_finfo:
    """What apache.stat() gives."""

    __slots__ = tuple("fname filetype valid protection user group size inode device nlink atime mtime ctime name".split())

    def __init__(self, path=None, wanted=0, state=None):
        for name in self.__slots__:
            setattr(self, name, None)
        self.filetype = 0
        if state is None:
            return
        self.fname = path
        self.filetype = next((kind for is_kind, kind in _KINDS if is_kind(state.st_mode)), 127)
        self.valid, self.name = wanted, os.path.basename(path)
        mode = state.st_mode
        self.protection = (mode & 0o700) << 2 | (mode & 0o070) << 1 | mode & 0o007
        self.user, self.group, self.size, self.inode, self.device, self.nlink = (
            *(state.st_uid, state.st_gid, state.st_size),
            *(state.st_ino, state.st_dev, state.st_nlink),
        )
        self.atime, self.mtime, self.ctime = int(state.st_atime), int(state.st_mtime), int(state.st_ctime)

    def __getitem__(self, index, /):
        order = "protection inode device nlink user group size atime mtime ctime fname name filetype".split()
        if not 0 <= index < len(order):
            raise IndexError("finfo index out of range")
        return getattr(self, order[index])

    def __repr__(self):
        return repr({name: getattr(self, name) for name in self.__slots__})


def stat(fname, wanted, /):
    """As apache.stat(): of a file that does not exist filetype is APR_NOFILE."""
    path = os.fsdecode(fname)
    try:
        state = os.lstat(path) if wanted & 1 else os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return mp_finfo()
    return mp_finfo(path, wanted, state)


class mp_hlist:
    """The list of handlers of a request."""

    __slots__ = ("_handlers",)

    def __init__(self, handlers):
        self._handlers = list(handlers)

    handler = property(lambda self: self._handlers[0][0] if self._handlers else None)
    directory = property(lambda self: self._handlers[0][1] if self._handlers else None)
    silent = property(lambda self: 0 if self._handlers else None)
    is_location = property(lambda self: 0 if self._handlers else None)

    def next(self, /):
        """Go on to the next one."""
        del self._handlers[:1]


for _class in (mp_server, mp_conn, mp_finfo, mp_hlist):
    _class.__module__ = "builtins"
