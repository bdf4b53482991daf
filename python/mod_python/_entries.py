"""Entries in httpd's error log, for any text."""

from _apache import _log


def entry(level, text):
    """Write one entry at this level, for the request that this thread is serving if there is one."""
    try:
        _log(level, text)
    except UnicodeEncodeError:
        _log(level, encodable(text))


def lines(level, text):
    """Write a text of several lines, one entry a line, since httpd escapes the newlines of an entry. Blank lines are left out."""
    written = [line for line in text.replace("\r\n", "\n").split("\n") if line]
    for line in written or [""]:
        entry(level, line)


def exception(level, error):
    """Write the traceback of an exception, one entry for each line."""
    import traceback

    lines(level, "".join(traceback.format_exception(error)))


def encodable(text):
    """The text with backslash escapes for lone surrogates, which cannot be encoded."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
