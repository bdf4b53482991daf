#!/usr/bin/env python3
"""Writes docs/coverage.md: for every name that there is, the tests that use it. Names without a test are listed as such.

The names are those of the stubs, which a test compares with the module. Which test uses a name is read out of the tests' sources.
"""

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[4]
MOST = 3  # tests for a name

# What a program calls an object of a class, before the dot; where nothing else says whose attribute it is.
OBJECTS = {
    "mp_request": r"req(?:\.(?:main|prev|next))?|request",
    "mp_server": r"server|main_server|base_server|s",
    "mp_conn": r"conn|connection|c",
    "mp_table": r"table|t|headers_in|headers_out|err_headers_out|notes|subprocess_env|get_options\(\)|get_config\(\)|options|env",
    "mp_finfo": r"finfo|info|f|found",
    "mp_hlist": r"hlist",
    "mp_filter": r"filter|flt|f",
    "apache": r"apache",
    "_apache": r"_apache|apache",
}
# Where a class's own tests are.
HOMES = {
    "mp_request": ["request_", "response", "handlers", "phases"],
    "mp_server": ["server_connection"],
    "mp_conn": ["connection", "server_connection"],
    "mp_table": ["suite/table.rs", "request_tables"],
    "mp_finfo": ["finfo"],
    "mp_hlist": ["hlist"],
    "mp_filter": ["filter"],
    "apache": ["apache_module", "reload"],
    "_apache": ["apache_module", "mutexes", "request_body", "response"],
    "directive": ["directives", "phases", "providers", "filter", "connection"],
    "optional": ["exports"],
    "tag": ["includes"],
}
# Modules of the library: their public names, and the methods of their classes.
LIBRARY = ["Cookie", "Session", "cache", "cgihandler", "httpdconf", "psp", "publisher", "testhandler", "util"]

# How the operators of a table and of a finfo look.
OPERATORS = {
    "__contains__": r" in \w", "__delitem__": r"\bdel \w+\[", "__eq__": r"==", "__getitem__": r"\w\[", "__iter__": r"\bfor \w+ in \w+\b|iter\(",
    "__len__": r"\blen\(", "__next__": r"\bfor \w+ in req\b|next\(req", "__setitem__": r"\w\[[^\]]+\] = ", "__init__": r"\btable\(",
}


class Test:
    def __init__(self, file, name, body, around):
        self.id = f"{file}::{name}"
        self.body, self.text = body, body + around


def tests():
    """Every test of tests/: its body, and what stands around it in its file."""
    found = []
    for path in sorted((ROOT / "tests").rglob("*.rs")):
        if {"fixture", "coverage"} & set(path.relative_to(ROOT).parts):
            continue
        file, text = str(path.relative_to(ROOT)), path.read_text()
        if file == "tests/suite/documents/examples/mod.rs":
            for name, page in re.findall(r'^    (\w+): "([\w./-]+)",$', text, re.MULTILINE):
                blocks = re.findall(r"^```(?:python|html|psp|apache)\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)
                found.append(Test(file, name, "".join(blocks), ""))
            continue
        plain = r"^#\[test\]\n(?:#\[[^\n]*\n)*fn (\w+)\(()\) \{\n(.*?)^\}$"
        each = r"^ {4}fn (\w+)\((mpm)\) \{\n(.*?)^ {4}\}$"
        bodies = [(name, body) for pattern in (plain, each) for name, _, body in re.findall(pattern, text, re.MULTILINE | re.DOTALL)]
        around = text
        for _, body in bodies:
            around = around.replace(body, "")
        folder = path.parent if path.name == "mod.rs" else path.with_suffix("")
        around += "".join(other.read_text() for other in sorted(folder.glob("*")) if other.is_file() and other.suffix != ".rs")
        found.extend(Test(file, name, body, around) for name, body in bodies)
    return found


def names():
    """Groups of (heading, kind, names)."""
    tables = "".join((ROOT / "src/config" / name).read_text() for name in ("directives.rs", "flags.rs", "phase.rs"))
    directives = re.findall(r'"(Python\w+)"', tables)
    groups = [("Directives", "directive", sorted({*directives, "Require python"}))]
    stubs = {name: ast.parse((ROOT / "python" / path).read_text()).body for name, path in (("_apache", "_apache.pyi"), ("apache", "mod_python/apache.pyi"))}
    constants, functions = [], []
    for node in stubs["apache"]:
        if isinstance(node, ast.AnnAssign):
            (constants if node.value is not None else functions).append(node.target.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            functions.append(node.name)
        elif isinstance(node, ast.Assign):
            functions.append(node.targets[0].id)
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                if name.asname:
                    (constants if re.match("AP_|APR_|MODULE_", name.name) else functions).append(name.name)
    groups.append(("The module apache", "apache", sorted({*functions})))
    groups.append(("Constants of apache", "constant", sorted(constants)))
    own = []
    for node in stubs["_apache"]:
        if isinstance(node, ast.FunctionDef):
            if not node.name.startswith("_") or node.name.startswith("_global_"):  # the others are the library's own
                own.append(node.name)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith(("mp_", "_")):
            own.append(node.name)
        elif isinstance(node, ast.AnnAssign) and not node.target.id.startswith("_"):
            own.append(node.target.id)
        elif isinstance(node, ast.Assign) and not node.targets[0].id.startswith("_"):
            own.append(node.targets[0].id)
    groups.append(("The module _apache", "_apache", sorted({*own})))
    for node in stubs["_apache"]:
        if isinstance(node, ast.ClassDef) and node.name.startswith("mp_"):
            members = {part.name if isinstance(part, ast.FunctionDef) else part.target.id for part in node.body if isinstance(part, (ast.FunctionDef, ast.AnnAssign))}
            groups.append((node.name, node.name, sorted(members - {"__hash__", "__getattr__", "__setattr__"})))
    for module in LIBRARY:
        groups.extend(library_names(module))
    header = (ROOT / "include/mod_python.h").read_text()
    groups.append(("Optional functions", "optional", re.findall(r"APR_DECLARE_OPTIONAL_FN\([^,]+, (\w+)", header)))
    groups.append(("Tags of mod_include", "tag", ["eval", "exec"]))
    return groups


def is_of_directive(node):
    """Whether it is one of httpdconf's many classes, one for each directive and section."""
    return isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id.startswith(("_Named", "_Off", "_Section")) for base in node.bases)


def library_names(module):
    """The groups of a module: its names, and the methods of each of its classes."""
    heading, body = f"mod_python.{module}", ast.parse((ROOT / f"python/mod_python/{module}.pyi").read_text()).body
    named = [node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not is_of_directive(node)]
    named = [node for node in named if not node.name.startswith("_")]
    names = {node.name for node in named} | {node.target.id for node in body if isinstance(node, ast.AnnAssign)}
    # What a module takes from another one and has as its own: from _apache import parse_qs as parse_qs
    names |= {name.asname for node in body if isinstance(node, ast.ImportFrom) for name in node.names if name.asname}
    yield heading, heading, sorted(name for name in names if not name.startswith("_"))
    for node in named:
        if isinstance(node, ast.ClassDef):
            functions = [part for part in node.body if isinstance(part, ast.FunctionDef) and not part.name.startswith("_")]
            kinds = {part.name: {ast.unparse(kind).split(".")[-1] for kind in part.decorator_list} for part in functions}
            methods = sorted(name for name, kind in kinds.items() if not kind & {"classmethod", "property", "setter", "staticmethod"})
            if methods:
                yield f"{heading}.{node.name}", heading, methods


def score(test, kind, name):
    """How well a test covers a name: 0 for not at all."""
    if kind.startswith("mod_python."):
        module = kind.removeprefix("mod_python.")
        at_home = f"library/{module.lower()}.rs" in test.id or f"library_{module.lower()}" in test.id
        used = re.search(rf"\b{re.escape(name)}\b", test.body)
        return 4 if used and at_home else 2 if used and f"{module}." in test.body else 0
    word = rf"\b{re.escape(name)}\b"
    if kind == "constant":
        split = [(name[:end], name[end:]) for end in range(len(name)) if name[end - 1 : end] == "_"]
        listed = any(f"{prefix}:" in test.text and re.search(rf"[ ,]{rest} ", test.text) for prefix, rest in split)
        return 3 if listed and "constants" in test.id else 2 if re.search(word, test.body) else 0
    if kind in ("directive", "optional"):
        return 4 if re.search(word, test.body) else 2 if re.search(word, test.text) else 0
    if kind == "tag":
        return 4 if f'{name}=\\"' in test.body or f'#python {name}="' in test.body else 0
    if name in OPERATORS:
        return 2 if re.search(OPERATORS[name], test.body) and any(home in test.id for home in HOMES[kind]) else 0
    dotted = rf"\b(?:{OBJECTS[kind]})\.{re.escape(name)}\b"
    listed = rf"""["'`]{re.escape(name)}["'`]|^ +(?:\w+ )*{re.escape(name)}(?: \w+)*\s*$"""
    at_home = any(home in test.id for home in HOMES[kind])
    if re.search(dotted, test.body):
        return 5 if at_home else 3
    if re.search(dotted, test.text):
        return 3 if at_home else 2
    if at_home and re.search(rf"\.{re.escape(name)}\b", test.body) and not kind.endswith("apache"):
        return 3
    if at_home and re.search(listed, test.text, re.MULTILINE):
        return 2
    return 1 if at_home and re.search(word, test.body) else 0


def table(heading, kind, names, all_tests, missing):
    rows = {}
    for name in names:
        ranked = sorted(((score(test, kind, name), test) for test in all_tests), key=lambda pair: (-pair[0], len(pair[1].text)))
        best = [test.id for points, test in ranked if points and points >= ranked[0][0] - 1][: 1 if kind == "constant" else MOST]
        if not best:
            missing.append(f"{kind}: {name}")
            continue
        key = tuple(best) if kind == "constant" else name
        rows.setdefault(key, ([], best))[0].append(name)
    yield f"## {heading}\n"
    yield "| name | tests |\n|---|---|"
    for shown, best in rows.values():
        yield f"| {', '.join(f'`{name}`' for name in shown)} | {', '.join(f'`{test}`' for test in best)} |"
    yield ""


HEAD = """# Coverage

Every directive, function, constant, member and method, with tests that use it. A test makes sure that nothing is missing here, that everything here is
there in the module, and that the tests exist and name it; `tests/suite/documents/coverage/generate.py` writes this page anew.
"""


def main():
    all_tests, missing = tests(), []
    lines = [HEAD]
    for heading, kind, group in names():
        lines.extend(table(heading, kind, group, all_tests, missing))
    (ROOT / "docs/coverage.md").write_text("\n".join(lines).rstrip() + "\n")
    if missing:
        sys.exit("without a test:\n    " + "\n    ".join(missing))


if __name__ == "__main__":
    main()
