"""Tables of the stand-in: ordered, of several values for a key, keys without case. It imports nothing of the package."""


def text_of(value, what, any_text=True):
    """A key or value as the server reads it back: str, or bytes that are UTF-8, else Latin-1."""
    if isinstance(value, bytes):
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
    elif isinstance(value, str):
        text = value
        if not any_text:
            try:
                text.encode("latin-1")
            except UnicodeEncodeError:
                raise TypeError(f"{what} is not an ISO-8859-1 string: {text!r}") from None
    else:
        raise TypeError(f"{what} must be str or bytes, not {type(value).__name__}")
    if "\0" in text:
        raise ValueError(f"{what} has a null character in it: {text!r}")
    return text


_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class mp_table:
    """As the server's tables."""

    __hash__ = None
    _headers = None  # the name of a table of the response's headers, which are checked

    def __init__(self, items=()):
        self._pairs = []
        if hasattr(items, "keys"):
            self.update(items)
            return
        for pair in items:
            key, value = pair
            self[str(key) if not isinstance(key, (str, bytes)) else key] = value if isinstance(value, (str, bytes)) else str(value)

    def _checked(self, key, value):
        key = text_of(key, "the key of a table's entry", any_text=False)
        value = text_of(value, "the value of a table's entry")
        if self._headers is not None:
            if not key or not _TOKEN.issuperset(key):
                raise ValueError(f"{self._headers}: {key!r} is not a header's name")
            if any(character < " " and character != "\t" or character == "\x7f" for character in value):
                raise ValueError(f"{self._headers}[{key!r}]: a header's value must not contain CR, LF or another control character")
            if key.lower() == "content-length" and not (value.isascii() and value.isdigit()):
                raise ValueError(f"{self._headers}[{key!r}]: {value!r} is not a length: it must be a number of bytes, in digits")
        return key, value

    def _places(self, key):
        key = text_of(key, "the key of a table's entry", any_text=False).lower()
        return [place for place, (name, _) in enumerate(self._pairs) if name.lower() == key]

    def __len__(self):
        return len(self._pairs)

    def __contains__(self, key):
        return bool(self._places(key))

    def __iter__(self):
        return self._iterate(0)

    def _iterate(self, part):
        size = len(self._pairs)
        at = 0
        while at < len(self._pairs):
            yield self._pairs[at] if part is None else self._pairs[at][part]
            if len(self._pairs) != size:
                raise RuntimeError("table changed size during iteration")
            at += 1

    def __getitem__(self, key):
        found = [self._pairs[place][1] for place in self._places(key)]
        if not found:
            raise KeyError(key)
        return found[0] if len(found) == 1 else found

    def __setitem__(self, key, value):
        key, value = self._checked(key, value)
        places = self._places(key)
        if not places:
            self._pairs.append((key, value))
            return
        self._pairs[places[0]] = (self._pairs[places[0]][0], value)
        for place in reversed(places[1:]):
            del self._pairs[place]

    def __delitem__(self, key):
        for place in reversed(self._places(key)):
            del self._pairs[place]

    def __eq__(self, other):
        if not hasattr(other, "keys"):
            return NotImplemented
        return {key: self[key] for key in self} == {key: other[key] for key in other.keys()}

    def __repr__(self):
        return "{" + ", ".join(f"{key!r}: {value!r}" for key, value in reversed(self._pairs)) + "}"

    def add(self, key, value, /):
        """Add one more value."""
        if self._headers is not None and isinstance(key, (str, bytes)) and text_of(key, "the key").lower() == "content-length":
            self[key] = value  # a response has one
            return
        self._pairs.append(self._checked(key, value))

    def clear(self, /):
        """Empty it."""
        self._pairs.clear()

    def copy(self, /):
        """An independent table with the last value of each key."""
        made = mp_table()
        for key, value in self._pairs:
            places = made._places(key)
            if places:
                made._pairs[places[0]] = (made._pairs[places[0]][0], value)
            else:
                made._pairs.append((key, value))
        return made

    def get(self, key, default=None, /):
        """The first value."""
        places = self._places(key)
        return self._pairs[places[0]][1] if places else default

    def has_key(self, key, /):
        """0 or 1."""
        return int(key in self)

    def items(self, /):
        """All pairs."""
        return list(self._pairs)

    def keys(self, /):
        """All keys."""
        return [key for key, _ in self._pairs]

    def values(self, /):
        """All values."""
        return [value for _, value in self._pairs]

    def iteritems(self, /):
        """Iterate over the pairs."""
        return self._iterate(None)

    def iterkeys(self, /):
        """Iterate over the keys."""
        return self._iterate(0)

    def itervalues(self, /):
        """Iterate over the values."""
        return self._iterate(1)

    def popitem(self, /):
        """Remove a pair and return it."""
        if not self._pairs:
            raise KeyError("popitem(): table is empty")
        return self._pairs.pop(0)

    def setdefault(self, key, default="", /):
        """The first value, else set and return default."""
        if key not in self:
            self[key] = default
        return self.get(key)

    def update(self, mapping, /):
        """Set all keys of a mapping."""
        for key in mapping.keys():
            value = mapping[key]
            self[key if isinstance(key, (str, bytes)) else str(key)] = value if isinstance(value, (str, bytes)) else str(value)


class HeadersOut(mp_table):
    """A table of the response's headers."""

    def __init__(self, name):
        super().__init__()
        self._headers = name


for _class in (mp_table, HeadersOut):
    _class.__module__, _class.__name__, _class.__qualname__ = "builtins", "mp_table", "mp_table"
