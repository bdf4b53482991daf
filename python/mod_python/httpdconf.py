"""httpd's configuration as Python objects: ``str()`` of one is its text in httpd.conf, ``repr()`` its text in Python.

::

    from mod_python.httpdconf import *

    print(Directory("/srv/my site", SetHandler("mod_python"), PythonHandler("hello"), PythonOption("greeting", "Good morning")))

It works outside httpd too. There is a class for each directive of httpd 2.4 and of this module; ``Directive(name, value)`` is any other.
"""

import os
import shutil
import sys

import mod_python

from . import _httpdconf_names as _names
from ._httpdconf_text import checked, is_one_word, quote, quote_if_space, with_slashes

_INDENT = "  "


class _Part:
    """A part of a configuration."""

    indent = 0  # how deep the part stands

    def _lines(self, depth):
        raise NotImplementedError

    def _code(self, depth):
        """The Python text, without the indentation of its first line."""
        raise NotImplementedError

    def __str__(self):
        return "".join(f"{line}\n" for line in self._lines(self.indent))

    def __repr__(self):
        return self._code(0)


def _parts(args, of):
    for part in args:
        if not isinstance(part, _Part):
            raise TypeError(f"what {of} has in it must be an instance of Directive, Container, ContainerTag or Comment, not {part!r}")
    return args


def _code_of_all(args, depth, last=""):
    """The lines of a call's arguments and its end."""
    inner = "    " * (depth + 1)
    return "".join(f"{inner}{part._code(depth + 1)},\n" for part in args) + (f"{inner}{last})" if last else "    " * depth + ")")


class Directive(_Part):
    """One directive. One text is the rest of its line, as in httpd.conf; a tuple of several are its words, each quoted where needed.

    With flipslash, backslashes of one text become slashes, unless a quote follows.
    """

    def __init__(self, name, val, flipslash=1):
        checked(name, "the name of a directive")
        if not name or len(name.split()) != 1 or name[0] in "<#":
            raise ValueError(f"not the name of a directive: {name!r}")
        self.name = name
        self.val = val
        self.flipslash = flipslash
        self._text()

    def _text(self):
        where = f"the value of {self.name}"
        if isinstance(self.val, (tuple, list)):
            return " ".join(quote(checked(word, where)) for word in self.val)
        text = checked(self.val, where)
        if self.flipslash:
            text = with_slashes(text)
        if self.name.lower() in _TAKE_ONE and not is_one_word(text):
            text = quote(text)
        return text

    def _lines(self, depth):
        line = f"{_INDENT * depth}{self.name} {self._text()}"
        # httpd would join the next line to one that ends with a backslash; it drops blanks at the end of a line
        yield line + " " if line.endswith("\\") else line

    def _code(self, depth):
        words = self.val if isinstance(self.val, (tuple, list)) else (self.val,)
        if type(self) is Directive:
            flips = "" if self.flipslash else ", flipslash=0"
            return f"Directive({self.name!r}, {self.val!r}{flips})"
        return f"{self.name}({', '.join(map(repr, words))})"


class _Named(Directive):
    """A directive with a class of its own."""

    _flips = 0

    def __init__(self, val, *more):
        """One value is the rest of the line, several are the words."""
        super().__init__(type(self).__name__, (val, *more) if more else val, self._flips)


class _OffUnlessSaid(_Named):
    def __init__(self, val="Off"):
        super().__init__(val)


class Container(_Part):
    """Several parts together. With only_if, an expression, they are there only if it is true when the text is made."""

    def __init__(self, *args, only_if=None):
        self.args = list(_parts(args, "a Container"))
        self.only_if = only_if

    def append(self, value):
        """Add a part at the end."""
        if not isinstance(value, _Part):
            raise TypeError("appended value must be an instance of Directive, Container, ContainerTag or Comment")
        self.args.append(value)

    def _is_wanted(self):
        if self.only_if is None:
            return True
        try:
            return eval(self.only_if, dict(globals()))
        except Exception as error:
            error.add_note(f"in only_if={self.only_if!r}")
            raise

    def _lines(self, depth):
        if self._is_wanted():
            for part in self.args:
                yield from part._lines(depth)

    def _code(self, depth):
        last = f"only_if={self.only_if!r}" if self.only_if is not None else ""
        return "Container(\n" + _code_of_all(self.args, depth, last)


class ContainerTag(_Part):
    """A section: ``<tag attr>``, its parts, ``</tag>``."""

    def __init__(self, tag, attr, args, flipslash=1):
        self.tag = checked(tag, "the name of a section")
        if not self.tag.isalnum():
            raise ValueError(f"not the name of a section: {tag!r}")
        self.attr = attr
        self.args = list(_parts(args, f"<{tag}>"))
        self.flipslash = flipslash
        self._text()

    def append(self, value):
        """Add a part at the end."""
        if not isinstance(value, _Part):
            raise TypeError("appended value must be an instance of Directive, Container, ContainerTag or Comment")
        self.args.append(value)

    def _text(self):
        kind = _SECTIONS.get(self.tag)
        if kind == "none":
            return ""
        attr = checked(self.attr, f"the argument of <{self.tag}>")
        start = ""
        if kind == "path" and attr.startswith("~ "):  # a regular expression
            start, attr = "~ ", attr[2:].lstrip()
        elif self.flipslash:
            attr = with_slashes(attr)
        if kind in ("path", "word") and not is_one_word(attr):
            attr = quote(attr)
        return f" {start}{attr}"

    def _lines(self, depth):
        yield f"{_INDENT * depth}<{self.tag}{self._text()}>"
        for part in self.args:
            yield from part._lines(depth + 1)
        yield f"{_INDENT * depth}</{self.tag}>"

    def _code(self, depth):
        if type(self) is ContainerTag:
            return f"ContainerTag({self.tag!r}, {self.attr!r}, (\n" + _code_of_all(self.args, depth) + ("" if self.flipslash else ", flipslash=0") + ")"
        first = "" if _SECTIONS[self.tag] == "none" else f"{self.attr!r},"
        return f"{self.tag}({first}\n" + _code_of_all(self.args, depth)


class _Section(ContainerTag):
    _flips = 0

    def __init__(self, attr, *args):
        """The argument of the section, and its parts."""
        super().__init__(type(self).__name__, attr, args, self._flips)


class _SectionWithoutArgument(ContainerTag):
    def __init__(self, *args):
        """The parts of the section."""
        super().__init__(type(self).__name__, None, args, 0)


class Comment(_Part):
    """A comment of one line or several."""

    def __init__(self, comment):
        if "\0" in comment:
            raise ValueError("a null character in a comment")
        self.comment = comment

    def _own_lines(self):
        if not self.comment:
            return []
        lines = self.comment.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return lines[:-1] if len(lines) > 1 and not lines[-1] else lines

    def _lines(self, depth):
        for line in self._own_lines():
            # A comment that ends with a backslash would go on in the next line
            yield f"{_INDENT * depth}# {line}" + (" " if line.endswith("\\") else "")

    def _code(self, depth):
        between = "\n" + "    " * depth + "        "
        return "Comment(" + (between.join(repr(line + "\n") for line in self._own_lines()) or "''") + ")"


# What kind of argument a section has: a path or, behind "~ ", a regular expression; one word; words; none
_SECTIONS = {
    "Directory": "path",
    "Files": "path",
    "Location": "path",
    "DirectoryMatch": "word",
    "FilesMatch": "word",
    "LocationMatch": "word",
    "If": "word",
    "ElseIf": "word",
    "Else": "none",
    "IfDefine": "word",
    "IfDirective": "word",
    "IfFile": "word",
    "IfModule": "word",
    "IfSection": "word",
    "IfVersion": "words",
    "Limit": "words",
    "LimitExcept": "words",
    "Macro": "words",
    "MDomainSet": "words",
    "Proxy": "word",
    "ProxyMatch": "word",
    "RequireAll": "none",
    "RequireAny": "none",
    "RequireNone": "none",
    "AuthnProviderAlias": "words",
    "AuthzProviderAlias": "words",
    "VirtualHost": "words",
}

# Those of mod_python 3.5, in which a path may be given with backslashes
_FLIP_SECTIONS = {"Directory", "Files", "IfModule", "Location", "VirtualHost"}
_FLIP = set(
    "AddHandler AddOutputFilter AddType CustomLog DirectoryIndex DocumentRoot ErrorLog LoadModule LockFile Mutex PidFile ServerPath "
    "ServerRoot TypesConfig".split()
)

_TAKE_ONE = {name.lower() for name in (_names.ONE + _names.OWN_ONE).split()}


def _make_classes():
    made = {}
    for name in (_names.ONE + _names.LINE + _names.OWN_ONE + _names.OWN_LINE).split():
        base = _OffUnlessSaid if name in ("PythonInterpPerDirectory", "PythonInterpPerDirective") else _Named
        made[name] = type(name, (base,), {"__module__": __name__, "_flips": int(name in _FLIP)})
    for name, kind in _SECTIONS.items():
        base = _SectionWithoutArgument if kind == "none" else _Section
        made[name] = type(name, (base,), {"__module__": __name__, "_flips": int(name in _FLIP_SECTIONS)})
    return made


_classes = _make_classes()
globals().update(_classes)


def write_basic_config(
    server_root,
    listen="0.0.0.0:8888",
    conf="conf",
    logs="logs",
    htdocs="public",
    pythonhandler="mod_python.publisher",
    pythonpath=[],
    pythonoptions=[],
    mp_comments=[],
    conf_name="httpd_conf.py",
    createdirs=True,
    replace_config=False,
    module=None,
):
    """Write a Python file that prints a whole configuration for httpd 2.4; its path, or None if it is there already.

    The folders conf, logs and htdocs are below server_root, unless they are absolute. module is the path of mod_python.so, if it is not
    in httpd's folder of modules.
    """
    from ._httpdconf_basic import write

    return write(
        server_root, listen, conf, logs, htdocs, pythonhandler, pythonpath, pythonoptions, mp_comments, conf_name, createdirs, replace_config, module
    )


__all__ = [
    *("Directive", "Container", "ContainerTag", "Comment", "quote", "quote_if_space", "write_basic_config"),
    *("mod_python", "os", "shutil", "sys"),  # expressions of only_if have them, and so do files that import all
    *_classes,
]
