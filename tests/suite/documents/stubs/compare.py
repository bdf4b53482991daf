"""Compares stubs with what there is inside httpd, both ways: answers with one line for each difference."""

import ast
import inspect
import types

from mod_python import apache

import _apache

# What every class has, and what stubs say of attributes that programs set.
COMMON = {*dir(object), "__getattr__", "__dict__", "__doc__", "__module__"}


class Stub:
    """The names of a stub's module or class: signatures of functions, values of constants, classes, members."""

    def __init__(self, body):
        self.functions, self.constants, self.classes = {}, {}, {}
        self.read_only, self.assignable, self.aliases = set(), set(), {}
        for node in body:
            self.add(node)
        self.read_only -= self.assignable

    def add(self, node):
        if isinstance(node, ast.ClassDef):
            self.classes[node.name] = Stub(node.body)
        elif isinstance(node, ast.FunctionDef):
            decorators = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
            if "property" in decorators:
                self.read_only.add(node.name)
            elif "setter" in decorators:
                self.assignable.add(node.name)
            elif node.name not in self.functions:  # of overloads, the first says how few arguments there may be
                self.functions[node.name] = signature_of(node)
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) != "TypeAlias":
            self.assignable.add(node.target.id)
            if node.value is not None:
                self.constants[node.target.id] = ast.literal_eval(node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            self.aliases[node.targets[0].id] = node.value.id
        elif isinstance(node, ast.ImportFrom):
            self.aliases.update((name.asname, name.name) for name in node.names if name.asname)

    def names(self):
        return {*self.functions, *self.constants, *self.classes, *self.read_only, *self.assignable, *self.aliases}


def signature_of(node):
    """The signature of a function in a stub, as inspect.signature() shows one that has no annotations."""
    for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg):
        if argument is not None:
            argument.annotation = None
    arguments = ast.unparse(node.args).split(", ")
    if node.args.posonlyargs and arguments[0] == "self" and len(node.args.posonlyargs) == 1:
        arguments.remove("/")
    return f"({', '.join(arguments)})"


def live_signature(function):
    signature = inspect.signature(function)
    # A method without arguments is shown as (self, /), and so is its stub as (self).
    return str(signature).replace("(self, /)", "(self)")


def compare_functions(where, stub, live, wrong):
    for name in sorted(stub.functions.keys() & live.keys()):
        try:
            there = live_signature(live[name])
        except ValueError as error:
            wrong.append(f"{where}.{name}: {error}")
            continue
        if name.startswith("__") and there in ("(self)", "(self, key)", "(self, *args, **kwargs)"):
            continue  # CPython's own texts for slots
        if not name.startswith("__") and there != stub.functions[name]:
            wrong.append(f"{where}.{name}: is {there}, the stub says {stub.functions[name]}")


def compare_names(where, stub, live, wrong):
    wrong.extend(f"{where}.{name}: the stub lacks it" for name in sorted(live - stub))
    wrong.extend(f"{where}.{name}: only the stub has it" for name in sorted(stub - live))


def is_assignable(object, name):
    """Whether a member can be given the value that it has."""
    try:
        setattr(object, name, getattr(object, name))
    except AttributeError:
        return False
    except TypeError:
        pass  # it takes no None
    return True


def compare_builtin(where, stub, object, wrong):
    """A class whose instances only the server makes, with one of them."""
    live = vars(type(object))
    compare_names(where, stub.names() - COMMON, live.keys() - COMMON - SLOTS, wrong)
    compare_functions(where, stub, live, wrong)
    for name, kind in live.items():
        if isinstance(kind, types.GetSetDescriptorType) and name in stub.names():
            if is_assignable(object, name) != (name in stub.assignable):
                wrong.append(f"{where}.{name}: assignable in one of stub and module only")
            if not kind.__doc__:
                wrong.append(f"{where}.{name}: has no text")


# Kinds of access that every sequence, mapping or iterator has; the stubs name those that have a meaning for programs.
SLOTS = {"__lt__", "__le__", "__gt__", "__ge__", "__ne__"}


def compare_class(where, stub, object, wrong):
    """A class of the library's, with an instance."""
    live = {**vars(type(object)), **vars(object)}
    public = {name for name in live if not name.startswith("_")}
    inherited = {name for name in vars(object) if name in dir(super_of(object))}
    compare_names(where, stub.names() - COMMON, public - inherited, wrong)
    compare_functions(where, stub, live, wrong)


def super_of(object):
    base = type(object).__mro__[1]
    try:
        return base()
    except TypeError:
        return base


def differences(req, stubs):
    wrong = []
    builtin, library = stubs["_apache"], stubs["apache"]
    objects = {
        "mp_request": req,
        "mp_server": req.server,
        "mp_conn": req.connection,
        "mp_table": apache.table(),
        "mp_finfo": req.finfo,
        "mp_hlist": req.hlist,
        "mp_filter": req.filter,
    }
    classes = {name for name in builtin.classes if name.startswith("mp_")}
    compare_names("classes", classes, set(objects), wrong)
    for name in classes & objects.keys():
        assert type(objects[name]).__name__ == name
        compare_builtin(name, builtin.classes[name], objects[name], wrong)

    live = {name: value for name, value in vars(_apache).items() if not name.startswith("__")}
    hidden = classes | {name for name in builtin.classes if name.startswith("_")}
    compare_names("_apache", builtin.names() - hidden, set(live), wrong)
    compare_functions("_apache", builtin, live, wrong)

    live = {name: getattr(apache, name) for name in dir(apache)}
    public = {
        name
        for name, value in live.items()
        if not isinstance(value, types.ModuleType) and (not name.startswith("_") or name == "_callback")
    }
    compare_names("apache", library.names(), public, wrong)
    compare_functions("apache", library, live, wrong)
    for name, value in library.constants.items():
        if live.get(name) != value:
            wrong.append(f"apache.{name}: is {live.get(name)!r}, the stub says {value!r}")
    instances = {
        "CallBack": apache._callback,
        "LogHandler": apache.LogHandler(),
        "NullIO": apache.NullIO(),
        "CGIStdin": apache.CGIStdin(req),
        "CGIStdout": apache.CGIStdout(req),
    }
    compare_names("apache's classes", set(library.classes), set(instances), wrong)
    for name in library.classes.keys() & instances.keys():
        compare_class(name, library.classes[name], instances[name], wrong)
    return wrong


def handler(req):
    """The body of the request is the two stubs, one behind the other, with a line of dashes in between."""
    builtin, library = req.read().decode().split("\n--------\n")
    req.stubs = {"_apache": Stub(ast.parse(builtin).body), "apache": Stub(ast.parse(library).body)}
    # An object of a filter exists during a call of it only
    req.register_output_filter("compare", "compare::filtered")
    req.add_output_filter("compare")
    req.write("compared\n")
    return apache.OK


def filtered(filter):
    req = filter.req
    while (data := filter.read()):
        req.filter = filter
        filter.write("\n".join(differences(req, req.stubs)) or "equal")
    if data is None:
        filter.close()
