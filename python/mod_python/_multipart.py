"""Bodies of type multipart/*, part by part, in bounded memory (RFC 2046, RFC 7578)."""

import re

from ._form_fields import Names, text_of

BLOCK = 65536
_PADDING = re.compile(rb"[ \t]*\r?\n")
_MOST_PADDING = 256
# What browsers send
_USUAL = re.compile(r'form-data; name="(?P<name>[^"\\]*)"(?:; filename="(?P<filename>[^"\\]*)")?\Z')
# A boundary, as in RFC 2046 but of up to 200 characters, which some clients send
_BOUNDARY = re.compile(r"[ -~]{0,199}[!-~]\Z")
_ESCAPED = re.compile(r'\\(["\\])')
_QUOTING = re.compile(r'\\["\\]|[";]')
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


# No client sends so many headers with a part, or parameters with a header
_MOST_HEADERS = 64
_MOST_PARAMETERS = 32


class Malformed(Exception):
    """The body is not what its type says."""


class TooLarge(Exception):
    """Something is over its bound: the text says what, option which bound."""

    def __init__(self, text, option):
        super().__init__(text)
        self.option = option


def parameters(line, most=None):
    """A header's value and its parameters: ('form-data', {'name': 'a'}). Names of parameters are in lower case.

    Malformed, if there are more than most.
    """
    pieces = _pieces(line)
    value = next(pieces).strip()
    options = Names()
    for piece in pieces:
        name, equals, given = piece.partition("=")
        if equals:
            if most is not None and len(options) >= most:
                raise Malformed(f"one of its headers has more than {most} parameters")
            given = given.strip()
            if len(given) >= 2 and given[0] == given[-1] == '"':
                given = _ESCAPED.sub(r"\1", given[1:-1])
            options[name.strip().lower()] = given
    return value, options


def _pieces(line):
    """What stands between the semicolons that are not quoted."""
    start = 0
    quoted = False
    for found in _QUOTING.finditer(line):
        if found[0] == '"':
            quoted = not quoted
        elif found[0] == ";" and not quoted:
            yield line[start : found.start()]
            start = found.end()
    yield line[start:]


def extended(options, name):
    """The parameter, whether it is given plainly, as name*=charset'language'text (RFC 5987), or in pieces (RFC 2231); else None."""
    if len(options) == (name in options):
        return options.get(name)
    star = name + "*"
    if star in options:
        return _charset_decoded(options[star])
    if f"{star}0" not in options and f"{star}0*" not in options:
        return options.get(name)
    pieces = []
    has_charset = False
    while True:
        number = f"{star}{len(pieces)}"
        if number + "*" in options:
            piece = options[number + "*"]
            has_charset = has_charset or not pieces
        elif number in options:
            piece = options[number].replace("%", "%25")
        else:
            break
        pieces.append(piece)
    text = "".join(pieces)
    return _charset_decoded(text) if has_charset else _unquoted(text, "utf-8")


def _charset_decoded(text):
    charset, quote, rest = text.partition("'")
    language, second, value = rest.partition("'")
    if not (quote and second):
        return _unquoted(text, "utf-8")
    return _unquoted(value, charset.strip().lower())


def _unquoted(text, charset):
    data = _PERCENT.sub(lambda found: bytes((int(found[1], 16),)), text.encode("utf-8", "surrogateescape"))
    return data.decode("latin-1") if charset in ("iso-8859-1", "latin1") else text_of(data)


class Part:
    """The headers of a part: pairs, and what they say."""

    __slots__ = ("pairs", "disposition", "disposition_options", "type", "type_options", "name", "filename")

    def __init__(self, pairs):
        self.pairs = pairs
        self.disposition, self.disposition_options = None, Names()
        self.type, self.type_options = "text/plain", Names()
        for name, value in pairs:
            name = name.lower()
            if name == "content-disposition":
                if found := _USUAL.match(value):
                    self.disposition = "form-data"
                    options = self.disposition_options
                    options["name"], filename = found.groups()
                    if filename is not None:
                        options["filename"] = filename
                else:
                    self.disposition, self.disposition_options = parameters(value, _MOST_PARAMETERS)
            elif name == "content-type":
                self.type, self.type_options = parameters(value, _MOST_PARAMETERS) if ";" in value else (value, Names())
                if "/" not in self.type:
                    self.type = "application/octet-stream"
        options = self.disposition_options
        self.name = extended(options, "name")
        self.filename = extended(options, "filename")
        if self.filename is not None:
            options["filename"] = self.filename

    @property
    def headers(self):
        """The headers as a table."""
        from .util import table

        headers = table()
        add = getattr(headers, "add", headers.__setitem__)
        for name, value in self.pairs:
            add(name, value)
        return headers


class Parts:
    """The parts of a body, which read(n) returns block by block.

    next_part() goes to a part and returns it, None after the last one; then copy(write) passes its content on, piece by piece.
    """

    def __init__(self, read, boundary, most_headers):
        if boundary is None:
            raise Malformed("its Content-Type has no boundary")
        if not _BOUNDARY.match(boundary):
            raise Malformed(f"the boundary {shortened(boundary)} is not one")
        self._read = read
        self._most_headers = most_headers
        self._delimiter = b"\n--" + boundary.encode("latin-1", "replace")
        # A line break in front, so that the first line may be a delimiter
        self._buffer, self._at, self._before = b"\n", 0, -1
        self._is_over = self._is_last = False
        self.number = 0

    @property
    def offset(self):
        """How much of the body has been looked at."""
        return self._before + self._at

    @property
    def started(self):
        """Whether any of the body has come."""
        return self._before + len(self._buffer) > 0

    def next_part(self):
        """The next part, behind the content of the one before; None after the last one."""
        if self.number == 0:
            self.copy(None)
        if self._is_last:
            return None
        self.number += 1
        return Part(self._headers())

    def copy(self, write):
        """Pass on what comes before the next delimiter."""
        delimiter = self._delimiter
        # The line break behind the headers may be that of the delimiter, too
        searched = self._at - 1 if self.number else self._at
        while True:
            found = self._buffer.find(delimiter, searched)
            if found < 0:
                # What may be a line break and the beginning of a delimiter stays
                end = len(self._buffer) - len(delimiter)
                if end > self._at:
                    self._pass_on(write, end)
                    searched = end
                searched -= self._more()
                if self._is_over:
                    self._cut_short()
                continue
            while len(self._buffer) < found + len(delimiter) + _MOST_PADDING and not self._is_over:
                found -= self._more()
            behind = found + len(delimiter)
            rest = self._buffer[behind : behind + _MOST_PADDING]
            if rest.startswith(b"\r\n"):
                after = behind + 2
            elif rest.startswith(b"--"):
                self._is_last = True
                after = behind + 2
            elif padding := _PADDING.match(rest):
                after = behind + padding.end()
            elif self._is_over and (rest == b"-" or not rest.strip(b" \t\r")):
                self._cut_short()
            else:  # a line of the content that begins like a delimiter
                self._pass_on(write, behind)
                searched = behind
                continue
            self._pass_on(write, found - 1 if found > self._at and self._buffer[found - 1] == 13 else found)
            self._at = after
            return

    def _pass_on(self, write, end):
        if end > self._at:
            if write is not None:
                write(self._buffer[self._at : end])
            self._at = end

    def _cut_short(self):
        if self.number:
            length = self._before + len(self._buffer)
            raise Malformed(f"the body ends after {length} bytes, before the boundary that closes it")
        raise Malformed("the boundary is not in the body")

    def _more(self):
        """Read on, and forget all that has been dealt with but one byte; how far the rest has moved."""
        moved = max(self._at - 1, 0)
        block = self._read(BLOCK)
        if not block:
            self._is_over = True
            return 0
        self._buffer = self._buffer[moved:] + block
        self._before += moved
        self._at -= moved
        return moved

    def _headers(self):
        found = self._usual_headers()
        if found is not None:
            return found
        headers = []
        size = 0
        while True:
            end = self._buffer.find(b"\n", self._at)
            while end < 0:
                searched = len(self._buffer)
                if searched - self._at + size > self._most_headers:
                    self._too_many_headers()
                searched -= self._more()
                if self._is_over:
                    raise Malformed("the body ends within its headers")
                end = self._buffer.find(b"\n", searched)
            line = self._buffer[self._at : end + 1]
            size += len(line)
            if size > self._most_headers:
                self._too_many_headers()
            self._at = end + 1
            line = line.rstrip(b"\r\n")
            if not line:
                break
            if line.startswith(self._delimiter[1:]):
                raise Malformed("its headers do not end before the next boundary")
            if b"\0" in line:
                raise Malformed("its headers have a NUL")
            if line[0] in b" \t":
                if not headers:
                    raise Malformed("its first header begins with a space")
                headers[-1][1].append(line.strip())
                continue
            name, colon, value = line.partition(b":")
            name = name.strip()
            if not colon or not name:
                raise Malformed(f"its header {shortened(text_of(line))} has no colon")
            headers.append((name, [value.strip()]))
            if len(headers) > _MOST_HEADERS:
                raise Malformed(f"it has more than {_MOST_HEADERS} headers")
        return [(text_of(name), text_of(b" ".join(lines))) for name, lines in headers]

    def _usual_headers(self):
        """The headers if they are all there and nothing about them is unusual, else None."""
        end = self._buffer.find(b"\r\n\r\n", self._at, self._at + self._most_headers - 4)
        if end < 0:
            return None
        block = self._buffer[self._at : end]
        lines = block.split(b"\r\n")
        if block.count(b"\n") != len(lines) - 1 or b"\0" in block or len(lines) > _MOST_HEADERS:
            return None
        headers = []
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not name or name[0] in b" \t-":
                return None
            headers.append((text_of(name.strip()), text_of(value.strip())))
        self._at = end + 4
        return headers

    def _too_many_headers(self):
        raise TooLarge(f"its headers are longer than {self._most_headers} bytes", "max_header_size")


def shortened(text, most=100):
    """A client's text for a message."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}..."
