"""The server as applications see it; inside httpd only."""

import io
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, Final, TextIO

from _apache import (
    AP_CONN_CLOSE as AP_CONN_CLOSE,
    AP_CONN_KEEPALIVE as AP_CONN_KEEPALIVE,
    AP_CONN_UNKNOWN as AP_CONN_UNKNOWN,
    APR_BLK as APR_BLK,
    APR_CHR as APR_CHR,
    APR_DIR as APR_DIR,
    APR_LNK as APR_LNK,
    APR_NOFILE as APR_NOFILE,
    APR_PIPE as APR_PIPE,
    APR_REG as APR_REG,
    APR_SOCK as APR_SOCK,
    APR_UNKFILE as APR_UNKFILE,
    MODULE_MAGIC_NUMBER_MAJOR as MODULE_MAGIC_NUMBER_MAJOR,
    MODULE_MAGIC_NUMBER_MINOR as MODULE_MAGIC_NUMBER_MINOR,
    SERVER_RETURN as SERVER_RETURN,
    config_tree as config_tree,
    exists_config_define as exists_config_define,
    interpreter_info as interpreter_info,
    mp_request,
    mp_server,
    mp_table,
    mpm_name as mpm_name,
    mpm_query as mpm_query,
    server_root as server_root,
    stat as stat,
    table as table,
)

make_table = table
exists_config = exists_config_define

interpreter: str
main_server: mp_server
_callback: CallBack

class CallBack:
    @property
    def interpreter(self) -> str: ...
    @property
    def main_server(self) -> mp_server: ...

class LogHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None: ...

class NullIO:
    encoding: str
    errors: str
    closed: bool
    def tell(self) -> int: ...
    def seek(self, pos: int, mode: int = 0) -> None: ...
    def read(self, n: int = -1) -> str: ...
    def readline(self, length: int | None = None) -> str: ...
    def readlines(self) -> list[str]: ...
    def write(self, s: str | bytes) -> int | None: ...
    def writelines(self, list: Iterable[str]) -> None: ...
    def isatty(self) -> bool: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...

class CGIStdin(io.TextIOWrapper):
    def __init__(self, req: mp_request) -> None: ...

class CGIStdout(NullIO):
    req: mp_request
    headers_sent: bool
    buffer: io.RawIOBase
    def __init__(self, req: mp_request) -> None: ...
    def write(self, s: str | bytes) -> int: ...
    def writable(self) -> bool: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...

def allow_methods(*methods: mp_request | str | int | Iterable[str | int]) -> None: ...
def build_cgi_env(req: mp_request) -> mp_table: ...
def import_module(
    module_name: str, autoreload: int = 1, log: int = 0, path: Sequence[str] | None = None
) -> ModuleType: ...
def init(name: str, server: mp_server) -> CallBack: ...
def log_error(message: str | None, level: int | None = 3, server: mp_server | None = None) -> None: ...
def module_mtime(module: ModuleType) -> float: ...
def register_cleanup(callable: Callable[[Any], object], data: Any = None) -> None: ...
def resolve_object(module: object, obj: str, arg: object = None, silent: int = 0) -> Any: ...
def restore_nocgi(sav_env: Mapping[str, str], si: TextIO, so: TextIO) -> None: ...
def setup_cgi(req: mp_request) -> tuple[dict[str, str], TextIO, TextIO]: ...

# What a handler returns
OK: Final = 0
REQ_PROCEED: Final = 0
DECLINED: Final = -1
REQ_NOACTION: Final = -1
DONE: Final = -2
REQ_ABORTED: Final = 500
REQ_EXIT: Final = "REQ_EXIT"
# HTTP statuses
HTTP_CONTINUE: Final = 100
HTTP_SWITCHING_PROTOCOLS: Final = 101
HTTP_PROCESSING: Final = 102
HTTP_OK: Final = 200
HTTP_CREATED: Final = 201
HTTP_ACCEPTED: Final = 202
HTTP_NON_AUTHORITATIVE: Final = 203
HTTP_NO_CONTENT: Final = 204
HTTP_RESET_CONTENT: Final = 205
HTTP_PARTIAL_CONTENT: Final = 206
HTTP_MULTI_STATUS: Final = 207
HTTP_MULTIPLE_CHOICES: Final = 300
HTTP_MOVED_PERMANENTLY: Final = 301
HTTP_MOVED_TEMPORARILY: Final = 302
HTTP_SEE_OTHER: Final = 303
HTTP_NOT_MODIFIED: Final = 304
HTTP_USE_PROXY: Final = 305
HTTP_TEMPORARY_REDIRECT: Final = 307
HTTP_BAD_REQUEST: Final = 400
HTTP_UNAUTHORIZED: Final = 401
HTTP_PAYMENT_REQUIRED: Final = 402
HTTP_FORBIDDEN: Final = 403
HTTP_NOT_FOUND: Final = 404
HTTP_METHOD_NOT_ALLOWED: Final = 405
HTTP_NOT_ACCEPTABLE: Final = 406
HTTP_PROXY_AUTHENTICATION_REQUIRED: Final = 407
HTTP_REQUEST_TIME_OUT: Final = 408
HTTP_CONFLICT: Final = 409
HTTP_GONE: Final = 410
HTTP_LENGTH_REQUIRED: Final = 411
HTTP_PRECONDITION_FAILED: Final = 412
HTTP_REQUEST_ENTITY_TOO_LARGE: Final = 413
HTTP_REQUEST_URI_TOO_LARGE: Final = 414
HTTP_UNSUPPORTED_MEDIA_TYPE: Final = 415
HTTP_RANGE_NOT_SATISFIABLE: Final = 416
HTTP_EXPECTATION_FAILED: Final = 417
HTTP_IM_A_TEAPOT: Final = 418
HTTP_UNPROCESSABLE_ENTITY: Final = 422
HTTP_LOCKED: Final = 423
HTTP_FAILED_DEPENDENCY: Final = 424
HTTP_UPGRADE_REQUIRED: Final = 426
HTTP_INTERNAL_SERVER_ERROR: Final = 500
HTTP_NOT_IMPLEMENTED: Final = 501
HTTP_BAD_GATEWAY: Final = 502
HTTP_SERVICE_UNAVAILABLE: Final = 503
HTTP_GATEWAY_TIME_OUT: Final = 504
HTTP_VERSION_NOT_SUPPORTED: Final = 505
HTTP_VARIANT_ALSO_VARIES: Final = 506
HTTP_INSUFFICIENT_STORAGE: Final = 507
HTTP_NOT_EXTENDED: Final = 510
# Levels of the error log
APLOG_EMERG: Final = 0
APLOG_ALERT: Final = 1
APLOG_CRIT: Final = 2
APLOG_ERR: Final = 3
APLOG_WARNING: Final = 4
APLOG_NOTICE: Final = 5
APLOG_INFO: Final = 6
APLOG_DEBUG: Final = 7
APLOG_NOERRNO: Final = 0
# req.get_remote_host()
REMOTE_HOST: Final = 0
REMOTE_NAME: Final = 1
REMOTE_NOLOOKUP: Final = 2
REMOTE_DOUBLE_REV: Final = 3
# Places in req.finfo
FINFO_MODE: Final = 0
FINFO_INO: Final = 1
FINFO_DEV: Final = 2
FINFO_NLINK: Final = 3
FINFO_UID: Final = 4
FINFO_GID: Final = 5
FINFO_SIZE: Final = 6
FINFO_ATIME: Final = 7
FINFO_MTIME: Final = 8
FINFO_CTIME: Final = 9
FINFO_FNAME: Final = 10
FINFO_NAME: Final = 11
FINFO_FILETYPE: Final = 12
# Places in req.parsed_uri
URI_SCHEME: Final = 0
URI_HOSTINFO: Final = 1
URI_USER: Final = 2
URI_PASSWORD: Final = 3
URI_HOSTNAME: Final = 4
URI_PORT: Final = 5
URI_PATH: Final = 6
URI_QUERY: Final = 7
URI_FRAGMENT: Final = 8
# req.proxyreq
PROXYREQ_NONE: Final = 0
PROXYREQ_PROXY: Final = 1
PROXYREQ_REVERSE: Final = 2
PROXYREQ_RESPONSE: Final = 3
# req.method_number
M_GET: Final = 0
M_PUT: Final = 1
M_POST: Final = 2
M_DELETE: Final = 3
M_CONNECT: Final = 4
M_OPTIONS: Final = 5
M_TRACE: Final = 6
M_PATCH: Final = 7
M_PROPFIND: Final = 8
M_PROPPATCH: Final = 9
M_MKCOL: Final = 10
M_COPY: Final = 11
M_MOVE: Final = 12
M_LOCK: Final = 13
M_UNLOCK: Final = 14
M_VERSION_CONTROL: Final = 15
M_CHECKOUT: Final = 16
M_UNCHECKOUT: Final = 17
M_CHECKIN: Final = 18
M_UPDATE: Final = 19
M_LABEL: Final = 20
M_REPORT: Final = 21
M_MKWORKSPACE: Final = 22
M_MKACTIVITY: Final = 23
M_BASELINE_CONTROL: Final = 24
M_MERGE: Final = 25
M_INVALID: Final = 26
# req.used_path_info
AP_REQ_ACCEPT_PATH_INFO: Final = 0
AP_REQ_REJECT_PATH_INFO: Final = 1
AP_REQ_DEFAULT_PATH_INFO: Final = 2
# mpm_query(): what it may answer, and what can be asked
AP_MPMQ_NOT_SUPPORTED: Final = 0
AP_MPMQ_STATIC: Final = 1
AP_MPMQ_DYNAMIC: Final = 2
AP_MPMQ_MAX_DAEMON_USED: Final = 1
AP_MPMQ_IS_THREADED: Final = 2
AP_MPMQ_IS_FORKED: Final = 3
AP_MPMQ_HARD_LIMIT_DAEMONS: Final = 4
AP_MPMQ_HARD_LIMIT_THREADS: Final = 5
AP_MPMQ_MAX_THREADS: Final = 6
AP_MPMQ_MIN_SPARE_DAEMONS: Final = 7
AP_MPMQ_MIN_SPARE_THREADS: Final = 8
AP_MPMQ_MAX_SPARE_DAEMONS: Final = 9
AP_MPMQ_MAX_SPARE_THREADS: Final = 10
AP_MPMQ_MAX_REQUESTS_DAEMON: Final = 11
AP_MPMQ_MAX_DAEMONS: Final = 12
# Content types with a meaning of their own to httpd
CGI_MAGIC_TYPE: Final = "application/x-httpd-cgi"
INCLUDES_MAGIC_TYPE: Final = "text/x-server-parsed-html"
INCLUDES_MAGIC_TYPE3: Final = "text/x-server-parsed-html3"
DIR_MAGIC_TYPE: Final = "httpd/unix-directory"
# req.read_body
REQUEST_NO_BODY: Final = 0
REQUEST_CHUNKED_ERROR: Final = 1
REQUEST_CHUNKED_DECHUNK: Final = 2
# What stat() is asked for
APR_FINFO_LINK: Final = 0x1
APR_FINFO_MTIME: Final = 0x10
APR_FINFO_CTIME: Final = 0x20
APR_FINFO_ATIME: Final = 0x40
APR_FINFO_SIZE: Final = 0x100
APR_FINFO_CSIZE: Final = 0x200
APR_FINFO_DEV: Final = 0x1000
APR_FINFO_INODE: Final = 0x2000
APR_FINFO_NLINK: Final = 0x4000
APR_FINFO_TYPE: Final = 0x8000
APR_FINFO_USER: Final = 0x10000
APR_FINFO_GROUP: Final = 0x20000
APR_FINFO_UPROT: Final = 0x100000
APR_FINFO_GPROT: Final = 0x200000
APR_FINFO_WPROT: Final = 0x400000
APR_FINFO_ICASE: Final = 0x1000000
APR_FINFO_NAME: Final = 0x2000000
APR_FINFO_MIN: Final = 0x8170
APR_FINFO_IDENT: Final = 0x3000
APR_FINFO_OWNER: Final = 0x30000
APR_FINFO_PROT: Final = 0x700000
APR_FINFO_NORM: Final = 0x73B170
APR_FINFO_DIRENT: Final = 0x2000000
# What the functions behind AuthBasicProvider python and AuthDigestProvider python may return
AUTH_DENIED: Final = 0
AUTH_GRANTED: Final = 1
AUTH_USER_NOT_FOUND: Final = 3
AUTH_GENERAL_ERROR: Final = 4
# What the functions behind Require python may return
AUTHZ_DENIED: Final = 0
AUTHZ_GRANTED: Final = 1
AUTHZ_NEUTRAL: Final = 2
AUTHZ_GENERAL_ERROR: Final = 3
AUTHZ_DENIED_NO_USER: Final = 4
