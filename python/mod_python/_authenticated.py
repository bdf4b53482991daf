"""Records that only this server can have written: nothing of a session is unpickled before its HMAC has been verified.

A record is MAGIC, an HMAC by SHA-256 over the session's id and what follows, when it expires (8 bytes), and a pickle.
"""

from hmac import compare_digest, digest
from struct import pack, unpack_from

from ._sessions_base import SessionError

MAGIC = b"mp-sess4"
_MAC = len(MAGIC)
_PAYLOAD = _MAC + 32
HEADER = _PAYLOAD + 8  # how much of a record tells when it expires
_LAST = 2**63

KEY_OPTION = "mod_python.session.key"
LEAST_KEY = 32


class NotAuthentic(Exception):
    """A record was not written by this server with its present key, or for another session."""


class NotLoaded(Exception):
    """An authentic record cannot be unpickled."""


def record_key(options, secret, make):
    """The key for records: of a PythonOption, of the session's secret, else what make() returns."""
    text = options.get(KEY_OPTION)
    if text:
        if len(text) < LEAST_KEY:
            raise SessionError(f"MP0518: PythonOption {KEY_OPTION} has {len(text)} characters: write at least {LEAST_KEY}, chosen at random")
    elif secret:
        text = secret
    else:
        return make()
    # Not the secret itself, which signs cookies
    return digest(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"), b"mod_python: records of sessions", "sha256")


def seal(key, sid, stored):
    """The record of what BaseSession.save() stores."""
    from pickle import dumps

    expires = min(max(int(stored["_accessed"] + stored["_timeout"]) + 1, 0), _LAST)
    payload = pack(">Q", expires) + dumps(stored, 4)
    return MAGIC + digest(key, sid.encode("ascii") + payload, "sha256") + payload


def unseal(key, sid, record):
    """What was sealed."""
    payload = record[_PAYLOAD:]
    if not record:
        raise NotAuthentic("it is empty")
    if not record.startswith(MAGIC):
        raise NotAuthentic("it is none of this version's, such as mod_python 3.5 writes them")
    if len(record) < HEADER or not compare_digest(record[_MAC:_PAYLOAD], digest(key, sid.encode("ascii") + payload, "sha256")):
        raise NotAuthentic("it was changed, cut short, written for another session, or written with another key")
    from pickle import loads

    try:
        return loads(payload[8:])
    # Whatever the classes of a program do
    except Exception as error:
        raise NotLoaded(f"{type(error).__name__}: {error}") from error


def expiry(header):
    """When a record expires, in seconds since 1970, by its first HEADER bytes; None if it is no record of ours. It is not verified."""
    if len(header) < HEADER or not header.startswith(MAGIC):
        return None
    return unpack_from(">Q", header, _PAYLOAD)[0]
