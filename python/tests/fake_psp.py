"""A stand-in for the builtin module _psp: enough of a parser to test what runs pages. Importing it puts it in sys.modules.

The parser itself is tested where it is written, in src/modules/psp, and in httpd.
"""

import os
import re
import sys

TAG = re.compile(r"<%--.*?--%>|<%@\s*include\s+file=\"(?P<file>[^\"]*)\"\s*%>|<%=(?P<value>.*?)%>|<%(?P<code>.*?)(?:%>|\Z)", re.DOTALL)


class _Parser:
    def __init__(self, name, folder):
        self.folder = folder
        self.source = ""
        self.places = []
        self.files = [(name, 0, 0, 0, 0)]
        self.unclosed = None

    def mark(self, file, text, at):
        head, before = self.source.rpartition("\n")[2], text[:at]
        column = len(before.rpartition("\n")[2].encode())
        self.places.append((1 + self.source.count("\n"), len(head.encode()), file, 1 + before.count("\n"), column))

    def read(self, file, text):
        at = 0
        for tag in TAG.finditer(text):
            self.text(text[at : tag.start()])
            at = tag.end()
            if tag["file"] is not None:
                self.include(file, text.count("\n", 0, tag.start()) + 1, tag["file"])
            elif tag["value"] is not None:
                self.source += '""",0); req.write(str('
                self.mark(file, text, tag.start("value"))
                self.source += tag["value"] + "),0); "
                self.mark(file, text, at)
                self.source += 'req.write("""'
            elif tag["code"] is not None:
                self.source += '""",0);'
                self.mark(file, text, tag.start("code"))
                code = tag["code"]
                self.source += code
                if not tag[0].endswith("%>"):
                    self.unclosed = text.count("\n", 0, tag.start()) + 1
                    return
                last = code.rstrip("\n").rpartition("\n")[2]
                self.source += ";" if "\n" not in code else "" if code.endswith("\n\n") else last[: len(last) - len(last.lstrip())]
                self.source += "\t" if code.rstrip("\n").endswith(":") else ""
                self.mark(file, text, at)
                self.source += 'req.write("""'
        self.text(text[at:])

    def text(self, text):
        self.source += re.sub(r'"|\\(?=[nrt])', r"\\\g<0>", text)

    def include(self, by, line, name):
        path = name if name.startswith("/") else self.folder + name
        state = os.stat(path)
        with open(path) as file:
            text = file.read()
        self.files.append((path, by, line, state.st_mtime_ns, state.st_size))
        self.read(len(self.files) - 1, text)


def _parse_to_run(page, filename, dir):
    text = page if isinstance(page, str) else page.decode()
    if "\0" in text:
        raise SyntaxError("a NUL character: is the file a page?", (filename, text[: text.index("\0")].count("\n") + 1, None, None))
    parser = _Parser(filename, dir)
    if text:
        parser.mark(0, text, 0)
        parser.source = 'req.write("""'
        parser.read(0, text)
        if parser.unclosed is None:
            parser.source += '""",0)\n'
    return parser.source, parser.files, parser.places, parser.unclosed


def parsestring(string, /):
    return _parse_to_run(string, "__psp__", "")[0]


def parse(filename, dir="", /):
    with open(dir + filename, "rb") as file:
        return _parse_to_run(file.read(), dir + filename, dir)[0]


sys.modules["_psp"] = sys.modules[__name__]
