"""Sessions and caches of Django and Flask in a store, with the real packages."""

import datetime
import unittest
from fractions import Fraction
from unittest import mock

import fake_store
import packages
import redis_server
from store_support import SHORT, StoreTest, wait_until

from mod_python import store

HAS_DJANGO = packages.has(("django", "Django"))
HAS_FLASK = packages.has(("flask", "Flask"), ("cachelib", "cachelib"), ("flask_session", "Flask-Session"), ("flask_caching", "Flask-Caching"))
HAS_SERVER = redis_server.program() is not None and packages.has(("redis", "redis"))

if HAS_DJANGO:
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="not a secret",
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        SESSION_ENGINE="mod_python.django_sessions",
        INSTALLED_APPS=["django.contrib.sessions"],
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
        CACHES={
            "default": {"BACKEND": "mod_python.django_cache.StoreCache", "LOCATION": "default", "TIMEOUT": 100},
            "far": {"BACKEND": "mod_python.django_cache.StoreCache", "LOCATION": "far", "KEY_PREFIX": "site", "TIMEOUT": None},
        },
    )
    django.setup()
    from django.http import HttpResponse
    from django.urls import path
    from django.views.decorators.cache import cache_page

    made = []

    def count(request):
        request.session["n"] = request.session.get("n", 0) + 1
        return HttpResponse(str(request.session["n"]))

    def leave(request):
        request.session.flush()
        return HttpResponse("gone")

    @cache_page(60)
    def page(request):
        made.append(1)
        return HttpResponse(f"made {len(made)}")

    urlpatterns = [path("count", count), path("leave", leave), path("page", page)]


@unittest.skipUnless(HAS_DJANGO, "there is no Django, and no PyPI to have it from")
class DjangoTest(StoreTest):
    def cache(self, name="default"):
        from django.core.cache import caches

        return caches[name]

    def test_sessions(self):
        from django.test import Client

        client = Client()
        self.assertEqual([client.get("/count").content for _ in range(3)], [b"1", b"2", b"3"])
        self.assertEqual(Client().get("/count").content, b"1")
        keys = list(store.open().keys("django.sessions:"))
        self.assertEqual(len(keys), 2)
        self.assertTrue(1209500 < store.open().ttl(keys[0]) <= 1209600)
        self.assertEqual(client.get("/leave").content, b"gone")
        self.assertEqual((client.get("/count").content, len(store.open())), (b"1", 2))

    def test_what_a_session_store_does(self):
        from django.contrib.sessions.backends.base import UpdateError

        from mod_python.django_sessions import SessionStore

        session = SessionStore()
        session["a"] = {"b": [1]}
        session.save()
        key = session.session_key
        again = SessionStore(key)
        self.assertEqual((again["a"], again.exists(key), again.exists("x" * 32), again.exists(None)), ({"b": [1]}, True, False, False))
        again.cycle_key()
        self.assertEqual((again["a"], session.exists(key), again.session_key != key), ({"b": [1]}, False, True))
        # One that was ended meanwhile does not come back
        session["a"] = 1
        self.assertRaises(UpdateError, session.save)
        again.set_expiry(1)
        again.save()
        self.assertTrue(0 < store.open().ttl("django.sessions:" + again.session_key) <= 1)
        again.delete()
        again.delete("x")
        SessionStore().delete()
        SessionStore.clear_expired()
        # What is none of the site's is no session
        for data in (5, "nonsense", None):
            store.open()["django.sessions:" + key] = data
            self.assertEqual(dict(SessionStore(key).items()), {})
        # An id that is taken is not given again
        taken = SessionStore()
        with mock.patch.object(taken, "_get_new_session_key", side_effect=[key, "n" * 32]):
            taken.create()
        self.assertEqual(taken.session_key, "n" * 32)

    def test_the_cache(self):
        cache = self.cache()
        for value in (1, "x", None, {"a": {1, 2}}, Fraction(1, 3), datetime.date(2026, 1, 1)):
            cache.set("k", value)
            self.assertEqual((cache.get("k", 5), cache.has_key("k"), "k" in cache), (value, True, True))
        self.assertTrue(99 < store.pickled(store.open()).ttl("django.cache::1:k") <= 100)
        self.assertEqual((cache.get("x"), cache.get("x", 7), cache.delete("k"), cache.delete("k")), (None, 7, True, False))
        self.assertEqual((cache.add("a", 1), cache.add("a", 2), cache.get("a"), cache.get("a", version=2)), (True, False, 1, None))
        self.assertEqual((cache.incr("a"), cache.incr("a", 5), cache.decr("a"), cache.get("a")), (2, 7, 6, 6))
        self.assertRaises(ValueError, cache.incr, "none")
        self.assertEqual(cache.set_many({"b": 1, "c": 2}, 50), [])
        self.assertEqual((cache.get_many(["a", "b", "x"]), cache.get_or_set("d", lambda: 4)), ({"a": 6, "b": 1}, 4))
        cache.delete_many(["a", "b"])
        self.assertEqual(cache.get_many("abcd"), {"c": 2, "d": 4})
        cache.set("c", 1, timeout=0)
        cache.set_many({"d": 1}, timeout=-1)
        self.assertEqual((cache.get("c"), cache.get("d"), cache.add("e", 1, timeout=0), cache.get("e"), cache.touch("e")), (None, None, True, None, False))
        cache.set("t", 1, timeout=50)
        self.assertTrue(cache.touch("t", None))
        self.assertIsNone(store.pickled(store.open()).ttl("django.cache::1:t"))
        self.assertTrue(cache.touch("t", 0) and "t" not in cache)
        cache.set("s", 1, timeout=SHORT)
        wait_until(lambda: cache.get("s") is None)
        cache.set("é" * 100, 1)
        self.assertEqual(cache.get("é" * 100), 1)
        store.open()["mine"] = 1
        cache.clear()
        self.assertEqual((cache.get("é" * 100), len(store.pickled(store.open())), store.open()["mine"]), (None, 0, 1))

    def test_a_page_is_cached(self):
        from django.test import Client

        made.clear()
        self.assertEqual({Client().get("/page").content for _ in range(3)}, {b"made 1"})
        self.assertEqual(Client().get("/page?x=1").content, b"made 2")

    @unittest.skipUnless(HAS_SERVER, "there is no redis-server, or no package redis")
    def test_on_a_server(self):
        server = redis_server.RedisServer()
        self.addCleanup(server.stop)
        fake_store.configure("far", server.unix_location)
        cache = self.cache("far")
        cache.set("k", {"a": [1, "x"]})
        cache.set("n", 5)
        self.assertEqual((cache.get("k"), cache.incr("n"), store.open("far")["django.cache:site:1:n"]), ({"a": [1, "x"]}, 6, 6))
        # No pickle there
        self.assertRaises(TypeError, cache.set, "k", {1, 2})
        store.open("far")["other"] = 1
        cache.clear()
        self.assertEqual(list(store.open("far")), ["other"])


@unittest.skipUnless(HAS_FLASK, "there is no Flask, and no PyPI to have it from")
class FlaskTest(StoreTest):
    def cache(self, **options):
        from mod_python.cachelib_store import StoreCache

        return StoreCache("default", **options)

    def test_the_cache(self):
        cache = self.cache()
        for value in (1, "x", {"a": {1, 2}}, Fraction(1, 3)):
            self.assertTrue(cache.set("k", value))
            self.assertEqual((cache.get("k"), cache.has("k")), (value, True))
        view = store.pickled(store.open())
        self.assertTrue(299 < view.ttl("cachelib:k") <= 300)
        self.assertEqual((cache.get("x"), cache.has("x"), cache.delete("k"), cache.delete("k")), (None, False, True, False))
        self.assertEqual((cache.add("a", 1), cache.add("a", 2), cache.inc("a", 4), cache.dec("a"), cache.inc("new")), (True, False, 5, 4, 1))
        self.assertEqual(cache.set_many({"b": 2, "c": 3}, timeout=0), ["b", "c"])
        self.assertIsNone(view.ttl("cachelib:b"))
        self.assertEqual((cache.get_many("b", "x", "b"), cache.get_dict("b", "x")), ([2, None, 2], {"b": 2, "x": None}))
        self.assertEqual((cache.delete_many("b", "x", "c"), cache.get("c")), (["b", "x", "c"], None))
        cache.set("k" * 2000, 1)
        cache.set("a b\n", 2)
        self.assertEqual((cache.get("k" * 2000), cache.get("a b\n")), (1, 2))
        other = self.cache(key_prefix="other:")
        other.set("k", 1)
        self.assertTrue(cache.clear())
        self.assertEqual((cache.get("a"), other.get("k")), (None, 1))

    def test_sessions(self):
        from flask import Flask, session
        from flask_session import Session

        app = Flask(__name__)
        app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=self.cache())
        Session(app)

        @app.get("/")
        def count():
            session["n"] = session.get("n", 0) + 1
            return str(session["n"])

        @app.get("/leave")
        def leave():
            session.clear()
            return "gone"

        client = app.test_client()
        self.assertEqual([client.get("/").text for _ in range(3)], ["1", "2", "3"])
        self.assertEqual(app.test_client().get("/").text, "1")
        self.assertEqual(len(store.pickled(store.open())), 2)
        client.get("/leave")
        self.assertEqual((client.get("/").text, len(store.pickled(store.open()))), ("1", 2))

    def test_caching(self):
        from flask import Flask
        from flask_caching import Cache

        app = Flask(__name__)
        app.config.update(CACHE_TYPE="mod_python.cachelib_store.StoreCache", CACHE_OPTIONS={"store": "default", "key_prefix": "site:"})
        cache = Cache(app)
        calls = []

        @app.get("/")
        @cache.cached(60, query_string=True)
        def page():
            calls.append(1)
            return f"made {len(calls)}"

        client = app.test_client()
        self.assertEqual((client.get("/").text, client.get("/").text, client.get("/?x=1").text), ("made 1", "made 1", "made 2"))
        self.assertTrue(all(key.startswith("site:") for key in store.pickled(store.open())))
        cache.clear()
        self.assertEqual(client.get("/").text, "made 3")


if __name__ == "__main__":
    unittest.main()
