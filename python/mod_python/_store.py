"""What is built into the module for stores: the encoding, and the embedded engine."""

from _store import Embedded, decode, digest, encode, lock_token, name, settings, ttl

__all__ = ["Embedded", "decode", "digest", "encode", "lock_token", "name", "settings", "ttl"]
