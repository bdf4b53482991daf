"""Forms and redirects: ``from mod_python import util``."""

try:
    from _apache import SERVER_RETURN, _form_fields, _string_fields, parse_qs, parse_qsl, table
except ModuleNotFoundError as _error:  # outside httpd
    if _error.name != "_apache":
        raise
    from ._urlencoded import form_fields as _form_fields
    from ._urlencoded import parse_qs, parse_qsl
    from ._urlencoded import string_fields as _string_fields

    table = dict

    class SERVER_RETURN(Exception):
        """Raised to end a request with a status."""

    del _error

from ._form_fields import Field, FieldList, Names, StringField, text_of
from ._form_fields import string_field as _string_field

__all__ = [
    "Field",
    "FieldList",
    "FieldStorage",
    "StringField",
    "apply_fs_data",
    "parse_header",
    "parse_qs",
    "parse_qsl",
    "readBlockSize",
    "redirect",
]

readBlockSize = 65368  # mod_python's; kept for programs that read in such blocks

_DONE = -2

# PythonOption mod_python.util.NAME: the bounds of a form
_BOUNDS = {
    "max_fields": 10_000,  # fields, in the query and in the body
    "max_files": 256,  # of these, files
    "max_header_size": 16_384,  # bytes of the headers of one part
    "max_memory": 64 << 20,  # bytes of all fields that are not files
}


def parse_header(line):
    """A header's value and a dict of its parameters, whose names are in lower case.

    Of bytes, the value and the names of the parameters are bytes too, the parameters' values are str.
    """
    from ._multipart import parameters

    if isinstance(line, str):
        return parameters(line)
    if not isinstance(line, bytes):
        raise TypeError(f"parse_header() takes str or bytes, not {type(line).__name__}")
    value, options = parameters(line.decode("latin-1"))
    return value.encode("latin-1"), {
        name.encode("latin-1"): text_of(option.encode("latin-1")) for name, option in options.items()
    }


def redirect(req, location, permanent=0, text=None):
    """End the request with a redirect to location, 301 if permanent, else 302.

    The body is text, or a line of HTML with a link. OSError is raised if part of the response has been sent.
    """
    if not isinstance(location, str):
        raise TypeError(f"location must be of type str, not {type(location).__name__}")
    if any(character < " " or character == "\x7f" for character in location):
        raise ValueError(f"location has a control character: {location!r}")
    if req.sent_bodyct:
        raise OSError("Cannot redirect after headers have already been sent.")
    req.err_headers_out["Location"] = location
    req.status = 301 if permanent else 302
    if text is None:
        from html import escape

        req.content_type = "text/html; charset=utf-8"
        req.write(f'<p>The document has moved <a href="{escape(location)}">here</a></p>\n')
    else:
        req.write(text)
    raise SERVER_RETURN(_DONE)


def apply_fs_data(object, fs, **args):
    """Call object with the fields of a form that it takes, and with args, which come before fields of the same name.

    A field that is there several times is a list; a file is its Field, anything else a str. An object that takes **keywords
    gets all fields. A builtin gets none.
    """
    from ._form_arguments import arguments_for

    positional, keywords, _ = arguments_for(object, fs, args)
    return object(*positional, **keywords)


class FieldStorage:
    """The fields of a request: of its query, and of the form that it posts.

    fs[name] is a field, or a list if there are several of that name. Fields that are not files are StringFields, which are str.
    A body that is malformed, or over a bound, is logged and ends the request with SERVER_RETURN.
    """

    _pairs = None  # names and values of which no fields have been made yet
    _list = None

    def __init__(self, req, keep_blank_values=0, strict_parsing=0, file_callback=None, field_callback=None):
        query = req.args
        if req.method != "POST":
            # What most requests are
            self._pairs = pairs = []
            if query:
                pairs += self._urlencoded(req, _options_of(req), query, keep_blank_values, strict_parsing, "the query")
            return
        options = _options_of(req)
        self._pairs = pairs = []
        if query:
            pairs += self._urlencoded(req, options, query, keep_blank_values, strict_parsing, "the query")
        headers = req.headers_in
        content_type = headers.get("Content-Type")
        kind = content_type
        if content_type is not None and content_type != "application/x-www-form-urlencoded":
            kind = content_type.partition(";")[0].strip().lower()
        if kind is None or kind == "application/x-www-form-urlencoded":
            most = _bound(req, options, "max_memory")
            length = headers.get("Content-Length")
            if length is not None and length.isdecimal() and int(length) > most:
                _too_large(req, f"the form has {length} bytes, more than {most}", "max_memory")
            # A filter of the body may make more of it than its length says
            body = req.read(most + 1)
            if len(body) > most:
                _too_large(req, f"the form has more than {most} bytes", "max_memory")
            if body:
                pairs += self._urlencoded(req, options, body, keep_blank_values, strict_parsing, "the form")
        elif kind.startswith("multipart/"):
            reader = _multipart_reader or _load_multipart_reader()
            self.list.extend(reader(req, content_type, _Bounds(req, options), len(pairs), file_callback, field_callback))
        else:
            _refuse(req, 501, f"MP0503: a form of type {kind[:100]!r} cannot be read: forms are multipart or urlencoded")

    @staticmethod
    def _urlencoded(req, options, data, keep_blank_values, strict, where):
        ampersand, semicolon, nul = ("&", ";", "%00") if type(data) is str else (b"&", b";", b"%00")
        most = _bound(req, options, "max_fields")
        if len(data) > most and data.count(ampersand) + data.count(semicolon) >= most:
            _too_large(req, f"{where} has more than {most} fields", "max_fields")
        fields = _form_fields(data, keep_blank_values)
        if strict or nul in data or (type(data) is bytes and 0 in data):
            from ._form_reading import check

            check(req, data, fields, strict, where)
        return fields

    @property
    def list(self):
        """All fields in the order in which they came."""
        fields = self._list
        if fields is None:
            fields, by_name = _string_fields(StringField, self._pairs)
            fields = self._list = FieldList(fields)
            fields._table = Names(by_name)
            self._pairs = None
        return fields

    @list.setter
    def list(self, fields):
        self._list, self._pairs = fields if isinstance(fields, FieldList) else FieldList(fields), None

    def _of(self, name):
        return dict.get(self.list.table(), text_of(name) if isinstance(name, bytes) else name) or ()

    def add_field(self, key, value):
        """Add a field behind the others."""
        self.list.append(_string_field(_name(key), _value(value)))

    def clear(self):
        """Remove all fields."""
        self.list.clear()

    def __setitem__(self, key, value):
        name = _name(key)
        value = _value(value)
        if name in self:
            del self[name]
        self.list.append(_string_field(name, value))

    def __delitem__(self, key):
        fields = self._of(key)
        if not fields:
            raise KeyError(key)
        name = fields[0].name
        self.list[:] = [field for field in self.list if field.name != name]

    def __getitem__(self, key):
        fields = self._of(key)
        if not fields:
            raise KeyError(key)
        return fields[0] if len(fields) == 1 else list(fields)

    def get(self, key, default=None):
        """The field of that name, a list if there are several, default if there is none."""
        fields = self._of(key)
        return default if not fields else fields[0] if len(fields) == 1 else list(fields)

    def getfirst(self, key, default=None):
        """The first field of that name, default if there is none."""
        fields = self._of(key)
        return fields[0] if fields else default

    def getlist(self, key):
        """A list of the fields of that name."""
        return list(self._of(key))

    def has_key(self, key):
        """Whether there is a field of that name."""
        return bool(self._of(key))

    def __contains__(self, key):
        return bool(self._of(key))

    def keys(self):
        """The names, each once."""
        return list(self.list.table())

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self.list.table())

    def items(self):
        """Pairs of a name and its field, in the order of the form."""
        return [(field.name, field) for field in self.list]

    def __repr__(self):
        return repr(self.list.table())


_multipart_reader = None  # loaded with the first multipart body


def _load_multipart_reader():
    global _multipart_reader
    from ._form_reading import read_multipart

    _multipart_reader = read_multipart
    return read_multipart


def _name(name):
    if isinstance(name, str):
        return name
    if isinstance(name, bytes):
        return text_of(name)
    raise TypeError(f"Field name must be str or bytes, not {type(name).__name__}")


def _value(value):
    if isinstance(value, (str, bytes)):
        return value
    raise TypeError(f"Field value must be str or bytes, not {type(value).__name__}")


def _options_of(req):
    """The options of a request, None if there are none."""
    options = getattr(req, "get_options", None)
    return options and options() or None


def _bound(req, options, name):
    """A bound of PythonOption, or its default."""
    bound = _BOUNDS[name]
    text = options.get(f"mod_python.util.{name}") if options is not None else None
    if text is None:
        return bound
    if isinstance(text, str) and text.isascii() and text.isdecimal():
        return int(text)
    req.log_error(f"MP0504: PythonOption mod_python.util.{name} is {text!r}, which is no number: {bound} is used", 4)
    return bound


class _Bounds:
    """The bounds that hold for a request, read once."""

    def __init__(self, req, options):
        for name in _BOUNDS:
            setattr(self, name, _bound(req, options, name))


def _refuse(req, status, text):
    req.log_error(text, 4)
    raise SERVER_RETURN(status)


def _too_large(req, text, option):
    _refuse(req, 413, f"MP0502: {text}; PythonOption mod_python.util.{option} is the bound")
