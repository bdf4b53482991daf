"""The httpd that runs with a configuration: its parent's process, and since when its children have run."""

import os
import time


class Running:
    """What the pid file leads to. ``pid`` is None if no httpd runs."""

    def __init__(self, pid_file):
        from ._command_control import _running

        self.pid = _running(pid_file) if pid_file else None
        if self.pid is not None and not os.path.exists(f"/proc/{self.pid}"):
            self.pid = None
        self.started = sorted(_started(child) for child in _children(self.pid)) if self.pid is not None else []

    def __str__(self):
        if self.pid is None:
            return "no httpd runs with this configuration."
        if not self.started:
            return f"process {self.pid}, without children."
        first = time.strftime("%H:%M:%S", time.localtime(self.started[0]))
        return f"process {self.pid}, with {len(self.started)} child{'ren' if len(self.started) > 1 else ''}, the oldest since {first}."

    def since(self, path):
        """When a file was edited, if that was after the oldest child has started; else 0."""
        try:
            edited = os.stat(path).st_mtime
        except OSError:
            return 0
        return edited if self.started and edited > self.started[0] else 0


def _stat(pid):
    """The fields of a process after its name, the state first; none if it has gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _children(parent):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _stat(name)
            if fields and fields[0] != "Z" and fields[1] == str(parent) and _name(name) == _name(parent):
                found.append(int(name))
    return found


def _name(pid):
    """What a process runs: httpd's parent has others than httpds as children too, such as rotatelogs."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _started(pid):
    """When a process was started, in seconds since the epoch."""
    fields = _stat(pid)
    with open("/proc/uptime", encoding="ascii") as file:
        booted = time.time() - float(file.read().split()[0])
    return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK") if fields else time.time()
