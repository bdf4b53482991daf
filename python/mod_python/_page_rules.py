"""__auth__, __access__ and __auth_realm__ of what is published.

Objects have them as attributes. A function has them in its body: as nested functions, which are in its code object, or as values
assigned, which are read in its source. A rule that cannot be read is an error: what it protects is not shown.
"""

from types import CodeType, FunctionType, MethodType

from ._code_facts import RULES, facts_of

REALM, AUTH, ACCESS = RULES
_MISSING = object()
_TABLE = "__publisher_rules__"
# Values that have no rules
_PLAIN = frozenset((str, bytes, int, float, complex, bool, list, tuple, dict, set, frozenset, type(None)))
# How many objects may wrap each other
_DEEPEST = 50
# What is assigned in functions of modules that are no pages, by their code
_assigned = {}


class Unclear(Exception):
    """A rule is there, but not what it is."""


def of(object, depth=0):
    """The rules of an object, a dict; None if it has none."""
    kind = type(object)
    if kind in _PLAIN or isinstance(object, type):
        return None
    if depth > _DEEPEST:
        raise Unclear(f"{kind.__name__} objects wrap each other without an end")
    if kind is FunctionType:
        return _of_function(object, depth)
    if kind is MethodType:
        # Also of one that stands in a page by itself: its object was not passed on the way
        return _together(of(object.__func__, depth + 1), of(object.__self__, depth + 1))
    found = None
    for rule in RULES:
        value = getattr(object, rule, _MISSING)
        if value is not _MISSING:
            found = found or {}
            found[rule] = value
    call = getattr(kind, "__call__", None)
    if type(call) is FunctionType:
        found = _together(_of_function(call, depth), found)
    # What is called in its turn keeps its rules: of lru_cache, of a class that wraps functions, of a partial object
    inner = getattr(object, "__wrapped__", _MISSING)
    if inner is _MISSING and kind.__module__ == "functools":
        inner = getattr(object, "func", _MISSING)
    return found if inner is _MISSING else _together(found, of(inner, depth + 1))


def _together(first, second):
    """The rules of two objects; those of the first count where both have one."""
    return {**second, **first} if first and second else first or second


def of_module(module):
    """The rules of a page."""
    names = module.__dict__
    if AUTH in names or ACCESS in names or REALM in names:
        return {rule: names[rule] for rule in RULES if rule in names}
    return None


def _of_function(function, depth):
    found = None
    code = function.__code__
    rules = facts_of(code).rules
    if rules:
        found = {rule: _value(function, code, rule) for rule in rules}
    namespace = function.__dict__
    if not namespace:
        return found
    for rule in RULES:
        if rule in namespace:
            found = found or {}
            found.setdefault(rule, namespace[rule])
    # What a decorator wraps keeps its rules
    return _together(found, of(namespace["__wrapped__"], depth + 1)) if "__wrapped__" in namespace else found


def _value(function, code, rule):
    table = function.__globals__.get(_TABLE)
    if type(table) is _Table and table.path == code.co_filename:
        assigned = table.found.get((code.co_name, code.co_firstlineno))
    else:
        assigned = _assigned.get(code)
        if assigned is None:
            assigned = _assigned[code] = _in_source_of(code, function.__globals__)
    what = (assigned or {}).get(rule)
    nested = [constant for constant in code.co_consts if type(constant) is CodeType and constant.co_name == rule]
    # Without its source, a function's only nested one is taken
    if what is NESTED or (what is None and len(nested) == 1):
        constant = nested[0]
        if constant.co_freevars:
            names = ", ".join(constant.co_freevars)
            raise Unclear(f"{rule} of {code.co_name}() uses variables of the function around it: {names}")
        return FunctionType(constant, function.__globals__)
    if what is None or what is SEVERAL:
        raise Unclear(f"what {code.co_name}() says of {rule} cannot be told: assign or define it once, outside of any condition")
    return eval(what, function.__globals__)


# In the place of an expression: a function that is defined there; what cannot be told
NESTED, SEVERAL = "nested", "several"


class _Table:
    """What is assigned to rules in the functions of a page."""

    __slots__ = ("path", "found")

    def __init__(self, path, found):
        self.path, self.found = path, found


def keep(module, source, path):
    """Remember the rules of a page's functions, as its source has them."""
    if b"__auth" in source or b"__access__" in source:
        import ast

        module.__dict__[_TABLE] = _Table(path, _expressions(ast.parse(source, path), path))


def _in_source_of(code, namespace):
    import ast
    import linecache

    path = code.co_filename
    linecache.checkcache(path)
    source = "".join(linecache.getlines(path, namespace))
    try:
        return _expressions(ast.parse(source, path), path).get((code.co_name, code.co_firstlineno), {})
    except (SyntaxError, ValueError):
        return {}


def _expressions(tree, path):
    """What functions say of rules, by the name and first line of each."""
    import ast

    found = {}
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        bound = _bound_in(function)
        if not bound:
            continue
        first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
        rules = found[function.name, first] = {rule: SEVERAL for rule in bound}
        for statement in function.body:
            targets = value = None
            if isinstance(statement, ast.Assign):
                targets, value = statement.targets, statement.value
            elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
                targets, value = [statement.target], statement.value
            elif isinstance(statement, ast.FunctionDef) and bound.get(statement.name) == 1 and not statement.decorator_list:
                rules[statement.name] = NESTED
            for target in targets or ():
                if isinstance(target, ast.Name) and bound.get(target.id) == 1:
                    rules[target.id] = compile(ast.Expression(value), path, "eval", dont_inherit=True)
    return found


def _bound_in(function):
    """How often a function binds the name of each rule, wherever in it, but for the functions and classes in it."""
    import ast

    count = {}
    waiting = list(function.body)
    while waiting:
        node = waiting.pop()
        names = [getattr(node, "name", None), getattr(node, "asname", None), *(getattr(node, "names", None) or ())]
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.append(node.id)
        for name in names:
            if isinstance(name, str) and name in RULES:
                count[name] = count.get(name, 0) + 1
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))
    return count
