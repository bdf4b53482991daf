"""Names that are the standard library's whatever stands on sys.path.

mod_python 3.5 had loaded these modules before any code of an application ran, so an application's file of such a name, token.py say,
was never imported in their place. They are not loaded here, since most are never needed: a finder takes them from the standard
library's own folder when they are. The module's own needs, tracebacks above all, do not depend on sys.path for the same reason.
"""

import os
import sys

from _frozen_importlib_external import PathFinder

# What mod_python 3.5 imported (html, importlib, inspect, os, pdb, stat, threading, time, traceback, types) and all that these import,
# and what the library here imports (logging).
NAMES = frozenset(
    "__future__ _collections_abc _colorize _opcode _opcode_metadata _typing _weakrefset abc ast bdb bisect cmd code codecs codeop "
    "collections contextlib copy copyreg dataclasses dis encodings enum fnmatch functools genericpath glob html importlib inspect io "
    "keyword linecache logging opcode operator os pdb posixpath pprint re reprlib signal stat string textwrap threading time token "
    "tokenize traceback types typing warnings weakref".split()
)


_IMPORTING = "importlib", "importlib._bootstrap", "importlib._bootstrap_external", "_frozen_importlib", "_frozen_importlib_external"


class Finder:
    """Finds those modules, and what they import in their turn, in the standard library's own folder."""

    def __init__(self):
        self.path = [os.path.dirname(os.__file__)]
        self.path += [folder for folder in sys.path if folder.endswith("/lib-dynload")]
        # Who imports from there: since Python 3.14 pdb imports asyncio, which imports others
        self.importers = set(NAMES)

    def find_spec(self, fullname, path=None, target=None):
        """The spec of such a module, else None."""
        if path is None and (fullname in NAMES or (fullname in sys.stdlib_module_names and self._is_for_one_of_them())):
            self.importers.add(fullname)
            return PathFinder.find_spec(fullname, self.path)
        return None

    def _is_for_one_of_them(self):
        """Whether one of those modules imports: what it needs differs from version to version."""
        frame = sys._getframe(2)
        while frame is not None:
            importer = frame.f_globals.get("__name__")
            # What importlib is asked for is its caller's
            if importer not in _IMPORTING:
                return isinstance(importer, str) and importer.partition(".")[0] in self.importers
            frame = frame.f_back
        return False


finder = Finder()


def install():
    """Put the finder in front of that for sys.path."""
    place = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(place, finder)


def is_on_path():
    """Whether sys.path has the standard library."""
    return finder.path[0] in sys.path
