"""The version of this library, and of the httpd that is installed here."""

# The same as the version in Cargo.toml: the library travels inside the module and must match it.
version = "4.0.0"

# Found when they are asked for: HTTPD and PYTHON_BIN are programs, LIBEXECDIR and SYSCONFDIR the folders of httpd's modules and configuration
_LATER = ("HTTPD", "HTTPD_VERSION", "APR_VERSION", "LIBEXECDIR", "SYSCONFDIR", "PYTHON_BIN")


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._installation import value

    found = globals()[name] = value(name)
    return found


def __dir__():
    return sorted({*globals(), *_LATER})
