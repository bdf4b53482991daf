"""How FieldStorage reads a multipart body, and what it checks."""

import re
from io import BytesIO

from . import util
from ._form_fields import Field, StringField
from ._multipart import Malformed, Parts, TooLarge, extended, parameters, shortened

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def malformed(req, text):
    util._refuse(req, 400, f"MP0500: the form is refused: {text}")


def check(req, data, fields, strict, where):
    """Refuse urlencoded fields whose names have a NUL; with strict, whatever is not as it should be."""
    for number, (name, value) in enumerate(fields, 1):
        if "\0" in name:
            malformed(req, f"the name of field {number} of {where} has a NUL: {shortened(name)}")
        if strict and type(value) is bytes:
            malformed(req, f"field {number} of {where}, {shortened(name)}, is not UTF-8")
    if not strict:
        return
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    for number, pair in enumerate(data.replace(b";", b"&").split(b"&"), 1):
        found = pair.decode("utf-8", "backslashreplace")
        if b"=" not in pair:
            malformed(req, f"field {number} of {where} has no '=': {shortened(found)}")
        if _BAD_ESCAPE.search(pair):
            malformed(req, f"field {number} of {where} has a '%' without two hexadecimal digits: {shortened(found)}")


# What Python has for a text beside its letters, about
_OVERHEAD = 100


# What the headers of all parts may have, whatever the bound
_HEADERS = 4 << 20


class _Memory:
    """Counts what is kept in memory: what is written to fields that are not files, and the headers of all."""

    def __init__(self, most):
        self.most = most
        self.used = self.used_by_headers = 0

    def add_headers(self, part):
        self.used_by_headers += sum([len(name) + len(value) + 2 * _OVERHEAD for name, value in part.pairs])
        if self.used_by_headers > max(self.most, _HEADERS):
            raise TooLarge(f"the headers of all parts have more than {max(self.most, _HEADERS)} bytes", "max_memory")

    def counted(self, write):
        def counting(data):
            self.used += len(data)
            if self.used > self.most:
                raise TooLarge(f"the fields that are not files have more than {self.most} bytes", "max_memory")
            write(data)

        return counting


def read_multipart(req, content_type, bounds, fields_before, file_callback, field_callback):
    """The fields of a body of type multipart/*."""
    _, options = parameters(content_type)
    was_read = getattr(req, "read_length", 0)
    fields = []
    part = parts = None
    try:
        parts = Parts(req.read, extended(options, "boundary"), bounds.max_header_size)
        memory = _Memory(bounds.max_memory)
        files = 0
        while True:
            part = None
            part = parts.next_part()
            if part is None:
                return fields
            if fields_before + parts.number > bounds.max_fields:
                raise TooLarge(f"the form has more than {bounds.max_fields} fields", "max_fields")
            memory.add_headers(part)
            if part.name is None:
                raise Malformed("its Content-Disposition has no name" if part.disposition else "it has no Content-Disposition")
            if "\0" in part.name or "\0" in (part.filename or ""):
                raise Malformed("its name has a NUL")
            if part.filename:
                files += 1
                if files > bounds.max_files:
                    raise TooLarge(f"the form has more than {bounds.max_files} files", "max_files")
                _read_file(fields, parts, part, file_callback)
            else:
                fields.append(_text_field(parts, part, memory, file_callback, field_callback))
    except Malformed as error:
        if parts is not None and not parts.started and was_read:
            return []  # the program has read the body itself
        text, option = f"{_place(parts, part)}{error}", None
    except TooLarge as error:
        text, option = f"{_place(parts, part)}{error}", error.option
    except BaseException:
        _close(fields)
        raise
    _close(fields)
    if option is None:
        malformed(req, text)
    util._too_large(req, text, option)


def _close(fields):
    """Close the files of fields that nobody will have."""
    while fields:
        close = getattr(fields.pop().file, "close", None)
        if close is not None:
            close()


def _place(parts, part):
    """Where in the body something is wrong."""
    if parts is None or not parts.number:
        return ""
    name = part.name if part is not None and part.name is not None else ""
    named = f" ({shortened(name)})" if name else ""
    return f"part {parts.number}{named}, byte {parts.offset}: "


def _read_file(fields, parts, part, file_callback):
    if file_callback is None:
        from tempfile import TemporaryFile

        file = TemporaryFile("w+b")
    else:
        file = file_callback(part.filename)
    field = Field(part.name)
    field.filename = part.filename
    field.file = file
    field._part = part
    fields.append(field)
    parts.copy(file.write)
    file.seek(0)


def _text_field(parts, part, memory, file_callback, field_callback):
    if part.filename is not None and file_callback is not None:
        file = file_callback(part.filename)  # a file field without a file
    elif part.filename is None and field_callback is not None:
        file = field_callback()
    else:
        file = BytesIO()
    parts.copy(memory.counted(file.write))
    if type(file) is BytesIO:
        field = StringField(file.getbuffer())
    else:
        file.seek(0)
        value = file.read()
        field = StringField(value)
    file.seek(0)
    field.name = part.name
    field.file = file
    field._part = part
    return field
