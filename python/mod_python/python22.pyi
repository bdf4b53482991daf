"""Empty, for programs of the time of Python 2.2."""
