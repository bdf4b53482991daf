"""Packages that tests need and the library does not: those of this Python, else from PyPI, in a folder of this process."""

import atexit
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

_PREFIX = "mod_python-packages-"
_folder = None
_failed = {}


def has(*packages):
    """Whether the packages can be imported: (name to import, name on PyPI) each. They are fetched if this Python has them not."""
    missing = [wanted for name, wanted in packages if importlib.util.find_spec(name) is None]
    if not missing:
        return True
    if tuple(missing) not in _failed:
        _failed[tuple(missing)] = _fetch(missing)
    return _failed[tuple(missing)]


def _fetch(names):
    global _folder
    if _folder is None:
        _remove_old()
        _folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
        atexit.register(_remove, _folder, os.getpid())
        if subprocess.run([sys.executable, "-m", "venv", _folder], capture_output=True, timeout=120).returncode != 0:
            return False
    python = os.path.join(_folder, "bin", "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--retries", "1", "--timeout", "60", *names]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(pip, capture_output=True, env=environ, timeout=300)
    except subprocess.TimeoutExpired:
        return False
    place = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, env=environ)
    folder = place.stdout.strip()
    if folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()
    return done.returncode == 0


def _remove_old():
    """Those of processes that were killed."""
    place = tempfile.gettempdir()
    for name in os.listdir(place):
        process = name.removeprefix(_PREFIX).partition("-")[0]
        if name.startswith(_PREFIX) and process.isdigit() and not os.path.exists(f"/proc/{process}"):
            shutil.rmtree(os.path.join(place, name), ignore_errors=True)


def _remove(folder, process):
    # Not by a process that was forked from this one
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
