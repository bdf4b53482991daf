"""Serves an application from httpd in the foreground, in a container. What is served and how comes from the environment:

  APP              a WSGI application: module:object of a module in /srv/app (else in the current directory), a file, or a folder in
                   which one is found; or handlers: a folder of them, a folder with an httpd.conf, or module::handler; default
                   /srv/app; where that is not there, the demo
  VENV             a virtual environment with the application's packages; default VIRTUAL_ENV, else none
  FACTORY          if not empty, the application's object is called once, and makes the application
  MPM              prefork, worker, event, winnt (one child with many threads) or itk; default event
  GIL              shared or own; default shared
  HOST, PORT       default 0.0.0.0 and 8080
  VHOST            a virtual host of that name beside the default one
  MOD_PYTHON_CONF  a folder with *.conf files for httpd, read last; default /etc/mod_python
  MOD_PYTHON_RUN   a folder for httpd's own configuration and process number; default /run/mod_python, else one in TMPDIR
"""

import os
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True
REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "python"))

from mod_python._command import CommandError, UsageError, parser
from mod_python._command_serve import Serve
from mod_python._command_serve_httpd import Httpd, User, python_of
from mod_python._command_serve_site import Site, check_path
from mod_python._command_serve_venv import checked


def value(name, default=""):
    """A variable of the environment; one that is empty is one that is not set."""
    return os.environ.get(name) or default


def main(arguments):
    if arguments == ["--health"]:
        return health()
    try:
        serve()
    except UsageError as error:
        print(f"entrypoint: {error}", file=sys.stderr)
        return 2
    except CommandError as error:
        print(f"entrypoint: {error}", file=sys.stderr)
        return 1


def serve():
    """Becomes httpd."""
    app = os.environ.get("APP", "/srv/app")
    if app == "/srv/app" and not os.path.exists(app):
        app = ""
    if ":" in app and os.path.isdir("/srv/app"):
        os.chdir("/srv/app")
    arguments = ["serve", "--host", value("HOST", "0.0.0.0"), "--demo", str(REPOSITORY / "apxs/demo")]
    for option, variable in (("--mpm", "MPM"), ("--gil", "GIL"), ("--vhost", "VHOST"), ("--venv", "VENV")):
        if value(variable):
            arguments += [option, value(variable)]
    if value("FACTORY"):
        arguments.append("--factory")
    port = value("PORT", "8080")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise UsageError(f"the port is a number from 1 to 65535, not '{port}'.")
    arguments += ["--port", port]
    if app:
        arguments += ["--", app]
    options = parser().parse_args(arguments)
    options.called = "entrypoint"
    command = Serve(options)
    command.look()
    httpd = Httpd.find()
    mpm, shape = httpd.mpm(options.mpm)
    module = command.find_module(httpd)
    python = python_of(module)
    command.check_gil(python)
    venv = checked(command.venv, python, command.app.kind, command.note)
    for path in (command.app.place, venv and venv.folder):
        check_path(path)
    Site(
        command.app, httpd, module, root(), User.of_server(), mpm, shape,
        host=options.host, port=options.port, gil=options.gil, vhost=options.vhost, venv=venv,
        error_log="/proc/self/fd/2", access_log="/proc/self/fd/1", is_deployed=True, more=value("MOD_PYTHON_CONF", "/etc/mod_python"),
    ).write()  # fmt: skip
    if command.app.kind == "demo":
        command.note("there is no /srv/app: serving the demo.")
    command.note(f"{command.app.name} on port {options.port} ({shape}, Python {python}, GIL {options.gil})")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(httpd.program, [httpd.program, "-f", os.path.join(ROOT[0], "httpd.conf"), "-DFOREGROUND"])


ROOT = []


def root():
    """A folder of this start: a container that is started again has its present settings."""
    for folder in (value("MOD_PYTHON_RUN", "/run/mod_python"), os.path.join(value("TMPDIR", "/tmp"), "mod_python")):
        try:
            os.makedirs(folder, exist_ok=True)
            if os.geteuid() == 0:
                # Root takes it for itself: what root's httpd reads again at a graceful restart is not for handlers to replace, who run as
                # the user that the image's folder belongs to.
                if os.path.islink(folder):
                    continue
                os.chown(folder, 0, 0)
                os.chmod(folder, 0o755)
            made = os.path.join(folder, str(os.getpid()))
            shutil.rmtree(made, ignore_errors=True)
            os.mkdir(made, 0o755)
            ROOT.append(made)
            return made
        except OSError:
            continue
    raise CommandError("neither /run/mod_python nor /tmp can be written to: mount something there (docker run --tmpfs /tmp).")


def health():
    """Whether the server answers."""
    import http.client

    host, port, path = value("HOST", "0.0.0.0"), int(value("PORT", "8080")), value("HEALTH_PATH", "/")
    # A container may have no IPv6 but for the socket: each address of the name is tried.
    connection = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "localhost"}.get(host, host), port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": "localhost", "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        print(f"no answer from port {port}")
        return 1
    print(f"GET {path}: {status}")
    return 0 if status < 500 else 1


sys.exit(main(sys.argv[1:]))
