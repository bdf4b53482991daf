"""``mod_python setup-server DIR APP``: the configuration of an httpd for production, and a script that controls it."""

import os
import re
import shlex

from ._command import CommandError, UsageError
from ._command_serve import _SHAPES, MODULE_HELP, Serve, _number, _static
from ._command_serve_app import Finder

EPILOG = """\
DIR gets httpd.conf, app.conf (the application), the folders logs and run, and the script apachectl:

    DIR/apachectl configtest      looks at the configuration
    DIR/apachectl start           starts httpd; as root for a port below 1024, and to serve as --user
    DIR/apachectl graceful        takes a new configuration, or new code, without losing a request
    DIR/apachectl stop            stops it when its requests have ended
    DIR/apachectl foreground      for systemd (Type=exec) and containers

The files are yours to edit; --force writes them anew. APP is what 'mod_python serve' takes. An example:

    mod_python setup-server /srv/shop/server mysite.wsgi:application --port 443 --server-name shop.example.org \\
        --certificate /etc/ssl/shop.pem --key /etc/ssl/shop.key --user www-data --static /static=/srv/shop/static
"""


def add_arguments(parser):
    """The arguments of the command line."""
    add = parser.add_argument
    add("dir", metavar="DIR", help="the folder of the server; it may exist, but without a configuration")
    add("app", metavar="APP", help="what is served")
    add("--venv", metavar="DIR", help="a virtual environment with its packages; default the active one (VIRTUAL_ENV)")
    add("--factory", action="store_true", help="OBJECT is called once, and makes the application")
    add("--static", metavar="URL=DIR", action="append", default=[], help="files that httpd itself sends; may be repeated")
    add("--server-name", metavar="NAME", default="localhost", help="the server's name, which its interpreter has too; default localhost")
    add("--port", metavar="N", type=_number(1, 65535), default=8080, help="the port; default 8080")
    add("--host", metavar="ADDR", default="0.0.0.0", help="the address to listen on; default all (0.0.0.0)")
    add("--certificate", metavar="FILE", default="", help="for https: the certificate, with those that lead to a known one behind it")
    add("--key", metavar="FILE", default="", help="its key, if it is not in the same file")
    add("--user", metavar="NAME", default="", help="who serves, if root starts httpd; default www-data, apache, daemon or nobody")
    add("--mpm", metavar="MPM", default="", help="prefork, worker, event or winnt; default event")
    add("--processes", metavar="N", type=_number(1, 1000), default=0, help="children of httpd")
    add("--threads", metavar="N", type=_number(1, 1000), default=0, help="threads of each child")
    add("--gil", metavar="GIL", default="shared", help="shared (default), or own (Python 3.12 or later)")
    add("--limit-body", metavar="BYTES", type=_number(0, 1 << 40), default=0, help="the largest body of a request; default what httpd has")
    add("--reload", action="store_true", help="load files that were edited again; else new code comes with apachectl graceful")
    add("--log-size", metavar="MB", type=_number(1, 1 << 20), default=100, help="a log of that size is followed by a new one, of ten; default 100")
    add("--module", metavar="FILE", help=MODULE_HELP)
    add("--force", action="store_true", help="write over the files of an earlier run")


def run(options):
    """Write it."""
    from ._command_serve_httpd import Httpd, User, python_of
    from ._command_serve_site import Site, check_path
    from ._command_serve_venv import checked, chosen

    command = Serve(options)
    if options.mpm not in ("", *_SHAPES) or options.mpm == "itk":
        raise UsageError(f"the MPM is prefork, worker, event or winnt, not '{options.mpm}'.")
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", options.host):
        raise UsageError(f"the host is an address of this machine, not '{options.host}'.")
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", options.server_name):
        raise UsageError(f"the server's name is a host name, not '{options.server_name}'.")
    if options.key and not options.certificate:
        raise UsageError("--key needs a --certificate beside it.")
    if options.threads and options.mpm == "prefork":
        raise UsageError("a child of prefork has one thread: leave out --threads, or choose another --mpm.")
    folder = os.path.abspath(options.dir)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise CommandError(f"{folder} is a file: name a folder that does not exist yet, or is empty.")
    there = [name for name in ("httpd.conf", "app.conf", "apachectl") if os.path.lexists(os.path.join(folder, name))]
    if there and not options.force:
        raise CommandError(f"{os.path.join(folder, there[0])} is there already: edit it, write over it with --force, or name another folder.")
    odd = next((sign for sign in "%'" if sign in folder), "")
    if odd:
        raise CommandError(f"{folder} has a {odd} in its name, which rotatelogs, which writes the logs, takes for something else: name another folder.")
    for path in (options.certificate, options.key):
        if path and not os.path.isfile(path):
            raise CommandError(f"there is no file {path}.")
    static = [_static(text) for text in options.static]
    venv = chosen(options.venv, command.note)
    app = Finder(command.called, options.factory, venv).read(options.app)
    httpd = Httpd.find()
    mpm, shape = httpd.mpm(options.mpm)
    module = command.find_module(httpd)
    python = python_of(module)
    command.check_gil(python)
    venv = checked(venv, python, app.kind, command.note)
    if options.certificate and not httpd.has_module("ssl"):
        raise CommandError(f"{httpd.program} has no mod_ssl for --certificate: install it (mod_ssl on Fedora; Debian's apache2-bin has it).")
    certificate, key = (os.path.abspath(path) if path else "" for path in (options.certificate, options.key))
    for path in (folder, app.place, module, certificate, key, venv and venv.folder, *(place for _, place in static)):
        check_path(path)
    user = User.named(options.user) if options.user else User.of_server()
    if user is not None and user.uid == 0:
        raise CommandError(f"httpd does not serve requests as {user.name}: name another --user, such as www-data.")
    if user is not None and os.geteuid() == 0 and not user.can_read_all_in(app.place):
        raise CommandError(f"{user.name}, who is to serve, cannot read {app.place}: make it readable (chmod, chgrp), or name another --user.")
    is_new = not os.path.exists(folder)
    os.makedirs(os.path.join(folder, "logs"), exist_ok=True)
    rotate = _rotatelogs(httpd, folder, options.log_size)
    Site(
        app, httpd, module, folder, user, mpm, shape,
        host=options.host, port=options.port, gil=options.gil, venv=venv, static=static,
        processes=options.processes, threads=options.threads, is_reloading=options.reload, certificate=certificate, key=key,
        server_name=options.server_name, is_debugged=False, body_limit=options.limit_body, is_deployed=True, is_own_root=is_new,
        error_log=rotate("error.log"), access_log=rotate("access.log"), access_format=r"%h %l %u %t \"%r\" %>s %b %D %^PI",
    ).write()  # fmt: skip
    script = os.path.join(folder, "apachectl")
    with open(script, "w", encoding="utf-8") as file:
        file.write(_script(httpd.program, folder))
    os.chmod(script, 0o755)
    scheme = "https" if certificate else "http"
    print(f"{app.name} is to be served at {scheme}://{options.server_name}:{options.port}/ ({shape}, Python {python}, GIL {options.gil}).")
    print(f"{script} controls it:\n\n    {script} configtest\n    {script} start\n")
    command.note(f"the module is {module}.")
    if user is not None and os.geteuid() == 0 and not user.run("test", "-x", folder)[0]:
        command.note(f"{user.name}, who is to serve, cannot pass through {folder}: make that possible (chmod o+x).")
    if user is not None and os.geteuid() != 0:
        command.note(f"httpd has to be started by root to serve as {user.name}.")
    return 0


def _rotatelogs(httpd, folder, megabytes):
    """A log that rotatelogs writes, if it is there: httpd closes no file by itself."""
    import shutil

    places = os.pathsep.join((os.path.dirname(httpd.program), os.path.join(os.path.dirname(httpd.program), "..", "bin"), "/usr/bin", "/usr/sbin"))
    program = shutil.which("rotatelogs", path=places)

    def log(name):
        path = os.path.join(folder, "logs", name)
        return path if program is None else rf'|\"{os.path.realpath(program)}\" -n 10 \"{path}\" {megabytes}M'

    return log


def _script(httpd, folder):
    conf = shlex.quote(os.path.join(folder, "httpd.conf"))
    return f"""\
#!/bin/sh
# Controls the httpd of this folder.
httpd={shlex.quote(httpd)}
conf={conf}
case ${{1:-}} in
    start | graceful | configtest) ;;
    stop) set -- graceful-stop ;;
    foreground) exec "$httpd" -f "$conf" -DFOREGROUND ;;
    *)
        echo "Usage: $0 start | stop | graceful | configtest | foreground" >&2
        exit 2
        ;;
esac
[ "$1" != configtest ] || exec "$httpd" -f "$conf" -t
# A configuration that does not hold must not end a server that runs.
said=$("$httpd" -f "$conf" -t 2>&1) || {{
    echo "$said" >&2
    exit 1
}}
exec "$httpd" -f "$conf" -k "$1"
"""
