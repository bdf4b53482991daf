"""The leases of the locks that this process has on a Redis server: a thread renews them, so that they end when the process does."""

import os
import threading

from ._store_errors import StoreError
from ._store_redis_scripts import RENEW

LEASE = 10.0  # seconds


class Leases:
    """The locks of one store. The thread is started for the first of them, in each process of its own."""

    def __init__(self, client):
        self._client = client
        self._begin()

    def _begin(self):
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._kept = {}  # token: key
        self._thread = None

    def keep(self, token, key):
        """Renews a lease from now on."""
        if self._process != os.getpid():
            # The locks and the thread are those of the process that this one was forked from
            self._begin()
        with self._lock:
            self._kept[token] = key
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew, name="mod_python leases", daemon=True)
                self._thread.start()

    def drop(self, token):
        """Renews it no more."""
        if self._process == os.getpid():
            self._kept.pop(token, None)

    def _renew(self):
        never = threading.Event()
        pause = LEASE / 3
        while not never.wait(pause):
            pause = LEASE / 3
            for token, key in list(self._kept.items()):
                try:
                    is_kept = self._client.run(RENEW, (key,), (token, int(LEASE * 1000)), repeat=True)
                except StoreError:
                    # The server is away, perhaps for a moment. Who releases the lock learns whether it was lost
                    pause = LEASE / 20
                    break
                if not is_kept:
                    self._kept.pop(token, None)
