"""What a CGI script expects around it: its environment, sys.stdin and sys.stdout."""

import io
import os
import sys

from ._constants import HTTP_MOVED_TEMPORARILY, HTTP_OK


class NullIO:
    """A stream that gives nothing and takes everything."""

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
        """Take the text."""

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
    """The body of a request as sys.stdin; ``buffer`` gives it as bytes."""

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

    def write(self, s):
        """Write text or bytes."""
        data = s.encode(self.encoding, self.errors) if isinstance(s, str) else bytes(memoryview(s))
        if self.headers_sent:
            self.req.write(data, 0)
        else:
            self._take_headers(data)
        return len(s)

    def writable(self):
        """Yes."""
        return True

    def flush(self):
        """Send what was written to the client."""
        if self.headers_sent:
            self.req.flush()

    def close(self):
        """Take what is left of headers that no empty line ended."""
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
            self.req.write(self._header_text, 0)
            self._header_text = b""

    def _take_header(self, line):
        # Latin-1 gives back the same bytes, whatever they are
        name, colon, value = line.decode("latin-1").partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not name:
            raise ValueError(f"not a header, and no empty line before it: {line!r}")
        if name.lower() == "status":
            self._status = True
            self.req.status = int(value.split()[0])
            if " " in value:
                self.req.status_line = value
        elif name.lower() == "content-type":
            self.req.content_type = value
        else:
            self._location = self._location or name.lower() == "location"
            self.req.headers_out.add(name, value)

    def _end_headers(self):
        if self._location and not self._status and self.req.status == HTTP_OK:
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
    req.add_cgi_vars()
    env = req.subprocess_env.copy()
    path_info = req.path_info or ""
    env["SCRIPT_NAME"] = req.uri[: len(req.uri) - len(path_info)]
    env["GATEWAY_INTERFACE"] = "Python-CGI/1.1"
    authorization = req.headers_in.get("authorization")
    if authorization is not None:
        env["HTTP_AUTHORIZATION"] = authorization
    return env


def setup_cgi(req):
    """Put the environment and the streams of a CGI script in place; give what restore_nocgi() takes to put them back.

    They are the interpreter's, so that requests that do this must do it one after the other.
    """
    saved = dict(os.environ), sys.stdin, sys.stdout
    variables = {name: value for name, value in build_cgi_env(req).items() if name and "=" not in name and value is not None}
    stdin, stdout = CGIStdin(req), CGIStdout(req)
    os.environ.update(variables)
    sys.stdin, sys.stdout, sys.argv = stdin, stdout, []
    return saved


def restore_nocgi(sav_env, si, so):
    """Put back what setup_cgi() replaced, and give httpd what the script's output still held."""
    script_output = sys.stdout
    for name in list(os.environ):
        if name not in sav_env:
            del os.environ[name]
    for name, value in sav_env.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    sys.stdin, sys.stdout, sys.argv = si, so, ["mod_python"]
    if isinstance(script_output, CGIStdout):
        script_output.close()
