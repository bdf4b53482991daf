"""Whether the files of programs load: found as Python would find them, and compiled by the Python that runs them. Nothing of them is run."""

import ast
import json
import os
import subprocess
import sys
from importlib.machinery import PathFinder

from ._command_serve_app import defines
from ._installation import _found

_LIMIT = 500  # files that are looked at for one program

_COMPILE = """
import json, sys
faults = {}
for path in json.load(sys.stdin):
    try:
        with open(path, "rb") as file:
            compile(file.read(), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        faults[path] = f"{type(error).__name__}: {getattr(error, 'msg', error)}" + (f", line {line}" if line else "")
    except OSError as error:
        faults[path] = f"cannot be read: {error.strerror}"
json.dump(faults, sys.stdout)
"""


def find(module, folders):
    """The file of a module in these folders: its path; None if it is not there, "" if it is no Python source. Packages are not run."""
    search, spec = folders, None
    for part in module.split("."):
        spec = PathFinder.find_spec(part, search) if search is not None and part else None
        if spec is None:
            return None
        search = list(spec.submodule_search_locations) if spec.submodule_search_locations is not None else None
    return spec.origin if spec.has_location and spec.origin and spec.origin.endswith((".py", ".wsgi")) else ""


def packages_of(venv, version):
    """The folder of a virtual environment's packages."""
    return os.path.join(venv, "lib", f"python{version}", "site-packages")


def python_for(venv, version):
    """A Python of that version, X.Y, to compile with; None if there is none here."""
    own = "{}.{}".format(*sys.version_info[:2])
    candidates = [os.path.join(venv, "bin", "python")] if venv else []
    if not version or version == own:
        candidates.append(sys.executable)
    candidates.append(_found(f"python{version}") or "")
    return next((program for program in candidates if program and os.access(program, os.X_OK)), None)


def faults(python, paths):
    """What keeps these files from being compiled by that Python: {path: why}."""
    if not paths:
        return {}
    done = subprocess.run([python, "-I", "-S", "-c", _COMPILE], input=json.dumps(sorted(paths)), capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout) if done.returncode == 0 else {path: f"{python} could not look at it: {done.stderr.strip()[-200:]}" for path in paths}


def with_imports(path, folders):
    """A file and those of the same folders that it imports, as far as that can be read."""
    known, waiting = [path], [path]
    while waiting and len(known) < _LIMIT:
        for name in _imported(waiting.pop()):
            found = find(name, folders)
            if found and found not in known:
                known.append(found)
                waiting.append(found)
    return known


def _imported(path):
    try:
        with open(path, "rb") as file:
            nodes = list(ast.walk(ast.parse(file.read())))
    except (OSError, SyntaxError, ValueError):
        return []
    names = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def has_object(path, name):
    """Whether a file seems to define a name; one that makes its names in other ways is believed."""
    if defines(path, name):
        return True
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    return "import *" in text or "globals()" in text or "__getattr__" in text or f" {name} =" in text or f", {name}" in text
