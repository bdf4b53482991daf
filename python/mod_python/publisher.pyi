"""A handler that publishes the objects of a module; inside httpd only."""

from types import ModuleType
from typing import Any

from _apache import mp_request

# By type: whether a URL may lead through such an object, and whether it may end at it
tp_rules: dict[type, tuple[bool, bool]]
page_cache: PageCache

class PageCache:
    def __init__(self) -> None: ...
    def __getitem__(self, req: mp_request | str) -> ModuleType: ...
    def clear(self) -> None: ...
    def get(self, path: str, req: mp_request | None = None) -> ModuleType | None: ...

def handler(req: mp_request) -> int: ...
def process_auth(
    req: mp_request, object: Any, realm: str = "unknown", user: str | None = None, passwd: str | None = None
) -> tuple[str, str | None, str | None]: ...
def publish_object(req: mp_request, obj: Any) -> bool: ...
def resolve_object(
    req: mp_request,
    obj: Any,
    object_str: str,
    realm: str | None = None,
    user: str | None = None,
    passwd: str | None = None,
) -> Any: ...
