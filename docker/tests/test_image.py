"""What the image to deploy is made of, without Docker: its health check, its labels."""

import os
import re
import socket
import subprocess
import threading
import tomllib
import unittest

from local_server import DOCKER

REPOSITORY = DOCKER.parent


class HealthCheck(unittest.TestCase):
    """docker/image/healthcheck, with servers of one answer."""

    def check(self, answer: bytes | None, host="127.0.0.1", **environment):
        """Its status and words, with a server that sends the answer and closes."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            thread = threading.Thread(target=self.answer, args=(server, answer), daemon=True)
            if answer is None:
                server.close()
            else:
                thread.start()
            try:
                done = subprocess.run(
                    [DOCKER / "image/healthcheck"],
                    env={"PATH": os.environ["PATH"], "HOST": host, "PORT": str(port), **environment},
                    capture_output=True,
                    text=True,
                    timeout=20,
                )
            finally:
                if answer is not None:
                    # Where nobody came, it waits no longer.
                    server.shutdown(socket.SHUT_RDWR)
                    thread.join()
        return done.returncode, done.stdout.strip().replace(str(port), "PORT")

    def answer(self, server, answer):
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, connection.makefile("rb") as request:
            while request.readline().strip():
                pass
            connection.sendall(answer)

    def test_a_status_below_500_is_health(self):
        self.assertEqual(self.check(b"HTTP/1.1 404 Not Found\r\n\r\n", HEALTH_PATH="/x"), (0, "GET /x: 404"))
        self.assertEqual(self.check(b"HTTP/1.1 503 Busy\r\n\r\n"), (1, "GET /: 503"))

    def test_a_server_that_closes_or_talks_nonsense_is_none(self):
        for answer in (b"", b"\r\n", b"SSH-2.0-x\r\n", None):
            self.assertEqual(self.check(answer), (1, "no answer from port PORT"), answer)

    def test_the_address_is_the_one_that_httpd_listens_on(self):
        ok = b"HTTP/1.1 200 OK\r\n\r\n"
        self.assertEqual(self.check(ok, host="0.0.0.0")[0], 0)
        self.assertEqual(self.check(ok, host="127.0.0.2")[0], 1)


class Labels(unittest.TestCase):
    def test_the_version_is_the_modules(self):
        version = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["package"]["version"]
        self.assertEqual(re.findall(r"^ARG VERSION=(.*)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE), [version])


if __name__ == "__main__":
    unittest.main()
