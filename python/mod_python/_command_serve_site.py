"""Writes the configuration of a private httpd for ``mod_python serve`` and for the Docker image."""

import os
import re
import shutil
import stat
from dataclasses import dataclass, field

from ._command import CommandError
from ._command_serve_app import App, handlers_in
from ._command_serve_httpd import Httpd, User, python_of
from ._command_serve_venv import Venv

# A character of a path that httpd's configuration, or its wildcards, would take for something else
_MEANINGFUL = re.compile(r'["\\$*?\[\n]')

_MODULES = "unixd authz_core authz_host log_config mime dir alias env setenvif headers".split()
# What an httpd.conf of the application's own may use beside; LoadModule has no place in a virtual host
_SITE_MODULES = (
    "auth_basic authn_core authn_file authz_user authz_groupfile autoindex deflate expires filter include negotiation rewrite".split()
)

_TYPES = {
    "text/html": ".html",
    "text/css": ".css",
    "text/javascript": ".js",
    "application/json": ".json",
    "image/svg+xml": ".svg",
    "image/png": ".png",
    "image/jpeg": ".jpg .jpeg",
}

# Numbers for one developer: few children, so that they can be told apart; several, so that there is something to tell
_SMALL = {
    "prefork": {"StartServers": 4, "MinSpareServers": 2, "MaxSpareServers": 8, "ServerLimit": 32, "MaxRequestWorkers": 32},
    "winnt": {
        "ServerLimit": 1, "StartServers": 1, "ThreadLimit": 64, "ThreadsPerChild": 64, "MaxRequestWorkers": 64,
        "MinSpareThreads": 1, "MaxSpareThreads": 64, "MaxConnectionsPerChild": 0,
    },
    "": {
        "StartServers": 3, "ServerLimit": 6, "ThreadLimit": 16, "ThreadsPerChild": 16, "MaxRequestWorkers": 96,
        "MinSpareThreads": 16, "MaxSpareThreads": 96,
    },
}  # fmt: skip

# For visitors. The two limits are high, since they bound what a file read last can ask for
_DEPLOYED = {
    "prefork": {"StartServers": 4, "MinSpareServers": 4, "MaxSpareServers": 12, "ServerLimit": 1024, "MaxRequestWorkers": 64},
    "winnt": {
        "ServerLimit": 1, "StartServers": 1, "ThreadLimit": 512, "ThreadsPerChild": 64, "MaxRequestWorkers": 64,
        "MinSpareThreads": 1, "MaxSpareThreads": 512, "MaxConnectionsPerChild": 0,
    },
    "": {
        "StartServers": 3, "ServerLimit": 64, "ThreadLimit": 64, "ThreadsPerChild": 16, "MaxRequestWorkers": 128,
        "MinSpareThreads": 16, "MaxSpareThreads": 96,
    },
}  # fmt: skip


@dataclass
class Site:
    """What is served, by which httpd and how."""

    app: App
    httpd: Httpd
    module: str  # mod_python.so
    root: str  # a folder for what httpd needs and writes
    user: User | None  # who serves, if root starts it
    mpm: str  # what httpd loads
    shape: str  # prefork, worker, event, winnt or itk
    host: str = "127.0.0.1"
    port: int = 8080
    gil: str = "shared"
    vhost: str = ""
    venv: Venv | None = None
    static: list[tuple[str, str]] = field(default_factory=list)
    processes: int = 0
    threads: int = 0
    is_reloading: bool = True
    certificate: str = ""  # of https
    key: str = ""  # if it is not in the same file
    server_name: str = "localhost"
    is_debugged: bool | None = None  # tracebacks in browsers; None: if only this machine can reach it
    body_limit: int = 0  # bytes of a request's body; 0: what httpd has
    error_log: str = ""
    access_log: str = ""
    access_format: str = r"%h %l %u %t \"%r\" %>s %b"
    is_deployed: bool = False
    more: str = ""  # a folder with files that are read last
    is_own_root: bool = True  # the root folder is this run's own, not one that was there before

    @property
    def is_loopback(self):
        """Whether only this machine can reach it."""
        return self.host.startswith("127.") or self.host in ("::1", "localhost")

    @property
    def name(self):
        """The address in the form of URLs and of Listen."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def write(self):
        """Write httpd.conf, and app.conf for what is served, into the root folder."""
        for folder in ("run", "htdocs", "state"):
            os.makedirs(os.path.join(self.root, folder), 0o755, exist_ok=True)
        if self.app.kind == "demo":
            copy(self.app.place, os.path.join(self.root, "demo"), self.user)
            if self._documents():
                copy(self._documents(), os.path.join(self.root, "docs"), self.user)
        else:
            self.write_app()
        self._write("httpd.conf", self._server())
        if self.user is not None:
            if self.is_own_root:
                # httpd's user passes through the folder; what lies in it is not for everybody
                os.chmod(self.root, 0o711)
            if os.geteuid() == 0:
                os.chown(os.path.join(self.root, "state"), self.user.uid, self.user.gid)
        os.chmod(os.path.join(self.root, "state"), 0o700)

    def _documents(self):
        """The folder of documents that a checkout has beside the demo; "" if there is none."""
        folder = os.path.join(os.path.dirname(os.path.dirname(self.app.place)), "docs")
        return folder if os.path.isfile(os.path.join(folder, "applications.md")) else ""

    def write_app(self):
        """Write what goes into each virtual host."""
        lines = self._app()
        self._write("app.conf", lines)

    def _write(self, name, lines):
        path = os.path.join(self.root, name)
        # What root's httpd reads before it becomes another user is for root alone
        is_private = name.endswith(".conf") and self.user is not None and not self.is_deployed
        if is_private and os.path.lexists(path + ".new"):
            os.unlink(path + ".new")
        mode = 0o600 if is_private else 0o666
        with open(path + ".new", "w", encoding="utf-8", errors="surrogateescape", opener=lambda path, flags: os.open(path, flags, mode)) as file:
            file.write("\n".join(lines) + "\n")
        os.rename(path + ".new", path)

    def numbers(self):
        """The MPM's directives."""
        kind = "prefork" if self.shape in ("prefork", "itk") else "winnt" if self.shape == "winnt" else ""
        numbers = dict((_DEPLOYED if self.is_deployed else _SMALL)[kind])
        if self.app.kind == "demo":
            # A child that is killed is replaced at once
            numbers.update({"prefork": {"MinSpareServers": 4}, "": {"MinSpareThreads": 33}}.get(kind, {}))
        if kind == "prefork":
            if self.processes:
                numbers = {
                    "StartServers": self.processes, "MinSpareServers": 1, "MaxSpareServers": self.processes,
                    "ServerLimit": self.processes, "MaxRequestWorkers": self.processes,
                }  # fmt: skip
        elif self.processes or self.threads:
            processes = 1 if kind == "winnt" else self.processes or numbers["StartServers"]
            threads = self.threads or numbers["ThreadsPerChild"]
            numbers = {
                "ServerLimit": processes, "StartServers": processes, "ThreadLimit": threads, "ThreadsPerChild": threads,
                "MaxRequestWorkers": processes * threads, "MinSpareThreads": 1, "MaxSpareThreads": processes * threads,
                **({"MaxConnectionsPerChild": 0} if kind == "winnt" else {}),
            }  # fmt: skip
        return numbers

    def _server(self):
        load = self.httpd.load_module
        lines = [f'ServerRoot "{self.root}"', *load(f"mpm_{self.mpm}")]
        if self.shape == "itk":
            lines.append(f'LoadModule mpm_itk_module "{self.httpd.modules}/mpm_itk.so"')
        modules = [*_MODULES, *(_SITE_MODULES if self.app.kind == "site" else ())]
        if self.certificate:
            modules += ["socache_shmcb", "ssl"]
        for module in modules:
            if self.httpd.has_module(module):
                lines += load(module)
        lines += [
            f'LoadModule python_module "{self.module}"',
            f"ServerName {self.server_name}",
            f"Listen {self.name}:{self.port}",
            "DefaultRuntimeDir run",
            "PidFile run/httpd.pid",
            f'ErrorLog "{self.error_log or os.path.join(self.root, "error.log")}"',
            "LogLevel warn python:info",
            "# A file that is edited while httpd sends it must not take the child with it.",
            "EnableMMAP Off",
            "EnableSendfile Off",
            "TraceEnable Off",
            '<Directory "/">',
            "    Require all denied",
            "    AllowOverride None",
            "</Directory>",
        ]
        if self.access_log:
            lines.append(f'CustomLog "{self.access_log}" "{self.access_format}"')
        if self.user is not None:
            lines += [f"User {self.user.name}", f"Group #{self.user.gid}"]
        if self.certificate:
            lines += [*self._ssl(), f'SSLSessionCache "shmcb:{self.root}/run/ssl(512000)"']
        lines += self._types()
        lines += [f"{name} {number}" for name, number in self.numbers().items()]
        if not self.is_reloading:
            lines.append("PythonAutoReload Off")
        more = [f'IncludeOptional "{self.more}/*.conf"'] if self.more else []
        if self.app.kind == "demo":
            values = {"ROOT": f'"{self.root}/demo"', "PORT": self.port, "STATE": f'"{self.root}/state"', "GIL": self.gil}
            if self.vhost:
                values["VHOST"] = self.vhost
            python = python_of(self.module)
            if python and tuple(map(int, python.split("."))) >= (3, 12):
                values["OWN_GIL"] = "yes"
            if self._documents():
                values["DOCS"] = f'"{self.root}/docs"'
            lines += [f"Define DEMO_{name} {value}" for name, value in values.items()]
            return [*lines, f'Include "{self.root}/demo/site.conf"', *more]
        if self.gil != "shared" or self.venv:
            lines.append(f"PythonInterpreterOptions * gil={self.gil}" + (f' "venv={self.venv.folder}"' if self.venv else ""))
        if self.app.kind == "site":
            lines.append(f'Define APP "{self.app.place}"')
        if self.body_limit:
            lines.append(f"LimitRequestBody {self.body_limit}")
        if self.is_loopback if self.is_debugged is None else self.is_debugged:
            # A traceback in the browser is for the developer at this machine, not for the network
            lines.append("PythonDebug On")
        for name in (self.server_name, self.vhost):
            if name:
                lines += [f"<VirtualHost *:{self.port}>", f"    ServerName {name}"]
                lines += [f"    {line}" for line in self._ssl()] if self.certificate else []
                lines += [f'    Include "{self.root}/app.conf"', "</VirtualHost>"]
        return lines + more

    def _ssl(self):
        key = [f'SSLCertificateKeyFile "{self.key}"'] if self.key else []
        return ["SSLEngine On", f'SSLCertificateFile "{self.certificate}"', *key]

    def _types(self):
        if not self.httpd.has_module("mime"):
            return []
        if os.path.isfile("/etc/mime.types"):
            return ['TypesConfig "/etc/mime.types"']
        return ['TypesConfig "/dev/null"', *(f"AddType {name} {endings}" for name, endings in _TYPES.items())]

    def _app(self):
        place = self.app.place
        # Python takes the text between httpd's double quotes, in single ones of its own
        quoted = place.replace("'", "\\x27")
        lines = [f"PythonPath \"['{quoted}'] + sys.path\""]
        for url, folder in self.static:
            lines += [f'Alias "{url}" "{folder}"', f'<Directory "{folder}">', "    Options FollowSymLinks", "    Require all granted", "</Directory>"]
        return lines + getattr(self, f"_{self.app.kind}")()

    def _site(self):
        return [
            f'DocumentRoot "{self.app.place}"',
            r'<FilesMatch "^httpd\.conf$|^Dockerfile$|^\.">',
            "    Require all denied",
            "</FilesMatch>",
            *_HIDDEN,
            f'Include "{self.app.place}/httpd.conf"',
        ]

    def _application(self):
        factory = " factory=on" if self.app.is_factory else ""
        lines = [f'DocumentRoot "{self.root}/htdocs"', f'PythonApplication / "{self.app.target}"{factory}']
        if self.app.file:
            lines += [
                f'<Directory "{self.app.place}">',
                f'    <Files "{os.path.basename(self.app.file)}">',
                "        Require all granted",
                "    </Files>",
                "</Directory>",
            ]
        return lines

    def _module(self):
        return [f'DocumentRoot "{self.root}/htdocs"', *_handler("Location", "/", self.app.target)]

    def _folder(self):
        place = self.app.place
        lines = [
            f'DocumentRoot "{place}"',
            f'<Directory "{place}">',
            "    Options FollowSymLinks",
            "    Require all granted",
            "</Directory>",
            "# Files are served as they are; source, compiled code, copies that editors make, a Dockerfile and hidden files never.",
            r'<FilesMatch "\.py[cdowi]?([^A-Za-z0-9].*)?$|^Dockerfile$|^[.#]|~$">',
            "    Require all denied",
            "</FilesMatch>",
            *_HIDDEN,
        ]
        has_index = os.path.exists(os.path.join(place, "index.html"))
        names = handlers_in(place)
        for name in names:
            pattern = rf"^/{name}(\.py)?(/|$)"
            if name == "index" and not has_index:
                has_index = True
                pattern += "|^/$"
            # The URL with .py leads to the same path as the one without, where no source is: if the handler declines, httpd sends
            # none. The section grants nothing, since that would take back what is denied above, in a folder of the handler's name.
            lines.append(f'Alias "/{name}.py" "{place}/{name}"')
            lines += _handler("LocationMatch", pattern, name, is_granted=False)
        lines.append("DirectoryIndex index.html")
        if not has_index:
            self._write(os.path.join("htdocs", "index.html"), _index(names))
            lines += [
                f'AliasMatch "^/$" "{self.root}/htdocs/index.html"',
                f'<Directory "{self.root}/htdocs">',
                "    Require all granted",
                "</Directory>",
            ]
        return lines


# Hidden folders, such as a checkout's .git, and compiled code
_HIDDEN = [r'<LocationMatch "/(\.|__pycache__(/|$))">', "    Require all denied", "</LocationMatch>"]


def _handler(section, pattern, handler, is_granted=True):
    return [
        f'<{section} "{pattern}">',
        *(["    Require all granted"] if is_granted else []),
        "    SetHandler mod_python",
        f"    PythonHandler {handler}",
        f"</{section}>",
    ]


def _index(names):
    """A folder without an index of its own is shown as the list of its handlers."""
    return [
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        "<title>Handlers</title><style>body{font:1rem/1.6 sans-serif;margin:2rem}</style><h1>Handlers</h1><ul>",
        *(f'<li><a href="/{name}">/{name}</a></li>' for name in names),
        "</ul></html>",
    ]


def check_path(path):
    """Raise CommandError for a path that httpd's configuration would take for something else."""
    if path and _MEANINGFUL.search(path):
        raise CommandError(f"{path} has a character in its name that means something in httpd's configuration: rename it or move it.")


def copy(source, target, user):
    """Copy a folder; of root's copy httpd's user can read all, and nobody else.

    Links stay links. One that leads to something in the folder leads to its copy; any other one leads where it led, so that httpd's user
    reads there what that user may read anyway. Files of other kinds (sockets, devices) are left out.
    """
    source = os.path.realpath(source)
    folder = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _copy_folder(folder, source, target, source, target, user)
    finally:
        os.close(folder)


def _copy_folder(folder, path, made, source, target, user):
    """Copy the open folder, whose path is given, to the path made. Nothing is opened through a link."""
    os.mkdir(made, 0o700)
    for name in sorted(os.listdir(folder)):
        try:
            kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISLNK(kind):
                _copy_link(os.path.join(path, name), os.path.join(made, name), source, target)
                continue
            if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
                continue
            inner = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            continue  # it has gone meanwhile
        try:
            if stat.S_ISDIR(os.fstat(inner).st_mode):
                _copy_folder(inner, os.path.join(path, name), os.path.join(made, name), source, target, user)
            elif stat.S_ISREG(os.fstat(inner).st_mode):
                _copy_file(inner, os.path.join(made, name), user)
        finally:
            os.close(inner)
    if user is not None:
        os.chown(made, 0, user.gid, follow_symlinks=False)
    os.chmod(made, 0o750 if user is not None else stat.S_IMODE(os.fstat(folder).st_mode))


def _copy_file(file, made, user):
    facts = os.fstat(file)
    out = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(out, "wb") as copied, open(file, "rb", closefd=False) as read:
        shutil.copyfileobj(read, copied)
        copied.flush()
        if user is not None:
            os.fchown(out, 0, user.gid)
        os.fchmod(out, 0o640 if user is not None else stat.S_IMODE(facts.st_mode))
        os.utime(out, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _copy_link(path, made, source, target):
    leads_to = os.path.realpath(path)
    if leads_to == source or leads_to.startswith(source + os.sep):
        leads_to = os.path.relpath(os.path.join(target, os.path.relpath(leads_to, source)), os.path.dirname(made))
    os.symlink(leads_to, made)
