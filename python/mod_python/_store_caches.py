"""What the caches of frameworks over a store share."""

from hashlib import sha256

from . import store as _stores

# Of the 480 bytes of a key
_LONGEST = 400


def opened(name):
    """The store of a name: with values of any kind, unless others can write to it."""
    store = _stores.open(name)
    return store if store._others_can_write else _stores.pickled(store)


def key_of(prefix, key):
    """The key in the store: what is too long for one is told by its hash."""
    text = prefix + key
    if len(text.encode("utf-8", "surrogatepass")) > _LONGEST or not text.isprintable():
        text = f"{prefix}#{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return text
