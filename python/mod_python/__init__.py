"""mod_python: Python inside Apache httpd.

Inside httpd the submodule ``apache`` is there as soon as the package is. Outside httpd, where the builtin module ``_apache``
does not exist, the package can still be imported for the parts that need no server.
"""

from .version import version as mp_version

try:
    from . import apache
except ModuleNotFoundError as _error:
    if _error.name != "_apache":
        raise
    del _error
