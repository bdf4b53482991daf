"""What can go wrong with a store."""


class StoreError(Exception):
    """A store cannot be used, or not in this way."""


class StoreUnavailable(StoreError):
    """The server of a store does not answer, or not in time. Whether a change was made is then not known."""


class StoreFull(StoreError):
    """There is no room for another entry: the size of the store, the disk, or the server's memory."""


class Conflict(StoreError):
    """Another program has changed what this transaction has read; nothing of it was done."""


class LockTimeout(StoreError, TimeoutError):
    """A lock was not free in time."""


class LockLost(StoreError):
    """The time of a lock has ended before its holder released it; another one may have had it meanwhile."""
