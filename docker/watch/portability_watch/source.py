"""Where a module's source changes one of its globals, or calls a function."""

import ast
import linecache

_MUTATORS = frozenset(
    "add append appendleft clear discard extend extendleft insert pop popitem popleft remove reverse setdefault sort update".split()
)
_trees = {}


def where_changed(file: str, name: str) -> int | None:
    """The line where a function changes this global, or else where the module makes it."""
    tree, name = _tree(file), name.partition(".")[0].partition("(")[0]
    if tree is None:
        return None
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            declared = any(isinstance(node, ast.Global) and name in node.names for node in ast.walk(function))
            lines = [node.lineno for node in ast.walk(function) if _changes(node, name, declared)]
            if lines:
                return min(lines)
    return next((node.lineno for node in tree.body if _changes(node, name, True) or getattr(node, "name", None) == name), None)


def where_called(file: str, name: str) -> int | None:
    """The first line that calls a function or method of this name."""
    tree = _tree(file)
    lines = [
        node.lineno
        for node in ast.walk(tree or ast.Module([], []))
        if isinstance(node, ast.Call) and name in (getattr(node.func, "attr", None), getattr(node.func, "id", None))
    ]
    return min(lines, default=None)


def _tree(file):
    if file not in _trees:
        try:
            _trees[file] = ast.parse("".join(linecache.getlines(file)))
        except (SyntaxError, ValueError, RecursionError):
            _trees[file] = None
    return _trees[file]


def _changes(node, name, declared):
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign, ast.NamedExpr, ast.For)):
        targets = [node.target]
    elif isinstance(node, ast.Delete):
        targets = node.targets
    elif isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Attribute):
            return function.attr in _MUTATORS and _root(function.value) == name
        return getattr(function, "id", None) == "next" and bool(node.args) and _root(node.args[0]) == name
    else:
        return False
    return any(_is_target(target, name, declared) for target in targets)


def _is_target(target, name, declared):
    if isinstance(target, (ast.Tuple, ast.List)):
        return any(_is_target(part, name, declared) for part in target.elts)
    if isinstance(target, ast.Name):
        return declared and target.id == name
    return _root(target) == name


def _root(node):
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return getattr(node, "id", None)
