"""Writes down facts about a request: what each line of a script, by the request's name, comes to."""

import os

import _apache
from mod_python import apache


def scripts():
    """The scripts of the files of requests, by name: the lines that are neither the request's headers nor its body."""
    found = {}
    folder = os.path.dirname(os.path.abspath(__file__))
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".requests"):
            continue
        with open(os.path.join(folder, file), encoding="utf-8") as lines:
            for line in lines.read().splitlines():
                if line.startswith("@"):
                    script = found[line[1:].partition(" ")[0]] = []
                elif line and line[0] not in "#><":
                    script.append(line)
    return found


SCRIPTS = scripts()


def outcome(call):
    """What a call gives, or the class of what it raises: messages are for people, and differ."""
    try:
        return repr(call())
    except apache.SERVER_RETURN as error:
        return "raises SERVER_RETURN%r" % (error.args,)
    except Exception as error:
        return "raises %s" % type(error).__name__


def assigns(target, name, *values):
    """What can be read after each assignment, or what that raises; then it is as it was. Deleting crashes mod_python 3.5."""
    before = getattr(target, name)
    found = []
    for value in values:
        found.append(outcome(lambda: setattr(target, name, value) or getattr(target, name)))
    try:
        setattr(target, name, before)
    except Exception:
        pass
    return found


def public(value):
    """The names of an object that do not begin with two underscores."""
    return [name for name in dir(value) if not name.startswith("__")]


def filled(*pairs):
    """A table with these entries."""
    table = apache.table()
    for key, value in pairs:
        table.add(key, value)
    return table


def run(line, namespace):
    try:
        code = compile(line, "<script>", "eval")
    except SyntaxError:
        exec(compile(line, "<script>", "exec"), namespace)
        return None
    return eval(code, namespace)


def tell(req, name, more=None):
    """Runs a script and writes what came of it; gives what the handler is to return. It finds more in its namespace."""
    namespace = {"req": req, "apache": apache, "_apache": _apache, "os": os, "assigns": assigns, "public": public, "filled": filled}
    namespace.update(more or {})
    facts, seen, result = [], {}, apache.OK
    for line in SCRIPTS[name]:
        if line.startswith("return "):
            result = eval(line[len("return "):], namespace)
            break
        seen[line] = seen.get(line, 0) + 1
        key = line if seen[line] == 1 else "%s #%d" % (line, seen[line])
        facts.append("%s ==> %s\n" % (key, outcome(lambda: run(line, namespace))))
    req.write("== facts\n" + "".join(facts))
    return result


def script_of(req):
    return req.headers_in.get("X-Script") or [part for part in req.uri.split("/") if part][1]


def handler(req):
    return tell(req, script_of(req))


def quiet(req):
    """The same, with nothing written but what the script itself writes."""
    namespace = {"req": req, "apache": apache, "os": os}
    for line in SCRIPTS[script_of(req)]:
        if line.startswith("return "):
            return eval(line[len("return "):], namespace)
        exec(compile(line, "<script>", "exec"), namespace)
    return apache.OK
