"""A cache back end of Django, of which it is a BaseCache; inside httpd only. A program names it in CACHES."""

from typing import Any

class StoreCache:
    def __init__(self, server: str, params: dict[str, Any]) -> None: ...
