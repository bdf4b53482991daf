"""Urlencoded fields without a server: what _apache does inside httpd."""

import re

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def _unquoted(text):
    text = text.replace(b"+", b" ")
    return _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), text) if b"%" in text else text


def _pairs(data, keep_blank):
    for pair in data.replace(b";", b"&").split(b"&"):
        name, _, value = pair.partition(b"=")
        if pair and (value or keep_blank):
            yield _unquoted(name), _unquoted(value)


def _text(data):
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _kind(function, data):
    if isinstance(data, str):
        return data.encode("utf-8", "surrogateescape"), _text
    if isinstance(data, bytes):
        return data, bytes
    raise TypeError(f"{function}() argument 1 must be str or bytes, not {type(data).__name__}")


def parse_qsl(qs, keep_blank=0, strict=0, /):
    """The fields as a list of pairs."""
    data, kind = _kind("parse_qsl", qs)
    pairs = _pairs(data.split(b"\0")[0], keep_blank)
    return [(kind(name.split(b"\0")[0]), kind(value.split(b"\0")[0])) for name, value in pairs]


def parse_qs(qs, keep_blank=0, strict=0, /):
    """The fields as a dict of lists."""
    fields = {}
    for name, value in parse_qsl(qs, keep_blank, strict):
        fields.setdefault(name, []).append(value)
    return fields


def form_fields(data, keep_blank, /):
    """The fields of a form as a list of pairs: names are str, and values that are not UTF-8 are bytes."""
    data, _ = _kind("_form_fields", data)
    fields = []
    for name, value in _pairs(data, keep_blank):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            pass
        fields.append((_text(name), value))
    return fields


def string_fields(kind, pairs, /):
    """Instances of a class of str, with names: a list of all, and a dict of lists by name."""
    fields, by_name = [], {}
    for name, value in pairs:
        field = kind(value)
        field.name = name
        fields.append(field)
        by_name.setdefault(name, []).append(field)
    return fields, by_name
