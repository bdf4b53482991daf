"""Compares the stub of a module of the library with the module, both ways: answers with one line for each difference."""

import ast
import importlib
import inspect
import types

from mod_python import apache


def signature_of(node):
    """The signature of a function in a stub, as inspect.signature() shows one that has no annotations."""
    for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg):
        if argument is not None:
            argument.annotation = None
    return f"({ast.unparse(node.args)})".replace("=", " = ").replace(" ", "")


def functions(body):
    """The functions of a body; of overloads, the last says most."""
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def names(body):
    """All public names that a body defines."""
    found = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign):
            found.add(node.targets[0].id)
        elif isinstance(node, ast.ImportFrom):
            found.update(name.asname for name in node.names if name.asname)
    return {name for name in found if not name.startswith("_")}


def compare_functions(where, body, live, wrong):
    for name, node in functions(body).items():
        function = live.get(name)
        decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
        if isinstance(function, types.FunctionType) and "overload" not in decorators:
            there = str(inspect.signature(function)).replace(" ", "")
            if there != signature_of(node):
                wrong.append(f"{where}.{name}: is {there}, the stub says {signature_of(node)}")
            if not function.__doc__ and not name.startswith("__"):
                wrong.append(f"{where}.{name}: has no text")


def differences(name, body):
    module = importlib.import_module(f"mod_python.{name}")
    wrong = []
    there = set(getattr(module, "__all__", ()))
    wrong.extend(f"{name}.{missing}: the stub lacks it" for missing in sorted(there - names(body)))
    wrong.extend(f"{name}.{much}: only the stub has it" for much in sorted(names(body) - there))
    compare_functions(name, body, vars(module), wrong)
    for node in body:
        if not isinstance(node, ast.ClassDef) or node.name not in there:
            continue
        live = vars(getattr(module, node.name))
        attributes = {part.target.id for part in node.body if isinstance(part, ast.AnnAssign)}
        methods = {method for method in functions(node.body) if not method.startswith("__")}
        public = {method for method in live if not method.startswith("_")}
        where = f"{name}.{node.name}"
        builtin = {method for method in public if hasattr(getattr(module, node.name).__mro__[1], method)}
        wrong.extend(f"{where}.{missing}: the stub lacks it" for missing in sorted(public - methods - attributes - builtin))
        wrong.extend(f"{where}.{much}: only the stub has it" for much in sorted(methods - public))
        compare_functions(where, node.body, live, wrong)
    return wrong


def handler(req):
    """The query is the module's name, the body its stub."""
    body = ast.parse(req.read().decode()).body
    req.write("\n".join(differences(req.args, body)) or "equal")
    return apache.OK
