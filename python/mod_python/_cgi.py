"""The environment of a CGI script: os.environ, sys.stdin and sys.stdout."""

import io
import os
import sys

from ._constants import HTTP_MOVED_TEMPORARILY, HTTP_OK


_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")  # of a header's name


class NullIO:
    """A stream that is empty and ignores what is written."""

    encoding = "utf-8"
    errors = "surrogateescape"
    closed = False

    def tell(self):
        """Always 0."""
        return 0

    def seek(self, pos, mode=0):
        """Do nothing."""

    def read(self, n=-1):
        """Nothing."""
        return ""

    def readline(self, length=None):
        """Nothing."""
        return ""

    def readlines(self):
        """Nothing."""
        return []

    def write(self, s):
        """Ignore the text."""

    def writelines(self, list):
        """Write each of the texts."""
        for text in list:
            self.write(text)

    def isatty(self):
        """No."""
        return False

    def flush(self):
        """Do nothing."""

    def close(self):
        """Do nothing."""


class _RequestBody(io.RawIOBase):
    """The body of a request as a raw stream."""

    def __init__(self, req):
        self._req = req

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._req.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class CGIStdin(io.TextIOWrapper):
    """The body of a request as sys.stdin; ``buffer`` has the bytes."""

    def __init__(self, req):
        super().__init__(io.BufferedReader(_RequestBody(req)), encoding="utf-8", errors="surrogateescape")


class CGIStdout(NullIO):
    """The response as sys.stdout: headers up to an empty line, then the body. ``buffer`` takes bytes, and so does write()."""

    def __init__(self, req):
        self.req = req
        self.headers_sent = False
        self.buffer = _CGIBuffer(self)
        self._header_text = b""
        self._location = self._status = False
        self._follows_paths = False  # whether a Location that is a path of this server's is left to the caller
        self._path = None  # that path; what is written after it is dropped
        self._ended = None  # why nothing can be written any more

    def write(self, s):
        """Write text or bytes."""
        if self._ended is not None:
            raise ValueError(self._ended)
        data = s.encode(self.encoding, self.errors) if isinstance(s, str) else bytes(memoryview(s))
        if not self.headers_sent:
            self._take_headers(data)
        elif self._path is None:
            self.req.write(data, 0)
        return len(s)

    def writable(self):
        """Yes."""
        return True

    def flush(self):
        """Send what was written to the client."""
        if self.headers_sent and self._path is None and self._ended is None:
            self.req.flush()

    def close(self):
        """Take the rest of headers that have no empty line after them."""
        if not self.headers_sent and self._header_text:
            line, self._header_text = self._header_text, b""
            self._take_header(line)
        self._end_headers()

    def _take_headers(self, data):
        self._header_text += data
        while not self.headers_sent:
            line, newline, rest = self._header_text.partition(b"\n")
            if not newline:
                return
            self._header_text = rest
            line = line.removesuffix(b"\r")
            if line:
                self._take_header(line)
            else:
                self._end_headers()
        if self._header_text:
            if self._path is None:
                self.req.write(self._header_text, 0)
            self._header_text = b""

    def _take_header(self, line):
        # Latin-1 gives back the same bytes, whatever they are
        name, colon, value = line.decode("latin-1").partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not name or not _TOKEN.issuperset(name):
            raise ValueError(f"not a header, and no empty line before it: {line!r}")
        if any(character < " " and character != "\t" for character in value):
            raise ValueError(f"a control character in a header: {line!r}")
        if name.lower() == "status":
            self._take_status(value)
        elif name.lower() == "content-type":
            self.req.content_type = value
        else:
            if name.lower() == "location":
                self._location = True
                if self._follows_paths and value.startswith("/") and not value.startswith("//"):
                    self._path = value
                    return
            self.req.headers_out.add(name, value)

    def _take_status(self, value):
        number = value[:3]
        if not (number.isascii() and number.isdigit()) or value[3:4].strip() or not 200 <= int(number) <= 599:
            raise ValueError(f"not a status, which is a number from 200 to 599 and words: {value!r}")
        self._status = True
        self.req.status = int(number)
        if " " in value:
            self.req.status_line = value

    def _end_headers(self):
        if self._path is not None and self._status:
            self.req.headers_out.add("Location", self._path)  # the script says itself what the answer is
            self._path = None
        if self._path is None and self._location and not self._status and self.req.status == HTTP_OK:
            self.req.status = HTTP_MOVED_TEMPORARILY
        self.headers_sent = True


class _CGIBuffer(io.RawIOBase):
    """The stream for bytes below a CGIStdout."""

    def __init__(self, text_stream):
        self._text_stream = text_stream

    def writable(self):
        return True

    def write(self, data):
        if isinstance(data, str):
            raise TypeError("a bytes-like object is required, not 'str'")
        self._text_stream.write(data)
        return memoryview(data).nbytes

    def flush(self):
        self._text_stream.flush()

    def close(self):
        pass


def build_cgi_env(req):
    """The CGI variables of a request as a table of their own."""
    return req._build_cgi_env()


class _SavedEnvironment(dict):
    """What is in os.environ as it was; set is what setup_cgi() has made of it, objects are os.environ and os.environb themselves."""


def _environ_data():
    """The dict of bytes in os.environ. Its methods would write to the environment of the process, which all interpreters share."""
    return os.environ._data


def _encoded(text):
    return text.encode(sys.getfilesystemencoding(), "surrogateescape")


def _decoded(data):
    return data.decode(sys.getfilesystemencoding(), "surrogateescape")


def setup_cgi(req):
    """Set the environment and the streams of a CGI script; return the arguments of restore_nocgi(), which restores them.

    They belong to the interpreter, so requests must do this one after the other.
    """
    data = _environ_data()
    saved = _SavedEnvironment((_decoded(name), _decoded(value)) for name, value in data.items()), sys.stdin, sys.stdout
    stdin, stdout = CGIStdin(req), CGIStdout(req)
    for name, value in build_cgi_env(req).items():
        if name and "=" not in name and value is not None:
            data[_encoded(name)] = _encoded(value)
    saved[0].set = dict(data)
    saved[0].objects = os.environ, os.environb
    sys.stdin, sys.stdout, sys.argv = stdin, stdout, []
    return saved


def _restore_environment(sav_env):
    # A script may have put something else in their places
    os.environ, os.environb = getattr(sav_env, "objects", (os.environ, os.environb))
    data = _environ_data()
    before = {_encoded(name): _encoded(value) for name, value in sav_env.items()}
    was_set = getattr(sav_env, "set", data)
    for name in [name for name in {*data, *was_set} if data.get(name) != was_set.get(name)]:
        # The script's own change, which is in the environment of the process too
        if name in before:
            os.environb[name] = before[name]
        elif name in data:
            del os.environb[name]
    for name in [name for name in data if name not in before]:
        data.pop(name, None)
    data.update(before)


def restore_nocgi(sav_env, si, so):
    """Restore what setup_cgi() has replaced, and write the rest of the script's output."""
    script_output = sys.stdout
    try:
        _restore_environment(sav_env)
    finally:
        sys.stdin, sys.stdout, sys.argv = si, so, ["mod_python"]
    if isinstance(script_output, CGIStdout):
        script_output.close()
