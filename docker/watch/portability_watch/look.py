"""The location that the check looks at an interpreter through: look.conf maps it."""

import json
import os
import sys
import time

from . import globals as application
from . import record, source

_settings = None


def look(req):
    """Answer what happened in this interpreter since the last look; with ?hold, take some time for it."""
    from mod_python import apache

    if req.args == "hold":
        time.sleep(0.3)
    _compare_settings()
    text = json.dumps(
        {
            "pid": os.getpid(),
            "interpreter": apache.interpreter,
            "changes": application.changes(),
            "findings": record.take(),
        }
    )
    req.content_type = "application/json"
    req.write(text)
    return apache.OK


def pass_over(_req):
    """Stands for a handler of the application in the other phases of a look."""
    from mod_python import apache

    return apache.DECLINED


def _compare_settings():
    """Note settings of the process that are not as at the last look; no event tells of these."""
    global _settings
    present = {
        "umask": ("umask", _umask()),
        "time zone": ("tzset", "/".join(dict.fromkeys(time.tzname))),
        "locale": ("setlocale", _locale()),
    }
    if _settings is not None:
        for kind, (function, value) in present.items():
            before = _settings[kind][1]
            if value != before:
                record.note(kind, f"the {kind} was {before} and is {value}", where=_caller(function))
    _settings = present


def _umask():
    # os.umask() would have to change it in order to read it.
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            return next((line.split()[1] for line in status if line.startswith("Umask:")), None)
    except OSError:
        return None


def _locale():
    import _locale

    return _locale.setlocale(_locale.LC_ALL, None)


def _caller(function):
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not record.is_foreign(file) and not record.is_package(file):
            line = source.where_called(file, function)
            if line is not None:
                return file, line
    return None, None


# Before the application's first request, if this is loaded by then.
_compare_settings()
