"""The command ``mod_python``. Each subcommand has a file of its own, ``_command_….py``, with add_arguments(parser) and run(options)."""

import argparse
import importlib
import os
import sys

# The subcommands in the order in which the help lists them: name, file, what it does
COMMANDS = (
    ("serve", "_command_serve", "serve an application from a private httpd, in the foreground, until Ctrl-C"),
    ("setup-server", "_command_setup_server", "write an httpd for production: its configuration, and a script that controls it"),
    ("install", "_command_install", "install the module of this package into the httpd of the system, or take it out"),
    ("check", "_command_check", "look whether what httpd's configuration has for Python is right"),
    ("module-config", "_command_module_config", "print the lines for httpd.conf that load the module of this package"),
    ("create", "_command_create", "create the folder of a private httpd, with its configuration"),
    ("start", "_command_control", "start an httpd"),
    ("stop", "_command_control", "stop an httpd, when its requests have ended"),
    ("restart", "_command_control", "have an httpd read its configuration again, without losing a request"),
    ("genconfig", "_command_genconfig", "print the httpd.conf that a Python file makes"),
    ("version", "_command_version", "show the versions of mod_python, Python and httpd"),
)


class CommandError(Exception):
    """What went wrong and what to do, for the user."""


class UsageError(Exception):
    """A command line that makes no sense, in a sentence."""


class _Parser(argparse.ArgumentParser):
    """Says with each error where the help is."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {message} (see '{self.prog} --help')\n")


def _parsed(arguments, called):
    """The command line; what is left over is an error of the command, not of the program."""
    options, left = parser(called).parse_known_args(arguments)
    if left:
        if left[0].startswith("-") or not getattr(options, "app", None):
            options.parser.error(f"unrecognized arguments: {' '.join(left)}")
        options.parser.error(f"one APP at a time: '{options.app}' is one already, and '{left[0]}' is left over")
    return options


def parser(called=None):
    """The parser of the command line. called: the command as the user knows it, if another program runs this one."""
    made = _Parser(
        prog="mod_python",
        description="Creates and controls an httpd that runs Python. 'mod_python COMMAND --help' explains a command.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, file, does in COMMANDS:
        part = importlib.import_module(f".{file}", __package__)
        sub = commands.add_parser(
            name,
            help=does,
            description=does[0].upper() + does[1:] + ".",
            epilog=getattr(part, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        part.add_arguments(sub)
        sub.set_defaults(run=part.run, parser=sub)
        if called:
            sub.prog = called
    return made


def main(arguments=None, called=None):
    """Run the command; its exit status: 0, 1 if it failed, 2 if the command line is wrong.

    called is the command as the user knows it, if another program runs this one.
    """
    options = _parsed(arguments, called)
    options.called = called or f"mod_python {options.command}"
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(f"{options.called}: {error}\nTry '{options.called} --help'.", file=sys.stderr)
        return 2
    except CommandError as error:
        print(f"{options.called}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever reads has had enough; Python's own flush at its end must not fail on it again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f": {error.filename}" if error.filename is not None else ""
        print(f"{options.called}: {error.strerror or error}{where}", file=sys.stderr)
        return 1
