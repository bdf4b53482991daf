"""Runs CGI scripts in this process: ``PythonHandler mod_python.cgihandler``.

A script finds what CGI promises: the variables in os.environ, the body in sys.stdin, and a stdout that begins with headers. All of
them belong to the interpreter, so its scripts run one after the other.
"""

import os
import stat
import sys
from _thread import allocate_lock
from io import IOBase

from ._cgi import restore_nocgi, setup_cgi
from ._constants import APLOG_ERR, APLOG_WARNING, HTTP_FORBIDDEN, HTTP_NOT_FOUND, OK

__all__ = ["ScriptError", "handler"]

_one_at_a_time = allocate_lock()

_MOST_SCRIPTS = 256  # whose code is kept
_codes = {}  # by file: what the file was, and its code

_NAME_OPTION = "mod_python.cgihandler.name"


class ScriptError(Exception):
    """What a script has left is no response."""


def handler(req):
    """Run the script that the request names."""
    path = find_script(req.filename)
    code = compiled(path)
    with _one_at_a_time:
        redirected_to = _Run(req, path, code).result()
    if redirected_to is not None:
        req._redirect_to_get(redirected_to)
    return OK


def find_script(filename):
    """The script's file: NAME.py for NAME, NAME.py or NAME with any other suffix, in the folder of the request; else NAME.cgi itself."""
    folder, name = os.path.split(filename or "")
    base, suffix = os.path.splitext(name)
    candidates = [base + ".py"] if base else []
    if suffix == ".cgi":
        candidates.append(name)
    for candidate in candidates:
        path = os.path.join(folder, candidate)
        try:
            if stat.S_ISREG(os.stat(path).st_mode):
                return path
        except (OSError, ValueError):
            continue
    raise _answer(HTTP_NOT_FOUND)


def _answer(status):
    from _apache import SERVER_RETURN

    return SERVER_RETURN(status)


def compiled(path):
    """The code of a file, compiled again when the file has changed."""
    try:
        with open(path, "rb") as file:
            state = os.fstat(file.fileno())
            key = state.st_mtime_ns, state.st_size, state.st_ino
            known = _codes.get(path)
            if known is not None and known[0] == key:
                return known[1]
            source = file.read()
    except FileNotFoundError:
        raise _answer(HTTP_NOT_FOUND) from None
    except PermissionError:
        from ._entries import entry

        entry(APLOG_ERR, f"MP0541: the CGI script {path} cannot be read: let httpd's user read it")
        raise _answer(HTTP_FORBIDDEN) from None
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        error.add_note(f"in the CGI script {path}")
        raise
    if len(_codes) >= _MOST_SCRIPTS:
        _codes.clear()
    _codes[path] = key, code
    return code


class _Run:
    """One run of a script. Whatever the script does to the interpreter is undone after it."""

    def __init__(self, req, path, code):
        self.req, self.path, self.code = req, path, code

    def result(self):
        """Run it; the path of this server to which it redirects, or None."""
        import types

        from ._script_surroundings import Surroundings

        name = self.req.get_options().get(_NAME_OPTION) or os.path.splitext(os.path.basename(self.path))[0]
        module = types.ModuleType(name)
        module.__file__ = self.path
        before = Surroundings()
        saved = setup_cgi(self.req)
        out = sys.stdout
        out._follows_paths = True
        is_complete = False
        try:
            before.enter(os.path.dirname(self.path), module)
            self._call(module, out, before)
            is_complete = True
        finally:
            if not is_complete:
                out._header_text = b""  # of headers that came to no end nothing is sent
            out._ended = f"the CGI script {self.path} has ended: nothing can be written to its stdout any more"
            try:
                before.restore()
            finally:
                sys.stdout = out  # restore_nocgi() writes what is left in it
                restore_nocgi(*saved)
            self._warn_of_threads(before.new_threads())
        return out._path

    def _call(self, module, out, before):
        """Run the code, and see that its output is a response."""
        status = None
        try:
            exec(self.code, module.__dict__)
        except SystemExit as error:
            status = error.code
        except BaseException as error:
            if not self._shown_by_script(error, out, before):
                error.add_note(f"in the CGI script {self.path}")
                raise
        for stream in (sys.stdout, *module.__dict__.values()):
            # The script may have put its own stream on top, which keeps what it was given
            if stream is not out and isinstance(stream, IOBase) and not stream.closed:
                try:
                    stream.flush()
                except OSError:
                    pass  # a pipe of its own, or the client has gone
        sys.stdout = out
        self._log_exit(status)
        if not out.headers_sent:
            raise ScriptError(f"MP0542: the CGI script {self.path} made no response: {self._what_is_missing(out)}")

    def _what_is_missing(self, out):
        if out._header_text:
            return f"its output ends within a header, {out._header_text!r}"
        return (
            "no empty line has ended its headers. If its work is behind 'if __name__ == \"__main__\"', "
            f"say 'PythonOption {_NAME_OPTION} __main__'"
        )

    def _shown_by_script(self, error, out, before):
        """Whether the script has a hook of its own for exceptions, as cgitb.enable() sets, and this has made the response."""
        if sys.excepthook is before.excepthook:
            return False
        from ._entries import exception

        exception(APLOG_ERR, error)
        sys.excepthook(type(error), error, error.__traceback__)
        return out.headers_sent

    def _log_exit(self, status):
        if not status:
            return
        from ._entries import entry

        said = f"status {status}" if isinstance(status, int) else f"the message {status!s}"
        entry(APLOG_WARNING, f"MP0543: the CGI script {self.path} has exited with {said}")

    def _warn_of_threads(self, threads):
        if not threads:
            return
        from ._entries import entry

        names = ", ".join(thread.name for thread in threads)
        entry(APLOG_WARNING, f"MP0544: the CGI script {self.path} has ended, but threads of it run on: {names}. It should join() them")
