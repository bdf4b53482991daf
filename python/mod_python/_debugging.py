"""PythonEnablePdb: handlers under Python's debugger, on the terminal of an httpd that runs as one process."""

import pdb

# Not sys.stdin and sys.stdout: what is printed goes to the error log.
_input = open(0, encoding="utf-8", errors="replace", closefd=False)
_output = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def run(handler, *arguments):
    """Call a handler under the debugger, which stops at its first line."""
    # Ctrl-C stays httpd's.
    debugger = pdb.Pdb(stdin=_input, stdout=_output, nosigint=True)
    return debugger.runcall(handler, *arguments)
