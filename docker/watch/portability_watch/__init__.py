"""The watch of the portability check: notes what an application does that holds under one process model only.

It is loaded into every interpreter (sitecustomize.py), changes nothing that the application can see, and never raises into it.
An audit hook notes calls with the place in the application that made them (audit.py); a location of its own, look.py, answers
what was noted since the last look and which globals changed (globals.py).

From the environment: WATCH_FOLDER, where each interpreter leaves its findings as lines of JSON for whoever cannot look at it;
WATCH_DIRECTORY, the current directory that children start with.
"""

import os
import sys


def install() -> None:
    """Begin to watch this interpreter."""
    directory = os.environ.get("WATCH_DIRECTORY")
    if directory:
        os.chdir(directory)
    # Threads take turns far more often than by default (5 ms): what is not atomic then shows within few requests.
    sys.setswitchinterval(0.0002)

    from . import audit

    audit.install(os.environ.get("WATCH_FOLDER"))
