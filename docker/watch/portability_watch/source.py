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
    found = []
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            nodes = list(ast.walk(function))
            declared = any(isinstance(node, ast.Global) and name in node.names for node in nodes)
            lines = [node.lineno for node in nodes if _changes(node, name, declared)]
            if lines:
                # A function that also reads it says more than one that only sets it, as at a start.
                reads = any(isinstance(node, ast.AugAssign) and _changes(node, name, declared) or _reads(node, name) for node in nodes)
                found.append((not reads, min(lines)))
    if found:
        return min(found)[1]
    return next((node.lineno for node in tree.body if _changes(node, name, True) or getattr(node, "name", None) == name), None)


def initial_values(file: str) -> dict:
    """The globals that the module makes as literals, and changes nowhere else while it is loaded."""
    tree = _tree(file)
    found, counted = {}, {}
    for statement in tree.body if tree is not None else ():
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for node in ast.walk(statement):
            for name in _names_changed(node):
                counted[name] = counted.get(name, 0) + 1
        target, value = _single(statement)
        if target is not None:
            try:
                found[target] = ast.literal_eval(value)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                if isinstance(value, ast.Call) and getattr(value.func, "id", None) in ("dict", "list", "set") and not value.args:
                    found[target] = {"dict": dict, "list": list, "set": set}[value.func.id]() if not value.keywords else None
    return {name: value for name, value in found.items() if counted.get(name) == 1}


def _single(statement):
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value
    if isinstance(statement, ast.AnnAssign) and statement.value is not None and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    return None, None


def _names_changed(node):
    names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)} if isinstance(node, ast.stmt | ast.Call) else ()
    return [name for name in names if _changes(node, name, True)]


def _reads(node, name):
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)


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
