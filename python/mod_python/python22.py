"""Empty: programs of the time of Python 2.2 import it for True and False, which Python has itself by now."""

__all__ = []
