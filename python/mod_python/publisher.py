"""A handler that publishes the objects of a module: ``PythonHandler mod_python.publisher``.

A URL leads to a file and, through the names behind it, to an object in it. What can be called is called with the fields of the
form, and the result is the response.
"""

import types

from _apache import SERVER_RETURN

from . import _page_rules
from ._form_arguments import arguments_for
from ._page_rules import ACCESS, AUTH, REALM
from ._pages import PageCache
from .util import FieldStorage

__all__ = ["PageCache", "handler", "page_cache", "process_auth", "publish_object", "resolve_object", "tp_rules"]

_OK = 0
_METHODS = ("GET", "POST", "HEAD")
_MOST_CALLS = 100  # of what calls return
_INFO = 6

page_cache = PageCache()

# By type: whether a URL may lead through such an object, and whether it may end at it. Whatever is not here: both
tp_rules = {
    value: (False, True)
    for value in vars(types).values()
    if isinstance(value, type) and value is not types.DynamicClassAttribute
}
tp_rules.update(
    dict.fromkeys(
        (
            types.ModuleType,
            types.BuiltinFunctionType,
            types.MethodWrapperType,
            types.GeneratorType,
            types.CoroutineType,
            types.AsyncGeneratorType,
            types.CodeType,
            types.FrameType,
            types.TracebackType,
            type,
        ),
        (False, False),
    )
)
_EVERYTHING = (True, True)
_NOTHING = (False, False)


def handler(req):
    """Publish the object that the request's URL leads to."""
    if req.method not in _METHODS:
        req.allow_methods(_METHODS)
        raise SERVER_RETURN(405)
    path = req.path_info
    path = path[1:-1] if path and path[-1] == "/" else path[1:] if path else ""
    page, path = _page(req, path)
    if page is None:
        raise SERVER_RETURN(404)
    publish_object(req, resolve_object(req, page, path.replace("/", ".") or "index"))
    return _OK


def _page(req, path):
    """The page of a request, and the path from there."""
    folder, _, name = (req.filename or "").rpartition("/")
    if not name:
        name = "index"
    elif "." in name:
        name = _without_suffix(req, name)
    file = f"{folder}/{name}.py"
    try:
        page = page_cache.get(file, req)
        if page is None and name != "index":
            file = f"{folder}/index.py"
            page = page_cache.get(file, req)
            path = f"{name}/{path}" if path else name
    except PermissionError as error:
        _say(req, f"MP0506: the page cannot be read: {error}", 3)
        raise SERVER_RETURN(403) from None
    if page is not None and req.filename != file:
        req.filename = file  # programs ask for their file
    return page, path


def _without_suffix(req, name):
    for suffix in ("py", *(req.get_addhandler_exts() or "").split(), req.extension):
        if suffix:
            suffix = "." + suffix.lstrip(".")
            if name.endswith(suffix) and name != suffix:
                return name[: -len(suffix)]
    return name


def _rules_for(object):
    rule = tp_rules.get(type(object))
    if rule is not None:
        return rule
    if isinstance(object, (type, types.ModuleType)):
        return _NOTHING
    return _EVERYTHING


def resolve_object(req, obj, object_str, realm=None, user=None, passwd=None):
    """The object that the names in object_str, separated by dots, lead to from obj, if all rules on the way admit the request.

    What is not there is SERVER_RETURN 404; what is not published is 403.
    """
    access = None
    rules = _rules_of(req, obj)
    if rules is not None:
        access = _Access(req, realm or "unknown", user, passwd)
        access.check(rules)
    is_first = True
    for name in object_str.split("."):
        if name[:1] == "_":
            _forbidden(req, f"{object_str!r}: names that begin with an underscore are private")
        if is_first:
            is_first = False
        elif not _rules_for(obj)[0]:
            _forbidden(req, f"{object_str!r}: no path leads into a {type(obj).__name__}")
        try:
            obj = getattr(obj, name)
        except AttributeError:
            raise SERVER_RETURN(404) from None
        rules = _rules_of(req, obj)
        if rules is not None:
            if access is None:
                access = _Access(req, realm or "unknown", user, passwd)
            access.check(rules)
    if not _rules_for(obj)[1]:
        _forbidden(req, f"{object_str!r} is a {type(obj).__name__}")
    return obj


def _rules_of(req, obj):
    try:
        if isinstance(obj, types.ModuleType):
            return _page_rules.of_module(obj)
        return _page_rules.of(obj)
    except _page_rules.Unclear as error:
        _say(req, f"MP0507: {error}", 3)
        raise SERVER_RETURN(500) from None


def process_auth(req, object, realm="unknown", user=None, passwd=None):
    """Check the rules of an object; the realm, the user and the password that hold from there on.

    A request that they do not admit ends with SERVER_RETURN 401 or 403.
    """
    access = _Access(req, realm, user, passwd)
    rules = _rules_of(req, object)
    if rules is not None:
        access.check(rules)
    return access.realm, access.user, access.password


class _Access:
    """What a request shows on its way to an object: the user and the password, and the realm that it is in."""

    __slots__ = ("req", "realm", "user", "password", "is_decoded")

    def __init__(self, req, realm, user, password):
        self.req, self.realm, self.user, self.password = req, realm, user, password
        self.is_decoded = user is not None

    def check(self, rules):
        """Raise unless these rules admit the request."""
        self.realm = rules.get(REALM, self.realm)
        if AUTH not in rules and ACCESS not in rules:
            return
        if not self.is_decoded:
            self.is_decoded = True
            self.user, self.password = _credentials(self.req)
        if AUTH in rules and not self._is_user(rules[AUTH]):
            realm = str(self.realm).replace("\\", "\\\\").replace('"', '\\"')
            realm = "".join(character if character.isprintable() else " " for character in realm)
            self.req.err_headers_out["WWW-Authenticate"] = f'Basic realm="{realm}"'
            raise SERVER_RETURN(401)
        if ACCESS in rules and not self._may(rules[ACCESS]):
            raise SERVER_RETURN(403)

    def _is_user(self, rule):
        if self.user is None:
            return False
        if callable(rule):
            return rule(self.req, self.user, self.password)
        if isinstance(rule, dict):
            from _operator import _compare_digest

            password = rule.get(self.user)
            if not isinstance(password, (str, bytes)):
                return False
            password = password.encode() if isinstance(password, str) else password
            return _compare_digest(password, self.password.encode())
        return rule

    def _may(self, rule):
        if callable(rule):
            return rule(self.req, self.user)
        if isinstance(rule, (list, tuple, set, frozenset, dict)):
            return self.user in rule
        return rule


def _credentials(req):
    """The user and the password of Basic authentication; None for both if there are none."""
    header = req.headers_in.get("Authorization")
    if header is None:
        return None, None
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    from binascii import Error, a2b_base64

    try:
        data = a2b_base64(text.strip().encode("ascii"), strict_mode=True)
    except (Error, UnicodeEncodeError):
        data = b""
    try:
        user, colon, password = data.decode().partition(":")
    except UnicodeDecodeError:
        user, colon, password = data.decode("latin-1").partition(":")
    if not colon:
        _say(req, "MP0508: the Authorization header is not base64 of a user and a password", _INFO)
        raise SERVER_RETURN(400)
    return user, password


def publish_object(req, obj):
    """Write an object as the response: the result of calling it with the form's fields if it can be called, else its text.

    req.form is the form. Nothing is written for None; the result is whether something was.
    """
    calls = 0
    while callable(obj):
        calls += 1
        if calls > _MOST_CALLS:
            raise RecursionError(f"what is published returns something that can be called, {_MOST_CALLS} times in a row")
        form = getattr(req, "form", None)
        if not isinstance(form, FieldStorage):
            form = req.form = FieldStorage(req, 1)
        positional, keywords, missing = arguments_for(obj, form, {"req": req})
        if missing:
            _say(req, f"MP0505: {_name(obj)}() needs {', '.join(missing)}, which the request does not have", 4)
            raise SERVER_RETURN(400)
        obj = _result(obj, obj(*positional, **keywords))
    if obj is None:
        return False
    if isinstance(obj, (bytes, bytearray, memoryview)):
        text = bytes(obj)
        end = text[-100:].lower()
        is_html, is_ascii = b"</html>" in end, True
    else:
        text = str(obj)
        is_html, is_ascii = "</html>" in text[-100:].lower(), text.isascii()
    if not req._content_type_set:
        if req._bytes_queued:  # what the program has written decides
            req.write(text, 0)
            return True
        kind = "text/html" if is_html else "text/plain"
        req.content_type = kind if is_ascii else kind + "; charset=utf-8"
    elif not is_ascii:
        text = _encoded(req.content_type, text)
    req.write(text, 0)
    return True


def _result(function, result):
    kind = type(result)
    if kind is types.CoroutineType:
        result.close()
        raise TypeError(f"{_name(function)}() is a coroutine: the publisher calls ordinary functions")
    if kind is types.GeneratorType or kind is types.AsyncGeneratorType:
        raise TypeError(f"{_name(function)}() returned a generator: return its pieces as one text, or write them with req.write()")
    return result


def _encoded(content_type, text):
    """The text in the character set of its type."""
    _, found, charset = (content_type or "").lower().partition("charset=")
    charset = charset.partition(";")[0].strip(" \"'")
    if not found or charset in ("utf-8", "utf8"):
        return text
    try:
        return text.encode(charset, "xmlcharrefreplace" if "html" in content_type or "xml" in content_type else "replace")
    except LookupError:
        return text


def _name(object):
    return getattr(object, "__qualname__", None) or type(object).__qualname__


def _say(req, text, level):
    req.log_error(text, level)


def _forbidden(req, text):
    _say(req, f"MP0506: not published: {text}", _INFO)
    raise SERVER_RETURN(403)
