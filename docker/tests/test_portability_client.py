"""The client, against a server of a few lines that misbehaves on demand."""

import base64
import socket
import socketserver
import sys
import threading
import time
import unittest

from local_server import DOCKER, LocalClient

sys.path.insert(0, str(DOCKER / "client"))

import client  # noqa: E402


class Server(socketserver.ThreadingTCPServer):
    """Answers by the path; counts what it is asked."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.gate = threading.Barrier(4, timeout=5)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            method, path, _ = line.decode().split()
            headers = {}
            while (line := self.rfile.readline().decode().strip()) != "":
                name, _, value = line.partition(": ")
                headers[name.lower()] = value
            body = self.rfile.read(int(headers.get("content-length", 0)))
            self.server.asked.append((path, self.client_address[1]))
            if path == "/gate":
                self.server.gate.wait()
            if path.startswith("/slow/"):
                time.sleep(0.1)
            if path == "/break":
                return
            if path == "/never":
                threading.Event().wait(2)
                return
            if path.startswith(("/drip", "/flood")):
                self.pour(path)
                return
            if path == "/part":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
                return
            text = f"{method} {path} {headers.get('cookie')} {body.decode()}".encode()
            more = b"Set-Cookie: who=ada; Path=/\r\n" if path == "/login" else b""
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n%s" % (more, len(text), text))
            if path == "/once":
                return

    def pour(self, path):
        """Send something all the time, and never come to an end."""
        head, piece, pause = {
            "/drip/head": (b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n", 0.05),
            "/drip/body": (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"x", 0.05),
            "/drip/chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05),
            "/flood": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, 0.0),
        }[path]
        try:
            self.wfile.write(head)
            for _ in range(99 if pause else 10**6):
                self.wfile.write(piece)
                time.sleep(pause)
        except OSError:
            pass


def request(path, method="GET", body=None):
    return {"method": method, "path": path, "headers": [], "body": body and base64.b64encode(body).decode(), "wanted": ["Content-Type"]}


class Exchanges(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.client = client.Client()
        self.addCleanup(self.client.do_close)
        self.client.do_server(*self.server.server_address, 0.5)

    def send(self, path, **how):
        return self.client.do_exchange(request(path), **how)["answer"]

    def test_an_answer(self):
        answer = self.client.do_exchange(request("/x?y", "POST", b"data"))["answer"]
        self.assertEqual(answer, {"status": 200, "headers": {"Content-Type": "text/plain"}, "body": "POST /x?y None data", "error": None})

    def test_faults_are_answers(self):
        for path, error in (
            ("/break", "the connection was closed without an answer"),
            ("/never", "no answer within 0.5 s"),
            ("/part", "the connection broke in the middle of the answer"),
        ):
            self.assertEqual(self.send(path)["error"], error)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.client.do_server(*free.getsockname(), 0.5)
            self.assertEqual(self.send("/")["error"], "the server does not accept connections")

    def test_a_kept_connection(self):
        for path in ("/1", "/2", "/once", "/3"):
            self.assertIsNone(self.send(path, on="a")["error"])
        ports = [port for _, port in self.server.asked]
        self.assertEqual(len(set(ports[:3])), 1)
        self.assertNotEqual(ports[3], ports[0])

    def test_what_breaks_a_connection_breaks_a_fresh_one_too(self):
        self.send("/1", on="a")
        self.assertEqual(self.send("/break", on="a")["error"], "the connection was closed without an answer")

    def test_cookies_of_a_session(self):
        self.send("/login", jar="one")
        self.assertEqual(self.send("/page", jar="one")["body"], "GET /page who=ada ")
        self.assertEqual(self.send("/page", jar="two")["body"], "GET /page None ")

    def test_steps_at_the_same_moment(self):
        found = self.client.do_together([["x", request("/x")]], [[[request("/gate"), 4]]], 2, 5)
        self.assertEqual([answer["error"] for answer in found["sessions"][0][0]], [None] * 4)
        (counted,) = found["load"]["x"]
        self.assertGreaterEqual(counted["count"], 6)

    def test_many_slow_requests_are_all_sent_at_once_with_others(self):
        load = [[str(number), request(f"/slow/{number}")] for number in range(60)]
        found = self.client.do_together(load, [], 12, 1.7)
        self.assertEqual([number for number, answers in found["load"].items() if not answers], [])
        # Each also beside itself: by two threads that begin at the same place.
        self.assertEqual(sorted(path for path, _ in self.server.asked[:12]), sorted(f"/slow/{n}" for n in range(0, 60, 10) for _ in "12"))

    def test_what_there_was_no_time_for_has_no_answers(self):
        found = self.client.do_together([[str(number), request(f"/slow/{number}")] for number in range(60)], [], 2, 0.15)
        self.assertLess(sum(map(bool, found["load"].values())), 60)

    def test_a_look_is_the_watch_s_answer_and_nobody_else_s(self):
        for body, wanted in (("not JSON", None), ("[]", None), ('{"pid": 1}', None)):
            self.assertIs(client._looked({"status": 200, "body": body}), wanted)
        said = '{"pid": 1, "changes": [], "findings": []}'
        self.assertEqual(client._looked({"status": 200, "body": said})["pid"], 1)
        self.assertIsNone(client._looked({"status": 403, "body": said}))
        self.assertIsNone(self.client.do_ready(1)["look"])
        self.assertEqual(self.client.do_ready(1)["answer"]["status"], 200)

    def test_long_bodies_are_compared_by_their_digest(self):
        text = client._text([b"a" * 120_000, b"a" * 80_000])
        self.assertIn("200000 bytes, sha256", text)
        self.assertEqual(text, client._text([b"a"] * 200_000))
        self.assertNotEqual(text, client._text([b"a" * 199_999, b"b"]))
        self.assertEqual(len(client._text([b"a" * 60_000, b"a" * 40_000])), client.MOST_TEXT)

    def test_an_answer_that_drips_ends_at_the_limit(self):
        for path in ("/drip/head", "/drip/body", "/drip/chunks", "/flood"):
            with self.subTest(path):
                began = time.monotonic()
                self.assertEqual(self.send(path, on="a")["error"], "no answer within 0.5 s")
                self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(self.send("/x", on="a")["status"], 200)

    def test_commands_on_standard_input(self):
        process = LocalClient()
        self.addCleanup(process.close)
        host, port = self.server.server_address
        self.assertEqual(process.call({"do": "server", "host": host, "port": port, "limit": 1}), {})
        self.assertEqual(process.call({"do": "exchange", "request": request("/x")})["answer"]["status"], 200)
        self.assertIn("failed", process.call({"do": "nothing"}))


if __name__ == "__main__":
    unittest.main()
