"""Cookies; also outside of httpd."""

from _apache import mp_request
from collections.abc import Collection
from typing import Any, ClassVar, Final, Literal, Self

DOWNGRADE: Final = 0
IGNORE: Final = 1
EXCEPTION: Final = 3

class CookieError(Exception): ...

class Cookie:
    DOWNGRADE: ClassVar[Literal[0]]
    IGNORE: ClassVar[Literal[1]]
    EXCEPTION: ClassVar[Literal[3]]
    name: str
    # Text; of a MarshalCookie whatever marshal knows
    value: Any
    # Without a value they raise AttributeError
    version: Any
    path: Any
    domain: Any
    secure: Any
    comment: Any
    max_age: Any
    samesite: Any
    commentURL: Any
    discard: Any
    port: Any
    httponly: Any
    partitioned: Any
    @property
    def expires(self) -> str | None: ...
    @expires.setter
    def expires(self, value: str | float | None) -> None: ...
    @property
    def __data__(self) -> dict[str, Any]: ...
    def __init__(self, name: str, value: object, **attributes: Any) -> None: ...
    @classmethod
    def parse(cls, text: str, names: Collection[str] | None = None, **more: Any) -> dict[str, Self]: ...

class SignedCookie(Cookie):
    def __init__(self, name: str, value: object, secret: str | bytes | None = None, **attributes: Any) -> None: ...
    def hexdigest(self, text: str) -> str: ...
    def unsign(self, secret: str | bytes) -> None: ...
    # With a wrong signature and mismatch=DOWNGRADE, a Cookie
    @classmethod
    def parse(  # type: ignore[override]
        cls,
        text: str,
        secret: str | bytes,
        mismatch: int = 0,
        names: Collection[str] | None = None,
        accept_md5: bool = False,
        **more: Any,
    ) -> dict[str, Cookie]: ...

class MarshalCookie(SignedCookie):
    def unmarshal(self, secret: str | bytes) -> None: ...

def add_cookie(req: mp_request, cookie: Cookie | str, value: object = "", **attributes: Any) -> None: ...
# What the parse() of the class gives: cookies of that class, and plain ones
def get_cookies(req: mp_request, Class: type[Cookie] | None = None, **more: Any) -> dict[str, Cookie]: ...
def get_cookie(req: mp_request, name: str, Class: type[Cookie] | None = None, **more: Any) -> Cookie | None: ...
