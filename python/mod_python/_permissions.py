"""Says which folder keeps httpd's user from a file: Python itself takes a folder that it cannot read for an empty one."""

import os


def barrier(path):
    """The first part of a path that this user cannot pass, or cannot read if it is the last; None if there is none."""
    parts = [part for part in os.path.abspath(path).split(os.sep) if part]
    place = os.sep
    for part in [*parts, ""]:
        is_last = part == ""
        if not os.path.exists(place):
            return None
        if not os.access(place, os.R_OK | os.X_OK if is_last and os.path.isdir(place) else os.R_OK if is_last else os.X_OK):
            return place
        place = os.path.join(place, part)
    return None


def advice(path):
    """What keeps this user from a path, and what to do about it, as a sentence; "" if nothing does."""
    place = barrier(path)
    if place is None:
        return ""
    what = f"{place}, in which {path} is" if place != os.path.abspath(path) else path
    sign = "rx" if place == os.path.abspath(path) and os.path.isdir(place) else "r" if not os.path.isdir(place) else "x"
    return f"httpd's user {_user()} cannot read {what}: make that possible, as with 'chmod o+{sign} {place}'"


def _user():
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return str(os.geteuid())
