"""mod_python.cache."""

import email.utils
import gc
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error

import fake_apache

from mod_python import cache


class Doubled(cache.Cache):
    def __init__(self, max_size=0):
        super().__init__(max_size)
        self.built = []
        self.commits = 0

    def build(self, key, name, opened, entry):
        self.built.append(name)
        if name == "bad":
            raise ValueError(name)
        return name * 2

    def commit(self):
        self.commits += 1


class CacheTest(unittest.TestCase):
    def test_a_value_is_built_once(self):
        doubled = Doubled()
        self.assertEqual([doubled["a"], doubled["b"], doubled["a"]], ["aa", "bb", "aa"])
        self.assertEqual((doubled.built, doubled.commits, len(doubled)), (["a", "b"], 2, 2))
        self.assertTrue("a" in doubled and "c" not in doubled)

    def test_a_value_can_be_set_and_forgotten(self):
        doubled = Doubled()
        doubled["a"] = 1
        self.assertEqual(doubled["a"], 1)
        del doubled["a"]
        self.assertEqual(doubled["a"], "aa")
        with self.assertRaises(KeyError):
            del doubled["z"]
        doubled.clear()
        self.assertEqual(len(doubled), 0)

    def test_a_failure_is_not_kept(self):
        doubled = Doubled()
        for _ in range(2):
            with self.assertRaises(ValueError):
                doubled["bad"]
        self.assertEqual((doubled.built, len(doubled), doubled.commits), (["bad", "bad"], 0, 0))

    def test_those_not_asked_for_go_first(self):
        doubled = Doubled(max_size=2)
        for name in "abac":
            doubled[name]
        self.assertEqual((doubled.lru(), doubled.mru(), "b" in doubled), ("a", "c", False))
        doubled["d"] = 1
        self.assertEqual((doubled.lru(), doubled.mru(), len(doubled)), ("c", "d", 2))
        self.assertEqual((cache.Cache().lru(), Doubled(1).mru()), (None, None))

    def test_check_tells_what_is_out_of_date(self):
        class Checked(cache.Cache):
            now = 1

            def key(self, name):
                return name.lower()

            def check(self, key, name, entry):
                return None if getattr(entry, "at", None) == self.now else self.now

            def build(self, key, name, opened, entry):
                entry.at = opened
                return key, name, opened

        checked = Checked()
        self.assertEqual((checked["A"], checked["a"]), (("a", "A", 1), ("a", "A", 1)))
        checked.now = 2
        self.assertEqual(checked["A"], ("a", "A", 2))

    def test_there_has_to_be_a_build(self):
        with self.assertRaises(NotImplementedError):
            cache.Cache()["a"]
        entry = cache.Entry("k")
        self.assertIs(entry._value, cache.NOT_INITIALIZED)

    def test_many_threads_make_a_value_once(self):
        class Slow(Doubled):
            def build(self, key, name, opened, entry):
                gate.wait()
                return super().build(key, name, opened, entry)

        gate, slow, found = threading.Event(), Slow(max_size=3), []
        threads = [threading.Thread(target=lambda: found.append(slow["a"])) for _ in range(8)]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join()
        self.assertEqual((slow.built, found), (["a"], ["aa"] * 8))

    def test_threads_share_a_small_cache(self):
        wrong, doubled = [], Doubled(max_size=5)

        def work(start):
            for number in range(2000):
                name = str((number * start) % 13)
                if doubled[name] != name * 2:
                    wrong.append(name)

        threads = [threading.Thread(target=work, args=(start,)) for start in (1, 2, 3, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((wrong, len(doubled)), ([], 5))

    def test_a_value_that_asks_for_itself_is_an_error_and_does_not_hang(self):
        class Round(cache.Cache):
            def build(self, key, name, opened, entry):
                return self[name]

        with self.assertRaises(RecursionError):
            Round()["a"]


class WeakTest(unittest.TestCase):
    def test_a_value_goes_with_its_last_user(self):
        class Thing:
            pass

        class Things(cache.WeakCache):
            def build(self, key, name, opened, entry):
                return Thing()

        things = Things(max_size=3)
        kept = things["a"]
        self.assertIs(things["a"], kept)
        del kept
        gc.collect()
        self.assertEqual(len(things), 0)
        self.assertIsInstance(things["a"], Thing)


class FunctionTest(unittest.TestCase):
    def test_a_function_is_called_once_for_its_arguments(self):
        calls = []

        def add(a, b=2):
            calls.append((a, b))
            return a + b

        cached = cache.FunctionCache(add, 10)
        self.assertEqual([cached(1), cached(1), cached(1, b=3), cached(1, b=3)], [3, 3, 4, 4])
        self.assertEqual(calls, [(1, 2), (1, 3)])
        with self.assertRaises(TypeError):
            cached([1])


class FileTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "a-file.py")
        self.time = 1

    def write(self, text):
        with open(self.path, "wb") as file:
            file.write(text)
        self.time += 1
        os.utime(self.path, (self.time, self.time))

    def test_a_file_is_read_again_when_it_changed(self):
        files, texts = cache.FileCache(), cache.FileCache(mode="r")
        self.write("é".encode())
        first = files[self.path]
        self.assertEqual((first, texts[self.path]), ("é".encode(), "é"))
        self.assertIs(files[self.path], first)
        self.write(b"new")
        self.assertEqual(files[self.path], b"new")
        os.unlink(self.path)
        with self.assertRaises(FileNotFoundError):
            files[self.path]
        self.assertEqual(len(files), 0)

    def test_a_module_is_made_again_when_it_changed(self):
        modules = cache.ModuleCache()
        self.write(b"# coding: latin-1\nx = '\xe9'\n")
        first = modules[self.path]
        self.assertEqual((first.x, first.__file__, first.__name__.endswith("_a_file_py")), ("é", self.path, True))
        self.assertNotIn(first.__name__, sys.modules)
        self.assertIs(modules[self.path], first)
        self.write(b"x = )")
        for _ in range(2):
            with self.assertRaises(SyntaxError) as caught:
                modules[self.path]
        self.assertEqual(caught.exception.filename, self.path)
        self.write(b"x = 2")
        self.assertEqual((modules[self.path].x, first.x), (2, "é"))


class Server(http.server.BaseHTTPRequestHandler):
    asked = []
    answer = 200, {}, b""

    def do_GET(self):
        self.asked.append(dict(self.headers.items()))
        status, headers, body = self.answer
        if self.headers.get("If-None-Match") == headers.get("ETag", 0) or "If-Modified-Since" in self.headers:
            status, body = 304, b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class HTTPTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(thread.join)
        cls.addClassCleanup(server.shutdown)
        cls.url = f"http://127.0.0.1:{server.server_port}/x"

    def setUp(self):
        Server.asked.clear()

    def get(self, cached, headers, body=b"body", status=200):
        Server.answer = status, headers, body
        return cached[self.url]

    def test_a_response_without_a_word_on_its_age_is_asked_for_each_time(self):
        cached = cache.HTTPCache()
        entity = self.get(cached, {"Content-Type": "text/plain; charset=iso-8859-1"}, b"\xe9")
        self.assertEqual((entity.entity, str(entity), entity.metadata["Content-Type"]), (b"\xe9", "é", "text/plain; charset=iso-8859-1"))
        self.assertEqual(self.get(cached, {}, b"new").entity, b"new")
        self.assertEqual(len(Server.asked), 2)

    def test_one_that_has_an_age_is_not_asked_for(self):
        later = email.utils.formatdate(time.time() + 1000, usegmt=True)
        for headers in ({"Cache-Control": "public, max-age=1000"}, {"Expires": later}):
            Server.asked.clear()
            cached = cache.HTTPCache()
            first = self.get(cached, headers)
            self.assertIs(self.get(cached, headers, b"other"), first)
            self.assertEqual(len(Server.asked), 1)
        for headers in ({"Cache-Control": "no-cache, max-age=1000"}, {"Expires": "0"}, {"Cache-Control": "max-age=0"}):
            Server.asked.clear()
            cached = cache.HTTPCache()
            self.get(cached, headers)
            self.assertEqual(self.get(cached, headers, b"other").entity, b"other")
            self.assertEqual(len(Server.asked), 2)

    def test_one_that_has_not_changed_is_kept(self):
        for headers, asked in (({"ETag": '"1"'}, "If-None-Match"), ({"Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}, "If-Modified-Since")):
            Server.asked.clear()
            cached = cache.HTTPCache()
            first = self.get(cached, headers)
            self.assertIs(self.get(cached, headers), first)
            self.assertIn(asked, Server.asked[1])
            self.assertNotIn(asked, Server.asked[0])

    def test_a_refusal_is_an_error(self):
        cached = cache.HTTPCache()
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.get(cached, {}, status=404)
        caught.exception.close()
        self.assertEqual((caught.exception.code, len(cached)), (404, 0))
        for wrong in ("file:///etc/passwd", "ftp://127.0.0.1/x", "x"):
            with self.assertRaises(ValueError):
                cached[wrong]

    def test_modules(self):
        modules = cache.HttpModuleCache(5)
        module = self.get(modules, {"ETag": '"m"'}, b"x = 1\n")
        self.assertEqual((module.x, module.__file__), (1, self.url))
        self.assertIs(self.get(modules, {"ETag": '"m"'}), module)

    def test_an_entity(self):
        self.assertEqual(str(cache.HTTPEntity("text", {})), "text")
        self.assertEqual(str(cache.HTTPEntity(b"\xff", {"content-type": "text/plain; charset=nonsense"})), "\ufffd")
        self.assertEqual(repr(cache.HTTPEntity(b"e", {})), "HTTPEntity(b'e', {})")


class OutsideTest(unittest.TestCase):
    def test_it_works_without_a_server_and_imports_little(self):
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]); from mod_python import cache, python22; "
            "assert cache.FunctionCache(len)('abc') == 3; print('_apache' in sys.modules, 'urllib' in sys.modules, 'weakref' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-SIc", code, os.path.dirname(fake_apache.LIBRARY)], capture_output=True, text=True, timeout=60
        )
        self.assertEqual((done.stdout, done.stderr), ("False False False\n", ""))


if __name__ == "__main__":
    unittest.main()
