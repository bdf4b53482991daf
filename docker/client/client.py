#!/usr/bin/env python3
"""Sends the requests of the portability check: commands come as lines of JSON on stdin, one line of JSON answers each.

It runs beside the server (in a container, or locally) with the standard library alone, and ends at the end of its input.

    {"do": "server", "host": H, "port": P, "limit": S}      whom to talk to, and how long an answer may take
    {"do": "ready", "seconds": S}                           wait until the server answers; that answer, and the look if it was one
    {"do": "exchange", "on": NAME|null, "request": R, "jar": J|null, "look": bool}
                                                            one request; on a connection kept under that name, or on its own;
                                                            and the look behind it, without "changes" if its virtual host had none
    {"do": "pin", "first": NAME, "wanted": N, "tries": T}   keep connections to different children, the first one included
    {"do": "together", "load": [[ID, R]...], "sessions": [[[R, TIMES]...]...], "clients": N, "seconds": S}
                                                            the load and the steps' repetitions, from many threads at once
    {"do": "close"}                                         close the kept connections, forget the cookies

R is {"method", "path", "headers": [[name, value]...], "body": base64|null, "wanted": [header...]}. An answer is {"status",
"headers": {name: value}, "body", "error"}: the wanted headers and the body as text, or an error, a sentence.
"""

import base64
import hashlib
import http.client
import json
import select
import socket
import sys
import threading
import time

LOOK = {"method": "GET", "path": "/.portability-look", "headers": [], "body": None, "wanted": []}
MOST_TEXT = 100_000  # of a body; beyond that, its digest is compared
PIECE = 1 << 16  # that is read at once


class Server:
    """Where to connect to, and how long to wait."""

    def __init__(self, host, port, limit):
        self.host, self.port, self.limit = host, port, limit

    def connect(self, deadline):
        """An open connection."""
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.sock = BoundedSocket.connected((self.host, self.port), deadline)
        return connection


class BoundedSocket(socket.socket):
    """A socket with a deadline: a timeout is one for each recv, so that an answer that drips would never end."""

    deadline = 0.0

    @classmethod
    def connected(cls, address, deadline):
        """A socket that is connected by then."""
        with socket.create_connection(address, timeout=_left(deadline)) as plain:
            made = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def sendall(self, *arguments):
        """As socket's, whose timeout is one for all that is sent."""
        self.settimeout(_left(self.deadline))
        return super().sendall(*arguments)

    def recv_into(self, *arguments):
        """As socket's; makefile() reads by it."""
        self.settimeout(_left(self.deadline))
        return super().recv_into(*arguments)


class Jar:
    """The cookies of a session: names and values, nothing more."""

    def __init__(self):
        self.values = {}

    def take(self, header):
        """Read a Set-Cookie header."""
        pair, *attributes = header.split(";")
        name, _, value = pair.partition("=")
        gone = any(attribute.strip().lower().replace(" ", "") == "max-age=0" for attribute in attributes)
        if gone or not value.strip():
            self.values.pop(name.strip(), None)
        else:
            self.values[name.strip()] = value.strip()

    def header(self):
        """The Cookie header, or None."""
        return "; ".join(f"{name}={value}" for name, value in self.values.items()) or None


class Line:
    """A connection that is opened when it is needed, and again when the server has closed it."""

    def __init__(self, server, keep):
        self.server, self.keep = server, keep
        self.connection = None
        self.opened = 0

    def exchange(self, request, jar=None):
        """Send one request and return the answer, an error included."""
        began = time.monotonic()
        deadline = began + self.server.limit
        try:
            try:
                used = self.connection is not None
                return self._exchange(request, jar, deadline)
            except (http.client.RemoteDisconnected, ConnectionError):
                if not used:
                    raise
                # httpd may close an idle connection just as it is used again. What breaks connections breaks this one too.
                self.close()
                return self._exchange(request, jar, deadline)
        except TimeoutError:
            error = f"no answer within {self.server.limit:g} s"
        except ConnectionRefusedError:
            error = "the server does not accept connections"
        except (http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionError) as raised:
            partly = isinstance(raised, http.client.IncompleteRead)
            error = "the connection broke in the middle of the answer" if partly else "the connection was closed without an answer"
        except (OSError, http.client.HTTPException) as raised:
            error = f"the exchange failed after {time.monotonic() - began:.1f} s: {raised or type(raised).__name__}"
        self.close()
        return {"status": None, "headers": {}, "body": "", "error": error}

    def _exchange(self, request, jar, deadline):
        connection = self.open(deadline)
        connection.putrequest(request["method"], request["path"], skip_host=_has(request, "host"), skip_accept_encoding=True)
        for name, value in request["headers"]:
            connection.putheader(name, value)
        cookies = jar and jar.header()
        if cookies and not _has(request, "cookie"):
            connection.putheader("Cookie", cookies)
        body = None if request["body"] is None else base64.b64decode(request["body"])
        if body is not None and not _has(request, "content-length"):
            connection.putheader("Content-Length", str(len(body)))
        if not self.keep:
            connection.putheader("Connection", "close")
        connection.endheaders(body)
        response = connection.getresponse()
        body = _text(_pieces(response))
        if jar:
            for header in response.headers.get_all("Set-Cookie", []):
                jar.take(header)
        if response.will_close or not self.keep:
            self.close()
        return {
            "status": response.status,
            "headers": {name: response.headers.get(name) for name in request["wanted"]},
            "body": body,
            "error": None,
        }

    def open(self, deadline):
        """The open connection, for an exchange that ends by then."""
        if self.connection is not None and select.select([self.connection.sock], [], [], 0)[0]:
            self.close()
        if self.connection is None:
            self.connection = self.server.connect(deadline)
            self.opened += 1
        self.connection.sock.deadline = deadline
        return self.connection

    def look(self, request=LOOK):
        """What the watch answers on this connection, or None."""
        return _looked(self.exchange(request))

    def close(self):
        """Close the connection; the next request opens another."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Client:
    """Carries out the commands."""

    def __init__(self):
        self.server = None
        self.lines = {}
        self.named = 0
        self.jars = {}

    def do_server(self, host, port, limit):
        """Take another server."""
        self.do_close()
        self.server = Server(host, port, limit)
        return {}

    def do_ready(self, seconds):
        """Wait for the server to answer anything; what it last said otherwise. A look is what it is asked for."""
        deadline = time.monotonic() + seconds
        while True:
            answer = Line(self.server, keep=False).exchange(LOOK)
            if answer["status"] is not None or time.monotonic() > deadline:
                return {"answer": answer, "look": _looked(answer)}
            time.sleep(0.05)

    def do_exchange(self, request, on=None, jar=None, look=False):
        """Send one request."""
        line = Line(self.server, keep=look) if on is None else self._line(on)
        cookies = None if jar is None else self.jars.setdefault(jar, Jar())
        answer = line.exchange(request, cookies)
        opened = line.opened
        seen = _look_behind(line, request) if look else None
        # Seen through another connection, it may be another child.
        same = line.opened == opened
        if on is None:
            line.close()
        return {"answer": answer, "look": seen, "same": same}

    def do_pin(self, first, wanted, tries):
        """Keep connections to different children, among them those that are kept already; each name with its child."""
        self._line(first)
        children, spare = {}, []
        kept, self.lines = self.lines, {}
        for name, line in kept.items():
            spare += self._pinned(children, [name], [line], [(line.look() or {}).get("pid")])
        for number in range(tries):
            if len(children) >= wanted or spare and tries > 2:
                break
            line = Line(self.server, keep=True)
            spare += self._pinned(children, [self._new_name()], [line], [(line.look() or {}).get("pid")])
        if len(children) < wanted and tries > 2:
            # Children with threads: one takes several connections, and the others get some only while all its threads are busy.
            lines = [Line(self.server, keep=True) for _ in range(tries)]
            spare += self._pinned(children, [self._new_name() for _ in lines], lines, _held(lines))
        # Names stand for children from here on, whichever connection leads there.
        while len(children) > wanted:
            name, _ = children.popitem()
            self.lines.pop(name).close()
        for line, pid in spare:
            if len(children) < wanted:
                name = self._new_name()
                self.lines[name], children[name] = line, pid
            else:
                line.close()
        return {"children": children}

    def _new_name(self):
        self.named += 1
        return str(self.named)

    def _pinned(self, children, names, lines, pids):
        """Keep those that lead to children not known yet; the others are returned."""
        spare = []
        for name, line, pid in zip(names, lines, pids):
            if pid is None:
                line.close()
            elif pid in children.values():
                spare.append((line, pid))
            else:
                self.lines[name], children[name] = line, pid
        return spare

    def do_together(self, load, sessions, clients, seconds):
        """Send everything at once, for at most these seconds."""
        return Together(self.server, load, clients, seconds).run(sessions)

    def do_close(self):
        """Close what is kept."""
        for line in self.lines.values():
            line.close()
        self.lines, self.jars = {}, {}
        return {}

    def _line(self, name):
        return self.lines.setdefault(name, Line(self.server, keep=True))


class Together:
    """Threads that send the load again and again, while the sessions run beside them."""

    LEAST = 20  # times that each request of the load is sent, if there is time

    def __init__(self, server, load, clients, seconds):
        self.server, self.load, self.clients, self.seconds = server, load, clients, seconds
        self.counted = {name: {} for name, _ in load}
        self.lock = threading.Lock()
        self.sessions_done = threading.Event()
        self.deadline = 0.0

    def run(self, sessions):
        """The answers to each request of the load, and to each step of each session."""
        self.deadline = time.monotonic() + self.seconds
        threads = [threading.Thread(target=self._send_load, args=(n,), daemon=True) for n in range(self.clients if self.load else 0)]
        for thread in threads:
            thread.start()
        answered = [self._session(session) for session in sessions]
        self.sessions_done.set()
        for thread in threads:
            thread.join()
        return {"load": {name: list(seen.values()) for name, seen in self.counted.items()}, "sessions": answered}

    def _send_load(self, number):
        # No kept connections: under prefork they would hold all children, and the sessions' requests would wait.
        line = Line(self.server, keep=False)
        # However many sessions there may be, they are accompanied; a load alone ends when each request was sent often enough.
        turns = max(self.LEAST * len(self.load) // self.clients, 3)
        # All of them are reached early, and each in company: a request beside itself is the race that is most to be expected.
        start = number // 2 * 2 * len(self.load) // self.clients
        turn = 0
        while time.monotonic() < self.deadline and (turn < turns or not self.sessions_done.is_set()):
            name, request = self.load[(start + turn) % len(self.load)]
            turn += 1
            self._count(name, line.exchange(request))
            if turn >= turns:
                time.sleep(0.02)  # company for the sessions, not a flood

    def _count(self, name, answer):
        key = json.dumps(answer)
        with self.lock:
            seen = self.counted[name].setdefault(key, {"answer": answer, "count": 0})
            seen["count"] += 1

    def _session(self, steps):
        jar, line = Jar(), Line(self.server, keep=False)
        answered = []
        for request, times in steps:
            if times == 1:
                answered.append([line.exchange(request, jar)])
            else:
                answered.append(self._at_once(request, times, jar))
        return answered

    def _at_once(self, request, times, jar):
        gate = threading.Barrier(times)
        answers = [None] * times

        def send(number):
            line = Line(self.server, keep=False)
            gate.wait()
            answers[number] = line.exchange(request, jar)

        threads = [threading.Thread(target=send, args=(number,), daemon=True) for number in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers


def _looked(answer):
    """What the watch said, or None if the answer is anybody else's."""
    try:
        said = json.loads(answer["body"]) if answer["status"] == 200 else None
    except ValueError:
        return None
    return said if isinstance(said, dict) and {"pid", "changes", "findings"} <= said.keys() else None


def _look_behind(line, request):
    """Look at what a request has done, also in its own virtual host, which may have an interpreter of its own."""
    seen = line.look()
    hosts = [pair for pair in request["headers"] if pair[0].lower() == "host"]
    if seen is None or not hosts:
        return seen
    # What is the whole process's, as the umask, shows in the first one: that one knows what it was before.
    there = line.look({**LOOK, "headers": hosts})
    if there is None:
        return {**seen, "changes": None}
    return {**seen, "changes": seen["changes"] + there["changes"], "findings": seen["findings"] + there["findings"]}


def _held(lines):
    """Look through all lines at the same moment, each look taking some time; the children that answered."""
    request, pids = {**LOOK, "path": LOOK["path"] + "?hold"}, [None] * len(lines)

    def look(number):
        pids[number] = (lines[number].look(request) or {}).get("pid")

    threads = [threading.Thread(target=look, args=(number,), daemon=True) for number in range(len(lines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return pids


def _has(request, header):
    return any(name.lower() == header for name, _ in request["headers"])


def _left(deadline):
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _pieces(response):
    while piece := response.read(PIECE):
        yield piece
    if response.length:  # read() with a size does not tell
        raise http.client.IncompleteRead(b"", response.length)


def _text(pieces):
    """A body as text. It may be of any size: what is beyond MOST_TEXT is not kept."""
    begin, size, digest = b"", 0, hashlib.sha256()
    for piece in pieces:
        begin += piece[: MOST_TEXT - len(begin)]
        size += len(piece)
        digest.update(piece)
    text = begin.decode("utf-8", "backslashreplace")
    if size > MOST_TEXT:
        text += f"[... {size} bytes, sha256 {digest.hexdigest()}]"
    return text


def main():
    """Answer commands until the input ends."""
    client = Client()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(client, "do_" + command.pop("do"))(**command)
        except Exception as error:  # the other side has to hear of it
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
