"""Where a site uses mod_python: the lines that httpd would not understand without the module."""

import os
import re

# Files of folders that are looked through for .htaccess files
_LIMIT = 200_000
_OURS = re.compile(r"^(python|wsgi)[a-z]+$", re.I)
_HANDLERS = ("sethandler", "addhandler")
_FILTERS = ("setinputfilter", "setoutputfilter", "addinputfilter", "addoutputfilter")


def uses(tree, is_ours):
    """The lines (place, text) of the configuration, and of the .htaccess files of its folders; is_ours: the place of a line of the installation."""
    found = []
    names = {node.words[1].lower() for node in tree.all() if node.is_named("PythonInputFilter", "PythonOutputFilter") and len(node.words) > 1}
    for node in tree.all():
        if _is_use(node.name, node.words, names) and not is_ours(node.file, node.line):
            found.append((node.place, f"{node.name} {node.arguments}".strip()))
    for place, line in access_lines(tree):
        words = line.split()
        if _is_use(words[0], words[1:], names):
            found.append((place, line))
    return found


def access_lines(tree):
    """The lines (place, text) of the .htaccess files below the folders of the configuration."""
    for path in _access_files(tree):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield f"{path}:{number}", line.strip()
        except OSError:
            continue


def _is_use(name, words, filters):
    name, first = name.lower(), words[0].strip('"').lower() if words else ""
    if _OURS.match(name):
        return True
    if name in _HANDLERS:
        return first in ("mod_python", "python-program", "wsgi-script")
    if name in ("authbasicprovider", "authdigestprovider"):
        return "python" in (word.lower() for word in words)
    if name == "require":
        return first == "python"
    return name in _FILTERS and any(part in filters for part in first.split(";"))


def _access_files(tree):
    """The .htaccess files below the folders of the configuration."""
    name, folders = ".htaccess", []
    for node in tree.all():
        if node.is_named("AccessFileName") and node.words:
            name = node.words[0]
        elif node.is_named("DocumentRoot", "Directory") and node.words and os.path.isabs(node.words[0]):
            folders.append(os.path.realpath(node.words[0]))
    seen = 0
    # The one for / is there to close everything
    for folder in sorted(set(folders) - {"/", "/usr/share"}):
        if any(folder.startswith(other + "/") for other in folders if other not in ("/", "/usr/share")):
            continue
        for place, _, files in os.walk(folder):
            seen += len(files)
            if name in files:
                yield os.path.join(place, name)
            if seen > _LIMIT:
                return
