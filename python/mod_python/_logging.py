"""Python's logging into httpd's error log."""

import logging

from ._constants import APLOG_CRIT, APLOG_DEBUG, APLOG_ERR, APLOG_INFO, APLOG_WARNING
from ._entries import lines


class LogHandler(logging.Handler):
    """Writes each record to the error log, one entry a line, on the request that the thread is serving if there is one.

    CRITICAL becomes crit, ERROR error, WARNING warn, INFO info, and everything below debug. httpd's LogLevel for the module python
    decides which of them are logged:

        logging.getLogger().addHandler(apache.LogHandler())
    """

    def emit(self, record):
        """Write a record."""
        try:
            lines(_level(record.levelno), self.format(record))
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)


def _level(number):
    for least, level in (
        (logging.CRITICAL, APLOG_CRIT),
        (logging.ERROR, APLOG_ERR),
        (logging.WARNING, APLOG_WARNING),
        (logging.INFO, APLOG_INFO),
    ):
        if number >= least:
            return level
    return APLOG_DEBUG
