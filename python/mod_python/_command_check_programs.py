"""The Python programs that httpd's configuration names: handlers, filters, applications, and where each is looked for."""

import ast
import os
import re
from dataclasses import dataclass, field

from ._command_httpd_tree import Node

# Directives with a list of handlers, and what each calls in a module unless it says
_PHASES = (
    "PostReadRequest Trans Init HeaderParser Access Authen Authz Type Fixup Log Cleanup"
).split()
_LISTS = {"pythonhandler": "handler", **{f"python{name}handler".lower(): f"{name}handler".lower() for name in _PHASES}}
# Those with one, as the first word
_SINGLE = {
    "pythonconnectionhandler": "connectionhandler",
    "pythoninputfilter": "inputfilter",
    "pythonoutputfilter": "outputfilter",
    "pythonauthbasicprovider": "check_password",
    "pythonauthdigestprovider": "get_realm_hash",
}
_SCRIPTS = ("WSGIScriptAlias", "WSGIScriptAliasMatch")
_ONE_SCRIPT = ("WSGIImportScript", "WSGIDispatchScript", "WSGIAuthUserScript", "WSGIAuthGroupScript", "WSGIAccessScript")


@dataclass
class Program:
    """A handler or an application that a line names."""

    node: Node
    text: str  # as it is written
    module: str = ""  # its dotted name
    file: str = ""  # its path, if it is named by one
    object: str = ""  # what has to be in it; "" if it may be missing
    scope: "Scope | None" = None

    @property
    def is_application(self):
        """Whether it is a WSGI application."""
        return self.node.is_named("PythonApplication", *_SCRIPTS)


@dataclass
class Scope:
    """What the place of a line in the configuration means for it."""

    where: str  # the URL or folder, and the server
    server: str  # the server's name
    interpreter: str
    venv: str  # "" for none
    folders: list = field(default_factory=list)  # where its module is looked for, before the venv
    is_computed: bool = False  # PythonPath is an expression that has more than texts in it
    is_reloading: bool = True


def programs(tree):
    """All of them, in the order of the configuration."""
    found = []
    for node in tree.all():
        for program in _of(node):
            program.scope = _scope(tree, node, program)
            found.append(program)
    return found


def _of(node):
    name, words = node.name.lower(), node.words
    if name in _LISTS:
        return [_handler(node, text, _LISTS[name]) for text in node.arguments.partition("|")[0].split()]
    if name in _SINGLE and words:
        return [_handler(node, words[0], _SINGLE[name])]
    if name == "pythonhandlermodule":
        return [_handler(node, text, "") for text in words]
    if name == "pythonimport" and words:
        module, _, function = words[0].partition("::")
        return [Program(node, words[0], module, object=function)]
    if name == "require" and words[:1] == ["python"] and words[1:]:
        return [_handler(node, words[1], "authorize")]
    if name == "pythonapplication":
        return [_application(node, words[0 if _section(node) else 1])] if len(words) > (0 if _section(node) else 1) and words[-1] != "None" else []
    if node.is_named(*_SCRIPTS) and len(words) > 1:
        return [Program(node, words[1], file=words[1], object=_scripts_object(node))]
    if node.is_named(*_ONE_SCRIPT) and words:
        return [Program(node, words[0], file=words[0])]
    return []


def _scripts_object(node):
    named = [line.words[0] for line in _lines(node, "WSGICallableObject") if line.words]
    return named[0] if named else "application"


def _handler(node, text, default):
    module, _, name = text.partition("::")
    return Program(node, text, module, object=name or default)


def _application(node, target):
    place, colon, name = target.rpartition(":")
    if not colon:
        place, name = target, "application"
    if "/" in place:
        return Program(node, target, file=place, object=name)
    return Program(node, target, place, object=name)


def _section(node):
    """The section of a directory or of URLs that a line is in; None outside of them."""
    return next((outer for outer in node.around() if outer.is_named("Directory", "DirectoryMatch", "Location", "LocationMatch", "Files", "FilesMatch")), None)


def _server(node):
    """The virtual host that a line is in; None for the main server."""
    return next((outer for outer in node.around() if outer.is_named("VirtualHost")), None)


def _lines(node, name):
    """The lines with a directive that count at this one, the nearest first: in its sections, in those of folders above, in its server, in the main one."""
    for outer in node.around():
        if outer.is_named("VirtualHost") or outer.parent is None:
            break
        yield from _direct(outer, name)
        if outer.is_named("Directory"):
            yield from _above(node, outer, name)
    for server in (_server(node), list(node.around())[-1]):
        if server is not None:
            yield from _direct(server, name)


def _direct(section, name):
    return [line for line in reversed(section.content) if line.is_named(name)]


def _above(node, directory, name):
    """In sections for the folders that a section's folder is in."""
    place = directory.words[0].rstrip("/") if directory.words else ""
    root, server, found = list(node.around())[-1], _server(node), []
    for other in root.all():
        if other is directory or not other.is_named("Directory") or not other.words or _server(other) not in (None, server):
            continue
        folder = other.words[0].rstrip("/")
        if place == folder or place.startswith(folder + "/"):
            found.append((len(folder), other))
    for _, other in sorted(found, key=lambda pair: -pair[0]):
        yield from _direct(other, name)


def _first(node, name, default=""):
    return next((line.arguments for line in _lines(node, name) if line.arguments), default)


def _is_on(node, name, default):
    return _first(node, name, default).lower() == "on"


def _scope(tree, node, program):
    section, server = _section(node), _server(node)
    name = _first(server.content[0], "ServerName") if server is not None and server.content else _first(node, "ServerName")
    name = re.sub(r"^\w+://|:\d+$", "", name) or "the server"
    where = f"{section.name} {' '.join(section.words)}" if section else f"URL {node.words[0]}" if program.is_application and node.words else "every URL"
    options = dict(word.partition("=")[::2] for word in node.words if "=" in word) if program.is_application else {}
    if node.is_named("PythonImport") and len(node.words) > 1:
        interpreter = node.words[1]
    elif node.is_named(*_SCRIPTS, *_ONE_SCRIPT):
        interpreter = "that of its groups (WSGIProcessGroup, WSGIApplicationGroup)"
    else:
        interpreter = options.get("interpreter") or _interpreter(node, section, name)
    folders, is_computed = _folders(_first(node, "PythonPath"))
    if not folders and not is_computed and section is not None and section.is_named("Directory") and not program.is_application:
        folders = [section.words[0].rstrip("/")] if section.words and section.words[0].startswith("/") else []
        is_computed = not folders  # a pattern, which many folders can fit
    return Scope(
        f"{where} of {name}", name, interpreter, _venv(tree, interpreter), [*options.get("path", "").split(":"), *folders],
        is_computed, _is_on(node, "PythonAutoReload", "On") and not node.is_named("PythonImport"),
    )  # fmt: skip


def _interpreter(node, section, server):
    named = _first(node, "PythonInterpreter").strip('"')
    if named:
        return named
    if _is_on(node, "PythonInterpPerDirectory", "Off"):
        return "one for each folder"
    if _is_on(node, "PythonInterpPerDirective", "Off") and section is not None:
        return section.words[0] if section.words else server
    return server


def _venv(tree, interpreter):
    """The virtual environment of an interpreter, that of PythonHome included."""
    general = home = None
    for node in tree.all():
        if node.is_named("PythonInterpreterOptions"):
            for word in node.words[1:]:
                if word.startswith("venv="):
                    if node.words[0] == interpreter:
                        return word[5:] if word[5:].lower() != "none" else ""
                    if node.words[0] == "*":
                        general = word[5:] if word[5:].lower() != "none" else ""
        elif node.is_named("PythonHome", "WSGIPythonHome") and node.words:
            home = node.words[0]
    if general is not None:
        return general
    return home if home and os.path.isfile(os.path.join(home, "pyvenv.cfg")) else ""


def _folders(expression):
    """The folders that the text of a PythonPath has in it, and whether it computes others. It is not evaluated."""
    text = expression.strip()
    if text[:1] == text[-1:] == '"' and len(text) > 1:
        text = re.sub(r'\\(["\\])', r"\1", text[1:-1])
    if not text:
        return [], False
    try:
        parts = list(ast.walk(ast.parse(text, mode="eval")))
    except SyntaxError:
        return [], True
    folders = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    plain = (ast.Expression, ast.List, ast.Tuple, ast.Constant, ast.BinOp, ast.Add, ast.Attribute, ast.Name, ast.Load)
    is_computed = any(not isinstance(part, plain) for part in parts) or any(isinstance(part, ast.Name) and part.id != "sys" for part in parts)
    # A text in a computation can be anything, such as a part of a path
    return [folder for folder in folders if os.path.isdir(folder)] if is_computed else folders, is_computed
