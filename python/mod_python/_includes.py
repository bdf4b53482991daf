"""Python code in pages that mod_include serves: <!--#python eval="..." --> and <!--#python exec="..." -->."""

from functools import lru_cache


@lru_cache(maxsize=256)
def _compiled(code, file, mode):
    code = code.replace("\r\n", "\n").rstrip()
    return compile(code.lstrip(" \t") if mode == "eval" else code, file, mode, dont_inherit=True)


def run(filter, is_exec, code):
    """Evaluate an expression and write its value, unless that is None; or execute statements.

    All tags of a request share their globals, req.ssi_globals, in which filter and __file__ are set.
    """
    req = filter.req
    try:
        namespace = req.ssi_globals
    except AttributeError:
        namespace = req.ssi_globals = {}
    file = req.filename or "<!--#python -->"
    namespace["filter"] = filter
    namespace["__file__"] = file
    try:
        if is_exec:
            exec(_compiled(code, file, "exec"), namespace)
        else:
            result = eval(_compiled(code, file, "eval"), namespace)
            if result is not None:
                filter.write(str(result))
    finally:
        namespace["filter"] = None
