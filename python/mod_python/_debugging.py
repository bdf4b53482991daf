"""PythonEnablePdb: handlers under Python's debugger, on the terminal of an httpd that runs as one process."""

import pdb


def run(handler, *arguments):
    """Call a handler under the debugger, which stops at its first line."""
    return pdb.Pdb().runcall(handler, *arguments)
