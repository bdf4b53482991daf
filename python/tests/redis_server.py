"""A Redis or Valkey server of a test's own, on a free port of the loopback and on a Unix socket."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BOUND = 20  # seconds
# The last ones are the server under another name: Debian has them in a package that starts no service
PROGRAMS = ("valkey-server", "redis-server", "valkey-check-rdb", "redis-check-rdb")


def program():
    """The server's program, or None. MOD_PYTHON_TEST_REDIS names another one."""
    chosen = os.environ.get("MOD_PYTHON_TEST_REDIS")
    return chosen or next(filter(None, map(shutil.which, PROGRAMS)), None)


def started(*arguments):
    """A process of the server."""
    command = [os.path.basename(program()).replace("check-rdb", "server"), *arguments]
    return subprocess.Popen(command, executable=program(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)


def free_port():
    """A port of the loopback that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class RedisServer:
    """Starts when it is made; stop() ends it and removes its folder."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="mod_python-redis-")
        self.socket = os.path.join(self.folder, "s")
        self.port = free_port()
        self._options = options
        self._process = None
        self.start()

    def start(self):
        """Starts it, again if it was killed: with nothing in it."""
        command = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.socket, "--dir", self.folder]
        command += ["--save", "", "--appendonly", "no", *self._options]
        self._process = started(*command)
        end = time.monotonic() + BOUND
        while True:
            try:
                with socket.socket() as client:
                    client.settimeout(BOUND)
                    client.connect(("127.0.0.1", self.port))
                    client.sendall(b"PING\r\n")
                    if client.recv(1) in b"+-":
                        return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(f"{program()} does not start")
            time.sleep(0.005)

    @property
    def location(self):
        return f"redis://127.0.0.1:{self.port}"

    @property
    def unix_location(self):
        return f"unix://{self.socket}"

    def kill(self):
        """Ends it at once."""
        self._process.kill()
        self._process.wait(BOUND)

    def pause(self):
        """Has it answer nothing until go_on()."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)

    def stop(self):
        if self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
