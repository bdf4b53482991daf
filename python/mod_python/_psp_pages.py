"""Pages that are compiled, kept by file and by text.

Each interpreter keeps its own. A look-up is one step for Python, so threads need no lock for it; who adds a page holds one.
"""

import os
import time
from _thread import allocate_lock

from _apache import SERVER_RETURN

MOST = 512  # pages, by file and by text
TICK = 20_000_000  # nanoseconds within which a file can change twice and have the same time
LONGEST_TEXT = 1024 * 1024  # of a page that is kept by its text, in characters


class Page:
    """A page that can be run."""

    __slots__ = ("code", "names", "files", "parents", "text", "state", "hits")

    def __init__(self, code, names, files, parents, text):
        self.code = code
        self.names = names  # of those that something is done for, the names that the code uses
        self.files = files  # included files with their states: (name, (mtime_ns, size))
        self.parents = parents  # if there are includes, of each: name, the file that includes it, the line
        self.text = text  # of a page that has no file
        self.state = None  # of the file when it was read, if that tells whether it has changed
        self.hits = 0


class Cache:
    """Pages by a key. When there are too many, a quarter of them goes, those used least."""

    def __init__(self, most):
        self.pages = {}
        self.most = most
        self.lock = allocate_lock()

    def add(self, key, page):
        """Keep a page."""
        with self.lock:
            pages = self.pages
            if len(pages) >= self.most and key not in pages:
                for old in sorted(pages, key=lambda key: pages[key].hits)[: len(pages) - self.most * 3 // 4]:
                    del pages[old]
                for kept in pages.values():
                    kept.hits //= 2  # what was used much long ago goes one day
            pages[key] = page


by_file = Cache(MOST)
by_text = Cache(MOST)


def from_file(req, filename):
    """The page of a file; if there is no file, SERVER_RETURN with 404."""
    try:
        found = os.stat(filename)
    except OSError as error:
        raise _refusal(filename, error) from None
    state = found.st_mtime_ns, found.st_size, found.st_ino
    page = by_file.pages.get(filename)
    if page is not None and page.state == state and (not page.files or _are_unchanged(page.files)):
        page.hits += 1
        return page
    from ._psp_compile import compile_page

    try:
        # With the file's state when it is read
        with open(filename, "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            text = file.read()
    except OSError as error:
        raise _refusal(filename, error) from None
    page = compile_page(text, filename, filename[: filename.rfind("/") + 1])
    if not _are_new(page.files, found.st_mtime_ns):
        page.state = found.st_mtime_ns, found.st_size, found.st_ino
    by_file.add(filename, page)
    return page


def from_text(req, text):
    """The page of a text, str or bytes. What it includes is looked for beside the request's file."""
    if not isinstance(text, (str, bytes)):
        raise TypeError(f"the text of a page must be str or bytes, not {type(text).__name__}")
    asked = getattr(req, "filename", None) or ""
    key = text, asked[: asked.rfind("/") + 1]
    page = by_text.pages.get(key)
    if page is not None and _are_unchanged(page.files):
        page.hits += 1
        return page
    from ._psp_compile import compile_page

    page = compile_page(text, None, key[1])
    if len(text) <= LONGEST_TEXT and not _are_new(page.files):
        by_text.add(key, page)
    return page


def _refusal(filename, error):
    """What is answered where a page's file cannot be read."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
        return SERVER_RETURN(404)
    from ._constants import APLOG_ERR
    from ._entries import entry

    entry(APLOG_ERR, f"MP0533: the page {filename} cannot be read: {error.strerror or error}")
    return SERVER_RETURN(403 if isinstance(error, PermissionError) else 500)


def _are_new(files, mtime=0):
    """Whether one of the included files, or that of the page, has changed just now: it may do so again without another time."""
    times = [state[0] for _, state in files] + [mtime]
    return abs(time.time_ns() - max(times)) < TICK


def _are_unchanged(files):
    for name, state in files:
        try:
            found = os.stat(name)
        except OSError:
            return False
        if (found.st_mtime_ns, found.st_size) != state:
            return False
    return True
