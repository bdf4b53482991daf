"""Compares a module of the library with its stub."""

import ast
import importlib
import inspect
import os

PYTHON = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def differences(name, kept=lambda name: True):
    """One line for each difference in names, functions and methods, of the names that are kept."""
    module = importlib.import_module(f"mod_python.{name}")
    with open(os.path.join(PYTHON, "mod_python", f"{name}.pyi"), encoding="utf-8") as file:
        body = ast.parse(file.read()).body
    wrong = []
    nodes = {node.name: node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    said = {*nodes, *(node.target.id for node in body if isinstance(node, ast.AnnAssign))}
    said |= {alias.asname for node in body if isinstance(node, ast.Import) for alias in node.names if alias.asname}
    said = {name for name in said if not name.startswith("_") and kept(name)}
    there = {name for name in getattr(module, "__all__", dir(module)) if not name.startswith("_") and kept(name)}
    wrong += [f"{name}: the stub lacks it" for name in sorted(there - said)]
    wrong += [f"{name}: only the stub has it" for name in sorted(said - there)]
    for shared in sorted(said & there & nodes.keys()):
        live = getattr(module, shared)
        if isinstance(nodes[shared], ast.FunctionDef):
            compare_function(shared, nodes[shared], live, wrong)
            continue
        for part in nodes[shared].body:
            if isinstance(part, ast.FunctionDef):
                function = inspect.getattr_static(live, part.name, None)
                if function is None:
                    wrong.append(f"{shared}.{part.name}: only the stub has it")
                elif inspect.isfunction(function):
                    compare_function(f"{shared}.{part.name}", part, function, wrong)
                elif isinstance(function, property) != any("property" in ast.unparse(decorator) for decorator in part.decorator_list):
                    wrong.append(f"{shared}.{part.name}: a property in one of the two only")
    return wrong


def compare_function(where, node, live, wrong):
    arguments = node.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if argument is not None:
            argument.annotation = None
    said, there = f"({ast.unparse(arguments)})".replace(" ", ""), str(inspect.signature(live)).replace(" ", "")
    if said.replace('"', "'") != there:
        wrong.append(f"{where}: is {there}, the stub says {said}")
    if not live.__doc__ and not where.endswith("__init__"):
        wrong.append(f"{where}: has no text")
