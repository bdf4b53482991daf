"""mod_python: Python inside Apache httpd."""

from . import apache as apache
from .version import version as mp_version

__all__ = ["apache", "mp_version"]
