"""Unit tests of handlers without httpd.

::

    from mod_python import testing

    import shop  # from mod_python import apache works in it now

    def test_front_page():
        response = testing.run(shop.handler, testing.Request("GET", "/front?page=2"))
        assert (response.status, response.text) == (200, "page 2")

Importing this module puts a stand-in for httpd's part in place, so that ``from mod_python import apache`` works. It imitates what most handlers
use, and raises NotImplementedError for the rest. It is part of the package outside httpd only.
"""

import html
from http.client import responses as _reasons

from . import _testing_apache
from ._testing_apache import defines, install
from ._testing_request import mp_request as Request
from ._testing_server import Log as _Log
from ._testing_server import log_exception as _log_exception
from ._testing_server import mp_conn as Connection
from ._testing_server import mp_server as Server
from ._testing_server import not_imitated as _not_imitated
from ._testing_table import mp_table as Table

__all__ = ["Connection", "Request", "Response", "Server", "Table", "defines", "install", "run"]

_OK, _DECLINED, _DONE = 0, -1, -2

_apache = install()


class Response:
    """What the client would get."""

    def __init__(self, request, status, reason, headers, body, is_error_page=False, is_complete=True, exception=None):
        self.request = request
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        self.is_error_page = is_error_page  # whether the body would be httpd's own page, of which only the heading is imitated
        self.is_complete = is_complete  # False: the connection would be closed in the midst of the body
        self.exception = exception  # what the handler raised, if that made the response

    @property
    def text(self):
        """The body as text."""
        return self.body.decode("utf-8")

    @property
    def content_type(self):
        """The header Content-Type, or None."""
        return self.headers.get("Content-Type")

    @property
    def log(self):
        """What was logged for the request: pairs of level and text."""
        return self.request.log

    @property
    def redirected_to(self):
        """The URL of the internal redirect by which another request has answered, or None."""
        return self.request.redirects[-1] if self.request.redirects else None

    def __repr__(self):
        return f"<Response {self.status} {self.reason}, {len(self.body)} bytes>"


def run(handler, request=None):
    """Have the handler answer the request as a server would; the response.

    The handler is a function, or a text as in a directive, ``module::function``. Cleanups of the request run at the end, and the
    request cannot be used for another run. An exception of the handler makes a 500; it is in the log, and in ``response.exception``.
    """
    req = Request() if request is None else request
    req._enter()
    before = _testing_apache.set_current_request(req)
    try:
        return _run(handler, req)
    finally:
        try:
            req._end()
        finally:
            _testing_apache.set_current_request(before)


def _run(handler, req):
    result, exception = _OK, None
    name = handler if isinstance(handler, str) else getattr(handler, "__qualname__", None) or repr(handler)
    handlers = [(handler, name)]
    if req.hlist.handler is None:
        req.hlist._handlers[:1] = [(name, req.hlist.directory)]
    while handlers:
        called, name = handlers.pop(0)
        try:
            result = _called(called, name, req)
        except _testing_apache.RequestBodyError as error:
            result, exception = error.status, error
        except _testing_apache.ClientGone as error:
            result, exception = _DONE, error
        except NotImplementedError as error:
            if "is not imitated by mod_python.testing" in str(error):
                raise
            result, exception = _failed(req, name, error), error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            result, exception = _failed(req, name, error), error
        if exception is not None or result != _OK:
            break
        req.hlist.next()
        handlers.extend((added, added) for added, _ in req.hlist._handlers[:1] if not handlers)
    return _response(req, result, exception)


def _called(handler, name, req):
    called = _resolved(handler, req) if isinstance(handler, str) else handler
    try:
        result = called(req)
    except _testing_apache.SERVER_RETURN as error:
        if not error.args:
            raise
        result = error.args[0]
        if len(error.args) > 1 and error.args[1]:
            req.status = error.args[1]
    if not isinstance(result, int) or isinstance(result, bool):
        raise AssertionError(f"Handler '{name}' returned invalid return code: it must return an int such as apache.OK, not {type(result).__name__}")
    if result not in (_OK, _DECLINED, _DONE) and not 100 <= result < 600:
        raise AssertionError(f"Handler '{name}' returned {result}, which is not a status")
    return int(result)


def _resolved(text, req):
    module_name, _, path = text.partition("::")
    module = _apache.import_module(module_name)
    return _apache.resolve_object(module, path or "handler", req)


def _failed(req, name, error):
    if req.get_config().get("PythonDebug") in ("1", "On"):
        raise _not_imitated("the page of PythonDebug On") from error
    _log_exception(req._log, f"MP0401: {req.phase} '{name}' raised {type(error).__name__}: {error}", error)
    return 500


def _response(req, result, exception):
    if result == _DECLINED and not req.redirects:
        if req.filename and req.finfo.filetype == 1:
            raise _not_imitated("the answer of httpd after DECLINED, when there is a file,")
        result = 404 if req.method in ("GET", "HEAD", "POST", "OPTIONS") else 405
    is_status = 100 <= result < 600
    if req._has_begun or not is_status:
        # What has left, or would leave soon, cannot be taken back: after an error the connection is closed
        req._commit()
        status, line, content_type, out, err = req._committed
        return _made(req, status, line, content_type, [*out, *err], is_complete=not is_status, exception=exception)
    if result in (204, 304):
        headers = [*req.headers_out.items(), *req.err_headers_out.items()]
        return _made(req, result, None, req.content_type, headers, exception=exception)
    return _error_page(req, result, exception)


def _made(req, status, line, content_type, pairs, is_complete=True, exception=None):
    headers = Table()
    for name, value in pairs:
        headers.add(name, value)
    if content_type is not None:
        headers["Content-Type"] = content_type
    body = b"" if req.header_only or status in (204, 304) else bytes(req._written)
    length = headers.get("Content-Length")
    if length is not None and not req.header_only:
        is_complete = is_complete and len(body) >= int(length)
        body = body[: int(length)]
    reason = line.partition(" ")[2] if line else _reasons.get(status, "")
    return Response(req, status, reason, headers, body, is_complete=is_complete, exception=exception)


def _error_page(req, status, exception):
    headers = Table()
    for name, value in req.err_headers_out.items():
        headers.add(name, value)
    if 300 <= status < 400 or status == 201:
        location = req.headers_out.get("Location")
        if location is not None:
            headers["Location"] = location
    if status in (405, 501):
        names = [*req._methods, *(["HEAD"] if "GET" in req._methods and "HEAD" not in req._methods else []), "TRACE"]
        headers["Allow"] = ",".join(dict.fromkeys(names))
    headers["Content-Type"] = "text/html; charset=iso-8859-1"
    reason = _reasons.get(status, "")
    body = b"" if req.header_only else f"<title>{status} {html.escape(reason)}</title>\n".encode()
    return Response(req, status, reason, headers, body, is_error_page=True, exception=exception)
