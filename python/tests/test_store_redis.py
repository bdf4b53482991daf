"""Stores on a Redis or Valkey server: all that a store does, and what becomes of a server that is away, slow, full or strange."""

import os
import subprocess
import sys
import threading
import time
import unittest
from unittest import mock

import packages
import redis_server
from redis_server import RedisServer
from store_support import BOUND, StoreTest, wait_until
from test_store import MappingChecks
from test_store_cached import CachedChecks
from test_store_locks import LockChecks
from test_store_transaction import TransactionChecks

from mod_python._store_errors import LockLost, StoreError, StoreFull, StoreUnavailable

HAS_SERVER = redis_server.program() is not None and packages.has(("redis", "redis"))
if HAS_SERVER:
    from mod_python import _store_redis_leases
    from mod_python._store_redis import RedisStore, _escaped, _Position

_server = None


def setUpModule():
    global _server
    if not HAS_SERVER:
        raise unittest.SkipTest("there is no redis-server, or no package redis")
    _server = RedisServer()


def tearDownModule():
    if _server is not None:
        _server.stop()


class RedisTest(StoreTest):
    """A test with a store in an empty database."""

    def opened(self, **options):
        return RedisStore("default", _server.unix_location, options)

    def setUp(self):
        super().setUp()
        self.call = self.store._client.call
        self.call("FLUSHALL")
        # Nothing is left without a time that is no entry: no queue, no wake-up, no lock
        self.addCleanup(self.check_what_is_left)

    def check_what_is_left(self):
        for key in self.call("KEYS", "mod_python:*"):
            name = key.removeprefix(b"mod_python:")
            if name[:1] not in (b"e", b"o"):
                self.assertNotEqual(self.call("PTTL", key), -1, key)

    def waiting(self, key):
        return sum(self.call("ZCARD", name) for name in self.call("KEYS", b"mod_python:ql*" + key.encode() + b"*"))


class RedisMappingTest(MappingChecks, RedisTest):
    def test_what_is_stored(self):
        # A program in another language can read it: a sequence of two CBOR items, the ttl and the value
        self.store["a"] = 1
        self.store.set("b", "x", ttl=100)
        self.assertEqual((self.call("GET", "mod_python:ea"), self.call("GET", "mod_python:eb")), (b"\xf6\x01", b"\xfb\x40\x59\0\0\0\0\0\0\x61x"))

    def test_a_scan_is_bounded(self):
        self.store.set_many({f"k{number}": number for number in range(3000)})
        after, portions = None, []
        while True:
            pairs, after = self.store._scan(b"ek", after, 100)
            portions.append(len(pairs))
            if after is None:
                break
        self.assertEqual((sum(portions), max(portions) <= 100), (3000, True))

    def test_what_is_remembered_of_a_scan_is_bounded(self):
        position = _Position()
        with mock.patch("mod_python._store_redis._REMEMBERED", 10):
            for first in range(0, 100, 5):
                position.add([b"%d" % number for number in range(first, first + 10)])
        self.assertEqual((position.found, len(position._seen)), ([b"%d" % number for number in range(105)], 10))

    def test_a_scan_while_the_table_shrinks(self):
        self.store.set_many({f"k{number}": 1 for number in range(100)})
        others = [f"n{number}" for number in range(20_000)]
        self.store.set_many(dict.fromkeys(others, 1))
        found = []
        for number, key in enumerate(self.store.keys("k")):
            if number == 0:
                self.store._commit([], [(b"e" + key.encode(), None, None) for key in others])
            found.append(key)
        self.assertEqual(sorted(found), sorted(f"k{number}" for number in range(100)))

    def test_prefixes_are_apart(self):
        one, two = self.opened(prefix="a*:"), self.opened(prefix="ab:")
        one["k"], two["k"] = 1, 2
        self.assertEqual((list(one.items()), list(two.items()), len(self.store)), ([("k", 1)], [("k", 2)], 0))
        one.clear()
        self.assertEqual((len(one), two["k"]), (0, 2))

    def test_patterns(self):
        self.assertEqual(_escaped(b"a*?[]^-\\\0\xff"), b"a\\*\\?\\[\\]\\^\\-\\\\\0\xff")

    def test_what_others_have_written(self):
        self.call("SET", "mod_python:ea", "hello")
        self.call("SET", "mod_python:eb", "\xfb")
        self.call("RPUSH", "mod_python:ec", "x")
        for key in ("a", "b"):
            with self.assertRaisesRegex(StoreError, "something else than a store has written"):
                self.store[key]
        self.assertIsNone(self.store.get("c"))
        for use in (lambda: self.store.incr("c"), lambda: self.store.replace("c", 1, 2)):
            with self.assertRaisesRegex(StoreUnavailable, "refused a command: .*WRONGTYPE"):
                use()
        self.store["c"] = 1
        self.assertEqual(self.store["c"], 1)


class RedisTransactionTest(TransactionChecks, RedisTest):
    pass


class RedisCachedTest(CachedChecks, RedisTest):
    pass


class RedisLockTest(LockChecks, RedisTest):
    shared_with_forked = True

    def opened_locks_end(self, key):
        name = b"l" + key.encode()
        token = self.call("GET", b"mod_python:" + name)
        self.assertTrue(self.store._lock_release(name, token))

    def another(self):
        return self.opened(prefix="other:")

    def lease(self, seconds):
        """Has leases be so long."""
        for module in ("mod_python._store_redis", "mod_python._store_redis_leases"):
            patch = mock.patch(f"{module}.LEASE", seconds)
            patch.start()
            self.addCleanup(patch.stop)

    def test_a_lease_is_renewed(self):
        self.lease(0.3)
        lock = self.store.lock("l")
        with lock:
            begun = time.monotonic()
            # Longer than it lasts
            wait_until(lambda: self.opened().lock("l", timeout=0).acquire() or time.monotonic() > begun + 1)
            self.assertTrue(time.monotonic() > begun + 1)
            self.assertTrue(lock.locked())
        self.assertTrue(self.opened().lock("l", timeout=0).acquire())

    def test_one_with_a_ttl_is_not(self):
        self.lease(0.3)
        with self.assertRaises(LockLost), self.store.lock("l", ttl=0.3):
            other = self.opened().lock("l", timeout=BOUND)
            self.beside(lambda: other.acquire() and other.release()).join(BOUND)
            self.assertIsNone(self.call("GET", "mod_python:ll"))

    def test_a_lost_lease(self):
        self.lease(0.3)
        with self.assertRaisesRegex(LockLost, "ended before it was released"):
            with self.store.lock("l"):
                self.call("DEL", "mod_python:ll")
                wait_until(lambda: not self.store._leases._kept)

    def test_a_holder_that_was_killed(self):
        holder = self.child("store.lock('l').acquire(); print('held', flush=True); import time; time.sleep(60)")
        self.assertEqual(holder.stdout.readline(), "held\n")
        waiter = self.child("store.lock('l').acquire()")
        wait_until(lambda: self.waiting("l") == 1)
        # And one that waited, in front of us
        waiter.kill()
        holder.kill()
        begun = time.monotonic()
        with self.store.lock("l", timeout=BOUND):
            self.assertLess(time.monotonic() - begun, 5)

    def child(self, code):
        """Another process with the store, whose leases last for a second."""
        here = os.path.dirname(os.path.abspath(__file__))
        program = f"""
import sys
sys.path[:0] = [{here!r}, *{sys.path[-1:]!r}]
import fake_apache, fake_store
from mod_python import _store_redis, _store_redis_leases
_store_redis.LEASE = _store_redis_leases.LEASE = 1.0
store = _store_redis.RedisStore("default", {_server.unix_location!r})
{code}
"""
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait, BOUND)
        self.addCleanup(child.kill)
        return child

    def test_who_is_released_is_woken(self):
        # Not when it looks by itself
        with mock.patch("mod_python._store_redis._WAIT", 1.5):
            store = self.opened()
            got = threading.Event()

            def work():
                with store.lock("l"):
                    got.set()

            with self.store.lock("l"):
                thread = self.beside(work)
                wait_until(lambda: self.waiting("l") == 1)
                wait_until(lambda: any(client["cmd"] == "blpop" for client in self.call("CLIENT LIST")))
            begun = time.monotonic()
            self.assertTrue(got.wait(BOUND))
            self.assertLess(time.monotonic() - begun, 0.4)
            thread.join(BOUND)

    def test_a_fork_has_connections_and_a_thread_of_its_own(self):
        self.store["a"] = 1
        with self.store.lock("before"):
            child = os.fork()
            if not child:
                try:
                    with self.store.lock("l"):
                        ok = self.store["a"] == 1 and list(self.store._leases._kept.values()) == [b"mod_python:ll"]
                        ok = ok and self.store._leases._thread.is_alive()
                    for _ in range(200):
                        ok = ok and self.store.incr("child") and self.store["a"] == 1
                    os._exit(0 if ok else 1)
                finally:
                    os._exit(3)
            for _ in range(200):
                self.assertEqual(self.store["a"], 1)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.assertEqual(self.store["child"], 200)


class BadServerTest(unittest.TestCase):
    """Each has a server of its own."""

    def server(self, *options):
        server = RedisServer(*options)
        self.addCleanup(server.stop)
        return server

    def store(self, location, **options):
        return RedisStore("mine", location, options)

    def uses(self, store):
        """What a program can do."""
        return [
            lambda: store.get("a"), lambda: store.set("a", 1), lambda: store.set_many({"a": 1, "b": 2}), lambda: store.incr("a"), lambda: "a" in store,
            lambda: len(store), lambda: list(store), lambda: store.delete("a"), lambda: store.pop("a"), lambda: store.add("a", 1), lambda: store.touch("a"),
            lambda: store.ttl("a"), lambda: store.rate("a", 1, 1), lambda: store.once("a", 1), lambda: store.lock("a").acquire(),
            lambda: store.lock("a", timeout=0).acquire(), lambda: store.transaction().run(lambda t: t.get("a")), store.clear, store.cached(5, key="c")(int),
        ]  # fmt: skip

    def test_away(self):
        server = self.server()
        locations = [server.location, server.unix_location]
        server.kill()
        for location in locations:
            store = self.store(location)
            for use in self.uses(store):
                begun = time.monotonic()
                with self.assertRaisesRegex(StoreUnavailable, "the server of the store 'mine' .* cannot be reached"):
                    use()
                self.assertLess(time.monotonic() - begun, 3)

    def test_killed_and_started_again(self):
        server = self.server()
        for location in (server.location, server.unix_location):
            store = self.store(location)
            store["a"] = 1
            lock = store.lock("l")
            lock.acquire()
            t = store.transaction()
            self.assertEqual(t["a"], 1)
            server.kill()
            self.assertRaises(StoreUnavailable, store.get, "a")
            t["b"] = 1
            self.assertRaises(StoreUnavailable, t.commit)
            server.start()
            # It has forgotten all, and the connections of the old one are replaced
            self.assertEqual((store.get("a"), store.incr("n"), store.get("b")), (None, 1, None))
            self.assertRaises(LockLost, lock.release)
            with store.lock("l"):
                pass

    def test_a_connection_that_is_lost_in_between(self):
        server = self.server()
        store = self.store(server.location)
        other = self.store(server.location)
        for number in range(20):
            self.assertEqual(store.incr("n"), number + 1)
            other._client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        self.assertEqual(other["n"], 20)

    def test_slow(self):
        server = self.server()
        for location in (server.location, server.unix_location):
            store = self.store(location, timeout="0.15")
            fresh = self.store(location, timeout="0.15")
            store["a"] = 1
            server.pause()
            try:
                for one in (store, fresh):
                    for use in self.uses(one):
                        begun = time.monotonic()
                        with self.assertRaisesRegex(StoreUnavailable, "did not answer within 0.15 s: look at its load"):
                            use()
                        self.assertLess(time.monotonic() - begun, 2)
            finally:
                server.go_on()
            wait_until(lambda: self.answers(store))
            # An answer that came too late is not taken for another one
            for number in range(20):
                store[f"k{number}"] = number
            self.assertEqual([store[f"k{number}"] for number in range(20)], list(range(20)))

    def answers(self, store):
        try:
            return store.get("a") is not self
        except StoreUnavailable:
            return False

    def test_slow_in_the_middle(self):
        server = self.server()
        store = self.store(server.location, timeout="0.5")
        stop = threading.Event()
        outcomes = []

        def count():
            while not stop.is_set():
                try:
                    outcomes.append(store.incr("n"))
                except StoreUnavailable:
                    outcomes.append(None)

        threads = [threading.Thread(target=count, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(outcomes) > 20)
        server.pause()
        wait_until(lambda: outcomes.count(None) >= 4)
        server.go_on()
        enough = len(outcomes) + 40
        wait_until(lambda: len(outcomes) > enough)
        stop.set()
        for thread in threads:
            thread.join(BOUND)
            self.assertFalse(thread.is_alive())
        sums = [value for value in outcomes if value is not None]
        # No sum twice; one whose answer was lost may have been done or not
        self.assertEqual(len(sums), len(set(sums)))
        self.assertTrue(len(sums) <= store["n"] <= len(outcomes))

    def test_a_wrong_password(self):
        server = self.server("--requirepass", "right/§one")
        port = server.port
        for location in (
            f"redis://:not-it@127.0.0.1:{port}", f"redis://me:not-it@127.0.0.1:{port}/3",
            f"unix://:not-it@{server.socket}", f"redis://127.0.0.1:{port}?password=not-it",
        ):  # fmt: skip
            for use in self.uses(self.store(location)):
                with self.assertRaisesRegex(StoreUnavailable, "does not accept the user or the password of PythonStore") as caught:
                    use()
                self.assertNotIn("not-it", self.whole(caught.exception))
        with self.assertRaisesRegex(StoreUnavailable, "the password"):
            self.store(server.location)["a"]
        store = self.store(f"redis://:right%2F%C2%A7one@127.0.0.1:{port}/2")
        store["a"] = 1
        self.assertNotIn("right", repr(store))
        self.assertEqual((store["a"], self.store(f"unix://:right%2F%C2%A7one@{server.socket}?db=2")["a"]), (1, 1))
        self.assertNotIn("a", self.store(f"redis://:right%2F%C2%A7one@127.0.0.1:{port}/1"))

    def whole(self, error):
        """The traceback as a log has it."""
        import traceback

        return "".join(traceback.format_exception(error))

    def test_users_and_what_they_may(self):
        server = self.server()
        admin = self.store(server.location)
        admin._client.call("ACL", "SETUSER", "web", "on", ">pass", "~mine:*", "+@all", "-@dangerous")
        store = self.store(f"redis://web:pass@127.0.0.1:{server.port}", prefix="mine:")
        store["a"] = 1
        store.set_many({"b": 1, "c": 2})
        with store.lock("l"):
            self.assertEqual((store.incr("a"), sorted(store), bool(store.rate("r", 1, 1)), store.add("d", 1)), (2, ["a", "b", "c"], True, True))
        with self.assertRaisesRegex(StoreUnavailable, "refused a command"):
            self.store(f"redis://web:pass@127.0.0.1:{server.port}")["a"]

    def test_full(self):
        server = self.server("--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
        store = self.store(server.location)
        written = 0
        with self.assertRaises(StoreFull) as caught:
            while True:
                store[f"k{written}"] = b"x" * 500_000
                written += 1
        self.assertRegex(str(caught.exception), "the server of the store 'mine' .* has no room: delete entries")
        self.assertNotIn(f"k{written}", store)
        # Less than there is already: no change fits
        store._client.call("CONFIG", "SET", "maxmemory", "2mb")
        for use in (
            lambda: store.set_many({"a": 1, "b": 2}), lambda: store.incr("n"), lambda: store.add("a", 1), lambda: store.rate("a", 1, 1), lambda: store.once("a", 1),
            lambda: store.lock("l").acquire(), lambda: store.transaction().run(lambda t: t.set("a", t.get("b", 1))),
        ):  # fmt: skip
            self.assertRaises(StoreFull, use)
        # It can be read, and emptied
        self.assertEqual((len(store), len(store["k0"])), (written, 500_000))
        for number in range(written):
            del store[f"k{number}"]
        store._client.call("CONFIG", "SET", "maxmemory", "8mb")
        store["a"] = 1
        with store.lock("l"):
            pass

    def test_tls(self):
        server = self.server()
        folder = server.folder
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        files = ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files], capture_output=True)
        if made.returncode != 0:
            self.skipTest("there is no openssl")
        port = redis_server.free_port()
        files = ["--tls-cert-file", f"{folder}/cert.pem", "--tls-key-file", f"{folder}/key.pem"]
        process = redis_server.started("--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", *files, "--tls-auth-clients", "no", "--save", "")
        self.addCleanup(process.wait, BOUND)
        self.addCleanup(process.kill)
        store = self.store(f"rediss://localhost:{port}?ssl_ca_certs={folder}/cert.pem")

        def is_there():
            try:
                store["a"] = 1
                return True
            except StoreUnavailable:
                if process.poll() is not None:
                    self.skipTest("this server has no TLS")
                return False

        wait_until(is_there)
        self.assertEqual(store["a"], 1)
        # Nobody whose certificate is not known is believed
        with self.assertRaisesRegex(StoreUnavailable, "certificate"):
            self.store(f"rediss://localhost:{port}")["a"]

    def test_a_wrong_directive(self):
        for location in (
            "redis://:p/w-secret@host:1", "redis://:w-secret@host:x/", "redis://host/x?password=w-secret&socket_timeout=x",
            "redis://:w-secret@host/?nonsense=1", "redis://:w-secret@[::1", "redis://:w-secret@host:1:2",
        ):  # fmt: skip
            with self.assertRaisesRegex(StoreError, "the location of the store 'mine' is not understood") as caught:
                self.store(location)
            self.assertNotIn("w-secret", self.whole(caught.exception))
        for timeout in ("0", "-1", "x", "nan", "1e9"):
            with self.assertRaisesRegex(StoreError, "timeout=.* is not understood: write seconds"):
                self.store("redis://127.0.0.1", timeout=timeout)
        with self.assertRaisesRegex(StoreError, "has no size=, it has prefix= and timeout="):
            self.store("redis://127.0.0.1", size="1G")

    def test_the_package_is_missing(self):
        names = [name for name in sys.modules if name == "redis" or name.startswith(("redis.", "mod_python._store_redis"))]
        with mock.patch.dict(sys.modules):
            for name in names:
                del sys.modules[name]
            sys.modules["redis"] = None
            with self.assertRaisesRegex(StoreError, "pip install redis"):
                import mod_python._store_redis  # noqa: F401

    def test_the_directive_chooses_it(self):
        import fake_store

        from mod_python import store

        fake_store.forget()
        self.addCleanup(fake_store.forget)
        server = self.server()
        fake_store.configure("far", server.location, prefix="p:", timeout="5")
        self.assertIs(store.open("far"), store.open("far"))
        store.open("far")["a"] = 1
        self.assertEqual(self.store(server.location, prefix="p:")["a"], 1)


if __name__ == "__main__":
    unittest.main()
