"""The connections of a RedisStore, and what becomes of its errors."""

import os
import re

from ._store_errors import StoreError, StoreFull, StoreUnavailable

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:
    raise StoreError(
        f"a store on a Redis or Valkey server needs the package redis where the application's packages are: pip install redis ({error})"
    ) from error

DEFAULT_TIMEOUT = 2.0  # seconds


def shown(location):
    """A location without its user, its password and its parameters."""
    scheme, _, rest = location.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


class Client:
    """A pool of connections for each process: one that was forked makes its own."""

    def __init__(self, name, location, timeout):
        self._name = name
        self._location = location
        self._shown = shown(location)
        self._timeout = timeout
        self._process = None
        self._redis = self._made()

    def _made(self):
        # For a Unix socket there is one time limit only
        limits = {} if self._location.startswith("unix:") else {"socket_connect_timeout": self._timeout}
        try:
            # No command is repeated behind our back: one that adds would add twice
            pool = redis.ConnectionPool.from_url(self._location, socket_timeout=self._timeout, retry=Retry(NoBackoff(), 0), **limits)
            # Parameters that are wrong are found here
            pool.make_connection()
        except Exception as error:
            # The error may quote the location, with its password
            raise StoreError(
                f"the location of the store {self._name!r} is not understood ({self._shown}, {type(error).__name__}): write"
                " redis://[user:password@]host[:port][/number], rediss://… or unix://path, with what is no letter in a password as %XX"
            ) from None
        self._process = os.getpid()
        return redis.Redis(connection_pool=pool)

    def call(self, *command, repeat=False):
        """What the server answers. With repeat the command is sent again if the connection was lost: it must not matter."""
        if self._process != os.getpid():
            self._redis = self._made()
        try:
            try:
                return self._redis.execute_command(*command)
            except redis.TimeoutError:
                raise
            except (redis.AuthenticationError, redis.exceptions.BusyLoadingError):
                raise
            except redis.ConnectionError:
                if not repeat:
                    raise
                return self._redis.execute_command(*command)
        except redis.exceptions.NoScriptError:
            raise
        except (redis.RedisError, OSError) as error:
            # Without redis-py's own traceback, which would fill the error log while a server is away
            raise self._meaning(error) from None

    def run(self, script, keys, arguments, repeat=False):
        """What a script answers. The server is given the text where it does not know it."""
        command = (len(keys), *keys, *arguments)
        try:
            return self.call("EVALSHA", script.digest, *command, repeat=repeat)
        except redis.exceptions.NoScriptError:
            return self.call("EVAL", script.text, *command, repeat=repeat)

    def _meaning(self, error):
        text = str(error)
        where = f"the server of the store {self._name!r} ({self._shown})"
        if re.search(r"\bOOM\b|maxmemory", text):
            return StoreFull(f"{where} has no room: delete entries, give them a ttl, or set a larger maxmemory there ({text})")
        if "MISCONF" in text:
            return StoreFull(f"{where} cannot save its data, and takes no changes: look at its log and its disk ({text})")
        if isinstance(error, redis.TimeoutError):
            return StoreUnavailable(f"{where} did not answer within {self._timeout:g} s: look at its load, or set timeout= in PythonStore")
        if isinstance(error, redis.AuthenticationError) or re.search("NOAUTH|WRONGPASS|invalid password", text):
            return StoreUnavailable(f"{where} does not accept the user or the password of PythonStore ({text})")
        if isinstance(error, redis.ResponseError):
            return StoreUnavailable(f"{where} has refused a command: {text}")
        return StoreUnavailable(f"{where} cannot be reached: {text}")
