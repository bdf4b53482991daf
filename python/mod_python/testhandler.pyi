"""A page that shows whether mod_python works, and what it finds: PythonHandler mod_python.testhandler."""

from _apache import mp_request

def handler(req: mp_request) -> int: ...
