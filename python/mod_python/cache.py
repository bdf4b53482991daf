"""Caches: what is costly to make is made once for each key, and again when it is out of date.

A cache is a class with three methods to override: key() names what is asked for, check() tells whether it is out of date, build()
makes it. Values are found by cache[name]. A cache belongs to its interpreter; its threads can use it at once: each value is made by
one of them, while the others that ask for it wait.
"""

import re
from _thread import RLock

NOT_INITIALIZED = object()  # the value of an entry that has none

re_max_age = re.compile(r"max-age\s*=\s*(\d+)", re.I)
re_not_word = re.compile(r"\W+")


class Entry:
    """What a cache holds under one key. check() and build() may keep more in it."""

    def __init__(self, key):
        self._key = key
        self._value = NOT_INITIALIZED
        self._lock = RLock()


class Cache:
    """A cache of at most max_size values, of any number if that is 0. Those that were not asked for the longest go first."""

    def __init__(self, max_size=0):
        self._maxsize = max_size
        self._dict = {}  # by key; if there is a maximum, those asked for last are last
        self._lock = RLock()

    def __getitem__(self, name):
        entry = self._get_entry(self.key(name))
        with entry._lock:
            value = self._checkitem(name, entry)
        if self._maxsize:
            self._access(entry)
            self._checklru()
        return value

    def __setitem__(self, name, value):
        entry = self._get_entry(self.key(name))
        with entry._lock:
            self._pack(entry, value)
        if self._maxsize:
            self._access(entry)
            self._checklru()

    def __delitem__(self, name):
        key = self.key(name)
        with self._lock:
            del self._dict[key]

    def __contains__(self, name):
        return self.key(name) in self._dict

    def __len__(self):
        return len(self._dict)

    def clear(self):
        """Forget all values."""
        with self._lock:
            self._dict.clear()

    def mru(self):
        """The key that was asked for last; None if there is none, or no maximum size."""
        return self._end(reversed)

    def lru(self):
        """The key that was not asked for the longest; None if there is none, or no maximum size."""
        return self._end(iter)

    def key(self, name):
        """What a value is kept under: override it if several names mean the same."""
        return name

    def check(self, key, name, entry):
        """Override it: None if the value that entry has is still good, else what build() is given as opened."""
        return None

    def build(self, key, name, opened, entry):
        """Override it: make the value. opened is what check() returned."""
        raise NotImplementedError(f"{type(self).__name__} needs a method build(self, key, name, opened, entry)")

    def commit(self):
        """Called after each value that was made: override it to save a cache."""

    def _checkitem(self, name, entry):
        key, value = entry._key, self._unpack(entry)
        try:
            opened = self.check(key, name, entry)
            if value is not NOT_INITIALIZED and opened is None:
                return value
            value = self.build(key, name, opened, entry)
            self._pack(entry, value)
        except BaseException:
            # check() may have noted in the entry that it is up to date
            self._forget(entry)
            raise
        self.commit()
        return value

    def _get_entry(self, key):
        with self._lock:
            entry = self._dict.get(key)
            if entry is None:
                entry = self._dict[key] = Entry(key)
            return entry

    def _forget(self, entry):
        with self._lock:
            if self._dict.get(entry._key) is entry:
                del self._dict[entry._key]

    def _access(self, entry):
        with self._lock:
            if self._dict.get(entry._key) is entry:
                self._dict[entry._key] = self._dict.pop(entry._key)

    def _checklru(self):
        with self._lock:
            while len(self._dict) > self._maxsize:
                del self._dict[next(iter(self._dict))]

    def _end(self, order):
        with self._lock:
            return next(order(self._dict), None) if self._maxsize else None

    def _pack(self, entry, value):
        entry._value = value

    def _unpack(self, entry):
        return entry._value


class WeakCache(Cache):
    """A cache of weak references: a value goes when nothing else uses it."""

    def _pack(self, entry, value):
        import weakref

        entry._value = weakref.ref(value, lambda _: self._forget(entry))

    def _unpack(self, entry):
        if entry._value is NOT_INITIALIZED:
            return NOT_INITIALIZED
        value = entry._value()
        return NOT_INITIALIZED if value is None else value


class FileCache(Cache):
    """The contents of files by their names, bytes, or str with mode 'r'. A file that has changed is read again."""

    def __init__(self, max_size=0, mode="rb"):
        super().__init__(max_size)
        self.mode = mode

    def check(self, key, name, entry):
        """The file, open, if it has changed, else None."""
        import os

        if getattr(entry, "_timestamp", None) == _state(os.stat(key)):
            return None
        opened = open(key, self.mode, encoding=None if "b" in self.mode else "utf-8")
        entry._timestamp = _state(os.fstat(opened.fileno()))
        return opened

    def build(self, key, name, opened, entry):
        """What is in the file."""
        with opened:
            return opened.read()


def _state(found):
    return found.st_mtime_ns, found.st_size, found.st_ino


class HTTPEntity:
    """What a server has sent: entity, bytes, and metadata, a dict of the response's headers. Its str is the decoded text."""

    def __init__(self, entity, metadata):
        self.entity = entity
        self.metadata = metadata

    def __repr__(self):
        return f"HTTPEntity({self.entity!r}, {self.metadata!r})"

    def __str__(self):
        if isinstance(self.entity, str):
            return self.entity
        headers = {name.lower(): value for name, value in self.metadata.items()}
        charset = re.search(r"charset\s*=\s*\"?([\w.:-]+)", headers.get("content-type", ""), re.I)
        try:
            return self.entity.decode(charset[1] if charset else "utf-8", "replace")
        except LookupError:
            return self.entity.decode("utf-8", "replace")


class HTTPCache(Cache):
    """What URLs of http and https lead to, as HTTPEntity.

    A response is good for as long as its Cache-Control: max-age or Expires says. After that, and if it says neither, the server is
    asked whether it has changed (ETag, Last-Modified). Any answer but 200 is an urllib.error.HTTPError.
    """

    timeout = 30  # seconds that a server may take to say something

    def check(self, key, name, entry):
        """The response, open, unless that of before is still good."""
        import time
        import urllib.error
        import urllib.request

        if not key.lower().startswith(("http://", "https://")):
            raise ValueError(f"HTTPCache takes URLs of http and https, not {key!r}")
        is_known = self._unpack(entry) is not NOT_INITIALIZED
        if is_known and time.time() < getattr(entry, "_expires", 0):
            return None
        request = urllib.request.Request(key)
        if is_known:
            for header, validator in (("If-None-Match", "_etag"), ("If-Modified-Since", "_lastmod")):
                if value := getattr(entry, validator, None):
                    request.add_header(header, value)
        try:
            opened = urllib.request.urlopen(request, timeout=self.timeout)
        except urllib.error.HTTPError as answer:
            if answer.code != 304:
                raise
            with answer:
                self._note(entry, answer.headers)
            return None
        self._note(entry, opened.headers)
        return opened

    def build(self, key, name, opened, entry):
        """The HTTPEntity of a response."""
        with opened:
            return HTTPEntity(opened.read(), dict(opened.headers.items()))

    def _note(self, entry, headers):
        import email.utils
        import time

        entry._etag = headers.get("ETag") or getattr(entry, "_etag", None)
        entry._lastmod = headers.get("Last-Modified") or getattr(entry, "_lastmod", None)
        control = headers.get("Cache-Control", "")
        age = re_max_age.search(control)
        entry._expires = 0
        if re.search(r"\bno-(cache|store)\b", control, re.I):
            return
        if age:
            entry._expires = time.time() + int(age[1][:9])
        elif expires := headers.get("Expires"):
            try:
                entry._expires = email.utils.parsedate_to_datetime(expires).timestamp()
            except (ValueError, OverflowError):
                pass  # '0' and the like: it is out of date


class ModuleCache(FileCache):
    """Modules by the names of their files. They are not in sys.modules; one whose file has changed is made anew."""

    def __init__(self, max_size=0):
        super().__init__(max_size, "rb")

    def build(self, key, name, opened, entry):
        """The module, made by running the file."""
        with opened:
            return _module(key, opened.read())


class HttpModuleCache(HTTPCache):
    """Modules by the URLs of their source. What the server sends is run: use only a server that may run anything here."""

    def build(self, key, name, opened, entry):
        """The module, made by running what was sent."""
        with opened:
            return _module(key, opened.read())


def _module(key, source):
    module = type(re)(re_not_word.sub("_", key))
    module.__file__ = key
    exec(compile(source, key, "exec", dont_inherit=True), module.__dict__)
    return module


class FunctionCache(Cache):
    """Calls a function once for each combination of arguments, which have to be hashable."""

    def __init__(self, function, max_size=0):
        super().__init__(max_size)
        self.function = function

    def __call__(self, *args, **kw):
        return self[args, tuple(sorted(kw.items()))]

    def build(self, key, name, opened, entry):
        """What the function returns."""
        args, kw = key
        return self.function(*args, **dict(kw))


__all__ = [
    "NOT_INITIALIZED",
    "Cache",
    "Entry",
    "FileCache",
    "FunctionCache",
    "HTTPCache",
    "HTTPEntity",
    "HttpModuleCache",
    "ModuleCache",
    "WeakCache",
]
