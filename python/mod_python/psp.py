"""Python Server Pages: HTML with Python in it, and templates.

A page is compiled once, and again when its file or one that it includes has changed. What a page is run with is in the globals
of its code: all names of this module, and req, psp, session, form and what run() is given.
"""

import os
import sys

import _apache
from _apache import SERVER_RETURN

from . import _psp, apache
from ._psp_pages import from_file, from_text
from ._psp import parse, parsestring

# Names that pages can use, as they can those above, imported when one does
_LATER = {
    "Session": "mod_python.Session",
    "util": "mod_python.util",
    "dbm": "dbm",
    "marshal": "marshal",
    "tempfile": "tempfile",
    "types": "types",
}
_FAILURES = (Exception, SystemExit)


def path_split(filename):
    """The folder of a file, with its slash, and the file's name: path_split("/a/b.psp") is ("/a/", "b.psp")."""
    at = filename.rfind("/") + 1
    return filename[:at], filename[at:]


def escape(text):
    """Text with the characters that HTML gives a meaning (< > & " ') replaced by references to them."""
    import html

    return html.escape(text)


class PSP:
    """A page or a template: that of a file, of a text, or the file that the request asks for.

    A file's name is relative to the folder of the request's file. vars are names for the page; run() can be given more.
    """

    def __init__(self, req, filename=None, string=None, vars={}):
        if string is not None:
            if filename:
                raise ValueError("PSP() takes filename or string, not both")
            self.filename = None
            self._page = page = from_text(req, string)
        else:
            asked = None if req is None else req.filename
            if not filename:
                filename = asked
                if filename is None:
                    raise ValueError("PSP() needs filename or string: the request asks for no file")
            else:
                filename = os.fspath(filename)
                if not filename.startswith("/"):
                    if asked is None:
                        raise ValueError(f"PSP() takes an absolute filename if the request asks for no file, not {filename!r}")
                    filename = path_split(asked)[0] + filename
            self.filename = filename
            self._page = page = from_file(req, filename)
        self.req = req
        self.string = string
        self.vars = vars
        self.code = page.code

    def run(self, vars={}, flush=0):
        """Run the page: it writes to the request. With flush, what it has written is sent at its end."""
        self._run(vars, flush, ())

    def _run(self, vars, flush, failed):
        """failed: the pages whose failure this one, an error page, is shown for."""
        req, page, form, session, is_own = self.req, self._page, None, None, False
        scope = globals().copy()
        if page.names:
            given = {*(self.vars or ()), *(vars or ())}
            for name in page.names - given:
                if name in _LATER:
                    scope[name] = _import_later(name)
            if "form" in page.names and "form" not in given:
                form = _form_of(req)
            if "session" in page.names and "session" not in given:
                session, is_own = _session_of(req)
        interface = PSPInterface(req, self.filename, form)
        scope["__file__"] = self.filename
        scope["req"] = req
        scope["form"] = form
        scope["session"] = session
        scope["psp"] = interface
        if self.vars:
            scope.update(self.vars)
        if vars:
            scope.update(vars)
        try:
            try:
                exec(page.code, scope)
                if flush:
                    req.flush()
            except SERVER_RETURN:
                # An answer, such as a redirect, and no failure
                if session is not None:
                    session.save()
                raise
            except _FAILURES as error:
                _place(error, page)
                if interface.error_page is None or isinstance(error, _apache.ClientGone):
                    raise
                _show_error_page(self, interface.error_page, error, flush, failed)
            else:
                if session is not None:
                    session.save()
        finally:
            if is_own:
                _end_session(req, session)

    def display_code(self):
        """Write a table of the Python code and the page, line by line, in HTML."""
        from ._psp_display import table_of

        self.req.write(table_of(self.filename, self.string))

    def __str__(self):
        self.req.content_type = "text/html"
        self.run()
        return ""


class PSPInterface:
    """The object psp of a page."""

    def __init__(self, req, filename, form):
        self.req = req
        self.filename = filename
        self.error_page = None
        self.form = form

    def set_error_page(self, filename):
        """The page that is run if this one fails, with a variable exception: (type, value, traceback).

        A name that begins with a slash is looked for in the document root, any other beside this page.
        """
        if filename.startswith("/"):
            folder = self.req.document_root()
        else:
            folder = path_split(self.filename or self.req.filename or "")[0]
        self.error_page = _ErrorPage(self.req, folder + filename)

    def apply_data(self, object, **kw):
        """Call an object with the fields of the form that it has arguments for, and with kw, and return what it returns."""
        if self.form is None:
            self.form = _form_of(self.req)
        return _import_later("util").apply_fs_data(object, self.form, **kw)

    def redirect(self, location, permanent=0):
        """Send the client elsewhere; the rest of the page does not run."""
        _import_later("util").redirect(self.req, location, permanent)


class _ErrorPage(PSP):
    """A page that is not read before it is needed."""

    def __init__(self, req, filename):
        self.req, self.filename, self.string, self.vars = req, filename, None, {}

    def __getattr__(self, name):
        if name not in ("_page", "code"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._page = page = from_file(self.req, self.filename)
        self.code = page.code
        return self.__dict__[name]


def handler(req):
    """PythonHandler mod_python.psp: run the page that the request asks for.

    Under PythonDebug, the name of a page with an underscore behind it shows the page's code.
    """
    req.content_type = "text/html"
    filename = req.filename
    if filename is None:
        return apache.HTTP_NOT_FOUND
    if filename.endswith("_") and int(req.get_config().get("PythonDebug", 0)):
        from ._psp_display import table_of

        req.write(table_of(filename[:-1], None))  # not by PSP(): a page that does not compile is what one wants to see
    else:
        PSP(req, filename)._run(None, 0, ())
    return apache.OK


def _session_of(req):
    """The session of a request, and whether it was created for this page."""
    session = getattr(req, "session", None)
    if session is not None:
        return session, False
    session = _import_later("Session").Session(req)
    req.session = session
    return session, True


def _end_session(req, session):
    try:
        del req.session
    except AttributeError:
        pass  # the page has
    session.unlock()


def _form_of(req):
    form = getattr(req, "form", None)
    if form is None:
        form = req.form = _import_later("util").FieldStorage(req, keep_blank_values=1)
    return form


def _show_error_page(page, shown, error, flush, failed):
    from . import _entries

    name, failed = shown.filename or "of a text", (*failed, page.filename)
    _entries.entry(apache.APLOG_ERR, f"MP0531: the page {page.filename or 'of a text'} failed (below); its error page {name} is shown")
    _entries.exception(apache.APLOG_ERR, error)
    is_missing = shown.filename is not None and not os.path.isfile(shown.filename)
    if is_missing or shown.filename in failed:
        why = "is no file" if is_missing else "has failed itself"
        _entries.entry(apache.APLOG_ERR, f"MP0532: the error page {name} {why}, so the request fails")
        raise error
    shown._run({"exception": (type(error), error, error.__traceback__)}, flush, failed)


def _place(error, page):
    """Make an exception say where in the page's files it was raised."""
    if page.parents or page.text is not None:
        from ._psp_errors import place

        place(error, page)


def _import_later(name):
    __import__(_LATER[name])
    globals()[name] = found = sys.modules[_LATER[name]]
    return found


def __getattr__(name):
    if name in _LATER:
        return _import_later(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["PSP", "PSPInterface", "escape", "handler", "parse", "parsestring", "path_split"]
