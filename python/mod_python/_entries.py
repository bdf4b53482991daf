"""Entries in httpd's error log, whatever the text holds."""

from _apache import _log


def entry(level, text):
    """Write one entry at this level, on the request that this thread is serving if there is one."""
    try:
        _log(level, text)
    except UnicodeEncodeError:
        _log(level, encodable(text))


def exception(level, error):
    """Write the traceback of an exception, one entry a line."""
    import traceback

    for line in "".join(traceback.format_exception(error)).split("\n"):
        if line:
            entry(level, line)


def encodable(text):
    """The text with its lone surrogates, which no encoding takes, as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
