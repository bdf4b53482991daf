"""Values of PythonOptions."""

_ON = frozenset(("on", "yes", "true", "1"))
_OFF = frozenset(("off", "no", "false", "0"))


def first_of(options, *names, default=None):
    """The value of the first of these options that is set, else the default."""
    for name in names:
        value = options.get(name)
        if value:
            return value
    return default


def is_on(options, *names, default=False):
    """Whether the first of these options that is set is On."""
    value = first_of(options, *names)
    if value is None:
        return default
    word = value.lower()
    if word in _ON or word in _OFF:
        return word in _ON
    raise ValueError(f"PythonOption {names[0]} is {value!r}: write On or Off")


def number(options, *names, default):
    """The number that is the value of the first of these options that is set."""
    value = first_of(options, *names)
    if value is None:
        return default
    if value.isascii() and value.isdigit():
        return int(value)
    raise ValueError(f"PythonOption {names[0]} is {value!r}: write a number")
