"""The fields of a form: what FieldStorage keeps."""


class Names(dict):
    """A dict by names, which a look-up by bytes finds too."""

    __slots__ = ()

    def __missing__(self, key):
        if isinstance(key, bytes):
            return self[text_of(key)]
        raise KeyError(key)

    def __contains__(self, key):
        return dict.__contains__(self, text_of(key) if isinstance(key, bytes) else key)

    def get(self, key, default=None):
        return dict.get(self, text_of(key) if isinstance(key, bytes) else key, default)


def text_of(data):
    """Bytes from a client as text: UTF-8, else Latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


class _Described:
    """An attribute that the part of a body says, else a new default. It is made when it is asked for, and then kept."""

    __slots__ = ("name", "default")

    def __init__(self, default):
        self.default = default

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, field, owner=None):
        if field is None:
            return self
        part = field._part
        value = field.__dict__[self.name] = self.default() if part is None else getattr(part, self.name)
        return value


class _PartOfForm:
    """What fields of all kinds have."""

    __slots__ = ()

    type = _Described(lambda: "text/plain")
    type_options = _Described(Names)
    disposition = _Described(lambda: None)
    disposition_options = _Described(Names)
    headers = _Described(dict)


class Field(_PartOfForm):
    """A field that is a file: name, filename, file, type, type_options, disposition, disposition_options, headers.

    The file is open for reading, at its start; value is all that it has. It is closed when the field goes.
    """

    filename = None
    file = None
    _part = None  # the part of a body that it comes from

    def __init__(self, name, file=None, ctype="text/plain", type_options=None, disp=None, disp_options=None, headers=None):
        self.name = name
        if file is not None:
            self.file = file
            self.type = ctype
            self.type_options = {} if type_options is None else type_options
            self.disposition = disp
            self.disposition_options = {} if disp_options is None else disp_options
            self.headers = {} if headers is None else headers
            self.filename = self.disposition_options.get("filename")

    @property
    def value(self):
        """All that the file has, as bytes; the file is at its start afterwards."""
        file = self.file
        if file is None:
            return None
        file.seek(0)
        value = file.read()
        file.seek(0)
        return value

    def __repr__(self):
        return f"Field({self.name!r}, {self.value!r})"

    def __del__(self):
        close = getattr(self.file, "close", None)
        if close is not None:
            close()


class StringField(str, _PartOfForm):
    """The value of a field that is no file: a str with the attributes of a Field.

    bytes(field) is what the client sent, field.decode(encoding) decodes that, and a comparison with bytes compares it.
    """

    filename = None
    name = None
    _part = None  # the part of a body that it comes from
    _sent = None  # the client's bytes, where they are not the text's UTF-8

    def __new__(cls, value=""):
        if isinstance(value, (bytes, bytearray, memoryview)):
            value = bytes(value)
            text = text_of(value)
            field = str.__new__(cls, text)
            if text.encode() != value:
                field._sent = value
            return field
        return str.__new__(cls, value)

    @property
    def value(self):
        """The text, as an ordinary str."""
        return str.__str__(self)

    @property
    def file(self):
        """A file of the client's bytes, or what field_callback made."""
        file = self.__dict__.get("file")
        if file is None:
            from io import BytesIO

            file = self.__dict__["file"] = BytesIO(bytes(self))
        return file

    @file.setter
    def file(self, file):
        self.__dict__["file"] = file

    def __bytes__(self):
        sent = self._sent
        return str.encode(self, "utf-8", "surrogatepass") if sent is None else sent

    def decode(self, encoding="utf-8", errors="strict"):
        """The client's bytes, decoded."""
        return bytes(self).decode(encoding, errors)

    def __eq__(self, other):
        if isinstance(other, (bytes, bytearray)):
            return bytes(self) == other
        return str.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__

    def __str__(self):
        return str.__str__(self)

    def __repr__(self):
        return f"Field({self.name!r}, {str.__str__(self)!r})"

    def __reduce__(self):
        return _string_field, (self.name, self._sent or self.value)


def _string_field(name, value):
    field = StringField(value)
    field.name = name
    return field


def string_field(name, value):
    """A StringField; of bytes that are not UTF-8, as Latin-1."""
    field = StringField(value) if type(value) is bytes else str.__new__(StringField, value)
    field.name = name
    return field


class FieldList(list):
    """The fields in their order. table() groups them by name."""

    _table = None

    def table(self):
        """A dict of lists: the fields of each name."""
        table = self._table
        if table is None:
            found = {}
            for field in self:
                name = field.name
                if name in found:
                    found[name].append(field)
                else:
                    found[name] = [field]
            table = Names(found)
            self._table = table
        return table


def _changing(name):
    change = getattr(list, name)

    def changed(self, *args, **kwargs):
        self._table = None
        return change(self, *args, **kwargs)

    changed.__name__ = name
    changed.__qualname__ = f"FieldList.{name}"
    changed.__doc__ = change.__doc__
    return changed


for _name in "__delitem__ __iadd__ __imul__ __setitem__ append clear extend insert pop remove reverse sort".split():
    setattr(FieldList, _name, _changing(_name))
