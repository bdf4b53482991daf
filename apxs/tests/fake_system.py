"""An httpd of a system, in a folder: the real program, with a configuration and modules of its own, that can be changed without harm."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from test_serve import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "python"))

from mod_python import _installation

HTTPD, MODULES = _installation.value("HTTPD"), _installation.value("LIBEXECDIR")
MODULE = os.environ.get("MOD_PYTHON_SO")

_PROGRAM = """\
#!/bin/sh
# What it was compiled with is this folder's; all else is the real one's.
case " $* " in
    *" -V "*) {httpd} -V 2>/dev/null | sed -e 's|HTTPD_ROOT="[^"]*"|HTTPD_ROOT="{root}"|' -e 's|SERVER_CONFIG_FILE="[^"]*"|SERVER_CONFIG_FILE="{name}"|' ;;
    *) case " $* " in *" -f "*) ;; *) set -- -f {root}/{name} "$@" ;; esac; exec {httpd} -d {root} "$@" ;;
esac
"""

_LOADED = ("mpm_event", "authz_core", "alias", "dir", "unixd")


class FakeSystem:
    """layout: line, drop-in or debian."""

    def __init__(self, layout="line", name="conf/httpd.conf", more=""):
        self._folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self._folder.name, "system")
        self.root.mkdir()
        os.chmod(self._folder.name, 0o755)
        for folder in ("sbin", "modules", "logs", "htdocs", "conf", *({"drop-in": ["conf.modules.d"], "debian": ["mods-available", "mods-enabled"]}.get(layout, []))):
            (self.root / folder).mkdir()
        for module in pathlib.Path(MODULES).glob("mod_*.so"):
            if module.name != "mod_python.so":
                (self.root / "modules" / module.name).symlink_to(module)
        if layout == "debian":
            name = "apache2.conf"
        self.conf = self.root / name
        self.program = self.root / "sbin/httpd"
        self.program.write_text(_PROGRAM.format(httpd=HTTPD, root=self.root, name=name))
        self.program.chmod(0o755)
        include = {"drop-in": "IncludeOptional conf.modules.d/*.conf\n", "debian": "IncludeOptional mods-enabled/*.load\n"}.get(layout, "")
        builtin = _installation.builtin_modules()
        loads = "".join(f"LoadModule {name}_module modules/mod_{name}.so\n" for name in _LOADED if name not in builtin and (self.root / f"modules/mod_{name}.so").exists())
        self.conf.write_text(
            f"# The configuration of a system\n{loads}{include}ServerName system.test\nListen 127.0.0.1:8079\nPidFile logs/httpd.pid\n"
            f"ErrorLog logs/error_log\nDefaultRuntimeDir logs\nDocumentRoot {self.root}/htdocs\n{more}"
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def environ(self, **more):
        """Where the programs of the distribution find this one."""
        path = f"{more.pop('before', '')}:{os.environ['PATH']}:/usr/sbin".lstrip(":")
        environ = {name: value for name, value in os.environ.items() if name not in ("MOD_PYTHON_SO", "MOD_PYTHON_HTTPD", "APXS", "VIRTUAL_ENV")}
        return {**environ, "PATH": path, "APACHE_STATE_DIRECTORY": str(self.root / "state"), "PYTHONDONTWRITEBYTECODE": "1", **more}

    def command(self, *arguments, library=REPOSITORY, httpd=True, env=(), python=sys.executable, **more):
        """The command, run to its end."""
        line = [python, "-I", str(library / "apxs/lib/command.py"), f"mod_python {arguments[0]}", *map(str, arguments)]
        if httpd:
            line += ["--httpd", str(self.program)]
        return subprocess.run(line, env=self.environ(**dict(env)), cwd=self.root, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, **more)

    def files(self):
        """All that is in it, with its text or target."""
        found = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = pathlib.Path(folder, name)
                if path.suffix != ".so" or not path.is_symlink():
                    found[str(path.relative_to(self.root))] = os.readlink(path) if path.is_symlink() else path.read_bytes()
        return {name: what for name, what in found.items() if not name.startswith("logs/")}


def fake_program(folder, name, text):
    """A program of the distribution's that answers with a text."""
    path = pathlib.Path(folder, name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path.parent)


def has_a2enmod():
    """Whether this is Debian, or like it."""
    return shutil.which("a2enmod", path=f"{os.environ['PATH']}:/usr/sbin") is not None
