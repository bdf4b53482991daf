"""Runs the httpd of ``mod_python serve``: from its start to its end, with its log, beside this process."""

import ctypes
import errno
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

from ._command import CommandError
from ._command_serve_app import handlers_in

# How long httpd may take to answer for the first time, and to end, in seconds
_START_LIMIT = 20
_END_LIMIT = 1.5
_PR_SET_PDEATHSIG = 1
# What httpd writes for a request: time, status, microseconds, bytes, interpreter, request line
_ACCESS_FORMAT = r"%{%H:%M:%S}t %>s %D %B %^PI %r"


def check_port(host, port):
    """Raise CommandError if the port cannot be listened on, before anything is started."""
    fault = _fault_of(host, port)
    if fault is None:
        return
    if fault.errno == errno.EADDRINUSE:
        free = next((str(other) for other in range(port + 1, min(port + 100, 65536)) if _fault_of(host, other) is None), "")
        raise CommandError(f"port {port} of {host} is busy{_holder(port)}: stop what uses it, or choose another with --port {free}".rstrip() + ".")
    if fault.errno == errno.EACCES:
        raise CommandError(f"port {port} is for root alone: choose one from 1024 on with --port.")
    raise CommandError(f"cannot listen on {host}: {fault.strerror or fault}; --host takes an address of this machine.")


def _fault_of(host, port):
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
            tried.listen(1)
    except OSError as error:
        return error
    return None


def _holder(port):
    """Who has the port, if ss tells."""
    try:
        said = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, timeout=5).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r'users:\(\("([^"]*)",pid=(\d+)', said)
    return f" ({found[1]}, process {found[2]})" if found else ""


class Run:
    """One run of httpd."""

    def __init__(self, site, note, python, *, is_logging, is_opened, has_https):
        self.site, self.note, self.python = site, note, python
        self.is_logging, self.is_opened, self.has_https = is_logging, is_opened, has_https
        self.process = None
        self.stopping = 0
        self.scheme = "https" if has_https else "http"

    def run(self):
        """Until it has ended; the exit status."""
        site = self.site
        if self.has_https:
            self._make_certificate()
        readers = [self._reader("error.log", self._show_error)]
        site.error_log = os.path.join(site.root, "error.log")
        if self.is_logging:
            readers.append(self._reader("access.log", self._show_access))
            site.access_log, site.access_format = os.path.join(site.root, "access.log"), _ACCESS_FORMAT
        site.write()
        self._start()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        threading.Thread(target=self._announce, daemon=True).start()
        if site.app.kind == "folder":
            threading.Thread(target=self._watch, daemon=True).start()
        status = self._wait()
        # What handlers started and left in httpd's group goes too
        self._kill()
        for reader in readers:
            reader.end()
        if self.stopping:
            self.note("stopped.")
            return 0
        raise CommandError(f"httpd ended by itself with status {status}; what it said is above.")

    def _make_certificate(self):
        """A certificate for this machine's names, in one file with its key."""
        path = os.path.join(self.site.root, "certificate.pem")
        names = ["DNS:localhost", "IP:127.0.0.1", "IP:::1", *([f"DNS:{self.site.vhost}"] if self.site.vhost else [])]
        command = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
            "-subj", "/CN=localhost", "-addext", f"subjectAltName={','.join(names)}", "-addext", "basicConstraints=critical,CA:FALSE",
            "-keyout", path + ".key", "-out", path + ".new",
        ]  # fmt: skip
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        except FileNotFoundError:
            raise CommandError("--https needs the program openssl, which makes the certificate: install it (openssl).") from None
        if done.returncode != 0:
            raise CommandError(f"openssl made no certificate: {done.stderr.strip()}")
        with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
            for part in (path + ".new", path + ".key"):
                with open(part, encoding="ascii") as file:
                    out.write(file.read())
                os.unlink(part)
        self.site.certificate = path

    def _reader(self, name, show):
        return Reader(os.path.join(self.site.root, name), show)

    @staticmethod
    def _show_error(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()

    def _show_access(self, line):
        when, status, micros, size, interpreter, *request = line.decode("utf-8", "replace").rstrip("\n").split(" ", 5)
        shown = f"{when} {status} {' '.join(request)}  {int(micros) / 1000:.1f} ms  {size} B"
        if interpreter != "-":
            shown += f"  [{interpreter}]"
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            colour = {"2": 32, "3": 36, "4": 33}.get(status[:1], 31)
            shown = f"\x1b[{colour}m{shown}\x1b[0m"
        print(shown, flush=True)

    def _start(self):
        environ = dict(os.environ)
        if self.site.user is not None:
            # Root's own Python settings are not for the user who serves
            for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "VIRTUAL_ENV"):
                environ.pop(name, None)
            environ["HOME"] = "/"
        libc = ctypes.CDLL(None)

        def prepare():
            # Should this process be killed outright, httpd is told to stop
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

        command = [self.site.httpd.program, "-f", os.path.join(self.site.root, "httpd.conf"), "-DFOREGROUND"]
        # A session of its own: Ctrl-C reaches this process alone, and httpd's signals to its group do not reach it
        self.process = subprocess.Popen(
            command, cwd=self.site.root, env=environ, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=prepare
        )

    def _stop(self, *_):
        """The first time politely, with a little time for busy requests; the second time at once."""
        self.stopping += 1
        if self.stopping > 1:
            self._kill()
            return
        self.process.terminate()
        timer = threading.Timer(_END_LIMIT, self._kill)
        timer.daemon = True
        timer.start()

    def _kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _wait(self):
        while True:
            try:
                # In pieces, since a signal's handler runs between two of them
                return self.process.wait(0.2)
            except subprocess.TimeoutExpired:
                pass

    def _url(self):
        name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.site.host, self.site.name)
        return f"{self.scheme}://{name}{self._port()}/"

    def _port(self):
        usual = 443 if self.has_https else 80
        return "" if self.site.port == usual else f":{self.site.port}"

    def _status(self):
        """The status of GET /; None where nothing answers."""
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.site.host, self.site.host)
        if self.has_https:
            # Its own certificate is not looked at
            connection = http.client.HTTPSConnection(address, self.site.port, timeout=10, context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection(address, self.site.port, timeout=10)
        try:
            connection.request("GET", "/", headers={"Host": self.site.vhost or "localhost"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _announce(self):
        """Say where it answers as soon as it does."""
        site, url = self.site, self._url()
        deadline = time.monotonic() + _START_LIMIT
        while (status := self._status()) is None:
            if self.process.poll() is not None or self.stopping:
                return
            if time.monotonic() > deadline:
                self.note(f"httpd runs, but {url} has not answered in {_START_LIMIT} seconds.")
                break
            time.sleep(0.1)
        if status is not None:
            print(f"{site.app.name} is served at {url} ({site.shape}, Python {self.python}, GIL {site.gil}); Ctrl-C stops it.")
            for label, fact in self._facts():
                print(f"    {label:13} {fact}")
            sys.stdout.flush()
            if status >= 500:
                self.note(f"GET / was answered with status {status}; the log above says why.")
        if site.vhost:
            self.note(f"the virtual host is {self.scheme}://{site.vhost}{self._port()}/{_unresolved(site.vhost)}")
        if not site.is_loopback:
            self.note(f"it listens on {site.host}, so others may reach it; no tracebacks are sent to browsers.")
        if self.is_opened:
            self._open(url)

    def _facts(self):
        site, numbers = self.site, self.site.numbers()
        if site.app.kind == "folder":
            yield "handlers:", " ".join(f"/{name}" for name in handlers_in(site.app.place)) or "none"
        children = f"{numbers['StartServers']}, at most {numbers['ServerLimit']}" if numbers["ServerLimit"] > 1 else "1"
        threads = numbers.get("ThreadsPerChild", 1)
        yield "children:", f"{children}; {threads} thread{'s' if threads > 1 else ''} each"
        yield "interpreters:", "one for each virtual host in each child"
        yield "packages:", site.venv.folder if site.venv else "those of the system's Python"
        yield "edited files:", self._reloading()
        yield "log:", "here" if self.is_logging else "here, without requests (--access-log shows them)"

    def _reloading(self):
        if not self.site.is_reloading:
            return "not noticed (--no-reload)"
        if self.site.app.kind == "application":
            return "the application's own file is loaded again when it was edited; what it imports is not"
        return "handlers are loaded again when they were edited; what they import with import is not"

    def _watch(self):
        """A handler that is new in the folder, or gone from it, is seen at once."""
        site = self.site
        known = handlers_in(site.app.place)
        while self.process.poll() is None:
            time.sleep(0.5)
            try:
                now = handlers_in(site.app.place)
            except Exception:
                continue  # the folder is being changed
            if now != known and not self.stopping:
                known = now
                site.write_app()
                self.process.send_signal(signal.SIGUSR1)
                self.note(f"the handlers are now {' '.join(f'/{name}' for name in now) or 'none'}.")

    def _open(self, url):
        import shutil

        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) or not shutil.which("xdg-open"):
            self.note(f"there is no display or no xdg-open here; open {url} yourself.")
            return
        subprocess.Popen(["xdg-open", url], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def _unresolved(name):
    # Browsers know every name below localhost by themselves
    if name.endswith(".localhost"):
        return ""
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return " (this machine does not know the name: add it to /etc/hosts, or send it as the Host header)"
    return ""


class Reader:
    """A log that httpd writes into a pipe with a name: it opens the pipe before it becomes another user, and the last lines are not lost."""

    def __init__(self, path, show):
        os.mkfifo(path, 0o600)
        # Also for writing, so that it never ends early
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._show = show
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        data = b""
        while True:
            data += os.read(self._file, 1 << 16)
            *lines, data = data.split(b"\n")
            for line in lines:
                if line == b"\0":
                    return
                try:
                    self._show(line + b"\n")
                except (OSError, ValueError):
                    pass  # the terminal is gone: it is read on

    def end(self):
        """Read what is left; httpd has ended."""
        try:
            os.set_blocking(self._file, False)
            os.write(self._file, b"\n\0\n")
        except OSError:
            pass
        os.set_blocking(self._file, True)
        self._thread.join(2)
