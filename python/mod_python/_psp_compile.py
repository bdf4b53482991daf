"""Compiles a page: its tracebacks show the page's own lines, and what it writes goes out in few calls.

The parser's source is made a tree, in which each node gets its place in the page. Lines of the k-th included file are numbered from
k * STRIDE, since code has one file only; _psp_errors makes them what they are when an exception passes.
"""

from _ast import (
    AST,
    Attribute,
    Call,
    Constant,
    Expr,
    FormattedValue,
    JoinedStr,
    Load,
    Name,
    Pass,
    PyCF_ONLY_AST,
    Starred,
    alias,
    keyword,
)
from _bisect import bisect_right

from ._psp import _parse_to_run
from ._psp_pages import Page

NO_FILE = "__psp__"
STRIDE = 1_000_000

# Names that something is done for when a page uses them
NAMES = frozenset(("session", "form", "Session", "util", "dbm", "marshal", "tempfile", "types"))


def compile_page(text, filename, folder):
    """The page of a text, str or bytes, with the name of its file, or None, and the folder of what it includes."""
    name = filename or NO_FILE
    try:
        source, files, places, unclosed = _parse_to_run(text, name, folder)
    except SyntaxError as error:
        from ._psp_errors import with_line

        raise with_line(error, text, filename) from None
    parents = [file[:3] for file in files] if len(files) > 1 else None
    tree = None
    try:
        # Under a name that no file has: for an error, Python reads the line from the file
        tree = compile(source, f"{name} (as Python)", "exec", PyCF_ONLY_AST, True)
        places = Places(places)
        code = compile(rewritten(tree, places), name, "exec", 0, True)
    except SyntaxError as error:
        from ._psp_errors import placed

        raise placed(error, Places(places) if tree is None else None, files, unclosed, text, filename) from None
    included = {file[0]: file[3:] for file in files[1:]}
    return Page(code, names(code, source, name), tuple(included.items()), parents, None if filename else text)


class Places:
    """Where parts of the source come from."""

    def __init__(self, places):
        self.places = places
        self.keys = [place[:2] for place in places]

    def of(self, line, column):
        """The line and the column of the page that a place in the source is from; lines of included files are numbered as above."""
        start, start_column, file, file_line, file_column = self.places[bisect_right(self.keys, (line, column)) - 1]
        if line == start:
            return file * STRIDE + file_line, file_column + column - start_column
        return file * STRIDE + file_line + line - start, column


def rewritten(tree, places):
    """The tree with its places in the page, and with joined writes."""
    bodies, is_str_bound = [], False
    todo = [tree]
    while todo:
        node = todo.pop()
        kind = node.__class__
        for field in node._fields:
            value = getattr(node, field, None)
            if value.__class__ is list:
                if value:
                    todo.extend([item for item in value if isinstance(item, AST)])
                    if field in ("body", "orelse", "finalbody"):
                        bodies.append((node, field))
            elif isinstance(value, AST):
                todo.append(value)
            elif value == "str" or value == "*" and kind is alias:
                if kind not in (Attribute, keyword, Constant) and not (kind is Name and node.ctx.__class__ is Load):
                    is_str_bound = True
        if "lineno" in node._attributes:
            put(node, places)
    for node, field in bodies:
        body = getattr(node, field)
        if body.__class__ is list:
            setattr(node, field, joined(body, not is_str_bound))
    return tree


def put(node, places):
    """Give a node its place."""
    line, column = places.of(node.lineno, node.col_offset)
    end, end_column = places.of(node.end_lineno, node.end_col_offset)
    if end // STRIDE != line // STRIDE or (end, end_column) < (line, column):
        end, column, end_column = line, -1, -1
    node.lineno, node.col_offset, node.end_lineno, node.end_col_offset = line, column, end, end_column


def joined(body, may_format):
    """A body whose writes are fewer: a value and the text behind it are written at once. Text before a value is not held back until the
    value is there: to find it may write too.
    """
    out = []
    last = None  # of the last statement, if that is a write of text, or that ends with text, the parts
    for statement in body:
        written = statement.__class__ is Expr and what_is_written(statement.value)
        if not written:
            last = None
        elif written.__class__ is Constant:
            if not written.value:
                continue
            if last is not None:
                if last[-1].__class__ is Constant:
                    last[-1].value += written.value
                else:
                    last.append(written)
                    at(written, last[0])
                continue
            last = [written]
        elif not may_format:
            last = None
        else:
            value = FormattedValue(value=written.args[0], conversion=115, format_spec=None)
            last = [value]
            call = statement.value
            call.args[0] = text = JoinedStr(values=last)
            for node in (statement, call, call.func, call.func.value, call.args[1], text, value):
                at(node, written.args[0])
        out.append(statement)
    if not out and body:
        out.append(at(Pass(), body[0]))
    return out


def at(node, other):
    """Give a node the place of another."""
    node.lineno, node.col_offset = other.lineno, other.col_offset
    node.end_lineno, node.end_col_offset = other.end_lineno, other.end_col_offset
    return node


def what_is_written(call):
    """Of req.write("text", 0) the text, of req.write(str(value), 0) the call of str, else None."""
    if call.__class__ is not Call or call.keywords or len(call.args) != 2:
        return None
    function, (what, flush) = call.func, call.args
    if function.__class__ is not Attribute or function.attr != "write" or function.value.__class__ is not Name:
        return None
    if function.value.id != "req" or flush.__class__ is not Constant or flush.value.__class__ is not int or flush.value:
        return None
    if what.__class__ is Constant:
        return what if what.value.__class__ is str else None
    is_str = what.__class__ is Call and what.func.__class__ is Name and what.func.id == "str"
    if is_str and not what.keywords and len(what.args) == 1 and what.args[0].__class__ is not Starred:
        return what
    return None


def names(code, source, name):
    """Of NAMES those that the page uses: in its own code as a variable or an attribute, in functions as a variable that is not theirs."""
    found = NAMES.intersection(code.co_names)
    if any(constant.__class__ is code.__class__ for constant in code.co_consts):
        import _symtable

        scopes = [_symtable.symtable(source, name, "exec")]
        while scopes:
            scope = scopes.pop()
            for used in NAMES & scope.symbols.keys():
                kind = scope.symbols[used] >> _symtable.SCOPE_OFF & _symtable.SCOPE_MASK
                if kind in (_symtable.GLOBAL_IMPLICIT, _symtable.GLOBAL_EXPLICIT):
                    found |= {used}
            scopes += scope.children
    return found
