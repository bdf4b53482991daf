"""StoreSession: what is stored and by whom it may be read, its lock, and which store it is."""

import pickle
import threading
import unittest
from unittest import mock

import fake_apache
import fake_store
import packages
import redis_server
from store_support import BOUND, wait_until
from test_Session import SessionTest

from mod_python import Session, _authenticated, store
from mod_python._store_errors import StoreFull, StoreUnavailable

ran = []


class Evil:
    def __reduce__(self):
        return ran.append, ("run",)


class StoreSessionTest(SessionTest):
    options = {}

    def setUp(self):
        super().setUp()
        fake_store.forget()
        self.addCleanup(fake_store.forget)
        self.configure()
        ran.clear()

    def configure(self):
        pass

    def request(self, sid=None, name="pysid", **options):
        return super().request(sid, name, **{**self.options, **options})

    @property
    def names(self):
        """The names of the sessions in the store."""
        pairs, _ = store.open()._scan(b"s", None, 1000)
        return sorted(name for name, _ in pairs if len(name) == 33)

    def test_a_session_goes_on(self):
        session, req = self.opened("StoreSession")
        sid = session.id()
        session["x"] = {"any": (1, 2), "class": unittest.TestCase}
        session.set_timeout(1000)
        session.save()
        req.end()
        self.assertEqual(self.names, [b"s" + sid.encode()])
        self.assertTrue(1000 <= store.open()._ttl(self.names[0]) <= 1002)
        # It is no entry
        self.assertEqual((len(store.open()), list(store.open())), (0, []))
        again, req = self.opened("StoreSession", sid)
        self.assertEqual((again.is_new(), again["x"], again.timeout()), (False, {"any": (1, 2), "class": unittest.TestCase}, 1000))
        new = again.regenerate()
        self.assertEqual((self.names, new != sid), ([b"s" + new.encode()], True))
        again.invalidate()
        req.end()
        self.assertEqual(self.names, [])
        session, req = self.opened("StoreSession", new)
        self.assertTrue(session.is_new())
        session.cleanup()
        req.end()
        self.assertEqual(fake_apache.entries, [])

    def test_it_expires(self):
        sid = self.stored("StoreSession", x=1)
        with mock.patch("time.time", return_value=__import__("time").time() + 1801):
            session, req = self.opened("StoreSession", sid)
            self.assertTrue(session.is_new())
            req.end()
        session, req = self.opened("StoreSession", timeout=0.01)
        session.save()
        self.assertLessEqual(store.open()._ttl(b"s" + session.id().encode()), 1.01)
        for timeout in (0, -5, 1e12):
            session.set_timeout(timeout)
            session.save()
        req.end()

    def put(self, sid, record):
        store.open()._commit([], [(b"s" + sid.encode(), fake_store.encode(record), None)])

    def test_what_others_wrote_is_never_unpickled(self):
        sid, other = self.stored("StoreSession", x=1), self.stored("StoreSession", x=2)
        whole = fake_store.decode(store.open()._read([b"s" + sid.encode()])[0])
        evil = pickle.dumps(Evil())
        forged = _authenticated.seal(b"x" * 32, sid, {"_accessed": 1, "_timeout": 2, "evil": Evil()})
        changed = whole[:-1] + bytes([whole[-1] ^ 1])
        elsewhere = fake_store.decode(store.open()._read([b"s" + other.encode()])[0])
        for record in (b"", b"x", evil, _authenticated.MAGIC + evil, forged, changed, whole[:40], whole[:-1], elsewhere, "text", 5, None, ["x"]):
            fake_apache.entries.clear()
            self.put(sid, record)
            session, req = self.opened("StoreSession", sid)
            self.assertTrue(session.is_new(), record)
            self.assertEqual((len(self.logged("MP0512")), ran), (1, []), record)
            self.assertNotIn(sid, str(fake_apache.entries))
            req.end()
        self.put(sid, whole)
        session, req = self.opened("StoreSession", sid)
        self.assertEqual(dict(session), {"x": 1})
        req.end()

    def test_a_class_that_is_gone(self):
        session, req = self.opened("StoreSession")
        record = _authenticated.seal(session._record_key(), session.id(), {"_accessed": 1, "_timeout": 2})
        gone = record[: _authenticated.HEADER] + b"cgone\nGone\n."
        mac = _authenticated.digest(session._record_key(), session.id().encode() + gone[40:], "sha256")
        self.put(session.id(), _authenticated.MAGIC + mac + gone[40:])
        sid = session.id()
        req.end()
        session, req = self.opened("StoreSession", sid)
        self.assertTrue(session.is_new())
        self.assertEqual(len(self.logged("MP0514")), 1)
        req.end()

    def test_keys_of_options_and_secrets(self):
        key = "k" * 32
        req = self.request(mod_python__session__key=key)
        session = Session.StoreSession(req)
        session["x"] = 1
        session.save()
        sid = session.id()
        req.end()
        for arguments, options, is_known in (({}, {"mod_python__session__key": key}, True), ({}, {"mod_python__session__key": "l" * 32}, False)):
            req = self.request(sid, **options)
            self.assertEqual(not Session.StoreSession(req, **arguments).is_new(), is_known)
            req.end()
        with self.assertRaisesRegex(Session.SessionError, "MP0518: .* has 5 characters"):
            Session.StoreSession(self.request(mod_python__session__key="short"), lock=0).save()

    def test_another_request_waits(self):
        sid = self.stored("StoreSession", n=0)
        session, req = self.opened("StoreSession", sid)
        opened, order = threading.Event(), []

        def work():
            other, second = self.opened("StoreSession", sid)
            order.append(other["n"])
            opened.set()
            second.end()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.wait_for_a_waiter(sid)
        session["n"] = 1
        session.save()
        self.assertFalse(opened.is_set())
        # A request can end on another thread than it began on
        ender = threading.Thread(target=req.end)
        ender.start()
        ender.join(BOUND)
        thread.join(BOUND)
        self.assertEqual(order, [1])
        self.assertEqual(fake_apache.entries, [])

    def wait_for_a_waiter(self, sid):
        wait_until(lambda: any(sid.encode() in name and lock.waiting for name, lock in store.open()._data.locks.items()))

    def test_one_request_does_not_wait_for_itself(self):
        sid = self.stored("StoreSession", n=0)
        session, req = self.opened("StoreSession", sid)
        with self.assertRaisesRegex(Session.SessionError, "MP0515"):
            Session.StoreSession(req)
        session.unlock()
        self.assertFalse(Session.StoreSession(req).is_new())
        req.end()
        _, req = self.opened("StoreSession", sid)
        req.end()

    def test_no_update_is_lost(self):
        sid = self.stored("StoreSession", n=0)

        def work():
            for _ in range(10):
                session, req = self.opened("StoreSession", sid)
                session["n"] += 1
                session.save()
                req.end()

        threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        session, req = self.opened("StoreSession", sid)
        self.assertEqual(session["n"], 40)
        req.end()

    def test_a_lock_that_was_lost(self):
        session, req = self.opened("StoreSession")
        name, token = session._held
        self.assertTrue(session._store._lock_release(name, token))
        req.end()
        self.assertEqual(len(self.logged("MP0519: the lock of a session in the store 'default' ended before its request did")), 1)

    def test_a_store_that_fails(self):
        sid = self.stored("StoreSession", n=0)

        def away(*_):
            raise StoreUnavailable("the server is away")

        def full(*_):
            raise StoreFull("there is no room")

        for method, failing, words in (
            ("_lock_try", away, "MP0519: a session could not be locked in the store 'default': the server is away"),
            ("_read", away, "MP0519: a session could not be read from"),
            ("_commit", full, "MP0519: a session could not be stored in the store 'default': there is no room"),
        ):
            with mock.patch.object(store.open(), method, failing), self.assertRaisesRegex(Session.SessionError, words):
                session, req = self.opened("StoreSession", sid)
                try:
                    session.save()
                finally:
                    req.end()
        with mock.patch.object(store.open(), "_commit", away):
            session, req = self.opened("StoreSession", sid)
            with self.assertRaisesRegex(Session.SessionError, "could not be removed from"):
                session.invalidate()
            req.end()
        session, req = self.opened("StoreSession", sid)
        token = session._held
        with mock.patch.object(store.open(), "_lock_release", away):
            req.end()
        self.assertEqual(len(self.logged("MP0519: a session in the store 'default' could not be unlocked: the server is away")), 1)
        session._store._lock_release(*token)
        # What was stored before is still there
        session, req = self.opened("StoreSession", sid)
        self.assertEqual(session["n"], 0)
        req.end()


class WhichStoreTest(StoreSessionTest):
    """The store of this machine, and which one it is."""

    def test_the_key_is_made_once(self):
        session, req = self.opened("StoreSession")
        keys = {session._own_key() for _ in range(3)}
        self.assertEqual((len(keys), len(keys.pop())), (1, 32))
        req.end()

    def test_a_store_of_a_name(self):
        fake_store.configure("mine", "/srv/mine")
        for arguments, options in (({}, {"mod_python__session__store": "mine"}), ({"store": "mine"}, {})):
            req = self.request(**options)
            session = Session.StoreSession(req, **arguments)
            self.assertEqual(session._store.name, "mine")
            req.end()
        with self.assertRaisesRegex(Session.SessionError, "MP0518: PythonOption mod_python.session.store is 'none': there is no store 'none'"):
            Session.Session(self.request(mod_python__session__store="none"))

    def test_which_kind(self):
        def kind(**options):
            req = self.request(**options)
            session = Session.Session(req, lock=0)
            req.end()
            return type(session).__name__

        from mod_python import apache

        with mock.patch.object(apache, "mpm_query", lambda code: 1, create=True):
            self.assertEqual(kind(), "MemorySession")
            fake_store.configure("mine", "/srv/mine")
            self.assertEqual((kind(), kind(mod_python__session__store="mine")), ("MemorySession", "StoreSession"))
            fake_store.configure("default", size="1G")
            self.assertEqual(kind(), "StoreSession")
            fake_store.configure("default", "/srv/store")
            self.assertEqual((kind(), kind(mod_python__session__session_type="FileSession")), ("StoreSession", "FileSession"))
            # Outside of httpd there are no stores
            fake_store.configure("default")
            import sys

            import mod_python

            builtin = mod_python._store
            self.addCleanup(setattr, mod_python, "_store", builtin)
            del mod_python._store
            with mock.patch.dict(sys.modules):
                del sys.modules["mod_python._store"]
                sys.modules["_store"] = None
                self.assertEqual(kind(), "MemorySession")


HAS_SERVER = redis_server.program() is not None and packages.has(("redis", "redis"))


@unittest.skipUnless(HAS_SERVER, "there is no redis-server, or no package redis")
class RedisSessionTest(StoreSessionTest):
    """In a store on a server."""

    options = {"mod_python__session__key": "0123456789abcdef0123456789abcdef"}

    @classmethod
    def setUpClass(cls):
        cls.server = redis_server.RedisServer()
        cls.addClassCleanup(cls.server.stop)

    def configure(self):
        fake_store.configure("default", self.server.unix_location)
        store.open()._client.call("FLUSHALL")

    def wait_for_a_waiter(self, sid):
        call = store.open()._client.call
        wait_until(lambda: any(sid.encode() in name for name in call("KEYS", "mod_python:q*")))

    def test_it_needs_a_key(self):
        with self.assertRaisesRegex(Session.SessionError, "MP0518: others can write to the store 'default', .* set PythonOption mod_python.session.key to 32 random"):
            Session.StoreSession(self.request(mod_python__session__key=""), lock=0).save()
        session = Session.StoreSession(self.request(mod_python__session__key=""), secret="of the site", lock=0)
        session.save()
        self.assertEqual(len(self.names), 1)

    def test_a_server_that_is_away(self):
        self.server.kill()
        try:
            with self.assertRaisesRegex(Session.SessionError, "MP0519: a session could not be locked in the store 'default': the server .* cannot be reached"):
                Session.Session(self.request())
        finally:
            self.server.start()


del StoreSessionTest, SessionTest


if __name__ == "__main__":
    unittest.main()
