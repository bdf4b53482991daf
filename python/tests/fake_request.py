"""A request for the tests of cookies and sessions, and global mutexes that behave like the module's."""

import threading

import fake_apache
from fake_apache import table

MUTEXES = 8


class Server:
    pass


class Handlers:
    directory = "/srv/htdocs/app/"


class Headers(table):
    """A table that shows its pairs."""

    @property
    def pairs(self):
        return self._pairs

    def get(self, key, default=None):
        """The first one, as of the module's own table."""
        return next(iter(self.all(key)), default)

    def all(self, key):
        return [value for name, value in self.pairs if name.lower() == key.lower()]


class Request:
    server = Server()
    hlist = Handlers()
    uri = "/app/page"
    sent_bodyct = 0

    def __init__(self, cookie=None, **options):
        self.headers_in = Headers([("Cookie", cookie)] if cookie is not None else [])
        self.headers_out = Headers()
        self.options = options
        self.cleanups = []

    def document_root(self):
        return "/srv/htdocs"

    def get_options(self):
        return table([(name.replace("__", "."), value) for name, value in self.options.items()])

    def register_cleanup(self, function, data=None):
        self.cleanups.append((function, data))

    def end(self):
        while self.cleanups:
            function, data = self.cleanups.pop()
            function(data)

    def sent(self):
        """The cookies of the response."""
        return self.headers_out.all("Set-Cookie")


class Mutex:
    """A thread that holds it can lock it again; any thread can unlock it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.holder, self.depth = None, 0

    def acquire(self, is_patient):
        me = threading.get_ident()
        if self.holder == me:
            if not is_patient:
                return False
            self.depth += 1
            return True
        if not self.lock.acquire(is_patient):
            return False
        self.holder, self.depth = me, 1
        return True

    def release(self):
        if not self.depth:
            raise ValueError("not held")
        self.depth -= 1
        if not self.depth:
            self.holder = None
            self.lock.release()


mutexes = [Mutex() for _ in range(MUTEXES)]


def _chosen(server, key, index=-1):
    assert isinstance(server, Server)
    return mutexes[index if index != -1 else 1 + sum(key.encode()) % (MUTEXES - 1)]


fake_apache._global_lock = lambda *key: _chosen(*key).acquire(True) and None
fake_apache._global_trylock = lambda *key: _chosen(*key).acquire(False)
fake_apache._global_unlock = lambda *key: _chosen(*key).release()


def are_all_free():
    return not any(mutex.depth for mutex in mutexes)
