"""PythonEnablePdb: handlers under Python's debugger, on the terminal of an httpd that runs as one process."""

import bdb
import pdb

# Not sys.stdin and sys.stdout: what is printed goes to the error log.
_input = open(0, encoding="utf-8", errors="replace", closefd=False)
_output = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


class _Debugger(pdb.Pdb):
    """The debugger, which notes that it was quit."""

    given_up = False

    def set_quit(self):
        """Note it: runcall() returns as if the handler had returned."""
        self.given_up = True
        super().set_quit()


def run(handler, *arguments):
    """Call a handler under the debugger, which stops at its first line."""
    # Ctrl-C stays httpd's.
    debugger = _Debugger(stdin=_input, stdout=_output, nosigint=True)
    result = debugger.runcall(handler, *arguments)
    if debugger.given_up:
        raise bdb.BdbQuit("the handler was left in the debugger")
    return result
