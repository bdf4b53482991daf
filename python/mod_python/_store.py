"""What is built into the module for stores: the encoding, and the embedded engine."""

from _store import Embedded, decode, encode, lock_token, name, settings, ttl

__all__ = ["Embedded", "decode", "digest", "encode", "lock_token", "name", "settings", "ttl"]


def digest(data):
    """32 hexadecimal digits that stand for data."""
    from hashlib import blake2b

    return blake2b(data, digest_size=16).hexdigest()
