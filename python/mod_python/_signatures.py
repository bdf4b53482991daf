"""Signatures of cookies: HMAC by SHA-256, and by MD5 as mod_python 3.5 and older made them."""

LENGTH = 64
MD5_LENGTH = 32


def sign(secret, kind, name, value):
    """The signature of a cookie's name and value. The kind keeps apart what is signed for different uses with one secret."""
    from hmac import digest

    # No name has an equals sign, so no other name and value have this text
    return digest(encoded(secret), b"%s\0%s=%s" % (kind, encoded(name), encoded(value)), "sha256").hex()


def is_signed(secret, kind, name, value, signature):
    """Whether a signature is what sign() gives."""
    from hmac import compare_digest

    return compare_digest(encoded(sign(secret, kind, name, value)), encoded(signature))


def is_md5(secret, name, value, signature):
    """Whether a signature is what mod_python 3.5 and older made."""
    from hmac import compare_digest, digest

    try:
        made = digest(encoded(secret), encoded(name) + encoded(value), "md5").hex()
    except ValueError:  # a system that does without MD5
        return False
    return compare_digest(encoded(made), encoded(signature))


def encoded(text):
    """Bytes of a text that may have anything in it."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
