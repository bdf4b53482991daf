"""write_basic_config(): a configuration that httpd 2.4 starts as it is."""

import os
import shutil
import sys

from . import _installation
from .httpdconf import (
    AllowOverride,
    Comment,
    Container,
    CustomLog,
    DefaultRuntimeDir,
    Directory,
    DocumentRoot,
    ErrorLog,
    Group,
    Listen,
    LoadModule,
    LogFormat,
    LogLevel,
    MaxConnectionsPerChild,
    PidFile,
    PythonHandler,
    PythonInterpreterOptions,
    PythonOption,
    PythonPath,
    Require,
    ServerName,
    ServerRoot,
    SetHandler,
    TypesConfig,
    User,
)

# One of these, unless httpd has one built in
_MPMS = ("event", "worker", "prefork")
_MODULES = (
    "authn_file authn_core authz_host authz_groupfile authz_user authz_core access_compat auth_basic reqtimeout include filter mime log_config "
    "env headers setenvif version unixd status autoindex dir alias"
).split()

_USERS = ("www-data", "apache", "httpd", "www", "daemon", "nobody")

_MIME_TYPES = """\
application/json            json
application/pdf             pdf
application/xml             xml
application/zip             zip
font/woff2                  woff2
image/gif                   gif
image/jpeg                  jpeg jpg
image/png                   png
image/svg+xml               svg
image/webp                  webp
image/x-icon                ico
text/css                    css
text/html                   html htm
text/javascript             js mjs
text/plain                  txt
"""

_HEAD = """\
#!{python}

# This file prints the configuration of an httpd:
#
#     mod_python genconfig {name} > httpd.conf
#
# It is yours to edit. mod_python.httpdconf has a class for each directive.

from mod_python.httpdconf import *

config = """


def _say(text):
    print(text, file=sys.stderr)


def write(
    server_root, listen, conf, logs, htdocs, pythonhandler, pythonpath, pythonoptions, mp_comments, conf_name, createdirs, replace_config, module,
    venv=None, is_private=False,
):  # fmt: skip
    """See httpdconf.write_basic_config(). venv: a virtual environment for all interpreters; is_private: the file is for its owner alone."""
    server_root = os.path.abspath(os.fspath(server_root))
    conf_folder, logs_folder, htdocs_folder = (os.path.join(server_root, folder) for folder in (conf, logs, htdocs))
    modules_folder = _installation.value("LIBEXECDIR")
    if not modules_folder:
        raise FileNotFoundError(
            "the folder of httpd's modules was not found: install httpd 2.4 with its apxs (apache2-dev on Debian and Ubuntu, httpd-devel on Fedora), "
            "or name the folder in the environment, MOD_PYTHON_LIBEXECDIR=/path"
        )
    loads = _loads(modules_folder)
    config = Container(
        Comment("\nWritten by mod_python genconfig. Do not edit this, but the Python file that it is made of.\n\n"),
        Container(Comment("\nThe modules of httpd\n\n"), *loads),
        Container(
            Comment("\nThe server\n\n"),
            ServerRoot(server_root),
            DefaultRuntimeDir(logs),
            PidFile(os.path.join(logs, "httpd.pid")),
            *_user(),
            ServerName("127.0.0.1"),
            Listen(str(listen)),
            MaxConnectionsPerChild("65536"),
            LogFormat('"%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined'),
            CustomLog(os.path.join(logs, "access_log"), "combined"),
            ErrorLog(os.path.join(logs, "error_log")),
            LogLevel("warn"),
            TypesConfig(os.path.join(conf, "mime.types")),
            DocumentRoot(htdocs_folder),
            Directory("/", AllowOverride("None"), Require("all denied")),
            Directory(htdocs_folder, Require("all granted")),
        ),
        Container(
            Comment("\nmod_python\n\n"),
            LoadModule("python_module", module or os.path.join(modules_folder, "mod_python.so")),
            SetHandler("mod_python"),
            Comment("PythonDebug On\n"),
            PythonHandler(pythonhandler),
            *_path(pythonpath),
            *([PythonInterpreterOptions(f'* "venv={venv}"')] if venv else []),
            *(_option(option) for option in pythonoptions),
            *(Comment(comment) for comment in mp_comments),
        ),
    )
    text = _HEAD.format(python=_installation.value("PYTHON_BIN"), name=conf_name) + f"{config!r}\n\nprint(config)\n"

    path = os.path.join(conf_folder, conf_name)
    if os.path.exists(path) and not replace_config:
        _say(f"Error: {path!r} already exists, and is left as it is.")
        return None
    if createdirs:
        for folder in (server_root, htdocs_folder, conf_folder, logs_folder):
            _make_folder(folder)
    _write_mime_types(os.path.join(conf_folder, "mime.types"))
    _say(f"Writing {path!r}.")
    with open(path, "w", encoding="utf-8", opener=private_opener if is_private else None) as file:
        file.write(text)
    return path


def private_opener(path, flags):
    """Opens a file that nobody but its owner can read."""
    number = os.open(path, flags, 0o600)
    os.fchmod(number, 0o600)
    return number


def _loads(folder):
    """The LoadModule lines of httpd's modules that are there and not part of the program."""
    builtin = _installation.builtin_modules()
    is_there = {name: os.path.exists(os.path.join(folder, f"mod_{name}.so")) for name in (*_MODULES, *(f"mpm_{mpm}" for mpm in _MPMS))}
    mpm = next((f"mpm_{mpm}" for mpm in _MPMS if is_there[f"mpm_{mpm}"]), None)
    if builtin & {*_MPMS, *(f"mpm_{mpm}" for mpm in _MPMS)}:
        mpm = None
    names = [*([mpm] if mpm else []), *(name for name in _MODULES if is_there[name] and name not in builtin)]
    return [LoadModule(f"{name}_module", os.path.join(folder, f"mod_{name}.so")) for name in names]


def _user():
    """Whom httpd's children run as if it is started by root: httpd's own default is nobody who exists."""
    import grp
    import pwd

    for name in _USERS:
        try:
            group = grp.getgrgid(pwd.getpwnam(name).pw_gid).gr_name
        except KeyError:
            continue
        return [Container(User(name), Group(group), only_if="os.geteuid() == 0")]
    return []


def _path(folders):
    return [PythonPath(f"sys.path + {[os.path.abspath(folder) for folder in folders]!r}")] if folders else []


def _option(option):
    """A PythonOption of "name value": the value may have blanks in it."""
    name, _, value = option.strip().partition(" ")
    value = value.strip()
    if not value or value[0] in "\"'":
        return PythonOption(option)
    return PythonOption(name, value)


def _make_folder(folder):
    if os.path.isdir(folder):
        _say(f"Warning: the folder {folder!r} already exists, continuing.")
        return
    _say(f"Creating the folder {folder!r}.")
    os.makedirs(folder)


def _write_mime_types(path):
    if os.path.exists(path):
        _say(f"Warning: the file {path!r} already exists, continuing.")
        return
    for folder in (_installation.value("SYSCONFDIR"), "/etc", "/etc/apache2", "/etc/httpd/conf"):
        source = os.path.join(folder, "mime.types")
        if folder and os.path.isfile(source):
            _say(f"Copying {source!r} to {path!r}.")
            shutil.copyfile(source, path)
            return
    _say(f"Writing the most common types to {path!r}, since no mime.types was found.")
    with open(path, "w", encoding="ascii") as file:
        file.write(_MIME_TYPES)
