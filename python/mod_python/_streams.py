"""sys.stdout and sys.stderr of an interpreter: they write to httpd's error log, one entry for each line.

Text without a newline is kept for each thread. It is written when the stream is flushed, when the handler returns and when the
thread ends.
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
        """Write the complete lines, and keep the rest."""
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
        """Only flush: text that is printed later must not be lost."""
        self.flush()

    def writable(self):
        """Yes."""
        return True

    def reconfigure(self, **_settings):
        """Only flush: programs call this at their start, but nothing can be set."""
        self.flush()

    def detach(self):
        """The stream for bytes; this one can still be used."""
        return self.buffer

    def __del__(self):
        """Do not close the stream, as other streams do: the module writes the rest."""

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
        """Do not close the stream."""


def install():
    """Set the streams, also as sys.__stdout__ and sys.__stderr__."""
    sys.stdout = sys.__stdout__ = LogStream("<stdout>", APLOG_NOTICE)
    sys.stderr = sys.__stderr__ = LogStream("<stderr>", APLOG_ERR)
