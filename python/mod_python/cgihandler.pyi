"""Runs CGI scripts in httpd's process."""

from _apache import mp_request

class ScriptError(Exception): ...

def handler(req: mp_request) -> int: ...
