"""The publisher's pages: modules made of files, each loaded once and again when its file changes."""

from _thread import RLock
from types import ModuleType

from _apache import _file_stamp

from . import _page_rules


class _Page:
    __slots__ = ("lock", "stamp", "module")

    def __init__(self):
        self.lock = RLock()
        self.stamp = self.module = None


class PageCache:
    """Pages by their files. They are not in sys.modules, so that files of one name in several folders are modules of their own."""

    def __init__(self):
        self._pages = {}

    def __getitem__(self, req):
        """The page of a request, or of a path."""
        path = req if isinstance(req, str) else req.filename
        page = self.get(path)
        if page is None:
            raise KeyError(path)
        return page

    def get(self, path, req=None):
        """The module of a file, None if there is no such file."""
        try:
            stamp = _file_stamp(path)
        except ValueError:  # a NUL in it
            return None
        if stamp is None:
            return None
        page = self._pages.get(path)
        if page is not None and page.stamp == stamp:
            return page.module
        if page is None:
            page = self._pages.setdefault(path, _Page())
        # Of many threads, one loads it
        with page.lock:
            if page.module is not None and (page.stamp == stamp or not _reloads(req)):
                return page.module
            # What is stated before it is read is never newer than what is read
            stamp = _file_stamp(path)
            module = _load(path)
            page.module, page.stamp = module, stamp
            return module

    def clear(self):
        """Forget all pages: each is loaded again when it is asked for."""
        self._pages.clear()


def _reloads(req):
    return req is None or req.get_config().get("PythonAutoReload", "1") != "0"


def _load(path):
    with open(path, "rb") as file:
        source = file.read()
    module = ModuleType("".join(character if character.isalnum() else "_" for character in path))
    module.__file__ = path
    code = compile(source, path, "exec", dont_inherit=True)
    _page_rules.keep(module, source, path)
    exec(code, module.__dict__)
    return module
