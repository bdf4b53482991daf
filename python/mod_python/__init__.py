"""mod_python: Python inside Apache httpd.

Inside httpd the package imports the submodule ``apache``. Outside httpd, where the builtin module ``_apache``
does not exist, it can be imported for the parts that need no server.
"""

from .version import version as mp_version

try:
    from . import apache
except ModuleNotFoundError as _error:
    if _error.name != "_apache":
        raise
    del _error
