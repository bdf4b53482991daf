"""What code objects say of the functions that have them: found out once for each, since it takes time."""

from weakref import ref

_VARIADIC_KEYWORDS = 0x08  # CO_VARKEYWORDS
RULES = ("__auth_realm__", "__auth__", "__access__")
_known = {}


class Facts:
    """The arguments of a code object, and the publisher's rules that it has."""

    __slots__ = ("code", "names", "plain", "keyword_only", "positional_only", "takes_all", "rules")

    def __init__(self, code):
        names, count = code.co_varnames, code.co_argcount
        self.names = names[: count + code.co_kwonlyargcount]
        self.plain = names[:count]
        self.keyword_only = names[count : count + code.co_kwonlyargcount]
        self.positional_only = code.co_posonlyargcount
        self.takes_all = bool(code.co_flags & _VARIADIC_KEYWORDS)
        self.rules = tuple(rule for rule in RULES if rule in names or rule in code.co_cellvars)


def facts_of(code):
    """The facts of a code object."""
    key = id(code)
    facts = _known.get(key)
    if facts is None or facts.code() is not code:
        facts = Facts(code)
        # A code object that is gone leaves its number to another one
        facts.code = ref(code, lambda _: _known.pop(key, None))
        _known[key] = facts
    return facts
