"""An application that runs the Python code that a request brings along."""

import sys
import threading
import time
from wsgiref.validate import validator


def application(environ, start_response):
    lines = []

    def out(*values):
        lines.append(" ".join(map(repr, values)))

    def error(call, *arguments):
        try:
            return "no error but %r" % (call(*arguments),)
        except BaseException as exception:
            return "%s: %s" % (type(exception).__name__, exception)

    names = dict(globals(), environ=environ, start_response=start_response, out=out, error=error)
    exec(bytes.fromhex(environ.get("HTTP_X_CODE", "")).decode(), names)
    if "response" in names:
        return names["response"]
    body = "\n".join(lines).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


checked = validator(application)


class Site:
    nested = staticmethod(application)


def make():
    made.append(1)
    return application


made = []
data = [1]


async def asynchronous(scope, receive, send):
    pass


class Asynchronous:
    async def __call__(self, scope, receive, send):
        pass


asynchronous_object = Asynchronous()


class Closing:
    """Yields the items, and notes that it was closed, in `closed`."""

    def __init__(self, *items):
        self.items = iter(items)

    def __iter__(self):
        return self

    def __next__(self):
        item = next(self.items)
        if isinstance(item, Exception):
            raise item
        return item

    def close(self):
        closed.append(1)


closed = []
