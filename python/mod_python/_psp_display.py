"""The page that shows a page's Python code beside the page."""

from itertools import zip_longest

from _apache import SERVER_RETURN

from ._psp import parse, parsestring


def table_of(filename, text):
    """The table of a page in a file, or else of a text."""
    if filename is None:
        text = text if isinstance(text, str) else text.decode()
        return table(parsestring(text), text, "the text")
    try:
        with open(filename, encoding="utf-8", errors="replace", newline="") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise SERVER_RETURN(404) from None
    at = filename.rfind("/") + 1
    return table(parse(filename[at:], filename[:at]), text, filename)


def table(source, text, name):
    """An HTML table of both, line by line."""
    rows = [_row("", "PSP-produced Python Code:", f"{name}:")]
    lines = zip_longest(source.split("\n"), text.replace("\r\n", "\n").split("\n"), fillvalue="")
    pairs = list(lines)
    while pairs and pairs[-1] == ("", ""):
        pairs.pop()
    rows += [_row(f"{number}.&nbsp;", code, line, True) for number, (code, line) in enumerate(pairs, 1)]
    return "<table>\n" + "".join(rows) + "</table>\n"


def _row(number, code, line, is_coloured=False):
    if is_coloured:
        code, line = f"<font color=blue>{_shown(code)}</font>", f"<font color=green>{_shown(line)}</font>"
        line = f"&nbsp;{line}"
    else:
        code, line = f"&nbsp;{_escaped(code)}", f"&nbsp;{_escaped(line)}"
    return f"<tr><td><tt>{number}</tt></td><td><tt>{code}</tt></td><td><tt>{line}</tt></td></tr>\n"


def _shown(text):
    return _escaped(text.rstrip()).replace("\t", "    ").replace(" ", "&nbsp;")


def _escaped(text):
    import html

    return html.escape(text)
