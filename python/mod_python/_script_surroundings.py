"""What a CGI script may change in its interpreter, put back as it was."""

import os
import sys
from _thread import get_ident

from . import _path

_STANDARD = os.path.dirname(os.__file__)


class _Imports:
    """A finder that notes what one thread looks for, and finds nothing."""

    def __init__(self):
        self._thread = get_ident()
        self.names = []

    def find_spec(self, fullname, path=None, target=None):
        """None."""
        if get_ident() == self._thread:
            self.names.append(fullname)
        return None


class Surroundings:
    """The interpreter as it is before a script runs: its folder, path, modules, hooks and threads."""

    def __init__(self):
        self.excepthook, self.displayhook, self.stderr = sys.excepthook, sys.displayhook, sys.stderr
        self._path = list(sys.path)
        self._threads = self._current_threads()
        self._imports = _Imports()
        self._name, self._replaced = None, None
        self._folder, self._is_elsewhere = None, False

    def enter(self, folder, module):
        """Make the folder the current one and the first to import from, and the script's module known by its name."""
        self._name, self._replaced = module.__name__, sys.modules.get(module.__name__)
        sys.modules[module.__name__] = module
        sys.path.insert(0, folder)
        sys.meta_path.insert(0, self._imports)
        sys.argv = [module.__file__]
        try:
            self._folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            pass  # it is gone, or not to be read
        self._is_elsewhere = True
        os.chdir(folder)

    def restore(self):
        """Put everything back, and forget what the script has imported from elsewhere than the standard library and installed packages."""
        if self._imports in sys.meta_path:
            sys.meta_path.remove(self._imports)
        sys.excepthook, sys.displayhook, sys.stderr = self.excepthook, self.displayhook, self.stderr
        self._restore_folder()
        self._restore_path()
        if self._name is not None:
            if self._replaced is not None:
                sys.modules[self._name] = self._replaced
            else:
                sys.modules.pop(self._name, None)
        for name in self._imports.names:
            module = sys.modules.get(name)
            if module is not None and _is_of_script(module):
                del sys.modules[name]
                parent, _, last = name.rpartition(".")
                if getattr(sys.modules.get(parent), last, None) is module:
                    delattr(sys.modules[parent], last)

    def new_threads(self):
        """The threads that run now and did not before, except daemons."""
        return [thread for thread in self._current_threads() if thread not in self._threads and not thread.daemon]

    def _current_threads(self):
        threading = sys.modules.get("threading")
        if threading is None:
            return []
        # Those of httpd, which Python does not know, are not listed, or as dummies
        first = threading.main_thread()
        return [thread for thread in threading.enumerate() if thread is not first and "Dummy" not in type(thread).__name__]

    def _restore_folder(self):
        if not self._is_elsewhere:
            return
        if self._folder is None:
            os.chdir("/")
            return
        try:
            os.fchdir(self._folder)
        except OSError:
            os.chdir("/")
        finally:
            os.close(self._folder)

    def _restore_path(self):
        if sys.path == self._path:
            return
        # What a PythonPath directive has added meanwhile, on another thread, stays
        directives = {folder for path in list(_path._seen.values()) for folder in path}
        sys.path[:] = self._path + [folder for folder in sys.path if folder in directives and folder not in self._path]


def _is_of_script(module):
    """Whether a module is neither the standard library's, nor an installed package's, nor in C: those may not be imported twice."""
    spec = getattr(module, "__spec__", None)
    file = getattr(module, "__file__", None) or getattr(spec, "origin", None)
    if file is None:
        places = list(getattr(module, "__path__", ()))  # a namespace package
        file = places[0] if places else None
    if not isinstance(file, str) or not os.path.isabs(file):
        return False  # builtin, frozen, or part of this library
    if "/site-packages/" in file or "/dist-packages/" in file or file.endswith(".so"):
        return False
    return not file.startswith(_STANDARD + os.sep)
