"""``mod_python version``: which software there is."""

import platform
import sys


def add_arguments(parser):
    """There are none."""


def run(options):
    """Print it."""
    from . import version

    def shown(name):
        return getattr(version, name) or "not found"

    print(f"mod_python:  {version.version}")
    print(f"             {__file__.rpartition('/')[0]}")
    print(f"Python:      {sys.version.split()[0]}")
    print(f"             {shown('PYTHON_BIN')}")
    print(f"httpd:       {shown('HTTPD_VERSION')}")
    print(f"             {shown('HTTPD')}")
    print(f"modules:     {shown('LIBEXECDIR')}")
    print(f"APR:         {shown('APR_VERSION')}")
    print(f"platform:    {platform.platform()}")
    return 0
