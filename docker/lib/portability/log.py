"""Finds failures in httpd's error log."""

import re
import signal

from .observations import Failure

_PREFIX = re.compile(r"\[[^\]]*\] \[(?:\w*:)?(?P<level>\w+)\] \[pid (?P<pid>\d+)(?::tid (?P<tid>\d+))?\] (?:\[(?:client|remote) [^\]]*\] )?")
_MESSAGE = re.compile(r"(?P<number>MP\d{4}): (?P<text>.*)")
_RAISED = re.compile(r"\S+ '(?P<handler>[^']*)' .*? raised (?P<exception>.*)", re.DOTALL)
_FRAME = re.compile(r'\S+ \S+:   File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$')
_ENDED = re.compile(r"AH0005[012]: child pid \d+ exit signal (?P<signal>.*)")
_ENDED_ITK = re.compile(r"child died with signal (?P<number>\d+)")  # mpm_itk's words for the process of a connection
_OURS = (signal.SIGKILL, signal.SIGTERM)  # from the check, and from httpd itself
_FOREIGN = re.compile(r"^<|/lib/python3\.\d+/(?!(site|dist)-packages/)|/portability_watch/")
_FAILED = ("MP0302", "MP0303", "MP0401", "MP0402", "MP0403", "MP0102")


def failures(text: str) -> list[Failure]:
    """The failures in a part of the log, in their order."""
    found: list[dict] = []
    latest: dict[tuple, dict] = {}  # of each thread: several write their tracebacks at the same time
    for line in text.splitlines():
        prefix = _PREFIX.match(line)
        if prefix is None:
            continue
        rest = line[prefix.end() :]
        thread = (prefix["pid"], prefix["tid"])
        if ended := _ENDED.match(rest):
            if "Killed" not in ended["signal"] and "Terminated" not in ended["signal"]:
                found.append({"sentence": f"a child was ended by the signal {ended['signal']}", "crash": True})
        elif ended := _ENDED_ITK.match(rest):
            number = int(ended["number"])
            if number in signal.valid_signals() and number not in _OURS:
                found.append({"sentence": f"a child was ended by the signal {signal.strsignal(number)} ({number})", "crash": True})
        elif message := _MESSAGE.match(rest):
            latest.pop(thread, None)
            if message["number"] in _FAILED:
                raised = _RAISED.match(message["text"])
                latest[thread] = {"sentence": raised["exception"] if raised else f"{message['number']}: {message['text']}"}
                found.append(latest[thread])
        elif (frame := _FRAME.match(rest)) and thread in latest and not _FOREIGN.search(frame["file"]):
            # The last one of the application's own code is where it happened.
            failure = latest[thread]
            # A traceback begins with the application's own code: its module, while that is imported.
            if "file" not in failure and frame["function"] in (None, "<module>"):
                failure["importing"] = True
            failure["file"], failure["line"] = frame["file"], int(frame["line"])
        elif frame and thread in latest and "/mod_python/_importing" in frame["file"]:
            latest[thread]["importing"] = True
    return [Failure(**failure) for failure in found]
