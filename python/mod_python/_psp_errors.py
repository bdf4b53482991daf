"""Makes exceptions say where they come from: the page, or the file that it includes, and the line there."""

import linecache
import re
import sys
from types import FunctionType, TracebackType

from ._psp_compile import NO_FILE, STRIDE


def place(error, page):
    """Show the lines of included files, and of pages that have no file, in the traceback of an exception."""
    if page.text is not None:
        text = page.text if isinstance(page.text, str) else page.text.decode()
        linecache.cache[NO_FILE] = len(text), None, text.splitlines(True), NO_FILE
    if not page.parents:
        return
    seen = set()
    todo = [error]
    while todo:
        error = todo.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        error.__traceback__ = _placed_traceback(error.__traceback__, page)
        todo += [error.__cause__, error.__context__]


def _placed_traceback(traceback, page):
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    above = None
    for entry in reversed(entries):
        frame, line = entry.tb_frame, entry.tb_lineno
        if line is not None and line > STRIDE and frame.f_code.co_filename == page.code.co_filename:
            for name, line in reversed(_chain(page.parents, line)):
                above = TracebackType(above, _frame(name, frame.f_code.co_name), -1, line)
        else:
            above = TracebackType(above, frame, entry.tb_lasti, line)
    return above


def _chain(parents, line):
    """The files and lines that lead to a line: that of the page, and of each file that includes the next."""
    chain = []
    file, line = divmod(line, STRIDE)
    while True:
        name, parent, parent_line = parents[file][:3]
        chain.insert(0, (name, line))
        if file == 0:
            return chain
        file, line = parent, parent_line


def _frame(file, name):
    """A frame of a function in that file."""
    code = _this_frame.__code__.replace(co_filename=file, co_name=name, co_qualname=name)
    return FunctionType(code, {"_getframe": sys._getframe})()


def _this_frame():
    return _getframe()  # noqa: F821


def with_line(error, text, filename):
    """An error of the parser's, with the line that it names."""
    file, line = error.filename, error.lineno
    error.text = _line(file, line, text if file in (filename, NO_FILE) else None)
    error.offset = error.end_offset = None
    return error.with_traceback(None)


def placed(error, places, files, unclosed, text, filename):
    """A SyntaxError about the source of a page, made one about the page.

    places is None if the error has its place in the page already, but for the numbers of included files.
    """
    if unclosed is not None:
        sentence = f"the tag <% is not closed: %> is missing, and the rest of the page is no Python code ({error.msg})"
        return with_line(SyntaxError(sentence, (filename or NO_FILE, unclosed, None, None)), text, filename)

    def found(line, offset=None):
        line, column = places.of(line, max((offset or 1) - 1, 0)) if places else (line, (offset or 1) - 1)
        return *divmod(line, STRIDE), column + 1

    def said(match):
        return f"on line {found(int(match[1]))[1]}"

    file, line, offset = found(error.lineno or 1, _byte_offset(error))
    name = files[file][0]
    message = re.sub(r"on line (\d+)", said, error.msg) if places else error.msg
    shown = _line(name, line, text if file == 0 else None)
    if offset > len((shown or "").encode("utf-8", "replace")) + 1:
        offset = 0
    elif shown:
        offset = len(shown.encode("utf-8", "replace")[: offset - 1].decode("utf-8", "replace")) + 1
    if file:
        chain = " which is included by ".join(f"{name}, line {line}," for name, line in _chain(files, file * STRIDE + line)[-2::-1])
        message = f"{message} (included by {chain.rstrip(',')})"
    return error.__class__(message, (name, line, offset or None, shown))


def _byte_offset(error):
    """The offset of a SyntaxError in bytes: it counts characters."""
    if not error.offset or error.offset < 1 or not error.text:
        return 1
    return len(error.text[: error.offset - 1].encode("utf-8", "replace")) + 1


def _line(file, line, text):
    """A line of a page, None if it cannot be found."""
    if text is None:
        linecache.checkcache(file)
        return linecache.getline(file, line) or None
    if not isinstance(text, str):
        text = text.decode("utf-8", "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[line - 1] + "\n" if 0 < line <= len(lines) else None
