"""Which fields of a form an object takes as arguments."""

from types import BuiltinFunctionType, FunctionType, MethodType

from ._code_facts import facts_of


class _Signature:
    """The names of an object's arguments; `some` are those without a default, `all` says that it takes **keywords."""

    __slots__ = ("names", "some", "all", "positional", "skipped")

    def __init__(self):
        self.names, self.some, self.all, self.positional, self.skipped = (), (), False, (), ()


def _of_function(function, skipped):
    signature = _Signature()
    facts = facts_of(function.__code__)
    signature.names = facts.names[skipped:] if skipped else facts.names
    if skipped and facts.takes_all:
        signature.skipped = facts.names[:skipped]
    if facts.positional_only > skipped:
        signature.positional = facts.plain[skipped : facts.positional_only]
    signature.some = facts.plain[skipped : max(len(facts.plain) - len(function.__defaults__ or ()), skipped)]
    if facts.keyword_only:
        defaults = function.__kwdefaults__ or ()
        signature.some += tuple(name for name in facts.keyword_only if name not in defaults)
    if facts.takes_all:
        wrapped = getattr(function, "__wrapped__", None)
        if type(wrapped) is FunctionType:
            # A decorator's function passes on what it gets: what it wraps decides
            inner = _of_function(wrapped, skipped)
            signature.names += inner.names
            signature.all = inner.all
            # What the inner one needs, the decorator may give it
        else:
            signature.all = True
    return signature


def signature_of(object):
    """The signature of what a call of object runs; None for what takes no fields."""
    kind = type(object)
    if kind is FunctionType:
        return _of_function(object, 0)
    if kind is MethodType:
        function = object.__func__
        return _of_function(function, 1) if type(function) is FunctionType else _of_other(object)
    if kind is BuiltinFunctionType:
        return None
    if isinstance(object, type):
        made = getattr(object, "__init__", None)
        return _of_function(made, 1) if type(made) is FunctionType else None
    call = getattr(kind, "__call__", None)
    if type(call) is FunctionType:
        return _of_function(call, 1)
    # One whose __call__ is another object that can be called
    if call is not None and hasattr(type(call), "__call__") and not hasattr(call, "__objclass__"):
        depth, inner = 0, call
        while depth < 20:
            inner_call = getattr(type(inner), "__call__", None)
            if type(inner) in (FunctionType, MethodType):
                return signature_of(inner)
            if type(inner_call) is FunctionType:
                return _of_function(inner_call, 1)
            if inner_call is None or hasattr(inner_call, "__objclass__"):
                break
            inner, depth = inner_call, depth + 1
    return _of_other(object)


def _of_other(object):
    """Of a partial object and the like, as inspect sees it."""
    import inspect

    try:
        parameters = inspect.signature(object).parameters.values()
    except (TypeError, ValueError):
        return None
    signature = _Signature()
    named = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    signature.names = tuple(one.name for one in named)
    signature.positional = tuple(one.name for one in named if one.kind is one.POSITIONAL_ONLY)
    signature.some = tuple(one.name for one in named if one.default is one.empty)
    signature.all = any(one.kind is one.VAR_KEYWORD for one in parameters)
    return signature


def arguments_for(object, fs, given):
    """Positional and keyword arguments of a call, and the names of those that it needs and does not get."""
    signature = signature_of(object)
    if signature is None:
        return (), {}, ()
    wanted = None if signature.all else signature.names
    found = _values(fs, wanted) if signature.names or signature.all else {}
    for name in signature.skipped:
        # A field of the name of self
        found.pop(name, None)
    if signature.all:
        found.update(given)
    else:
        for name in given:
            if name in wanted:
                found[name] = given[name]
    missing = [name for name in signature.some if name not in found] if signature.some else ()
    positional = []
    for name in signature.positional:
        if name not in found:
            break
        positional.append(found.pop(name))
    return positional, found, missing


def _values(fs, wanted):
    """The values of the fields by their names, of those that are wanted."""
    found = {}
    pairs = getattr(fs, "_pairs", None)
    if pairs is not None:
        for name, value in pairs:
            if wanted is not None and name not in wanted:
                continue
            if type(value) is bytes:
                value = value.decode("latin-1")
            found.setdefault(name, []).append(value)
    else:
        for field in fs.list:
            name = field.name
            if wanted is not None and name not in wanted:
                continue
            found.setdefault(name, []).append(field if field.filename else field.value)
    for name, values in found.items():
        if len(values) == 1:
            found[name] = values[0]
    return found
