"""The request of the stand-in."""

import base64
import binascii
import io
import os
import time
from email.utils import formatdate
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from . import _constants, _testing_apache
from ._testing_server import Log, mp_conn, mp_finfo, mp_hlist, not_imitated, run_cleanups, stat
from ._testing_table import HeadersOut, mp_table, text_of

_BUFFER = 16384  # what a server collects before it sends

_PHASES = {
    f"Python{name}Handler"
    for name in ("PostReadRequest", "Trans", "HeaderParser", "Init", "Access", "Authen", "Authz", "Type", "Fixup", "", "Log")
}

_METHODS = {name[2:].replace("_", "-"): number for name, number in vars(_constants).items() if name.startswith("M_")}


class _Text:
    """A text that can be assigned."""

    def __init__(self, none=False, any_text=False, after=None):
        self._none, self._any_text, self._after = none, any_text, after

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, req, owner=None):
        return self if req is None else req._values[self._name]

    def __set__(self, req, value):
        if value is None and not self._none:
            raise TypeError(f"{self._name} must be str or bytes, not NoneType")
        req._values[self._name] = None if value is None else text_of(value, self._name, self._any_text)
        if self._after is not None:
            self._after(req)

    def __delete__(self, req):
        raise AttributeError(f"attribute '{self._name}' of 'mp_request' objects cannot be deleted")


class _Number(_Text):
    """A number that can be assigned."""

    def __set__(self, req, value):
        if not isinstance(value, int):
            raise TypeError(f"{self._name} must be int, not {type(value).__name__}")
        req._values[self._name] = int(value)


class _Fixed(_Text):
    """What cannot be assigned."""

    def __set__(self, req, value):
        raise AttributeError(f"attribute '{self._name}' of 'mp_request' objects is not writable")


def _content_type_is_set(req):
    req._values["_content_type_set"] = 1


class mp_request:
    """A request as a handler gets it. What is not imitated raises NotImplementedError."""

    uri, filename, canonical_filename, path_info = _Text(any_text=True), _Text(any_text=True), _Text(any_text=True), _Text(any_text=True)
    args, handler = _Text(none=True, any_text=True), _Text(none=True)
    content_type, user, ap_auth_type, status_line = _Text(after=_content_type_is_set), _Text(), _Text(), _Text()
    status, assbackwards, proxyreq, no_cache, no_local_copy, used_path_info, chunked = (_Number() for _ in range(7))
    the_request, method, protocol, hostname, unparsed_uri, content_encoding, vlist_validator = (_Fixed() for _ in range(7))
    method_number, proto_num, header_only, clength, mtime, request_time, read_chunked, read_body, expecting_100 = (_Fixed() for _ in range(9))
    headers_in, headers_out, err_headers_out, subprocess_env, notes, connection, server = (_Fixed() for _ in range(7))
    phase, interpreter, extension, useragent_ip, useragent_addr, content_languages, parsed_uri = (_Fixed() for _ in range(7))
    next, prev, main, hlist, allowed_xmethods, _content_type_set, _bytes_queued, eos_sent = (_Fixed() for _ in range(8))
    read_length, range = _Fixed(), _Fixed()

    def __init__(
        self,
        method="GET",
        uri="/",
        headers=(),
        body=None,
        *,
        options=(),
        config=(),
        filename=None,
        path_info="",
        document_root="/srv/www",
        user=None,
        auth_type=None,
        auth_name=None,
        server=None,
        client=("127.0.0.1", 50000),
        local=("127.0.0.1", 80),
        https=False,
        protocol="HTTP/1.1",
        phase="PythonHandler",
        handler=None,
    ):
        if isinstance(body, str):
            body = body.encode("utf-8")
        if server is None:
            from . import apache

            server = apache.main_server
        parts = urlsplit(uri)
        path = _decoded(parts.path)
        headers_in = mp_table()
        for name, value in headers.items() if hasattr(headers, "keys") else headers:
            headers_in.add(name, str(value) if not isinstance(value, bytes) else value)
        headers_in.setdefault("Host", parts.netloc or "localhost")
        is_chunked = "chunked" in (headers_in.get("Transfer-Encoding") or "").lower()
        if body is not None and not is_chunked:
            headers_in.setdefault("Content-Length", str(len(body)))
        self._values = {
            "the_request": f"{method} {uri} {protocol}",
            "method": method,
            "protocol": protocol,
            "hostname": _host(parts.netloc or headers_in.get("Host")),
            "unparsed_uri": uri,
            "uri": path,
            "args": parts.query if parts.query or "?" in uri else None,
            "parsed_uri": (parts.scheme or None, None, None, None, None, None, path, parts.query if "?" in uri else None, parts.fragment or None),
            "filename": filename if filename is not None else os.path.join(document_root, path.lstrip("/")),
            "canonical_filename": filename if filename is not None else os.path.join(document_root, path.lstrip("/")),
            "path_info": path_info,
            "handler": "mod_python",
            "content_type": None,
            "user": user,
            "ap_auth_type": auth_type if user is not None else None,
            "status": 200,
            "status_line": None,
            **dict.fromkeys("assbackwards proxyreq no_cache no_local_copy chunked clength expecting_100 eos_sent read_length".split(), 0),
            **dict.fromkeys("_content_type_set _bytes_queued".split(), 0),
            "used_path_info": _constants.AP_REQ_DEFAULT_PATH_INFO,
            "method_number": 0 if method == "HEAD" else _METHODS.get(method, _constants.M_INVALID),
            "header_only": int(method == "HEAD"),
            "proto_num": {"HTTP/0.9": 9, "HTTP/1.0": 1000, "HTTP/1.1": 1001}.get(protocol, 1001),
            "mtime": 0.0,
            "request_time": time.time(),
            "read_chunked": int(is_chunked),
            "read_body": 0,
            "range": headers_in.get("Range"),
            **dict.fromkeys("content_encoding vlist_validator next prev main".split()),
            "extension": "",
            "content_languages": (),
            "allowed_xmethods": (),
            "headers_in": headers_in,
            "headers_out": HeadersOut("headers_out"),
            "err_headers_out": HeadersOut("err_headers_out"),
            "subprocess_env": mp_table(),
            "notes": mp_table(),
            "server": server,
            "connection": mp_conn(server, client, local),
            "useragent_ip": client[0],
            "useragent_addr": tuple(client),
            "phase": phase,
            "interpreter": "localhost",
            "hlist": mp_hlist([(handler, os.path.dirname(str(filename)) if filename else document_root)]),
        }
        self._https, self._document_root = https, document_root
        self._auth_type, self._auth_name = auth_type, auth_name
        self._options, self._config = mp_table(options), mp_table(config)
        self._body_stream = io.BytesIO(body or b"")
        self._announced = None if is_chunked else int(headers_in.get("Content-Length", "0"))
        self._log, self._cleanups, self._methods = Log(), [], []
        self._written, self._collected, self._committed, self._is_over = bytearray(), 0, None, False
        self._has_begun = False
        self.redirects, self.added_handlers = [], []

    # --- what a test looks at

    @property
    def log(self):
        """What was logged for the request: pairs of level and text."""
        return self._log.entries

    @property
    def written(self):
        """What was written so far."""
        return bytes(self._written)

    def _enter(self):
        if self._is_over:
            raise RuntimeError("the request is over: a request can be used only until its handlers have returned")

    def _end(self):
        """Call the cleanups."""
        run_cleanups(self._cleanups, self._log)
        self._is_over = True

    # --- members

    @property
    def finfo(self):
        """About the file."""
        if "finfo" not in self._values:
            self._values["finfo"] = stat(self.filename, _constants.APR_FINFO_MIN) if self.filename else mp_finfo()
        return self._values["finfo"]

    @finfo.setter
    def finfo(self, value):
        if not isinstance(value, mp_finfo):
            raise TypeError(f"finfo must be mp_finfo, not {type(value).__name__}")
        self._values["finfo"] = value

    @property
    def allowed(self):
        """0: allow_methods() does not set it."""
        return 0

    @property
    def allowed_methods(self):
        """Methods that have no number."""
        return tuple(name for name in self._methods if name not in _METHODS)

    @property
    def remaining(self):
        """0: the server reads a body by other means."""
        return 0

    @property
    def bytes_sent(self):
        """Bytes that have left."""
        return len(self._written) - self._collected

    @property
    def sent_bodyct(self):
        """Whether anything has left."""
        return int(self._committed is not None)

    @property
    def _request_rec(self):
        raise not_imitated("req._request_rec")

    # --- the response

    def write(self, data, flush=1, /):
        """Send str, as UTF-8, or bytes."""
        self._enter()
        if isinstance(data, str):
            data = data.encode("utf-8")
        else:
            try:
                data = bytes(memoryview(data))
            except TypeError:
                raise TypeError(f"write() argument 1 must be str or a bytes-like object, not {type(data).__name__}") from None
        if self.redirects:
            return  # the other request has answered
        self._written += data
        self._values["_bytes_queued"] += len(data)
        self._collected += len(data)
        if data and flush:
            self._has_begun = True  # the server would send it soon
        if self._collected >= _BUFFER:
            self._commit()

    def _commit(self):
        self._collected = 0
        self._has_begun = True
        if self._committed is None:
            self._committed = (self.status, self.status_line, self.content_type, self.headers_out.items(), self.err_headers_out.items())

    def flush(self, /):
        """Send what was collected: the headers are fixed then."""
        self._enter()
        if not self.redirects:
            self._commit()

    def sendfile(self, path, offset=0, len=-1, /):
        """Send a file or a part of it; the number of bytes."""
        self._enter()
        with open(os.fsdecode(path), "rb") as file:
            file.seek(offset)
            data = file.read(len if len >= 0 else None)
        self.write(data)
        return data.__len__()

    def send_http_header(self, /):
        """Do nothing."""
        self._enter()

    def set_content_length(self, n, /):
        """Set Content-Length."""
        if n < 0:
            raise ValueError(f"set_content_length(): {n} is not a length")
        self._values["clength"] = n
        self.headers_out["Content-Length"] = str(n)

    def update_mtime(self, seconds, /):
        """Make mtime at least this."""
        self._values["mtime"] = max(self.mtime, float(int(seconds)))

    def set_last_modified(self, /):
        """Set Last-Modified from mtime."""
        self.headers_out["Last-Modified"] = formatdate(min(self.mtime or self.request_time, self.request_time), usegmt=True)

    def set_etag(self, /):
        """Not imitated."""
        raise not_imitated("req.set_etag()")

    def meets_conditions(self, /):
        """Not imitated."""
        raise not_imitated("req.meets_conditions()")

    def allow_methods(self, methods, reset=0, /):
        """Add to the Allow header of a 405."""
        if isinstance(methods, (str, bytes)):
            methods = [methods]
        try:
            names = [text_of(name, "allow_methods()", any_text=False) for name in list(methods)]
        except TypeError as error:
            raise TypeError(f"allow_methods() argument 1 must be a sequence of str, not {type(methods).__name__}") from error
        if reset:
            self._methods.clear()
        self._methods.extend(name for name in names if name not in self._methods)

    def internal_redirect(self, uri, /):
        """Note the URL in redirects; the other request is not run."""
        self._enter()
        self.redirects.append(text_of(uri, "internal_redirect()"))

    _redirect_to_get = internal_redirect

    # --- the body

    def _taken(self, data, is_whole):
        self._values["read_length"] += len(data)
        if is_whole and self._announced is not None and self._body_stream.tell() < self._announced:
            raise _testing_apache.RequestBodyError("the request's body was cut short: the client has sent less than its Content-Length")
        return data

    def read(self, n=-1, /):
        """Bytes of the body."""
        self._enter()
        data = self._body_stream.read(n if n >= 0 else None)
        return self._taken(data, n < 0 or len(data) < n)

    def readline(self, n=-1, /):
        """A line of the body."""
        self._enter()
        data = self._body_stream.readline(n)
        return self._taken(data, not data.endswith(b"\n") and (n < 0 or len(data) < n))

    def readlines(self, sizehint=-1, /):
        """The lines of the body."""
        lines, size = [], 0
        while line := self.readline(-1 if not lines else sizehint):
            lines.append(line)
            size += len(line)
            if 0 <= sizehint <= size:
                break
        return lines

    def __iter__(self):
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def discard_request_body(self, /):
        """Drop the body."""
        self._body_stream.read()
        return _constants.OK

    # --- about the request

    def get_config(self, /):
        """The directives."""
        made = self.server.get_config().copy()
        made.update(self._config)
        return made

    def get_options(self, /):
        """The PythonOptions, a copy."""
        made = self.server.get_options().copy()
        made.update(self._options)
        return made

    def auth_type(self, /):
        """AuthType."""
        return self._auth_type

    def auth_name(self, /):
        """AuthName."""
        return self._auth_name

    def get_basic_auth_pw(self, /):
        """The password of Basic authentication."""
        if (self._auth_type or "").lower() != "basic" or self._auth_name is None:
            return None
        scheme, _, credentials = (self.headers_in.get("Authorization") or "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(credentials).decode("latin-1").partition(":")
        except (binascii.Error, ValueError):
            return None
        self._values["user"], self._values["ap_auth_type"] = user, "Basic"
        return password

    def get_remote_host(self, type=1, str_is_ip=None, /):
        """The client's address: no names are looked up."""
        if type in (_constants.REMOTE_HOST, _constants.REMOTE_DOUBLE_REV):
            return None
        return self.useragent_ip if str_is_ip is None else (self.useragent_ip, 1)

    def document_root(self, /):
        """DocumentRoot."""
        return self._document_root

    def construct_url(self, uri, /):
        """The full URL of a path."""
        port = self.server.port
        usual = 443 if self._https else 80
        where = f":{port}" if port not in (usual, 0) else ""
        return f"{self._scheme()}://{self.server.server_hostname}{where}{text_of(uri, 'construct_url()')}"

    def _scheme(self):
        return "https" if self._https else "http"

    def is_https(self, /):
        """1 over TLS."""
        return int(self._https)

    def ssl_var_lookup(self, name, /):
        """Not imitated."""
        raise not_imitated("req.ssl_var_lookup()")

    def get_addhandler_exts(self, /):
        """None are known."""
        return ""

    def add_common_vars(self, /):
        """Fill subprocess_env as for CGI scripts."""
        env, conn, server = self.subprocess_env, self.connection, self.server
        for name, value in self.headers_in.items():
            lower = name.lower()
            if lower in ("content-type", "content-length"):
                env[name.upper().replace("-", "_")] = value
            elif lower not in ("authorization", "proxy-authorization", "proxy") and lower.replace("-", "").isalnum():
                key = "HTTP_" + name.upper().replace("-", "_")
                env[key] = f"{env[key]}, {value}" if key in env else value
        env.update(
            {
                "PATH": os.environ.get("PATH", ""),
                "SERVER_SIGNATURE": "",
                "SERVER_SOFTWARE": "mod_python.testing",
                "SERVER_NAME": self.hostname or server.server_hostname,
                "SERVER_ADDR": conn.local_ip,
                "SERVER_PORT": str(server.port),
                "REMOTE_ADDR": self.useragent_ip,
                "DOCUMENT_ROOT": self._document_root,
                "REQUEST_SCHEME": self._scheme(),
                "CONTEXT_PREFIX": "",
                "CONTEXT_DOCUMENT_ROOT": self._document_root,
                "SERVER_ADMIN": server.server_admin,
                "SCRIPT_FILENAME": self.filename,
                "REMOTE_PORT": str(self.useragent_addr[1]),
            }
        )
        if self._https:
            env["HTTPS"] = "on"
        if self.user is not None:
            env["REMOTE_USER"] = self.user
        if self.ap_auth_type is not None:
            env["AUTH_TYPE"] = self.ap_auth_type

    def add_cgi_vars(self, /):
        """Fill subprocess_env with these and the request's own."""
        self.add_common_vars()
        script = self.uri.removesuffix(self.path_info) if self.path_info else self.uri
        self.subprocess_env.update(
            {
                "GATEWAY_INTERFACE": "CGI/1.1",
                "SERVER_PROTOCOL": self.protocol,
                "REQUEST_METHOD": self.method,
                "QUERY_STRING": self.args or "",
                "REQUEST_URI": self.unparsed_uri.partition("?")[0],
                "SCRIPT_NAME": script,
            }
        )
        if self.path_info:
            self.subprocess_env["PATH_INFO"] = self.path_info

    def _build_cgi_env(self, /):
        self.add_cgi_vars()
        env = self.subprocess_env.copy()
        env["GATEWAY_INTERFACE"] = "Python-CGI/1.1"
        if "Authorization" in self.headers_in:
            env["HTTP_AUTHORIZATION"] = self.headers_in.get("Authorization")
        return env

    def log_error(self, message, level=3, /):
        """Write to the log."""
        self._log.add(message, level)

    def register_cleanup(self, callable, data=None, /):
        """Call callable(data) at the end of the request, the last registered first."""
        if not hasattr(callable, "__call__"):
            raise ValueError("first argument must be a callable object")
        self._cleanups.append((callable, data))

    def add_handler(self, phase, handler, dir=None, /):
        """Note it in added_handlers; in the phase that runs, it is run after the others."""
        if phase not in _PHASES:
            raise IndexError(f"Invalid phase: {phase}")
        if phase == self.phase:
            self.hlist._handlers.append((handler, dir))
        self.added_handlers.append((phase, handler, dir))

    def register_input_filter(self, name, handler, dir=None, /):
        """Not imitated."""
        raise not_imitated("req.register_input_filter()")

    def register_output_filter(self, name, handler, dir=None, /):
        """Not imitated."""
        raise not_imitated("req.register_output_filter()")

    def add_input_filter(self, name, /):
        """Not imitated."""
        raise not_imitated("req.add_input_filter()")

    def add_output_filter(self, name, /):
        """Not imitated."""
        raise not_imitated("req.add_output_filter()")

    def build_wsgi_env(self, /):
        """Not imitated."""
        raise not_imitated("req.build_wsgi_env()")

    def wsgi_start_response(self, status, headers, exc_info=None, /):
        """Not imitated."""
        raise not_imitated("req.wsgi_start_response()")

    def _run_wsgi(self, application, /):
        raise not_imitated("a WSGI application")


def _decoded(path):
    try:
        return unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        return unquote(path, "latin-1")


def _host(text):
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    return host if colon and port.isdigit() else text


mp_request.__module__ = "builtins"
