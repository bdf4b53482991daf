"""``mod_python genconfig FILE``: the httpd.conf that a Python file prints."""

import io
import os
import runpy
import sys
from contextlib import redirect_stdout

from ._command import CommandError

EPILOG = """\
The file uses mod_python.httpdconf and prints the configuration:

    mod_python genconfig conf/httpd_conf.py > conf/httpd.conf
"""


def add_arguments(parser):
    """The arguments of the command line."""
    parser.add_argument("file", metavar="FILE", help="the Python file, as 'mod_python create' writes it")


def run(options):
    """Print it, if the file runs to its end."""
    sys.stdout.write(generated(options.file))
    return 0


def generated(file):
    """What the file prints."""
    if not os.path.isfile(file):
        raise CommandError(f"there is no file {file}")
    out = io.StringIO()
    try:
        with redirect_stdout(out):
            runpy.run_path(file, run_name="__main__")
    except SystemExit as error:
        if error.code:
            raise CommandError(f"{file} has exited with {error.code!r}") from error
    except OSError as error:
        if error.filename == file:
            raise
        _show(error, file)
    except Exception as error:
        _show(error, file)
    if not out.getvalue():
        raise CommandError(f"{file} has printed nothing: its last line should be print(config)")
    return out.getvalue()


def _show(error, file):
    """The traceback from the file's own code on."""
    import traceback

    lines = traceback.TracebackException.from_exception(error)
    own = [number for number, frame in enumerate(lines.stack) if frame.filename == file]
    if own:
        del lines.stack[: own[0]]
    elif isinstance(error, SyntaxError):
        lines.stack.clear()
    sys.stderr.write("".join(lines.format()))
    raise CommandError(f"{file} failed, so there is no configuration: correct what the traceback shows") from error
