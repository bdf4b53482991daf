#!/usr/bin/env python3
"""Prints the manual page of the command mod_python, made of the command's own parser:

    python3 python/man/generate.py > python/man/mod_python.1

python/tests/test_manual_page.py holds the page to it.
"""

import argparse
import itertools
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from mod_python import _command, version

ENVIRONMENT = (
    ("MOD_PYTHON_SO", "the module mod_python.so; --module comes before it"),
    ("MOD_PYTHON_HTTPD", "httpd's program, if it is not the one in the path"),
    ("MOD_PYTHON_LIBEXECDIR", "the folder of httpd's modules"),
    ("VIRTUAL_ENV", "the active virtual environment, whose packages 'serve' and 'setup-server' use"),
)
STATUS = (
    ("0", "It went well; for 'serve': it ended by Ctrl-C or a signal to stop."),
    ("1", "The command failed; what it says names the cause and what to do."),
    ("2", "The command line is wrong."),
)


def page():
    """The page, as roff."""
    parser = _command.parser()
    subcommands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    lines = [
        '.\\" Made by python/man/generate.py of the command\'s own options; do not edit.',
        f'.TH MOD_PYTHON 1 "" "mod_python {version.version}" "User Commands"',
        ".SH NAME",
        "mod_python \\- serve Python applications by Apache httpd, and control that httpd",
        ".SH SYNOPSIS",
        ".B mod_python",
        ".I COMMAND",
        "[options]",
        ".br",
        ".B python3 \\-m mod_python",
        ".I COMMAND",
        "[options]",
        ".SH DESCRIPTION",
        "Serves an application, writes the configuration of an httpd that runs Python, and starts and stops it.",
        ".B mod_python",
        ".I COMMAND",
        ".B \\-\\-help",
        "explains a command.",
        ".SH COMMANDS",
    ]
    for name, sub in subcommands.choices.items():
        lines += subcommand(name, sub)
    lines += [".SH ENVIRONMENT"]
    for name, what in ENVIRONMENT:
        lines += [".TP", f".B {escaped(name)}", escaped(what) + "."]
    lines += [".SH EXIT STATUS"]
    for number, what in STATUS:
        lines += [".TP", f".B {number}", escaped(what)]
    lines += [".PP", "The commands start, stop and restart become httpd, whose exit status is theirs then."]
    lines += [".SH SEE ALSO", ".BR apache2 (8),", ".BR apache2ctl (8),", ".BR apxs (1)"]
    return "\n".join(lines) + "\n"


def subcommand(name, sub):
    """A command: what it does, its arguments, and the words behind them."""
    shown = [action for action in sub._actions if action.help is not argparse.SUPPRESS and not isinstance(action, argparse._HelpAction)]
    usage = [f".B mod_python {escaped(name)}"]
    for action in shown:
        usage += synopsis(action)
    lines = [f".SS {escaped(name)}", *usage, ".PP", escaped(sub.description)]
    for action in shown:
        lines += [".TP", described(action), escaped(action.help % vars(action) if "%" in action.help else action.help) + "."]
    if sub.epilog:
        lines += epilog(sub.epilog)
    return lines


def synopsis(action):
    """A word of the line that shows how the command is written."""
    if not action.option_strings:
        word = escaped(action.metavar)
        return [f".RI [ {word} ]" if action.nargs == "?" else f".I {word}"]
    option = escaped(action.option_strings[0])
    return [f".RB [ {option} ]"] if action.nargs == 0 else [f'.RB [ "{option} " \\fI{escaped(action.metavar)}\\fR ]']


def described(action):
    """The head of a paragraph about an argument."""
    if not action.option_strings:
        return f".I {escaped(action.metavar)}"
    options = ", ".join(f"\\fB{escaped(option)}\\fR" for option in action.option_strings)
    return options if action.nargs == 0 else f"{options} \\fI{escaped(action.metavar)}\\fR"


def epilog(text):
    """Paragraphs; lines that are indented are a list of words, or keep their form."""
    lines = []
    for paragraph in text.strip().split("\n\n"):
        lines.append(".PP")
        for is_indented, rows in itertools.groupby(paragraph.splitlines(), key=lambda row: row.startswith(" ")):
            lines += indented(list(rows)) if is_indented else map(escaped, rows)
    return lines


def indented(rows):
    """Rows of a word and what it means, each with what its next lines have; else the rows as they stand."""
    pairs = []
    for row in rows:
        found = re.fullmatch(r" +(\S.*?)\s{2,}(\S.*)", row)
        if found:
            pairs.append([found[1], found[2]])
        elif pairs and row.startswith(" " * 20):
            pairs[-1][1] += " " + row.strip()
        else:
            return [".nf", *map(escaped, rows), ".fi"]
    lines = []
    for word, meaning in pairs:
        lines += [".TP", f".I {escaped(word)}", escaped(meaning)]
    return [*lines, ".PP"]


def escaped(text):
    """Text that roff shows as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return "\\&" + text if text[:1] in (".", "'") else text


if __name__ == "__main__":
    sys.stdout.write(page())
