"""``mod_python create DEST``: the folder of a private httpd."""

import glob
import os
import sys
from importlib.machinery import PathFinder

from ._command import CommandError
from ._command_serve import MODULE_HELP

EPILOG = """\
It makes the folders conf, logs and public in DEST, the Python file conf/httpd_conf.py, which is the configuration and yours to edit, and
conf/httpd.conf, which is made of it. Then

    mod_python start DEST

starts the httpd. Examples:

    mod_python create /srv/site --pythonhandler mod_python.publisher
    mod_python create /srv/site --listen 127.0.0.1:8080 --pythonpath /srv/lib --pythonhandler hello
    mod_python create /srv/site --pythonpath /srv/lib --pythonhandler mod_python.wsgi \\
        --pythonoption "mod_python.wsgi.application mysite.wsgi::application"
"""


def add_arguments(parser):
    """The arguments of the command line."""
    parser.add_argument("dest", metavar="DEST", help="the folder; it may exist, but without a configuration")
    parser.add_argument("--listen", metavar="[ADDRESS:]PORT", default="8888", help="where httpd listens (8888)")
    parser.add_argument("--pythonhandler", metavar="HANDLER", help="what answers the requests: a module, or module::function (required)")
    parser.add_argument("--pythonpath", metavar="FOLDER[:FOLDER…]", default="", help="folders that Python imports from")
    parser.add_argument(
        "--pythonoption", metavar="'NAME VALUE'", action="append", default=[], help="a PythonOption; may be repeated; the files are then for their owner alone"
    )
    parser.add_argument("--venv", metavar="DIR", help="a virtual environment with the packages of the handlers")
    parser.add_argument("--module", metavar="FILE", help=MODULE_HELP)
    parser.add_argument("--no-check", action="store_true", help="do not look whether the handler and the module are there")


def run(options):
    """Create it."""
    if not options.pythonhandler:
        options.parser.error(
            "--pythonhandler is missing: what is to answer the requests? A module of yours with a function handler(req), "
            "mod_python.publisher for modules in public/, or mod_python.wsgi for a WSGI application"
        )
    from ._command_serve_site import check_path

    listen = _listen(options)
    dest = os.path.abspath(options.dest)
    if os.path.exists(dest) and not os.path.isdir(dest):
        raise CommandError(f"{dest} is a file: name a folder that does not exist yet, or is empty")
    conf = os.path.join(dest, "conf")
    there = [path for path in (os.path.join(conf, "httpd_conf.py"), os.path.join(conf, "httpd.conf")) if os.path.lexists(path)]
    if there:
        raise CommandError(f"{there[0]} is there already: edit it, or name another folder")
    parent = _first_that_exists(dest)
    if not os.access(parent, os.W_OK):
        raise CommandError(f"user {_user()} cannot write to {parent}: run this as its owner, {_owner(parent)}, or name another folder")
    path = [os.path.abspath(folder) for folder in options.pythonpath.split(os.pathsep) if folder]
    for folder in path:
        if not os.path.isdir(folder):
            raise CommandError(f"--pythonpath: there is no folder {folder}")
    for option in options.pythonoption:
        if not option.strip():
            raise CommandError("--pythonoption: a name is missing; write 'NAME VALUE'")
    check_path(dest)
    venv = _venv(options)
    if not options.no_check:
        _check_handler(options.pythonhandler, path, venv and venv.folder)
        _check_application(options)
    _check_options(options)
    module = _module(options)
    _check_fits(venv, module)
    _write(dest, listen, path, options, module, venv and venv.folder)
    return 0


def _venv(options):
    """The virtual environment; None if there is none to be."""
    from ._command_serve_site import check_path
    from ._command_serve_venv import Venv

    if options.venv is None:
        return None
    if not options.venv:
        raise CommandError("--venv is empty")
    found = Venv(options.venv)
    check_path(found.folder)
    return found


def _check_fits(venv, module):
    """Whether the module, which is built for one Python, can use the environment."""
    from ._command_serve_httpd import python_of
    from ._command_serve_venv import checked

    version = python_of(module) if venv and module and os.path.isfile(module) else ""
    if version:
        checked(venv, version, "application", lambda text: None)


def _check_options(options):
    from ._httpdconf_basic import _option

    try:
        for option in options.pythonoption:
            str(_option(option))
    except ValueError as error:
        raise CommandError(str(error)) from error


def _module(options):
    """The module's path; None for the one of httpd's folder, which may come later."""
    from . import _installation
    from ._command_serve_httpd import find_module
    from ._command_serve_site import check_path

    named = options.module or os.environ.get("MOD_PYTHON_SO")
    if named and not os.path.isfile(named):
        found = os.path.abspath(named)  # it may come later, too; there is a warning
    else:
        found = find_module(options.module, _installation.value("LIBEXECDIR"))
    check_path(found)
    return found


def _write(dest, listen, path, options, module, venv):
    from . import _installation
    from ._command_genconfig import generated
    from ._httpdconf_basic import private_opener, write

    # A PythonOption can be a secret, such as the key of sessions
    is_private = bool(options.pythonoption)
    try:
        file = write(
            dest, listen, "conf", "logs", "public", options.pythonhandler, path, options.pythonoption, [], "httpd_conf.py", True, False, module,
            venv=venv, is_private=is_private,
        )  # fmt: skip
    except (FileNotFoundError, ValueError) as error:
        raise CommandError(str(error)) from error
    conf = os.path.join(dest, "conf", "httpd.conf")
    with open(conf, "w", encoding="utf-8", opener=private_opener if is_private else None) as out:
        out.write(generated(file))
    print(f"Writing {conf!r}.", file=sys.stderr)
    used = module or os.path.join(_installation.value("LIBEXECDIR"), "mod_python.so")
    if not os.path.exists(used) and not options.no_check:
        print(f"Warning: there is no {used}: install the module (apxs/install), or name it with --module.", file=sys.stderr)
    print(f"\nStart it with:\n\n    mod_python start {dest}\n")


def _listen(options):
    address, _, port = options.listen.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        options.parser.error(f"--listen: {options.listen!r} is not [ADDRESS:]PORT with a port from 1 to 65535, such as 8888 or 127.0.0.1:8888")
    if address.count(":") and not address.startswith("["):
        options.parser.error(f"--listen: write an IPv6 address in brackets: [{address}]:{port}")
    return f"{address}:{port}" if address else f"0.0.0.0:{port}"


def _check_handler(handler, path, venv):
    """Whether the module of the handler can be found, without running any of its code."""
    name = handler.split("::")[0].split("|")[0].strip()
    packages = glob.glob(os.path.join(glob.escape(venv), "lib", "python3*", "site-packages")) if venv else []
    search, found = [*path, *packages, *sys.path], None
    for part in name.split("."):
        spec = PathFinder.find_spec(part, search) if part else None
        if spec is None:
            folders = ", ".join([*path, *packages]) or "the folders that Python imports from by itself"
            raise CommandError(
                f"the handler's module {name!r} was not found in {folders}: correct --pythonhandler, name its folder with --pythonpath, "
                "or say --no-check if you write it later"
            )
        found, search = spec, list(spec.submodule_search_locations or ())
    return found


def _check_application(options):
    if options.pythonhandler.split("::")[0] == "mod_python.wsgi":
        names = [option.split()[0] for option in options.pythonoption]
        if "mod_python.wsgi.application" not in names:
            raise CommandError("mod_python.wsgi needs to know the application: --pythonoption 'mod_python.wsgi.application MODULE::OBJECT'")


def _first_that_exists(folder):
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _user():
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _owner(path):
    import pwd

    number = os.stat(path).st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
