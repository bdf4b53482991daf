"""What the benches share: a private httpd on a loopback port, a plain client, and what is installed on this machine."""

import ctypes
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # an embedded Python takes its home from the python3 found here

SECTIONS = {  # the URL of 'hello', and what configures it
    "location": ("/hello", "<Location /hello>\n{}\n</Location>\n"),
    "directory": ("/in/hello", "<Directory />\nAllowOverride None\n</Directory>\n"
                  "<Directory @DIR@/docs/in>\n{}\n</Directory>\n"),
}

HELLO = """\
from mod_python import apache


def handler(req):
    req.content_type = 'text/plain'
    req.set_content_length(13)
    req.write('Hello, world!')
    return apache.OK
"""

APPLICATION = """\
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '13')])
    return [b'Hello, world!']
"""


class Missing(Exception):
    """Something to measure with, or to measure, is not there: a sentence for the reader, exit status 2."""


class Failed(Exception):
    """What was measured is not as it has to be: exit status 1."""


def run(main, seconds):
    """Runs main(), at most that long, so that whatever ends it (Ctrl-C, SIGTERM, time) also stops the httpd."""
    def end(number, frame):
        if number == signal.SIGALRM:
            raise Failed(f"Stopped: not done within {seconds} s.")
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, end)
    signal.signal(signal.SIGTERM, end)
    signal.alarm(seconds)
    try:
        main()
    except Missing as why:
        print(why, file=sys.stderr)
        sys.exit(2)
    except Failed as why:
        print(why, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def tool(name, debian, fedora):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":" + PATH)
    if not path:
        raise Missing(f"{name} is not installed: it is in the package {debian} on Debian, {fedora} on Fedora.")
    return path


def apxs(*arguments, **options):
    program = os.environ.get("APXS") or tool("apxs", "apache2-dev", "httpd-devel")
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, **options)
    except OSError as why:
        raise Missing(f"{program} cannot be run: {why.strerror}. APXS names the apxs to use.")
    if done.returncode:
        raise Failed(f"{program} {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def httpd_program():
    program = os.path.join(apxs("-q", "sbindir"), apxs("-q", "progname"))
    if not os.path.exists(program):
        raise Missing(f"{program} is not there: httpd is in the package apache2-bin on Debian, httpd on Fedora.")
    return program


def installed_module(file):
    """The path of one of httpd's own modules, or None when it is not there (it may be compiled in)."""
    path = os.path.join(apxs("-q", "libexecdir"), file)
    return path if os.path.exists(path) else None


def our_module():
    given = os.environ.get("MOD_PYTHON_SO")
    path = given or os.path.join(os.path.dirname(HERE), "target", "release", "libmod_python.so")
    if not os.path.exists(path):
        raise Missing(f"{given} (MOD_PYTHON_SO) does not exist." if given else
                      "Our module is not built: run cargo build --release, or name a built one in MOD_PYTHON_SO.")
    return path


def mod_python():
    path = installed_module("mod_python.so")
    if not path:
        raise Missing("mod_python is not installed: it is in the package libapache2-mod-python on Debian 12.")
    return path


def mod_wsgi():
    path = os.environ.get("MOD_WSGI_SO") or installed_module("mod_wsgi.so")
    if not path or not os.path.exists(path):
        raise Missing("mod_wsgi is not installed: it is in the package libapache2-mod-wsgi-py3 on Debian, "
                      "python3-mod_wsgi on Fedora; MOD_WSGI_SO names another build.")
    return path


def python_of(module):
    """The Python a module is linked with: ("3.11", path of libpython); ("", "") when it is not linked with a shared one."""
    found = subprocess.run(["ldd", module], capture_output=True, text=True).stdout
    match = re.search(r"libpython(3\.\d+)\S* => (\S+)", found)
    if match and match[2] == "not":
        raise Missing(f"{module} needs libpython{match[1]}, which is not found: LD_LIBRARY_PATH can name its folder.")
    return (match[1], match[2]) if match else ("", "")


def compile_module(name, *flags):
    """Builds benches/c/NAME.c with apxs; the .so is in a folder of its own that the caller removes."""
    folder = tempfile.mkdtemp(prefix="bench-c-")
    os.chmod(folder, 0o755)
    try:
        shutil.copy(os.path.join(HERE, "c", name + ".c"), folder)
        apxs("-c", *flags, name + ".c", cwd=folder)
        return os.path.join(folder, ".libs", name + ".so")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def ordinary_user():
    """Who runs the httpd: whoever calls, but never root."""
    if os.geteuid() != 0:
        return None
    for name in filter(None, (os.environ.get("BENCH_USER"), "www-data", "apache", "nobody")):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing("No ordinary user to run httpd as: name one in BENCH_USER.")


def show(table):
    """Prints rows of words in columns, the first to the left."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        print(row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:])), sep="  ")
    sys.stdout.flush()


def warn_if_busy():
    """Times, unlike instructions, mean little on a machine that is at work on something else."""
    load = os.getloadavg()[0]
    if load > os.cpu_count() / 2:
        print(f"The load of this machine is {load:.1f} already: its cores have other work.", file=sys.stderr)


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


ONE_CHILD = """\
ServerLimit 1
StartServers 1
ThreadsPerChild 25
MaxRequestWorkers 25
MinSpareThreads 1
MaxSpareThreads 25
"""  # for worker and event


class Httpd:
    """A private httpd: `with Httpd("event", config, modules=…) as httpd`. In config and files @DIR@ is its folder, which is
    gone afterwards, as is every process of it, and @PORT@ its port. Modules: {symbol: path}."""

    def __init__(self, mpm, config, modules=None, files=None, wrap=(), one_process=False, env=None):
        self.mpm, self.config, self.modules, self.files = mpm, config, modules or {}, files or {}
        self.wrap, self.one_process, self.env = wrap, one_process, env or {}
        self.process = None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="bench-")
        try:
            self._prepare()
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *ignored):
        self._end()

    def _prepare(self):
        os.chmod(self.dir, 0o755)
        os.mkdir(os.path.join(self.dir, "docs"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.user = ordinary_user()
        self.who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        self.path = PATH
        loads = {}
        for name in ("mpm_" + self.mpm, "unixd", "authz_core"):
            if path := installed_module(f"mod_{name}.so"):
                loads[name + "_module"] = path
        for symbol, path in self.modules.items():
            # copied, since the folder of a build may be closed to the user httpd runs as
            loads[symbol] = shutil.copy(path, os.path.join(self.dir, os.path.basename(path)))
            library = python_of(path)[1]
            if library and subprocess.run(["test", "-r", library], **self.who).returncode:
                raise Missing(f"{self.user.pw_name if self.user else 'You'} cannot read {library}, which this module "
                              "needs: a Python that everyone can read is needed, or another user, named in BENCH_USER.")
            home = os.path.join(os.path.dirname(os.path.dirname(library)), "bin")
            if os.path.exists(os.path.join(home, "python3")):
                self.path = home + ":" + PATH
        lines = [
            f"ServerRoot {self.dir}", "ServerName localhost", f"PidFile {self.dir}/httpd.pid",
            f"DefaultRuntimeDir {self.dir}", f"ErrorLog {self.dir}/error.log", f"Listen 127.0.0.1:{self.port}",
            f"DocumentRoot {self.dir}/docs", "KeepAlive On", "KeepAliveTimeout 60", "MaxKeepAliveRequests 0",
            *(f"LoadModule {symbol} {path}" for symbol, path in loads.items()), self.config]
        self.files = {**self.files, "httpd.conf": "\n".join(lines) + "\n"}
        for name, text in self.files.items():
            path = os.path.join(self.dir, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text.replace("@DIR@", self.dir).replace("@PORT@", str(self.port)))
        if self.user:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)

    def _start(self):
        mode = ["-X"] if self.one_process else ["-D", "FOREGROUND"]
        wrap = [word.replace("@DIR@", self.dir) for word in self.wrap]
        libc = ctypes.CDLL(None)
        environ = {"PATH": self.path, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **self.env}
        if "LD_LIBRARY_PATH" in os.environ:
            environ["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        with open(os.path.join(self.dir, "output"), "wb") as output:
            self.process = subprocess.Popen(
                [*wrap, httpd_program(), *mode, "-f", os.path.join(self.dir, "httpd.conf")], cwd=self.dir, env=environ,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                preexec_fn=lambda: libc.prctl(1, signal.SIGTERM), **self.who)  # ends with us even if we are killed
        end = time.monotonic() + (90 if self.wrap else 20)
        while True:
            try:
                with Client(self.port) as client:
                    client.send("/not-there")  # a child answers, and no handler has been touched
                    if not client.file.readline():
                        raise ConnectionError
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Failed("httpd did not start:\n" + self.logs())
                time.sleep(0.02)

    def stop(self):
        """Has it end, while its folder is still there to be read."""
        process = self.process
        if process and process.poll() is None:
            process.terminate()
            try:
                process.wait(60 if self.wrap else 15)
            except subprocess.TimeoutExpired:
                print("httpd did not stop in time and was killed.", file=sys.stderr)

    def _end(self):
        self.stop()
        process = self.process
        if process:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # nobody of this session is left, whatever happened
            except ProcessLookupError:
                pass
            process.wait()
            for index in range(8):  # mod_python leaves the files of its mutexes
                try:
                    os.unlink(f"/tmp/mpmtx{process.pid}{index}")
                except OSError:
                    pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def logs(self):
        text = ""
        for name in ("output", "error.log"):
            try:
                with open(os.path.join(self.dir, name), errors="replace") as file:
                    text += file.read()
            except OSError:
                pass
        return "".join(text.splitlines(True)[-25:])

    def log_lines(self):
        with open(os.path.join(self.dir, "error.log"), errors="replace") as file:
            return file.read().splitlines()

    def cpu_seconds(self):
        """User and system time of all children so far."""
        ticks = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


class Client:
    """One keep-alive connection."""

    def __init__(self, port, host="localhost", timeout=60):
        self.host = host
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.file.close()
        self.socket.close()

    def send(self, path, method="GET", headers=None, body=b""):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def receive(self):
        status = self.file.readline().split()
        if len(status) < 2:
            raise ConnectionError("the connection was closed without an answer")
        length, is_chunked = 0, False
        while (line := self.file.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"transfer-encoding":
                is_chunked = True
        return int(status[1]), self.chunks() if is_chunked else self.file.read(length)

    def chunks(self):
        """A body that comes in chunks."""
        body = b""
        while size := int(self.file.readline().split(b";")[0], 16):
            body += self.file.read(size)
            self.file.readline()
        self.file.readline()
        return body

    def get(self, path, **more):
        self.send(path, **more)
        return self.receive()

    def hello(self, path="/hello"):
        status, body = self.get(path)
        if (status, body) != (200, b"Hello, world!"):
            raise Failed(f"{path} was answered with {status} and {body[:200]!r}.")


def the_child(httpd):
    """The number of the one child's process."""
    with open(f"/proc/{httpd.process.pid}/task/{httpd.process.pid}/children") as file:
        return int(file.read().split()[0])


def memory(pid):
    """What a process holds, and the most that it has held, in bytes."""
    with open(f"/proc/{pid}/status") as file:
        found = dict(line.split(":", 1) for line in file)
    return tuple(int(found[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))


def transfer(httpd, path, size, is_body, chunked=False):
    """One request; fails unless all that was sent has come, in whichever direction."""
    piece = (b"x" * 1023 + b"\n") * 256
    with socket.create_connection(("127.0.0.1", httpd.port), 300) as connection:
        method, version = "POST" if is_body else "GET", 1 if chunked else 0
        head = f"{method} {path} HTTP/1.{version}\r\nHost: localhost\r\nConnection: close\r\n"
        if is_body:
            head += "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {size}\r\n"
        connection.sendall(head.encode() + b"\r\n")
        if is_body:
            framed = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
            for _ in range(size // len(piece)):
                connection.sendall(framed)
            if chunked:
                connection.sendall(b"0\r\n\r\n")
        with connection.makefile("rb", 1 << 20) as answer:
            status = answer.readline()
            while answer.readline().strip():
                pass
            if is_body:
                # What the program says; it may come in chunks.
                found = max((int(word) for word in answer.read().split() if len(word) > 4), default=0)
            else:
                found, buffer = 0, bytearray(1 << 18)
                while count := answer.readinto(buffer):
                    found += count
    if b" 200 " not in status or found != size:
        raise Failed(f"{path} was answered with {status!r} and {found} of {size} bytes.\n{httpd.logs()}")
