"""Cookies: ``from mod_python import Cookie``.

A Cookie is one cookie, to be sent by add_cookie(), or received by get_cookies() and get_cookie(). A SignedCookie shows whether the
client has changed it; a MarshalCookie is signed too, and has a value of any type that marshal knows. The classes also work outside
httpd.
"""

import re

from . import _signatures

__all__ = ["Cookie", "CookieError", "MarshalCookie", "SignedCookie", "add_cookie", "get_cookie", "get_cookies"]
__all__ += ["DOWNGRADE", "EXCEPTION", "IGNORE"]

# What parse() does with a wrong signature
DOWNGRADE = 0
IGNORE = 1
EXCEPTION = 3

# In the order in which they are sent, and how they are spelled there
_SPELLINGS = {
    "version": "version",
    "path": "path",
    "domain": "domain",
    "secure": "secure",
    "comment": "comment",
    "expires": "expires",
    "max_age": "max-age",
    "samesite": "samesite",
    "commentURL": "commentURL",
    "discard": "discard",
    "port": "port",
    "httponly": "httponly",
    "partitioned": "partitioned",
}
_place = {name: place for place, name in enumerate(_SPELLINGS)}.__getitem__
_WORDS = frozenset(("secure", "discard", "httponly", "partitioned"))
_orders = {(): ()}  # names as a cookie was given them -> those and how they are sent, in their order

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_date = re.compile(
    rf"(?:{'|'.join(_DAYS)}), [0-9]{{2}}([- ])(?:{'|'.join(_MONTHS)})\1[0-9]{{4}} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT", re.ASCII
).fullmatch

# What would end the value, or the header
_breaks = re.compile(r"[\x00-\x1f\x7f;]").search
# What needs a closer look in a header that was received
_is_odd = re.compile(r'["\x00-\x1f\x7f]').search
# Of a header with quotes: a name, and what follows the equals sign. A text in quotes may have semicolons
_quoted_parts = re.compile(r'([^=;]*)(?:=([ \t]*"(?:[^"\\]|\\.)*"[ \t]*(?=;|\Z)|[^;]*))?(?:;|\Z)').finditer


class CookieError(Exception):
    """A cookie cannot be signed, or its signature is wrong."""


def _expiry(value):
    """When the client forgets the cookie: Wdy, DD-Mon-YYYY HH:MM:SS GMT. It can be set to seconds since 1970."""
    if isinstance(value, str):
        if _date(value):
            return value
        raise ValueError(f"Invalid expires time: {value}")
    import time

    try:
        at = time.gmtime(value)
    except (TypeError, ValueError, OverflowError, OSError):
        raise ValueError(f"Invalid expires time: {value}") from None
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    return f"{day}, {at.tm_mday:02}-{month}-{at.tm_year:04} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"


def _ordered(attributes):
    """Names and what is sent before their values, None for those without one, in their order."""
    order = [(name, None if name in _WORDS else f"; {_SPELLINGS[name]}=") for name in sorted(attributes, key=_place)]
    if len(_orders) < 1000:
        _orders[tuple(attributes)] = order
    return order


def _rendered(name, value, attributes):
    """What is sent for a cookie, and whether nothing in it can break the header."""
    text = f"{name}={value}"
    semicolons = 0
    order = _orders.get(tuple(attributes))
    for attribute, prefix in _ordered(attributes) if order is None else order:
        given = attributes[attribute]
        if prefix is None:
            if given:
                text += f"; {attribute}"
                semicolons += 1
        # SameSite=None is a value; anything else that is None is not sent
        elif given is not None or attribute == "samesite":
            text += f"{prefix}{given}"
            semicolons += 1
    return text, type(name) is str and name and "=" not in name and text.count(";") == semicolons and text.isprintable()


def _attribute(name, checked=None):
    def get(self):
        if self._attributes and name in self._attributes:
            return self._attributes[name]
        raise AttributeError(f"the cookie has no {name}")

    def set(self, value):
        if self._attributes is None:
            self._attributes = {}
        self._attributes[name] = value if checked is None or value is None else checked(value)

    def delete(self):
        get(self)
        del self._attributes[name]

    return property(get, set, delete, checked and checked.__doc__)


class Cookie:
    """A cookie: its name, its value, and its attributes.

    The attributes are version, path, domain, secure, comment, expires, max_age, samesite, commentURL, discard, port, httponly and
    partitioned; any other raises AttributeError. str(cookie) is the cookie as a header sends it.
    """

    __slots__ = ("name", "value", "_attributes", "_data", "_received")

    DOWNGRADE = DOWNGRADE
    IGNORE = IGNORE
    EXCEPTION = EXCEPTION

    _valid_attr = tuple(_SPELLINGS)

    def __init__(self, name, value, **attributes):
        self.name = name
        self.value = value
        self._received = None
        self._attributes = attributes or None
        if attributes:
            for attribute in attributes:
                if attribute not in _SPELLINGS:
                    raise AttributeError(f"a cookie has no attribute {attribute!r}: it has {', '.join(_SPELLINGS)}")
            if "expires" in attributes:
                self.expires = attributes["expires"]

    for _name in _SPELLINGS:
        locals()[_name] = _attribute(_name, _expiry if _name == "expires" else None)
    del _name

    @property
    def __data__(self):
        """A dict for whatever a subclass keeps with its cookies."""
        try:
            return self._data
        except AttributeError:
            self._data = {}
            return self._data

    def __str__(self):
        value = self.value if type(self) is Cookie and type(self.value) is str else self._sent_value()
        text, is_plain = _rendered(self.name, value, self._attributes or {})
        if not is_plain:
            self._require_sendable(value)
        return text

    def __repr__(self):
        return f"<{type(self).__name__}: {self.name}={self.value}>"

    @classmethod
    def parse(cls, text, names=None, **more):
        """The cookies of a header's text, {name: cookie}; of those with names only, if they are given. The last of a name counts."""
        found = {}
        # Nearly all headers are plain, and nearly all cookies of this class
        if cls is Cookie and '"' not in text and text.isascii() and text.isprintable():
            # Browsers send a space behind each semicolon, and no other
            is_usual = text.count("; ") == text.count(";") == text.count(" ")
            for part in text.split("; " if is_usual else ";"):
                name, _, value = part.partition("=")
                if not is_usual:
                    name, value = name.strip(), value.strip()
                if name and name[0] != "$" and (names is None or name in names):
                    found[name] = cookie = _new(Cookie)
                    cookie.name = name
                    cookie.value = value
                    cookie._attributes = cookie._received = None
            return found
        for name, value in _pairs(text, names):
            found[name] = cls(name, value, **more)
        if _is_odd(text):
            _mark_received(found)
        return found

    def _sent_value(self):
        value = self.value
        return _decoded(value) if type(value) is bytes else value

    def _require_sendable(self, value):
        """Refuses what would break the header."""
        _check(self, self.name, value)
        for name, given in (self._attributes or {}).items():
            if name not in _WORDS and _breaks(f"{given}"):
                raise ValueError(f"the {name} {given!r} of cookie {self.name!r} has a semicolon or a control character: it cannot be sent")


class SignedCookie(Cookie):
    """A cookie that is sent with a signature of its name and value, made with a secret: HMAC by SHA-256."""

    __slots__ = ()

    _kind = b"signed"

    def __init__(self, name, value, secret=None, **attributes):
        if not secret:
            raise CookieError(f"the cookie {name!r} cannot be signed without a secret")
        Cookie.__init__(self, name, value, **attributes)
        self._data = {"secret": secret}

    def hexdigest(self, text):
        """The signature of a text as this cookie's value."""
        return _signatures.sign(self.__data__["secret"], self._kind, self.name, text)

    def unsign(self, secret):
        """Take the signature off the value. CookieError: it is wrong."""
        self._unsign(secret, False)

    @classmethod
    def parse(cls, text, secret, mismatch=DOWNGRADE, names=None, accept_md5=False, **more):
        """The cookies of a header's text, {name: cookie}, without their signatures.

        A cookie whose signature is wrong is a plain Cookie with mismatch=DOWNGRADE, is left out with IGNORE, and raises CookieError with
        EXCEPTION. With accept_md5, signatures by MD5 are taken too, as mod_python 3.5 and older made them.
        """
        if not secret:
            raise CookieError("signatures cannot be verified without a secret")
        found = {}
        for name, value in _pairs(text, names):
            cookie = cls(name, value, secret, **more)
            try:
                cookie._unsign(secret, accept_md5)
            except CookieError:
                if mismatch == EXCEPTION:
                    raise
                cookie = None if mismatch == IGNORE else Cookie(name, value)
            if cookie is None:
                found.pop(name, None)
            else:
                found[name] = cookie
        if _is_odd(text):
            _mark_received(found)
        return found

    def _sent_value(self):
        value = Cookie._sent_value(self)
        return self.hexdigest(value) + value if isinstance(value, str) else f"{self.hexdigest(str(value))}{value}"

    def _unsign(self, secret, accept_md5):
        signed = self.value
        self.value = signed[_signatures.LENGTH :]
        if _signatures.is_signed(secret, self._kind, self.name, self.value, signed[: _signatures.LENGTH]):
            return
        self.value = signed[_signatures.MD5_LENGTH :]
        if accept_md5 and _signatures.is_md5(secret, self.name, self.value, signed[: _signatures.MD5_LENGTH]):
            return
        self.value = signed
        raise CookieError(f"the signature of cookie {self.name!r} is wrong")


class MarshalCookie(SignedCookie):
    """A signed cookie with a value of any type that marshal knows: numbers, texts, bytes, None, and lists, tuples, dicts of them."""

    __slots__ = ()

    # Texts that were signed for a SignedCookie are nothing to be loaded
    _kind = b"marshal"

    def unmarshal(self, secret):
        """Take the signature off the value, and load it. CookieError: the signature is wrong, or the value cannot be loaded."""
        self._unsign(secret, False)

    def _sent_value(self):
        import marshal
        from binascii import b2a_base64

        value = b2a_base64(marshal.dumps(self.value), newline=False).decode("ascii")
        return self.hexdigest(value) + value

    def _unsign(self, secret, accept_md5):
        import marshal
        from binascii import a2b_base64

        signed = self.value
        SignedCookie._unsign(self, secret, accept_md5)
        try:
            self.value = marshal.loads(a2b_base64(self.value))
        # What it is depends on the version that has written it
        except Exception as error:
            self.value = signed
            raise CookieError(f"the value of cookie {self.name!r} cannot be loaded: {error}") from error


def add_cookie(req, cookie, value="", **attributes):
    """Send a cookie with the response: a Cookie, or one of this name, value and attributes."""
    if isinstance(cookie, Cookie):
        text = _sent_text(cookie)
    elif type(value) is str and tuple(attributes) in _orders and "expires" not in attributes:
        # Nearly all cookies need no object
        text, is_plain = _rendered(cookie, value, attributes)
        if not is_plain or not text.isascii():
            text = _sent_text(Cookie(cookie, value, **attributes))
    else:
        text = _sent_text(Cookie(cookie, value, **attributes))
    headers = req.headers_out
    if "Set-Cookie" not in headers:
        headers.add("Cache-Control", 'no-cache="set-cookie"')
    headers.add("Set-Cookie", text)


def _sent_text(cookie):
    """What a header has for a cookie."""
    if cookie._received is not None:
        # Shown as it came, but not to be sent
        _check(cookie, cookie.name, cookie._sent_value(), True)
    text = str(cookie)
    # UTF-8, so that what the client returns is read as what it was
    return text if text.isascii() else text.encode("utf-8")


def get_cookies(req, Class=None, **more):
    """The cookies of a request, {name: cookie}. Whatever else is given goes to the parse() of the class, such as a secret."""
    try:
        text = req.headers_in["Cookie"]
    except KeyError:
        return {}
    if type(text) is list:
        text = "; ".join(text)
    if Class is None:
        return Cookie.parse(text, **more) if more else Cookie.parse(text)
    if isinstance(Class, type) and issubclass(Class, SignedCookie) and "accept_md5" not in more:
        from ._options import is_on

        if is_on(req.get_options(), "mod_python.cookie.accept_md5"):
            more["accept_md5"] = True
    return Class.parse(text, **more)


def get_cookie(req, name, Class=None, **more):
    """The cookie of a request that has this name, or None."""
    return get_cookies(req, Class, names=[name], **more).get(name)


_new = Cookie.__new__


def _pairs(text, names):
    """The names and values in a header's text."""
    found = []
    if _is_odd(text):
        parts = [match.group(1, 2) for match in _quoted_parts(text) if not _breaks(match[1].strip(" \t"))]
    else:
        parts = [part.partition("=")[::2] for part in text.split(";")]
    for name, value in parts:
        name = name.strip(" \t")
        if name and name[0] != "$" and (names is None or name in names):
            found.append((name, value.strip(" \t") if value else ""))
    return found


def _mark_received(cookies):
    """Marks the cookies that may be shown, but could not be sent: a client may write a semicolon between quotes."""
    for cookie in cookies.values():
        if isinstance(cookie.value, str) and _breaks(cookie.value):
            cookie._received = cookie.value


def _check(cookie, name, value, is_sent=False):
    """Refuses a name or a value that would break the header."""
    if not isinstance(name, str) or not name or "=" in name or _breaks(name):
        raise ValueError(f"{name!r} cannot be the name of a cookie: it is empty, or has an equals sign, a semicolon or a control character")
    if not is_sent and cookie._received is not None and cookie._received is cookie.value:
        return
    if _breaks(str(value)):
        raise ValueError(f"the value of cookie {name!r} has a semicolon or a control character: quote it, by urllib.parse.quote() for example")


def _decoded(value):
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
