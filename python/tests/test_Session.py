"""Sessions: their life, their cookie, their lock; and each kind of them."""

import gc
import os
import pickle
import sys
import tempfile
import threading
import time
import unittest

import fake_apache
import fake_request
from fake_request import Request
from support import LibraryTest

from mod_python import Cookie, Session, _private_folder, _sessions_memory

OLD = 1_000_000_000


class SessionTest(LibraryTest):
    """Each test has a folder for sessions, and nobody cleans up by chance."""

    def setUp(self):
        super().setUp()
        self.addCleanup(setattr, Session, "CLEANUP_CHANCE", Session.CLEANUP_CHANCE)
        Session.CLEANUP_CHANCE = 0
        _sessions_memory._stored.clear()
        self.addCleanup(lambda: self.assertTrue(fake_request.are_all_free()))
        self.addCleanup(gc.collect)

    def request(self, sid=None, name="pysid", **options):
        options.setdefault("mod_python__session__database_directory", self.folder)
        return Request(None if sid is None else f"{name}={sid}", **options)

    def opened(self, kind, sid=None, **arguments):
        """A session, and its request."""
        req = self.request(sid)
        return getattr(Session, kind)(req, **arguments), req

    def stored(self, kind, **data):
        """The id of a session that was saved."""
        session, req = self.opened(kind)
        session.update(data)
        session.save()
        req.end()
        return session.id()


class BaseTest(SessionTest):
    def test_a_session_begins_and_goes_on(self):
        before = time.time()
        session, req = self.opened("MemorySession")
        sid = session.id()
        self.assertRegex(sid, r"\A[0-9a-f]{32}\Z")
        self.assertEqual((session.is_new(), session.timeout(), dict(session)), (1, 1800, {}))
        self.assertTrue(before <= session.created() <= session.last_accessed() <= time.time())
        self.assertEqual(req.sent(), [f"pysid={sid}; path=/app/"])
        self.assertEqual(req.headers_out["Cache-Control"], 'no-cache="set-cookie"')
        session["hits"] = 1
        session.save()
        session["lost"] = 1
        req.end()

        again, second = self.opened("MemorySession", sid)
        self.assertEqual((again.id(), again.is_new(), dict(again), second.sent()), (sid, 0, {"hits": 1}, []))
        self.assertEqual(again.created(), session.created())
        self.assertGreaterEqual(again.last_accessed(), session.last_accessed())
        again["more"] = 1
        again.load()
        self.assertEqual(dict(again), {"hits": 1})
        second.end()

    def test_ids_of_clients(self):
        sid = self.stored("MemorySession", x=1)
        for wrong in ("", "x", sid[:-1], sid + "0", sid.upper() if sid.upper() != sid else "A" * 32, "../" + sid[3:], "0" * 32, "é" * 32, '"' + sid + '"'):
            session, req = self.opened("MemorySession", wrong)
            self.assertTrue(session.is_new() and session.id() not in (wrong, sid) and req.sent(), wrong)
            self.assertEqual(dict(session), {})
            req.end()
        for wrong in ("x", sid + "\n", sid.upper() + "A", 5, b"0" * 32, "../../etc/passwd"):
            with self.assertRaisesRegex(ValueError, "32 hexadecimal digits"):
                Session.MemorySession(self.request(), sid=wrong)
        req = self.request()
        session = Session.MemorySession(req, sid=sid)
        self.assertEqual((session.is_new(), dict(session), req.sent()), (0, {"x": 1}, []))
        req.end()
        # One that is not known any more is not used again
        req = self.request()
        session = Session.MemorySession(req, sid="0" * 32)
        self.assertTrue(session.is_new() and session.id() != "0" * 32)
        req.end()

    def test_ids_are_random(self):
        self.assertEqual(len({self.stored("MemorySession") for _ in range(500)}), 500)

    def test_it_expires(self):
        sid = self.stored("MemorySession", x=1)
        _sessions_memory._stored[sid]["_accessed"] -= 1801
        session, req = self.opened("MemorySession", sid)
        self.assertTrue(session.is_new() and session.id() != sid)
        req.end()
        session, req = self.opened("MemorySession", timeout=5000)
        self.assertEqual(session.timeout(), 5000)
        session.set_timeout(7000)
        session.save()
        sid = session.id()
        req.end()
        _sessions_memory._stored[sid]["_accessed"] -= 6999
        session, req = self.opened("MemorySession", sid, timeout=10)
        self.assertEqual((session.is_new(), session.timeout()), (0, 7000))

    def test_delete_and_invalidate(self):
        sid = self.stored("MemorySession", x=1)
        session, req = self.opened("MemorySession", sid)
        session.delete()
        self.assertEqual((dict(session), sid in _sessions_memory._stored), ({}, False))
        req.end()
        sid = self.stored("MemorySession", x=1)
        session, req = self.opened("MemorySession", sid)
        session.invalidate()
        self.assertEqual(req.sent(), [f"pysid={sid}; path=/app/; expires=Thu, 01-Jan-1970 00:00:00 GMT"])
        session.save()
        self.assertEqual(_sessions_memory._stored, {})
        self.assertRaises(Session.SessionError, session.regenerate)
        req.end()
        # A session that begins and ends in one request leaves one cookie
        session, req = self.opened("MemorySession")
        Cookie.add_cookie(req, "other", "1")
        session.invalidate()
        self.assertEqual([text.partition("=")[0] for text in req.sent()], ["other", "pysid"])

    def test_the_cookie(self):
        for options, expected in (
            ({"mod_python__session__cookie_name": "id"}, "id={}; path=/app/"),
            ({"session_cookie_name": "id"}, "id={}; path=/app/"),
            ({"mod_python__session__application_path": "/my"}, "pysid={}; path=/my"),
            ({"ApplicationPath": "/my"}, "pysid={}; path=/my"),
            ({"mod_python__session__application_domain": "x.test"}, "pysid={}; path=/app/; domain=x.test"),
            ({"mod_python__session__cookie_httponly": "On", "mod_python__session__cookie_secure": "yes"}, "pysid={}; path=/app/; secure; httponly"),
            ({"mod_python__session__cookie_samesite": "Lax"}, "pysid={}; path=/app/; samesite=Lax"),
        ):
            req = self.request(**options)
            session = Session.MemorySession(req)
            self.assertEqual(req.sent(), [expected.format(session.id())])
            session.save()
            name = expected.partition("=")[0]
            again = Session.MemorySession(self.request(session.id(), name, **options), lock=0)
            self.assertEqual(again.id(), session.id())
            req.end()
        for options, wrong in (
            ({"mod_python__session__cookie_samesite": "none; x"}, "write Strict, Lax or None"),
            ({"mod_python__session__cookie_secure": "perhaps"}, "write On or Off"),
        ):
            with self.assertRaisesRegex((Session.SessionError, ValueError), wrong):
                Session.MemorySession(self.request(**options))

    def test_the_path_of_the_cookie(self):
        for directory, root, uri, expected in (
            ("/srv/htdocs/a/b/", "/srv/htdocs", "/a/b/c", "/a/b/"),
            ("/srv/htdocs/a/b/", "/srv/htdocs/", "/a/b/c", "/a/b/"),
            ("/srv/htdocs/", "/srv/htdocs", "/x", "/"),
            ("/srv/htdocs-more/a/", "/srv/htdocs", "/a/", "/"),
            ("/elsewhere/", "/srv/htdocs", "/a/", "/"),
            ("/srv/htdocs/a/", "/srv/htdocs", "/alias/", "/"),
            (None, "/srv/htdocs", "/a/", "/"),
            ("", "/srv/htdocs", "/a/", "/"),
        ):
            req = self.request()
            req.hlist = type("Handlers", (), {"directory": directory})
            req.document_root = lambda: root
            req.uri = uri
            cookie = Session.MemorySession(req, lock=0).make_cookie()
            self.assertEqual(cookie.path, expected, directory)
        req = self.request()
        req.hlist = None
        self.assertEqual(Session.MemorySession(req, lock=0).make_cookie().path, "/")

    def test_a_secret_signs_the_cookie(self):
        session, req = self.opened("MemorySession", secret="s")
        session["x"] = 1
        session.save()
        req.end()
        value = req.sent()[0].partition("=")[2].partition(";")[0]
        self.assertEqual(value, str(Cookie.SignedCookie("pysid", session.id(), "s"))[6:])
        again, req = self.opened("MemorySession", value, secret="s")
        self.assertEqual((again.is_new(), dict(again)), (0, {"x": 1}))
        req.end()
        for forged in (session.id(), value[:-1], "0" + value[1:] if value[0] != "0" else "1" + value[1:], value.upper()):
            other, req = self.opened("MemorySession", forged, secret="s")
            self.assertEqual((other.is_new(), dict(other)), (1, {}))
            req.end()
        # By MD5, as mod_python 3.5 signed
        import hashlib
        import hmac

        old = hmac.new(b"s", b"pysid" + session.id().encode(), hashlib.md5).hexdigest() + session.id()
        for options, is_new in (({}, 1), ({"mod_python__cookie__accept_md5": "On"}, 0)):
            req = self.request(old, **options)
            self.assertEqual(Session.MemorySession(req, secret="s").is_new(), is_new)
            req.end()

    def test_regenerate(self):
        sid = self.stored("MemorySession", user=None)
        session, req = self.opened("MemorySession", sid)
        created = session.created()
        session["user"] = "eve"
        fresh = session.regenerate()
        self.assertEqual((fresh != sid, session.id(), session.is_new(), session.created()), (True, fresh, 0, created))
        self.assertEqual(req.sent(), [f"pysid={fresh}; path=/app/"])
        self.assertEqual(list(_sessions_memory._stored), [fresh])
        req.end()
        self.assertTrue(fake_request.are_all_free())
        self.assertTrue(self.opened("MemorySession", sid, lock=0)[0].is_new())
        again, req = self.opened("MemorySession", fresh)
        self.assertEqual(dict(again), {"user": "eve"})
        req.end()
        # In the request that began it, one cookie is sent
        session, req = self.opened("MemorySession")
        session.regenerate()
        session.regenerate()
        self.assertEqual(req.sent(), [f"pysid={session.id()}; path=/app/"])
        req.sent_bodyct = 10
        with self.assertRaisesRegex(Session.SessionError, "before req.write"):
            session.regenerate()
        req.end()

    def test_regenerate_that_fails_changes_nothing(self):
        session, req = self.opened("MemorySession", self.stored("MemorySession", x=1))
        sid = session.id()
        for method in ("do_save", "do_delete"):

            def fail(*_):
                raise OSError("full")

            setattr(session, method, fail)
            self.assertRaises(OSError, session.regenerate)
            delattr(session, method)
            self.assertEqual((session.id(), req.sent(), _sessions_memory._stored[sid]["_data"]), (sid, [], {"x": 1}))
        req.end()

    def test_a_class_of_ones_own(self):
        kept, calls = {}, []

        class Mine(Session.BaseSession):
            def __init__(self, req, **arguments):
                calls.append("init")
                Session.BaseSession.__init__(self, req, **arguments)

            def init_lock(self):
                calls.append("init_lock")

            def do_load(self):
                return kept.get(self._sid)

            def do_save(self, stored):
                kept[self._sid] = stored

            def do_delete(self):
                kept.pop(self._sid, None)

            def do_cleanup(self):
                calls.append("do_cleanup")

        Session.CLEANUP_CHANCE = 1
        req = self.request()
        session = Mine(req, secret="s", timeout=7, lock=0)
        session["x"] = 1
        session.save()
        self.assertEqual(calls, ["init", "init_lock", "do_cleanup"])
        stored = kept[session.id()]
        self.assertEqual(sorted(stored), ["_accessed", "_created", "_data", "_timeout"])
        self.assertEqual((type(stored["_data"]), stored["_data"], stored["_timeout"]), (dict, {"x": 1}, 7))
        self.assertEqual((session._req, session._sid, session._secret, session._new, session._lock), (req, session.id(), "s", 1, 0))
        self.assertEqual(dict(Mine(self.request(), sid=session.id())), {"x": 1})

    def test_which_kind(self):
        for name in ("FileSession", "DbmSession", "MemorySession"):
            for option in ("mod_python__session__session_type", "session"):
                session = Session.Session(self.request(**{option: name}), timeout=5, lock=0)
                self.assertIs(type(session), getattr(Session, name))
                self.assertEqual(session.timeout(), 5)
        for name in ("RedisSession", "Session", "os", "filesession"):
            with self.assertRaisesRegex(Session.SessionError, "MP0518: .*DbmSession, FileSession, MemorySession, StoreSession"):
                Session.Session(self.request(mod_python__session__session_type=name))
        from mod_python import apache

        names = {apache.AP_MPMQ_IS_THREADED: "threaded", apache.AP_MPMQ_IS_FORKED: "forked", apache.AP_MPMQ_MAX_DAEMONS: "daemons"}
        before = apache.mpm_query
        self.addCleanup(setattr, apache, "mpm_query", before)
        for threaded, forked, daemons, expected in (
            (1, 1, 4, "DbmSession"),
            (1, 1, 1, "MemorySession"),
            (1, 0, 4, "MemorySession"),
            (0, 1, 1, "DbmSession"),
            (0, 1, 8, "DbmSession"),
        ):
            facts = {"threaded": threaded, "forked": forked, "daemons": daemons}
            apache.mpm_query = lambda code: facts[names[code]]
            self.assertEqual(Session._default_kind({}), expected)

    def test_names_of_the_module(self):
        self.assertEqual((Session.COOKIE_NAME, Session.DFT_TIMEOUT, Session.DFT_LOCK), ("pysid", 1800, True))
        self.assertLessEqual({"FileSession", "dbm_cleanup", "unlock_session_cleanup", "BaseSession"}, set(dir(Session)))
        with self.assertRaises(AttributeError):
            Session.RedisSession


class LockTest(SessionTest):
    def test_another_request_waits(self):
        sid = self.stored("MemorySession", n=0)
        order = []

        def count():
            session, req = self.opened("MemorySession", sid)
            session["n"] += 1
            order.append("changed")
            session.save()
            req.end()

        session, req = self.opened("MemorySession", sid)
        thread = threading.Thread(target=count)
        thread.start()
        session["n"] += 1
        order.append("first")
        session.save()
        req.end()
        thread.join()
        self.assertEqual((order, _sessions_memory._stored[sid]["_data"]), (["first", "changed"], {"n": 2}))

    def test_it_is_released(self):
        session, req = self.opened("MemorySession")
        self.assertFalse(fake_request.are_all_free())
        session.lock()
        req.end()
        self.assertTrue(fake_request.are_all_free())
        session.unlock()
        # A handler that runs after the cleanups
        session.lock()
        self.assertFalse(fake_request.are_all_free())
        req.end()
        self.assertTrue(fake_request.are_all_free())
        # Nobody refers to it any more
        session, req = self.opened("MemorySession")
        del session
        gc.collect()
        self.assertTrue(fake_request.are_all_free())
        req.end()
        session, req = self.opened("MemorySession", lock=0)
        self.assertTrue(fake_request.are_all_free() and not req.cleanups)
        Session.unlock_session_cleanup(session)

    def test_one_request_does_not_wait_for_itself(self):
        sid = self.stored("MemorySession", x=1)
        session, req = self.opened("MemorySession", sid)
        with self.assertRaisesRegex(Session.SessionError, "MP0515: .* lock=0") as caught:
            Session.MemorySession(req)
        self.assertNotIn(sid, str(caught.exception))
        self.assertEqual(Session.MemorySession(req, lock=0)["x"], 1)
        session.unlock()
        again = Session.MemorySession(req)
        self.assertEqual((again.id(), again["x"]), (sid, 1))
        # From another thread too
        found = []

        def attempt():
            try:
                Session.MemorySession(req)
            except Session.SessionError as error:
                found.append(str(error)[:6])

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join(30)
        self.assertEqual(found, ["MP0515"])
        req.end()

    def test_related_requests_share_it(self):
        sid = self.stored("MemorySession", x=1)
        session, req = self.opened("MemorySession", sid)
        inner, subrequest = self.opened("MemorySession", sid)
        inner["x"] += 1
        inner.save()
        subrequest.end()
        self.assertFalse(fake_request.are_all_free())
        session.load()
        self.assertEqual(session["x"], 2)
        req.end()

    def test_what_fails_is_unlocked(self):
        class Failing(Session.MemorySession):
            def do_load(self):
                raise OSError("gone")

        self.assertRaises(OSError, Failing, self.request("0" * 32))
        self.assertTrue(fake_request.are_all_free())


class MemoryTest(SessionTest):
    def test_cleanup(self):
        kept, gone = self.stored("MemorySession"), self.stored("MemorySession")
        _sessions_memory._stored[gone]["_accessed"] = OLD
        Session.CLEANUP_CHANCE = 1
        session, req = self.opened("MemorySession", lock=0)
        self.assertIn(gone, _sessions_memory._stored)
        req.end()
        self.assertEqual(list(_sessions_memory._stored), [kept])


class FileTest(SessionTest):
    def path(self, sid="", *more):
        return os.path.join(self.folder, "mp_sess", sid[:2], sid, *more) if sid else os.path.join(self.folder, "mp_sess")

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def change(self, path, data):
        with open(path, "wb") as file:
            file.write(data)

    def expect_new(self, sid, number="MP0512", kind="FileSession"):
        session, req = self.opened(kind, sid)
        self.assertTrue(session.is_new() and session.id() != sid and not session)
        self.assertEqual(len(self.logged(number)), 1, fake_apache.entries)
        self.assertNotIn(sid, str(fake_apache.entries))
        fake_apache.entries.clear()
        req.end()

    def test_what_is_stored(self):
        sid = self.stored("FileSession", text="é", number=5, nested=[{"a": (1, 2)}])
        session, req = self.opened("FileSession", sid)
        self.assertEqual(dict(session), {"text": "é", "number": 5, "nested": [{"a": (1, 2)}]})
        req.end()
        self.assertTrue(self.read(self.path(sid)).startswith(b"mp-sess4"))
        self.assertEqual(sorted(os.listdir(self.path())), [".mp_sess.key", sid[:2]])
        self.assertEqual(os.listdir(os.path.join(self.path(), sid[:2])), [sid])
        modes = [os.stat(path).st_mode & 0o7777 for path in (self.path(), self.path() + "/.mp_sess.key", self.path(sid), self.path() + "/" + sid[:2])]
        self.assertEqual([f"{mode:o}" for mode in modes], ["700", "600", "600", "700"])
        self.assertEqual(fake_apache.entries, [])
        session, req = self.opened("FileSession", sid)
        session.delete()
        session.delete()
        req.end()
        self.assertEqual(os.listdir(os.path.join(self.path(), sid[:2])), [])

    def test_no_folder_is_no_session(self):
        session, req = self.opened("FileSession", "0" * 32)
        self.assertTrue(session.is_new())
        session.delete()
        self.assertFalse(os.path.exists(self.path()))
        req.end()

    def test_which_folder(self):
        general = {"mod_python__session__database_directory": self.folder}
        for option in ("mod_python__file_session__database_directory", "session_directory"):
            other = os.path.join(self.folder, option)
            os.mkdir(other)
            session = Session.FileSession(Request(**general, **{option: other + "/"}), lock=0)
            session.save()
            self.assertTrue(os.path.exists(os.path.join(other, "mp_sess", session.id()[:2], session.id())))
        self.addCleanup(setattr, tempfile, "tempdir", tempfile.tempdir)
        tempfile.tempdir = self.folder
        session = Session.FileSession(Request(), lock=0)
        session.save()
        self.assertTrue(os.path.exists(self.path(session.id())))
        session = Session.FileSession(Request(mod_python__session__database_directory=self.folder + "/missing"), lock=0)
        with self.assertRaisesRegex(Session.SessionError, "MP0511: .*missing/mp_sess: No such file"):
            session.save()

    def test_what_others_wrote_is_never_unpickled(self):
        sid, other = self.stored("FileSession", x=1), self.stored("FileSession", x=2)
        good, strange = self.read(self.path(sid)), self.read(self.path(other))
        loads = pickle.loads
        self.addCleanup(setattr, pickle, "loads", loads)
        loaded = []
        pickle.loads = loaded.append
        bomb = pickle.dumps({"_data": {}, "_accessed": time.time(), "_timeout": 9999, "_created": 0}, 2)
        forged = [b"", bomb, b"\0" * 200, good[:8] + b"\0" * 40 + bomb, strange, good + b"x", good[:40] + b"\xff" * 8 + good[48:]]
        forged += [good[:end] for end in range(len(good))]
        forged += [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(len(good))]
        for data in forged:
            self.change(self.path(sid), data)
            self.expect_new(sid)
        self.assertEqual(loaded, [])
        pickle.loads = loads
        self.change(self.path(sid), good)
        self.assertEqual(dict(self.opened("FileSession", sid, lock=0)[0]), {"x": 1})
        # mod_python 3.5's own are no sessions either
        self.change(self.path(sid), bomb)
        self.expect_new(sid)

    def test_a_class_that_is_gone(self):
        module = type(sys)("gone_soon")
        exec("class Thing:\n    pass", module.__dict__)
        sys.modules["gone_soon"] = module
        sid = self.stored("FileSession", thing=module.Thing())
        del sys.modules["gone_soon"]
        self.expect_new(sid, "MP0514")
        with self.assertRaises((TypeError, AttributeError, pickle.PicklingError)):
            self.stored("FileSession", thing=lambda: 1)

    def test_links_and_other_things(self):
        sid = self.stored("FileSession", x=1)
        path = self.path(sid)
        copy = os.path.join(self.folder, "copy")
        os.rename(path, copy)
        for make in (lambda: os.symlink(copy, path), lambda: os.mkfifo(path), lambda: os.mkdir(path)):
            make()
            self.expect_new(sid, "MP0513")
            (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)
        # What is saved replaces a link, and is not written through it
        session, req = self.opened("FileSession")
        os.makedirs(os.path.dirname(self.path(session.id())), exist_ok=True)
        os.chmod(os.path.dirname(self.path(session.id())), 0o700)
        os.symlink(copy, self.path(session.id()))
        before = self.read(copy)
        session.save()
        self.assertEqual((self.read(copy), os.path.islink(self.path(session.id()))), (before, False))
        req.end()

    def test_a_folder_that_others_prepared(self):
        os.mkdir(self.path())
        for mode in (0o777, 0o1777, 0o770, 0o702):
            os.chmod(self.path(), mode)
            for sid in (None, "0" * 32):
                with self.assertRaisesRegex(
                    Session.SessionError,
                    "MP0510: .*/mp_sess can be written by others .*set PythonOption mod_python.file_session.database_directory",
                ):
                    session, req = self.opened("FileSession", sid)
                    session.save()
        os.rmdir(self.path())
        os.mkdir(self.path() + "-elsewhere", 0o700)
        os.symlink(self.path() + "-elsewhere", self.path())
        with self.assertRaisesRegex(Session.SessionError, "MP0510: .* is not a folder but a link"):
            self.opened("FileSession", lock=0)[0].save()
        os.unlink(self.path())
        self.change(self.path(), b"")
        with self.assertRaisesRegex(Session.SessionError, "MP0510: .* is not a folder"):
            self.opened("FileSession", lock=0)[0].save()
        os.unlink(self.path())
        # One that others may look into becomes private
        os.mkdir(self.path(), 0o755)
        self.stored("FileSession")
        self.assertEqual(os.stat(self.path()).st_mode & 0o777, 0o700)

    def test_a_folder_of_another_user(self):
        os.mkdir(self.path(), 0o700)
        geteuid = os.geteuid
        self.addCleanup(setattr, os, "geteuid", geteuid)
        os.geteuid = lambda: geteuid() + 1
        with self.assertRaisesRegex(Session.SessionError, f"MP0510: .* belongs to user {geteuid()}, and not to this server's own"):
            self.opened("FileSession", lock=0)[0].save()

    def test_a_key_that_others_prepared(self):
        sid = self.stored("FileSession", x=1)
        key = os.path.join(self.path(), ".mp_sess.key")
        good = self.read(key)
        self.assertEqual(len(good), 32)
        attempts = [
            (lambda: os.chmod(key, 0o644), "not a file that only its owner can read"),
            (lambda: os.chmod(key, 0o622), "can be written by others"),
            (lambda: self.change(key, b""), "has 0 bytes instead of 32"),
            (lambda: self.change(key, good + b"x"), "has 33 bytes instead of 32"),
            (lambda: (os.unlink(key), os.symlink("/etc/passwd", key)), "MP0510: .*(belongs to user|written by others|not a file)"),
            (lambda: (os.unlink(key), os.mkfifo(key, 0o600)), "not a file"),
        ]
        for prepare, wrong in attempts:
            prepare()
            for attempt in (lambda: self.opened("FileSession", sid, lock=0), lambda: self.opened("FileSession", lock=0)[0].save()):
                with self.assertRaisesRegex(Session.SessionError, wrong):
                    attempt()
            os.unlink(key)
            self.change(key, good)
            os.chmod(key, 0o600)
            self.assertEqual(self.opened("FileSession", sid, lock=0)[0]["x"], 1)
        # Another key: nothing is a session any more
        os.unlink(key)
        self.expect_new(sid)
        self.assertNotEqual(self.read(key), good)

    def test_all_have_the_same_key(self):
        os.mkdir(self.path(), 0o700)
        keys, ready = [], threading.Barrier(8)

        def ask():
            with _private_folder.Folder(self.path(), "") as folder:
                ready.wait()
                keys.append(folder.key())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.assertEqual((len(keys), len(set(keys))), (8, 1))
        self.assertEqual(os.listdir(self.path()), [".mp_sess.key"])

    def test_keys_of_options_and_secrets(self):
        option = {"mod_python__session__key": "0123456789" * 4}
        session = Session.FileSession(self.request(**option), lock=0)
        session["x"] = 1
        session.save()
        self.assertEqual(os.listdir(self.path()), [session.id()[:2]])
        self.assertEqual(Session.FileSession(self.request(session.id(), **option), lock=0)["x"], 1)
        self.expect_new(session.id())
        with self.assertRaisesRegex(Session.SessionError, "MP0518: .*mod_python.session.key has 5 characters"):
            Session.FileSession(self.request(mod_python__session__key="short"), lock=0).save()
        session = Session.FileSession(self.request(), secret="s", lock=0)
        session["x"] = 2
        session.save()
        value = str(session.make_cookie())[6:].partition(";")[0]
        self.assertEqual(Session.FileSession(self.request(value), secret="s", lock=0)["x"], 2)
        self.expect_new(session.id())

    def test_a_file_that_cannot_be_read_or_written(self):
        sid = self.stored("FileSession", x=1)
        real_open, real_write, real_rename, real_link = os.open, os.write, os.rename, os.link
        for name, real in (("open", real_open), ("write", real_write), ("rename", real_rename), ("link", real_link)):
            self.addCleanup(setattr, os, name, real)

        def denied(path, flags, *more, **named):
            if path == sid:
                raise PermissionError(13, "Permission denied")
            return real_open(path, flags, *more, **named)

        os.open = denied
        self.expect_new(sid, "MP0513")
        os.open = real_open

        session, req = self.opened("FileSession", sid)
        session["x"] = 2

        def full(*_, **__):
            raise OSError(28, "No space left on device")

        for name in ("write", "rename"):
            setattr(os, name, full)
            with self.assertRaisesRegex(Session.SessionError, "MP0511: .*mp_sess: No space left on device"):
                session.save()
            setattr(os, name, {"write": real_write, "rename": real_rename}[name])
            self.assertEqual(os.listdir(os.path.dirname(self.path(sid))), [sid])
        # Written in small pieces
        os.write = lambda file, data: real_write(file, data[:7])
        session.save()
        os.write = real_write
        req.end()
        self.assertEqual(self.opened("FileSession", sid, lock=0)[0]["x"], 2)
        os.unlink(os.path.join(self.path(), ".mp_sess.key"))
        os.link = full
        with self.assertRaisesRegex(Session.SessionError, "MP0511: the key .* cannot be made: No space left.*mod_python.session.key"):
            self.opened("FileSession", lock=0)[0].save()

    def test_a_limit_of_the_system_leaves_the_old_file(self):
        sid = self.stored("FileSession", x=1)
        script = f"""if 1:
            import os, resource, signal, sys
            sys.path.insert(0, {os.path.dirname(__file__)!r})
            import fake_apache
            from fake_request import Request
            from mod_python import Session
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
            session = Session.FileSession(Request("pysid={sid}", mod_python__session__database_directory={self.folder!r}))
            session["big"] = "x" * 100000
            try:
                session.save()
            except Session.SessionError as error:
                print(str(error)[:6], "large" in str(error))
        """
        import subprocess

        done = subprocess.run([sys.executable, "-B", "-c", script], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout, done.stderr), ("MP0511 True\n", ""))
        self.assertEqual(dict(self.opened("FileSession", sid, lock=0)[0]), {"x": 1})
        self.assertEqual(os.listdir(os.path.dirname(self.path(sid))), [sid])

    @unittest.skipIf(os.geteuid() == 0, "root can write anywhere")
    def test_a_read_only_folder(self):
        sid = self.stored("FileSession", x=1)
        place = os.path.dirname(self.path(sid))
        os.chmod(place, 0o500)
        self.addCleanup(os.chmod, place, 0o700)
        session, req = self.opened("FileSession", sid)
        self.assertEqual(session["x"], 1)
        with self.assertRaisesRegex(Session.SessionError, "MP0511: .*Permission denied"):
            session.save()
        req.end()

    def test_readers_see_whole_files(self):
        sid = self.stored("FileSession", text="x" * 50000)
        stop, wrong = threading.Event(), []

        def write():
            while not stop.is_set():
                session, req = self.opened("FileSession", sid, lock=0)
                session["text"] = "y" * 50000
                session.save()

        thread = threading.Thread(target=write)
        thread.start()
        for _ in range(200):
            session, _req = self.opened("FileSession", sid, lock=0)
            if session.is_new() or len(session["text"]) != 50000:
                wrong.append(dict(session))
        stop.set()
        thread.join()
        self.assertEqual((wrong, fake_apache.entries), ([], []))

    # --- the clean-up

    def expire(self, sid, seconds, is_file_old=True):
        """Makes a session one that was last saved so long ago."""
        session, req = self.opened("FileSession", sid)
        session._accessed -= seconds
        session.save()
        req.end()
        if is_file_old:
            then = time.time() - seconds
            os.utime(self.path(sid), (then, then))

    def clean(self, **arguments):
        session, req = self.opened("FileSession", **arguments)
        session.cleanup()
        req.end()

    def exists(self, *sids):
        return [os.path.exists(self.path(sid)) for sid in sids]

    def test_cleanup(self):
        kept, gone, graced, used = (self.stored("FileSession") for _ in range(4))
        self.expire(gone, 1800 + 300)
        self.expire(graced, 1800 + 100)
        self.expire(used, 1800 + 300, is_file_old=False)
        self.clean()
        self.assertEqual(self.exists(kept, gone, graced, used), [True, False, True, True])
        self.assertIn("FileSession: 1 of 4 sessions", str(fake_apache.entries))
        with open(self.path() + "/fs_status.txt") as file:
            self.assertEqual(file.read().split()[:4], ["MPFS_3.2", "0", "0", "0"])
        self.assertTrue(fake_request.are_all_free())
        # Every file is looked into
        self.clean(fast_cleanup=0)
        self.assertEqual(self.exists(kept, graced, used), [True, True, False])
        self.assertEqual(self.logged("MP"), [])

    def test_cleanup_by_time_of_file_or_by_record(self):
        session, req = self.opened("FileSession", timeout=10**6)
        session.save()
        req.end()
        sid = session.id()
        then = time.time() - 5000
        os.utime(self.path(sid), (then, then))
        self.clean()
        self.assertEqual(self.exists(sid), [True])
        self.clean(verify_cleanup=0)
        self.assertEqual(self.exists(sid), [False])
        for option in ("mod_python__file_session__verify_session_timeout", "session_verify_cleanup"):
            req = self.request(**{option: "0"})
            self.assertEqual(Session.FileSession(req, lock=0)._verify_cleanup, False)
        for option in ("mod_python__file_session__enable_fast_cleanup", "session_fast_cleanup"):
            req = self.request(**{option: "Off"})
            self.assertEqual(Session.FileSession(req, lock=0)._fast_cleanup, False)
        req = self.request(session_grace_period="5", session_cleanup_time_limit="7")
        session = Session.FileSession(req, lock=0)
        self.assertEqual((session._grace_period, session._cleanup_time_limit), (5, 7))
        with self.assertRaisesRegex(ValueError, "cleanup_grace_period is 'long': write a number"):
            Session.FileSession(self.request(mod_python__file_session__cleanup_grace_period="long"))

    def test_cleanup_of_what_is_no_record(self):
        sid, fresh = self.stored("FileSession"), self.stored("FileSession")
        for one in (sid, fresh):
            self.change(self.path(one), pickle.dumps({"_timeout": 10**9}, 2))
        os.utime(self.path(sid), (OLD, OLD))
        place = os.path.dirname(self.path(fresh))
        for name in ("README", "0" * 31, f".{sid}.tmp", ".x"):
            self.change(os.path.join(place, name), b"")
            os.utime(os.path.join(place, name), (OLD, OLD))
        misplaced = ("00" if fresh[:2] != "00" else "11") + "0" * 30
        os.symlink("/etc/passwd", os.path.join(place, fresh[:2] + "f" * 30))
        self.change(os.path.join(place, misplaced), b"")
        os.utime(os.path.join(place, misplaced), (OLD, OLD))
        self.clean()
        self.assertEqual(self.exists(sid, fresh), [False, True])
        self.assertEqual(sorted(os.listdir(place)), sorted({"README", "0" * 31, ".x", fresh, misplaced, fresh[:2] + "f" * 30}))
        self.assertTrue(os.path.exists("/etc/passwd"))

    def test_cleanup_leaves_what_is_in_use(self):
        sid = self.stored("FileSession")
        self.expire(sid, 5000)
        locked, done = threading.Event(), threading.Event()

        def hold():
            fake_apache._global_lock(Request.server, sid)
            locked.set()
            done.wait()
            fake_apache._global_unlock(Request.server, sid)

        thread = threading.Thread(target=hold)
        thread.start()
        locked.wait()
        self.clean(lock=0)
        self.assertEqual(self.exists(sid), [True])
        done.set()
        thread.join()
        self.clean()
        self.assertEqual(self.exists(sid), [False])

    def test_cleanup_goes_on_where_it_stopped(self):
        for number in range(256):
            sid = f"{number:02x}" + "0" * 30
            session, req = self.opened("FileSession")
            session._sid = sid
            session._accessed = OLD
            session.save()
            os.utime(self.path(sid), (OLD, OLD))
            req.end()
        real, now = time.monotonic, [0.0]
        self.addCleanup(setattr, time, "monotonic", real)

        def ticking():
            now[0] += 0.05
            return now[0]

        time.monotonic = ticking
        rounds = 0
        while any(name for _, _, names in os.walk(self.path()) for name in names if len(name) == 32):
            session, req = self.opened("FileSession", lock=0)
            session.cleanup()
            req.end()
            rounds += 1
            self.assertLess(rounds, 20)
        self.assertEqual(rounds, 7)
        self.assertIn("256 of 256 sessions", str(fake_apache.entries))
        # Without a limit
        self.assertEqual(self.logged("MP"), [])

    def test_cleanup_by_one_at_a_time(self):
        import fcntl

        sid = self.stored("FileSession")
        self.expire(sid, 5000)
        lock = os.open(self.path() + "/.mp_sess.lck", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.clean()
        self.assertEqual(self.exists(sid), [True])
        os.close(lock)
        self.clean()
        self.assertEqual(self.exists(sid), [False])

    def test_cleanup_that_fails_is_logged(self):
        self.clean()
        self.assertEqual(fake_apache.entries, [])
        self.stored("FileSession")
        for text in ("nonsense", "MPFS_3.2 -5 x y z", "MPFS_3.2 999 1 1 1", "", "\xff"):
            with open(self.path() + "/fs_status.txt", "w") as file:
                file.write(text)
            self.clean()
        self.assertEqual(self.logged("MP"), [])
        os.chmod(self.path(), 0o777)
        req = self.request()
        from mod_python._sessions_file_cleanup import filesession_cleanup

        session = Session.FileSession(req, lock=0)
        session.cleanup()
        req.end()
        self.assertEqual(len(self.logged("MP0516")), 1)
        filesession_cleanup(None)
        self.assertEqual(len(self.logged("MP0516")), 2)
        os.chmod(self.path(), 0o700)


class DbmTest(SessionTest):
    kinds = ()

    @classmethod
    def setUpClass(cls):
        import importlib

        cls.kinds = []
        for name in ("gnu", "ndbm", "dumb", "sqlite3"):
            try:
                cls.kinds.append(importlib.import_module(f"dbm.{name}"))
            except ImportError:
                pass

    def each_kind(self):
        for kind in self.kinds:
            path = os.path.join(self.folder, kind.__name__, "sessions")
            os.mkdir(os.path.dirname(path), 0o700)
            with self.subTest(kind=kind.__name__):
                yield kind, path

    def test_what_is_stored(self):
        for kind, path in self.each_kind():
            session = Session.DbmSession(self.request("0" * 32), path, dbmtype=kind, lock=0)
            self.assertTrue(session.is_new())
            session.delete()
            session["x"] = "é" * 1000
            session.save()
            sid = session.id()
            again = Session.DbmSession(self.request(sid), path, dbmtype=kind, lock=0)
            self.assertEqual((again.is_new(), dict(again)), (0, {"x": "é" * 1000}))
            again.delete()
            again.delete()
            self.assertTrue(Session.DbmSession(self.request(sid), path, dbmtype=kind, lock=0).is_new())
            modes = {os.stat(os.path.join(os.path.dirname(path), name)).st_mode & 0o7777 for name in os.listdir(os.path.dirname(path))}
            self.assertLessEqual(modes, {0o600, 0o400}, modes)
        self.assertEqual(fake_apache.entries, [])

    def test_where_it_is(self):
        session = Session.DbmSession(self.request(), lock=0)
        session.save()
        names = os.listdir(os.path.join(self.folder, "mp_sess"))
        self.assertIn(".mp_sess.key", names)
        self.assertTrue(any(name.startswith("mp_sess.dbm") for name in names))
        self.assertEqual(os.stat(os.path.join(self.folder, "mp_sess")).st_mode & 0o777, 0o700)
        for option in ("mod_python__dbm_session__database_filename", "session_dbm"):
            Session.DbmSession(self.request(**{option: "mine.dbm"}), lock=0).save()
            self.assertTrue(any(name.startswith("mine.dbm") for name in os.listdir(os.path.join(self.folder, "mp_sess"))))
            place = os.path.join(self.folder, option)
            os.mkdir(place, 0o750)
            Session.DbmSession(self.request(**{option: place + "/x"}), lock=0).save()
            self.assertTrue(any(name.startswith("x") for name in os.listdir(place)))
            self.assertEqual(os.stat(place).st_mode & 0o777, 0o750)
        with self.assertRaisesRegex(Session.SessionError, "MP0517: .*/missing/x cannot be used: No such file"):
            Session.DbmSession(self.request(), dbm=self.folder + "/missing/x", lock=0).save()

    def test_what_others_wrote_is_never_unpickled(self):
        loads = pickle.loads
        self.addCleanup(setattr, pickle, "loads", loads)
        for kind, path in self.each_kind():
            ids = []
            for number in range(2):
                session = Session.DbmSession(self.request(), path, dbmtype=kind, lock=0)
                session["n"] = number
                session.save()
                ids.append(session.id().encode())
            with kind.open(path, "w") as records:
                good, other = records[ids[0]], records[ids[1]]
            loaded = []
            pickle.loads = loaded.append
            for forged in (b"", pickle.dumps({"_data": {}}, 2), good[:-1], good[:20], other, good + b"x", b"mp-sess4"):
                with kind.open(path, "w") as records:
                    records[ids[0]] = forged
                self.assertTrue(Session.DbmSession(self.request(ids[0].decode()), path, dbmtype=kind, lock=0).is_new())
                # ndbm stores no empty texts
                self.assertEqual(len(self.logged("MP0512")), 1 if forged or kind.__name__ != "dbm.ndbm" else 0)
                fake_apache.entries.clear()
            self.assertEqual(loaded, [])
            pickle.loads = loads

    def test_a_file_that_others_prepared(self):
        for kind, path in self.each_kind():
            folder = os.path.dirname(path)
            Session.DbmSession(self.request(), path, dbmtype=kind, lock=0).save()
            name = next(name for name in sorted(os.listdir(folder), reverse=True) if name.startswith("sessions"))
            file = os.path.join(folder, name)
            for prepare, restore in (
                (lambda: os.chmod(file, 0o666), lambda: os.chmod(file, 0o600)),
                (lambda: os.chmod(folder, 0o777), lambda: os.chmod(folder, 0o700)),
                (lambda: (os.rename(file, file + "~"), os.symlink(file + "~", file)), lambda: os.rename(file + "~", file)),
            ):
                prepare()
                for attempt in (
                    lambda: Session.DbmSession(self.request("0" * 32), path, dbmtype=kind, lock=0),
                    lambda: Session.DbmSession(self.request(), path, dbmtype=kind, lock=0).save(),
                ):
                    with self.assertRaisesRegex(Session.SessionError, "MP0510"):
                        attempt()
                restore()
            Session.DbmSession(self.request(), path, dbmtype=kind, lock=0).save()

    def test_a_damaged_file(self):
        for kind, path in self.each_kind():
            session = Session.DbmSession(self.request(), path, dbmtype=kind, lock=0)
            session.save()
            folder = os.path.dirname(path)
            for name in os.listdir(folder):
                if name.startswith("sessions"):
                    with open(os.path.join(folder, name), "wb") as file:
                        file.write(b"\x13nonsense" * 5)
            again = Session.DbmSession(self.request(session.id()), path, dbmtype=kind, lock=0)
            self.assertTrue(again.is_new())
            try:
                again.save()
            except Session.SessionError as error:
                self.assertRegex(str(error), "MP0517: .*If it is damaged, remove it")
            # Nothing in it: a process ended when it was about to be made
            for name in os.listdir(folder):
                if name.startswith("sessions"):
                    with open(os.path.join(folder, name), "wb"):
                        pass
            session = Session.DbmSession(self.request(), path, dbmtype=kind, lock=0)
            session.save()
            self.assertFalse(Session.DbmSession(self.request(session.id()), path, dbmtype=kind, lock=0).is_new())
        self.assertTrue(fake_request.are_all_free())

    def test_no_update_is_lost(self):
        for kind, path in self.each_kind():
            session = Session.DbmSession(self.request(), path, dbmtype=kind, lock=0)
            session["n"] = 0
            session.save()
            sid = session.id()

            def count():
                for _ in range(10):
                    req = self.request(sid)
                    session = Session.DbmSession(req, path, dbmtype=kind)
                    session["n"] += 1
                    session.save()
                    req.end()

            threads = [threading.Thread(target=count) for _ in range(4)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            self.assertEqual(Session.DbmSession(self.request(sid), path, dbmtype=kind, lock=0)["n"], 40)

    def test_cleanup(self):
        for kind, path in self.each_kind():
            ids = []
            for number in range(130):
                session = Session.DbmSession(self.request(), path, dbmtype=kind, lock=0)
                if number % 2:
                    session._accessed = OLD
                session.save()
                ids.append(session.id().encode())
            with kind.open(path, "w") as records:
                records[b"another program's"] = b"kept"
                records[b"f" * 32] = pickle.dumps({"_timeout": 1}, 2)
            req = self.request()
            Session.DbmSession(req, path, dbmtype=kind, lock=0).cleanup()
            req.end()
            with kind.open(path, "r") as records:
                self.assertEqual({bytes(key) for key in records.keys()}, {*ids[::2], b"another program's", b"f" * 32})
            self.assertIn("DbmSession: 65 of 131 sessions", str(fake_apache.entries))
            fake_apache.entries.clear()
        self.assertEqual(self.logged("MP"), [])
        req = self.request()
        os.mkdir(os.path.join(self.folder, "mp_sess"))
        session = Session.DbmSession(req, lock=0)
        session.cleanup()
        os.chmod(os.path.join(self.folder, "mp_sess"), 0o777)
        req.end()
        self.assertEqual(len(self.logged("MP0516")), 1)


if __name__ == "__main__":
    unittest.main()
