"""Sends the requests of conformance_handlers.py to a server and to mod_python.testing, and prints what differs.

    conformance.py PORT FOLDER-OF-THE-LIBRARY
"""

import http.client
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
port, library = int(sys.argv[1]), sys.argv[2]
sys.path[:0] = [library, HERE]

from mod_python import testing

import conformance_handlers

# What a server adds to each response, and what depends on how it was sent
ITS_OWN = {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length", "accept-ranges"}


def of_server(name, method, url, headers, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, f"/conformance_handlers/{name}{url}", skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", "localhost")
    for header, value in headers.items():
        connection.putheader(header, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    found = [(key.lower(), value) for key, value in answer.getheaders() if key.lower() not in ITS_OWN]
    data, is_complete = b"", True
    try:
        data = answer.read()
    except http.client.IncompleteRead as error:
        data, is_complete = error.partial, False
    connection.close()
    return answer.status, answer.reason, sorted(found), data, is_complete


def of_fake(name, method, url, headers, body):
    folder = os.path.join(os.environ["HTDOCS"], "conformance_handlers")
    target = f"/conformance_handlers/{name}{url}"
    path_info = testing.Request(uri=target).uri.removeprefix(f"/conformance_handlers/{name}")
    request = testing.Request(
        method, target, headers, body, options={"own": "value"}, filename=os.path.join(folder, name), path_info=path_info, document_root=os.environ["HTDOCS"],
        server=testing.Server(port=port), handler="conformance_handlers", local=("127.0.0.1", port),
    )
    response = testing.run(conformance_handlers.handler, request)
    found = [(key.lower(), sent(value)) for key, value in response.headers.items() if key.lower() not in ITS_OWN]
    return response, (response.status, response.reason, sorted(found), response.body, response.is_complete)


def shown(value):
    """A value, of a long one its end."""
    text = str(value)
    return text if len(text) < 1000 else f"…{text[-1000:]} ({len(text)} characters)"


def in_order(headers):
    """The headers with the methods of Allow, which are a set, in order."""
    return sorted((name, ",".join(sorted(value.split(","))) if name == "allow" else value) for name, value in headers)


def sent(value):
    """A header's value as this client reads it: text outside of Latin-1 is sent as UTF-8."""
    try:
        return value.encode("latin-1").decode("latin-1")
    except UnicodeEncodeError:
        return value.encode().decode("latin-1")


different = 0
for case in conformance_handlers.CASES:
    there = of_server(*case)
    response, here = of_fake(*case)
    parts = [("status", here[0], there[0]), ("headers", in_order(here[2]), in_order(there[2])), ("complete", here[4], there[4])]
    if not response.is_error_page:
        parts.append(("reason", here[1], there[1]))
        if response.content_type == "application/json" and there[3] and here[3]:
            mine, its = json.loads(here[3]), json.loads(there[3])
            parts.extend((f"fact {key}", mine.get(key), its.get(key)) for key in sorted({*mine, *its}))
        else:
            parts.append(("body", here[3], there[3]))
    for part, mine, its in parts:
        if mine != its:
            different += 1
            print(f"{case[0]} {case[1]} {case[2]}: {part}\n    testing: {shown(mine)}\n    server:  {shown(its)}")
print(f"{len(conformance_handlers.CASES)} requests, {different} differences")
