"""Unit tests of handlers without httpd."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from _apache import mp_conn, mp_request, mp_server, mp_table

_Pairs: TypeAlias = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]
_Address: TypeAlias = tuple[str, int]

defines: set[str]

class Table(mp_table): ...

class Server(mp_server):
    def __init__(
        self,
        hostname: str = "localhost",
        port: int = 80,
        admin: str = "webmaster@localhost",
        options: _Pairs = (),
        config: _Pairs = (),
    ) -> None: ...
    @property
    def log(self) -> list[tuple[int, str]]: ...
    def run_cleanups(self) -> None: ...

class Connection(mp_conn):
    def __init__(self, server: mp_server, client: _Address, local: _Address) -> None: ...

class Request(mp_request):
    redirects: list[str]
    added_handlers: list[tuple[str, str, str | None]]
    def __init__(
        self,
        method: str = "GET",
        uri: str = "/",
        headers: _Pairs = (),
        body: str | bytes | None = None,
        *,
        options: _Pairs = (),
        config: _Pairs = (),
        filename: str | None = None,
        path_info: str = "",
        document_root: str = "/srv/www",
        user: str | None = None,
        auth_type: str | None = None,
        auth_name: str | None = None,
        server: mp_server | None = None,
        client: _Address = ("127.0.0.1", 50000),
        local: _Address = ("127.0.0.1", 80),
        https: bool = False,
        protocol: str = "HTTP/1.1",
        phase: str = "PythonHandler",
        handler: str | None = None,
    ) -> None: ...
    @property
    def log(self) -> list[tuple[int, str]]: ...
    @property
    def written(self) -> bytes: ...

class Response:
    request: Request
    status: int
    reason: str
    headers: Table
    body: bytes
    is_error_page: bool
    is_complete: bool
    exception: BaseException | None
    def __init__(
        self,
        request: Request,
        status: int,
        reason: str,
        headers: Table,
        body: bytes,
        is_error_page: bool = False,
        is_complete: bool = True,
        exception: BaseException | None = None,
    ) -> None: ...
    @property
    def text(self) -> str: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def log(self) -> list[tuple[int, str]]: ...
    @property
    def redirected_to(self) -> str | None: ...

def install() -> Any: ...
def run(handler: Callable[[Any], object] | str, request: Request | None = None) -> Response: ...
