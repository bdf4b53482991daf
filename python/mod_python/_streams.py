"""sys.stdout and sys.stderr of an interpreter: what is printed goes to httpd's error log, one entry a line.

The module keeps what has no newline yet, for each thread apart, and writes it when the stream is flushed, when the handler is
through and when the thread ends.
"""

import io
import sys

from _apache import _log_flush, _log_write

from ._constants import APLOG_ERR, APLOG_NOTICE
from ._entries import encodable


class LogStream(io.TextIOBase):
    """A text stream into the error log, at one level."""

    encoding = "utf-8"
    errors = "backslashreplace"
    line_buffering = True
    mode = "w"

    def __init__(self, name, level):
        self.name = name
        self.level = level
        self.buffer = LogBuffer(self)

    def write(self, text):
        """Write the lines that are complete, keep the rest for later."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        try:
            _log_write(self.level, text)
        except UnicodeEncodeError:
            _log_write(self.level, encodable(text))
        return len(text)

    def flush(self):
        """Write what this thread has printed without a newline."""
        _log_flush(self.level)

    def close(self):
        """Only flush: what is printed later must not be lost."""
        self.flush()

    def writable(self):
        """Yes."""
        return True

    def reconfigure(self, **_settings):
        """Taken for the sake of programs that call it at their start; nothing here can be set."""
        self.flush()

    def detach(self):
        """The stream for bytes; this one goes on working."""
        return self.buffer

    def __del__(self):
        """Nothing, where a stream would be closed: what is left is the module's to write."""

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name!r} into the error log at level {self.level}>"


class LogBuffer(io.BufferedIOBase):
    """The stream for bytes below a LogStream."""

    def __init__(self, text_stream):
        self._text_stream = text_stream

    def write(self, data):
        """Write bytes as text; those that are not UTF-8 become backslash escapes."""
        self._text_stream.write(str(data, "utf-8", "backslashreplace"))
        return memoryview(data).nbytes

    def flush(self):
        """Flush the text stream above."""
        self._text_stream.flush()

    def close(self):
        """Only flush."""
        self.flush()

    def writable(self):
        """Yes."""
        return True

    def __del__(self):
        """Nothing, as in the text stream."""


def install():
    """Put the streams in place, also as those that programs fall back to."""
    sys.stdout = sys.__stdout__ = LogStream("<stdout>", APLOG_NOTICE)
    sys.stderr = sys.__stderr__ = LogStream("<stderr>", APLOG_ERR)
