"""Cookies: what is sent, what is read, signatures, and whatever else a client may send."""

import hashlib
import hmac
import locale
import marshal
import os
import random
import subprocess
import sys
import time
import unittest
from base64 import b64encode

import fake_apache
from fake_request import Request
from mod_python import Cookie

SECRET = "secret007"


def values(cookies):
    return {name: cookie.value for name, cookie in cookies.items()}


def signed_by_md5(name, value):
    """What mod_python 3.5 sent."""
    return f"{name}={hmac.new(SECRET.encode(), (name + value).encode(), hashlib.md5).hexdigest()}{value}"


class SentTest(unittest.TestCase):
    def test_attributes_are_sent_in_their_order(self):
        cookie = Cookie.Cookie(
            "a",
            "b",
            partitioned=1,
            httponly=1,
            port="80",
            discard=1,
            commentURL="u",
            samesite="Lax",
            max_age=5,
            expires=0,
            comment="c",
            secure=1,
            domain="x.test",
            path="/",
            version=1,
        )
        self.assertEqual(
            str(cookie),
            "a=b; version=1; path=/; domain=x.test; secure; comment=c; expires=Thu, 01-Jan-1970 00:00:00 GMT; max-age=5; samesite=Lax;"
            " commentURL=u; discard; port=80; httponly; partitioned",
        )
        self.assertEqual(repr(Cookie.Cookie("a", "b", path="/")), "<Cookie: a=b>")

    def test_values_are_sent_as_they_are(self):
        for value, sent in (
            ("b", "b"),
            ("", ""),
            (5, "5"),
            (None, "None"),
            (b"raw \xe9", "raw é"),
            (b"caf\xc3\xa9", "café"),
            ('"two words"', '"two words"'),
            ("a=b,c", "a=b,c"),
            ("€", "€"),
        ):
            self.assertEqual(str(Cookie.Cookie("n", value)), f"n={sent}")

    def test_what_is_false_is_not_sent(self):
        self.assertEqual(str(Cookie.Cookie("a", "b", secure=0, httponly=False, discard=None, path=None, expires=None)), "a=b")
        self.assertEqual(str(Cookie.Cookie("a", "b", max_age=0, path="")), "a=b; path=; max-age=0")
        self.assertEqual(str(Cookie.Cookie("a", "b", samesite=None)), "a=b; samesite=None")

    def test_other_attributes_are_refused(self):
        with self.assertRaisesRegex(AttributeError, "no attribute 'color': it has version, path,"):
            Cookie.Cookie("a", "b", color="red")
        cookie = Cookie.Cookie("a", "b")
        with self.assertRaises(AttributeError):
            cookie.color = "red"
        for name in Cookie.Cookie._valid_attr:
            with self.assertRaisesRegex(AttributeError, f"has no {name}"):
                getattr(cookie, name)
            with self.assertRaisesRegex(AttributeError, f"has no {name}"):
                delattr(cookie, name)
            setattr(cookie, name, 1)
            self.assertEqual(str(getattr(cookie, name)), "Thu, 01-Jan-1970 00:00:01 GMT" if name == "expires" else "1")
            delattr(cookie, name)
        self.assertEqual(str(cookie), "a=b")
        with self.assertRaises(TypeError):
            Cookie.Cookie("a")

    def test_expires(self):
        cookie = Cookie.Cookie("a", "b", expires=1055558556)
        self.assertEqual(cookie.expires, "Sat, 14-Jun-2003 02:42:36 GMT")
        cookie.expires = 1.5
        self.assertEqual(cookie.expires, "Thu, 01-Jan-1970 00:00:01 GMT")
        for text in ("Sat, 14-Jun-2003 02:42:36 GMT", "Sat, 14 Jun 2003 02:42:36 GMT"):
            cookie.expires = text
            self.assertEqual(str(cookie), f"a=b; expires={text}")
        for wrong in ("", "x", "12", "Sat, 14-Jun-2003 02:42:36 GMT\n", "Sat, 14-Jun-2003 02:42:36 GMT; secure", 1e300, -1e18, [], b"1"):
            with self.assertRaisesRegex(ValueError, "Invalid expires time"):
                cookie.expires = wrong
            with self.assertRaisesRegex(ValueError, "Invalid expires time"):
                Cookie.Cookie("a", "b", expires=wrong)

    def test_expires_is_english_everywhere(self):
        try:
            before = locale.setlocale(locale.LC_TIME)
            locale.setlocale(locale.LC_TIME, "de_DE.UTF-8")
        except locale.Error:
            return
        self.addCleanup(locale.setlocale, locale.LC_TIME, before)
        self.assertEqual(Cookie.Cookie("a", "b", expires=1072915200).expires, "Thu, 01-Jan-2004 00:00:00 GMT")

    def test_what_would_break_the_header_is_refused(self):
        req = Request()
        for bad in ("a\r\nX: y", "a\n", "a\0", "a;b", "a; domain=evil.test", '"a; b"', "\x7f", "a\tb"):
            with self.assertRaisesRegex(ValueError, "value of cookie 'n' has a semicolon or a control character"):
                str(Cookie.Cookie("n", bad))
            with self.assertRaises(ValueError):
                Cookie.add_cookie(req, "n", bad)
            with self.assertRaises(ValueError):
                Cookie.add_cookie(req, Cookie.SignedCookie("n", bad, SECRET))
            for attribute in ("path", "domain", "comment", "max_age", "samesite", "port", "commentURL", "version"):
                with self.assertRaisesRegex(ValueError, f"the {attribute} .* of cookie 'n'"):
                    Cookie.add_cookie(req, "n", "v", **{attribute: bad})
        for bad in ("", "a=b", "a;", "a\r\nb", "\0", 5, None):
            with self.assertRaisesRegex(ValueError, "cannot be the name of a cookie"):
                Cookie.add_cookie(req, Cookie.Cookie(bad, "v") if not isinstance(bad, str) else bad, "v")
        self.assertEqual(req.headers_out.pairs, [])
        cookie = Cookie.Cookie("n", "v")
        cookie.value = "x; y"
        self.assertRaises(ValueError, str, cookie)
        self.assertEqual(repr(cookie), "<Cookie: n=x; y>")

    def test_add_cookie(self):
        req = Request()
        Cookie.add_cookie(req, "spam", "eggs", path="/", expires=300)
        Cookie.add_cookie(req, Cookie.Cookie("a", "b"))
        Cookie.add_cookie(req, "empty")
        self.assertEqual(
            req.headers_out.pairs,
            [
                ("Cache-Control", 'no-cache="set-cookie"'),
                ("Set-Cookie", "spam=eggs; path=/; expires=Thu, 01-Jan-1970 00:05:00 GMT"),
                ("Set-Cookie", "a=b"),
                ("Set-Cookie", "empty="),
            ],
        )
        Cookie.add_cookie(req, "word", "café €")
        self.assertEqual(req.sent()[-1], "word=café €")

    def test_a_subclass_has_data(self):
        class Mine(Cookie.Cookie):
            def __init__(self, name, value, more=0):
                Cookie.Cookie.__init__(self, name, value)
                self.__data__["more"] = more

        cookie = Mine("a", "b", 5)
        self.assertEqual((str(cookie), cookie.__data__), ("a=b", {"more": 5}))
        parsed = Mine.parse("c=d; e=\"f\"", more=3)
        self.assertEqual([(type(found), found.value, found.__data__) for found in parsed.values()], [(Mine, "d", {"more": 3}), (Mine, '"f"', {"more": 3})])


class ReadTest(unittest.TestCase):
    def test_a_header_is_read(self):
        for text, expected in {
            "": {},
            "a=b": {"a": "b"},
            "a=b; c=d": {"a": "b", "c": "d"},
            "a=b;c=d,e=f": {"a": "b", "c": "d,e=f"},
            "a=b; a=c": {"a": "c"},
            "a; b=; =c; d==e; f = g ;;": {"a": "", "b": "", "d": "=e", "f": "g"},
            "$Version=1; a=b; $Path=/": {"a": "b"},
            "A=1; a=2; Path=/; expires=Sat, 14-Jun-2003 02:42:36 GMT": {
                "A": "1",
                "a": "2",
                "Path": "/",
                "expires": "Sat, 14-Jun-2003 02:42:36 GMT",
            },
            'a="b;x"; c="d\\"e"; f="g': {"a": '"b;x"', "c": '"d\\"e"', "f": '"g'},
            'a= "b" ; c="d"e; "f"=g': {"a": '"b"', "c": '"d"e', '"f"': "g"},
            "a.b=b:c/d; x-y=1; z!=%20+&": {"a.b": "b:c/d", "x-y": "1", "z!": "%20+&"},
            "ü=é€": {"ü": "é€"},
            "a\0b=c; d=e\x01f": {"d": "e\x01f"},
        }.items():
            cookies = Cookie.Cookie.parse(text)
            self.assertEqual(values(cookies), expected, text)
            for name, cookie in cookies.items():
                self.assertEqual((type(cookie), cookie.name), (Cookie.Cookie, name))
                str(cookie), repr(cookie)

    def test_only_some_names(self):
        self.assertEqual(values(Cookie.Cookie.parse("a=b; x=1", names=["x"])), {"x": "1"})
        self.assertEqual(values(Cookie.Cookie.parse('a="b"; x=1', names=["x"])), {"x": "1"})
        req = Request("a=b; c=d")
        self.assertEqual(values(Cookie.get_cookies(req)), {"a": "b", "c": "d"})
        self.assertEqual(Cookie.get_cookie(req, "c").value, "d")
        self.assertIsNone(Cookie.get_cookie(req, "x"))
        self.assertEqual(Cookie.get_cookies(Request()), {})
        several = Request("a=b")
        several.headers_in.add("Cookie", "c=d")
        self.assertEqual(values(Cookie.get_cookies(several)), {"a": "b", "c": "d"})

    def test_another_parser(self):
        class Parser:
            @staticmethod
            def parse(text, **more):
                return {"text": text, "more": more}

        req = Request("a=b")
        self.assertEqual(Cookie.get_cookies(req, Parser), {"text": "a=b", "more": {}})
        self.assertEqual(Cookie.get_cookies(req, Parser(), x=1), {"text": "a=b", "more": {"x": 1}})
        self.assertEqual(Cookie.get_cookie(req, "more", Parser, x=1), {"names": ["more"], "x": 1})

    def test_what_came_is_shown_but_not_sent(self):
        cookie = Cookie.Cookie.parse('a="b; c"')["a"]
        self.assertEqual(str(cookie), 'a="b; c"')
        self.assertRaises(ValueError, Cookie.add_cookie, Request(), cookie)
        cookie.value = "x;y"
        self.assertRaises(ValueError, str, cookie)
        cookie.value = "fine"
        self.assertRaises(ValueError, str, Cookie.Cookie("n", '"b; c"'))
        Cookie.add_cookie(req := Request(), cookie)
        self.assertEqual(req.sent(), ["a=fine"])

    def test_any_bytes_are_read(self):
        chance = random.Random(16)
        alphabet = [chr(code) for code in range(256)] + ['"', ";", "=", "\\", " ", "$", "\t"] * 20 + ["é", "\udc80", "😀"]
        for _ in range(1000):
            text = "".join(chance.choices(alphabet, k=chance.randrange(60)))
            for name, cookie in Cookie.Cookie.parse(text).items():
                self.assertEqual((name, cookie.name), (cookie.name, name.strip(" \t")))
                self.assertIsInstance(str(cookie) + repr(cookie), str)
            for parser in (Cookie.SignedCookie, Cookie.MarshalCookie):
                for cookie in parser.parse(text, SECRET).values():
                    self.assertIs(type(cookie), Cookie.Cookie)
                    str(cookie)
                self.assertEqual(parser.parse(text, SECRET, Cookie.IGNORE, accept_md5=True), {})

    def test_long_headers_take_linear_time(self):
        for piece in ('"', '="', '\\"', '="a;', "  ", ' = "', "a=b;", '="\\";'):
            text = (piece * 65536)[:131072]
            before = time.process_time()
            Cookie.Cookie.parse(text)
            self.assertLess(time.process_time() - before, 5, piece)


class SignedTest(unittest.TestCase):
    def test_what_was_signed_comes_back(self):
        for value in ("eggs", "", "a=b, c", "é€", '"quoted"', 5, b"bytes"):
            sent = str(Cookie.SignedCookie("spam", value, SECRET, path="/"))
            name, _, rest = sent.removesuffix("; path=/").partition("=")
            text = value.decode() if isinstance(value, bytes) else str(value)
            self.assertEqual((name, rest[64:]), ("spam", text))
            signature = hmac.new(SECRET.encode(), b"signed\0spam=" + text.encode(), hashlib.sha256).hexdigest()
            self.assertEqual(rest[:64], signature)
            found = Cookie.SignedCookie.parse(sent, SECRET)["spam"]
            self.assertEqual((type(found), found.value), (Cookie.SignedCookie, text))
            self.assertEqual(str(found), f"spam={rest}")

    def test_a_secret_is_needed(self):
        for none in (None, "", b""):
            self.assertRaises(Cookie.CookieError, Cookie.SignedCookie, "a", "b", none)
            self.assertRaises(Cookie.CookieError, Cookie.MarshalCookie, "a", "b", none)
            self.assertRaises(Cookie.CookieError, Cookie.SignedCookie.parse, "a=b", none)
        self.assertRaises(Cookie.CookieError, Cookie.SignedCookie, "a", "b")
        self.assertNotIn(SECRET, repr(Cookie.SignedCookie("a", "b", SECRET)))
        self.assertEqual(str(Cookie.SignedCookie("a", "b", SECRET)), str(Cookie.SignedCookie("a", "b", SECRET.encode())))

    def test_what_is_forged(self):
        good = str(Cookie.SignedCookie("spam", "eggs", SECRET))
        value = good.partition("=")[2]
        bad = [value[:end] for end in range(len(value))]
        bad += [value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :] for at in range(len(value))]
        bad += [value.upper(), value + "x", "x" + value, "é" * 64, "", '"' + value + '"', str(Cookie.SignedCookie("spam", "eggs", "other"))[5:]]
        for forged in bad:
            text = f"spam={forged}"
            cookie = Cookie.SignedCookie.parse(text, SECRET)["spam"]
            self.assertEqual((type(cookie), cookie.value), (Cookie.Cookie, forged))
            self.assertEqual(Cookie.SignedCookie.parse(text, SECRET, mismatch=Cookie.Cookie.IGNORE), {})
            with self.assertRaisesRegex(Cookie.CookieError, "signature of cookie 'spam' is wrong") as caught:
                Cookie.SignedCookie.parse(text, SECRET, Cookie.EXCEPTION)
            self.assertNotIn("eggs", str(caught.exception))
        # For another name
        self.assertEqual(Cookie.SignedCookie.parse(f"ham={value}", SECRET, Cookie.IGNORE), {})
        # Where the name ends is signed too
        shifted = str(Cookie.SignedCookie("a", "bc", SECRET)).replace("a=", "ab=", 1).removesuffix("bc") + "c"
        self.assertEqual(Cookie.SignedCookie.parse(shifted, SECRET, Cookie.IGNORE), {})
        # The last of a name counts
        self.assertEqual(Cookie.SignedCookie.parse(f"{good}; spam=x", SECRET, Cookie.IGNORE), {})

    def test_md5_where_it_is_asked_for(self):
        text = signed_by_md5("spam", "eggs")
        self.assertIs(type(Cookie.SignedCookie.parse(text, SECRET)["spam"]), Cookie.Cookie)
        found = Cookie.SignedCookie.parse(text, SECRET, accept_md5=True)["spam"]
        self.assertEqual((type(found), found.value), (Cookie.SignedCookie, "eggs"))
        # What is sent is signed by SHA-256
        self.assertEqual(str(found), str(Cookie.SignedCookie("spam", "eggs", SECRET)))
        self.assertEqual(Cookie.SignedCookie.parse(text + "x", SECRET, Cookie.IGNORE, accept_md5=True), {})
        self.assertEqual(Cookie.get_cookie(Request(text), "spam", Cookie.SignedCookie, secret=SECRET, mismatch=Cookie.IGNORE), None)
        asking = Request(text, mod_python__cookie__accept_md5="On")
        self.assertEqual(Cookie.get_cookie(asking, "spam", Cookie.SignedCookie, secret=SECRET).value, "eggs")
        self.assertEqual(values(Cookie.get_cookies(asking, Cookie.SignedCookie, secret=SECRET)), {"spam": "eggs"})
        self.assertEqual(Cookie.get_cookies(asking, Cookie.SignedCookie, secret=SECRET, mismatch=1, accept_md5=False), {})
        value = b64encode(marshal.dumps([1, "two"])).decode()
        marshalled = Request(signed_by_md5("m", value), mod_python__cookie__accept_md5="On")
        self.assertEqual(Cookie.get_cookie(marshalled, "m", Cookie.MarshalCookie, secret=SECRET).value, [1, "two"])
        wrong = Request(text, mod_python__cookie__accept_md5="perhaps")
        with self.assertRaisesRegex(ValueError, "mod_python.cookie.accept_md5 is 'perhaps': write On or Off"):
            Cookie.get_cookies(wrong, Cookie.SignedCookie, secret=SECRET)

    def test_unsign(self):
        cookie = Cookie.SignedCookie("spam", str(Cookie.SignedCookie("spam", "eggs", SECRET))[5:], SECRET)
        self.assertRaises(Cookie.CookieError, cookie.unsign, "other")
        cookie.unsign(SECRET)
        self.assertEqual(cookie.value, "eggs")
        self.assertEqual(len(cookie.hexdigest("eggs")), 64)


class MarshalTest(unittest.TestCase):
    def test_what_was_marshalled_comes_back(self):
        for value in ({"egg_count": 32, "color": "white"}, [1, 2.5, None, True], "text", b"\0\xff", ("é",), 10**30, "x" * 500):
            sent = str(Cookie.MarshalCookie("spam", value, SECRET))
            self.assertNotIn("\n", sent)
            found = Cookie.MarshalCookie.parse(sent, SECRET)["spam"]
            self.assertEqual((type(found), found.value), (Cookie.MarshalCookie, value))
        cookie = Cookie.MarshalCookie("spam", sent[5:], SECRET)
        self.assertRaises(Cookie.CookieError, cookie.unmarshal, "other")
        cookie.unmarshal(SECRET)
        self.assertEqual(cookie.value, value)
        self.assertRaises(ValueError, str, Cookie.MarshalCookie("spam", object(), SECRET))

    def test_nothing_forged_is_loaded(self):
        good = str(Cookie.MarshalCookie("spam", [1, 2], SECRET))
        loads = marshal.loads
        loaded = []
        marshal.loads = loaded.append
        self.addCleanup(setattr, marshal, "loads", loads)
        payload = b64encode(b"\xe3" * 50).decode()
        # Signed as a text, which a client may have chosen, it is not for loading either
        as_text = str(Cookie.SignedCookie("spam", payload, SECRET))
        for text in (good[:-1], good + "A", good.replace("=", "=0", 1), f"spam={payload}", f"spam={'0' * 64}{payload}", as_text):
            self.assertIs(type(Cookie.MarshalCookie.parse(text, SECRET, accept_md5=True)["spam"]), Cookie.Cookie)
            self.assertEqual(Cookie.MarshalCookie.parse(text, SECRET, Cookie.IGNORE), {})
            self.assertRaises(Cookie.CookieError, Cookie.MarshalCookie.parse, text, SECRET, Cookie.EXCEPTION)
        self.assertEqual(loaded, [])

    def test_what_cannot_be_loaded_is_a_mismatch(self):
        signer = Cookie.MarshalCookie("spam", 0, SECRET)
        for value in ("", "A", "AAAA", b64encode(b"[\x05\0\0\0").decode(), b64encode(marshal.dumps([1])[:-1]).decode(), "é"):
            text = f"spam={signer.hexdigest(value)}{value}"
            self.assertIs(type(Cookie.MarshalCookie.parse(text, SECRET)["spam"]), Cookie.Cookie)
            with self.assertRaisesRegex(Cookie.CookieError, "cannot be loaded"):
                Cookie.MarshalCookie.parse(text, SECRET, Cookie.EXCEPTION)


class OutsideTest(unittest.TestCase):
    def test_it_works_without_a_server(self):
        code = (
            "import sys; from mod_python import Cookie; assert '_apache' not in sys.modules\n"
            "print(Cookie.SignedCookie.parse(str(Cookie.SignedCookie('a', 'b', 's')), 's')['a'].value, 'hashlib' in before)"
        ).replace("\nprint", "\nbefore = []\nprint")
        path = os.path.dirname(fake_apache.LIBRARY)
        done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path}, timeout=60)
        self.assertEqual((done.stdout, done.stderr), ("b False\n", ""))

    def test_what_is_heavy_comes_later(self):
        code = (
            f"import sys; sys.path[:0] = [{os.path.dirname(__file__)!r}]; import fake_apache; from mod_python import Cookie\n"
            "print([name for name in ('hmac', 'hashlib', 'base64', 'random', 'secrets', 'pickle', 'dbm') if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-B", "-S", "-c", code], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout, done.stderr), ("[]\n", ""))


if __name__ == "__main__":
    unittest.main()
