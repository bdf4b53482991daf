"""What wsgiref's validator is around while fuzzed requests come: it reads and answers in the ways that the request names."""

import io
import zlib
from wsgiref.validate import validator


def read(body, way):
    if way == "none":
        return None
    if way == "some":
        body.read(10)
        return None
    if way == "all":
        return body.read(-1)
    if way == "pieces":
        return b"".join(iter(lambda: body.read(1000), b""))
    if way == "lines":
        return b"".join(iter(body.readline, b""))
    if way == "parts":
        return b"".join(iter(lambda: body.readline(7), b""))
    if way == "list":
        return b"".join(body.readlines())
    if way == "hinted":
        return b"".join(line for lines in iter(lambda: body.readlines(100), []) for line in lines)
    return b"".join(body)


class Closed:
    def __init__(self, pieces):
        self.pieces = iter(pieces)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.pieces)

    def close(self):
        self.pieces = None


@validator
def application(environ, start_response):
    body = read(environ["wsgi.input"], environ.get("HTTP_X_READ", "all"))
    environ["wsgi.errors"].flush()
    way = environ.get("HTTP_X_SEND", "list")
    if way == "nothing":
        start_response("204 No Content", [])
        return []
    said = "-" if body is None else f"{len(body)} {zlib.crc32(body)}"
    answer = f"{environ['REQUEST_METHOD']} {said} {environ['QUERY_STRING']}".encode("latin-1")
    headers = [("Content-Type", "text/plain")]
    if way == "length":
        headers.append(("Content-Length", str(len(answer))))
    write = start_response("200 OK", headers)
    if way == "write":
        write(answer[:3])
        write(answer[3:])
        return []
    if way == "file":
        return environ["wsgi.file_wrapper"](io.BytesIO(answer), 4)
    if way == "stream":
        return Closed(bytes([byte]) for byte in answer)
    if way == "empty pieces":
        return Closed([b"", answer, b""])
    return [answer]
