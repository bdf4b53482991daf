"""Forms without a server: every kind of body, whole, cut, and wrong."""

import io
import os
import pickle
import random
import sys
import tempfile
import tracemalloc
import unittest

import fake_apache

from mod_python import _multipart, _urlencoded, util


class Request:
    """As much of a request as FieldStorage uses; the body comes in pieces of at most size bytes."""

    def __init__(self, body=b"", content_type=None, query=None, method="POST", options=(), size=1 << 30, length=True):
        self.args = query
        self.method = method
        # As it is, whatever it is
        self.headers_in = fake_apache.table([("Content-Type", content_type)] if content_type is not None else [])
        if length:
            self.headers_in["Content-Length"] = str(len(body))
        self.options = dict(options)
        self.body, self.size = io.BytesIO(body), size
        self.logged = []
        self.read_length = 0

    def get_options(self):
        return self.options

    def read(self, count=-1):
        data = self.body.read(count if count < 0 else min(count, self.size))
        self.read_length += len(data)
        return data

    def log_error(self, text, level=3):
        self.logged.append(text)


MULTIPART = "multipart/form-data; boundary=XX"
URLENCODED = "application/x-www-form-urlencoded"


def part(content, disposition='form-data; name="a"', more=b""):
    disposition = disposition if isinstance(disposition, bytes) else disposition.encode()
    return b"Content-Disposition: " + disposition + b"\r\n" + more + b"\r\n" + content


def multipart(*parts, end=b"--XX--\r\n"):
    return b"".join(b"--XX\r\n" + part + b"\r\n" for part in parts) + end


def form(*parts, **options):
    return util.FieldStorage(Request(multipart(*parts), MULTIPART, **options))


class FieldStorageTest(unittest.TestCase):
    def refused(self, request, status, *says, **arguments):
        with self.assertRaises(util.SERVER_RETURN) as raised:
            util.FieldStorage(request, **arguments)
        self.assertEqual(raised.exception.args, (status,))
        self.assertEqual(len(request.logged), 1)
        for text in says:
            self.assertIn(text, request.logged[0])
        return request.logged[0]

    def test_a_query_and_a_form_are_one(self):
        fs = util.FieldStorage(Request(b"b=2&a=3&blank=&c=%C3%A9+x", URLENCODED, query="a=1"))
        self.assertEqual([(name, field.value) for name, field in fs.items()], [("a", "1"), ("b", "2"), ("a", "3"), ("c", "é x")])
        self.assertEqual((fs.keys(), list(fs), len(fs)), (["a", "b", "c"], ["a", "b", "c"], 3))
        self.assertEqual(fs["a"], ["1", "3"])
        self.assertEqual((fs["b"], fs[b"b"], fs.get("b"), fs.get("z"), fs.get("z", 5)), ("2", "2", "2", None, 5))
        self.assertEqual((fs.getfirst("a"), fs.getfirst("z"), fs.getfirst("z", 4), fs.getlist("a"), fs.getlist("z")), ("1", None, 4, ["1", "3"], []))
        self.assertTrue("a" in fs and b"a" in fs and fs.has_key("a") and fs.has_key(b"a"))
        self.assertFalse("z" in fs or fs.has_key("z"))
        self.assertEqual(repr(fs), "{'a': [Field('a', '1'), Field('a', '3')], 'b': [Field('b', '2')], 'c': [Field('c', 'é x')]}")
        self.assertIs(type(fs["b"].value), str)
        self.assertRaises(KeyError, lambda: fs["z"])

    def test_blanks_are_kept_on_demand(self):
        fs = util.FieldStorage(Request(b"a=&b", URLENCODED, query="q="), keep_blank_values=1)
        self.assertEqual(fs.items(), [("q", ""), ("a", ""), ("b", "")])
        self.assertEqual(len(util.FieldStorage(Request(b"a=&b", URLENCODED, query="q="))), 0)

    def test_other_methods_have_no_form(self):
        for method in ("GET", "PUT", "HEAD"):
            fs = util.FieldStorage(Request(b"a=1", URLENCODED, query="b=2", method=method))
            self.assertEqual(fs.items(), [("b", "2")])

    def test_a_body_without_a_type_or_a_length_is_a_form(self):
        self.assertEqual(util.FieldStorage(Request(b"a=1")).items(), [("a", "1")])
        self.assertEqual(util.FieldStorage(Request(b"a=1", length=False)).items(), [("a", "1")])
        self.assertEqual(util.FieldStorage(Request(b"", length=False)).items(), [])
        fs = util.FieldStorage(Request(b"a=1", "Application/X-WWW-Form-UrlEncoded ; charset=utf-8"))
        self.assertEqual(fs.items(), [("a", "1")])

    def test_fields_can_be_changed(self):
        fs = util.FieldStorage(Request(query="a=1&b=2&a=3", method="GET"))
        fs.add_field("c", "4")
        fs.add_field(b"c", b"\xe9")
        self.assertEqual(fs["c"], ["4", "é"])
        fs["a"] = "new"
        self.assertEqual(fs.items(), [("b", "2"), ("c", "4"), ("c", "é"), ("a", "new")])
        fs[b"d"] = b"bytes"
        self.assertEqual(fs["d"], "bytes")
        del fs["c"]
        del fs[b"d"]
        self.assertEqual(fs.keys(), ["b", "a"])
        with self.assertRaises(KeyError):
            del fs["c"]
        for key, value in ((1, "x"), ("x", 1), (None, "x"), ("x", None)):
            self.assertRaises(TypeError, fs.__setitem__, key, value)
            self.assertRaises(TypeError, fs.add_field, key, value)
        fs.list.append(util.Field("file", io.BytesIO(b"content")))
        self.assertEqual(fs["file"].value, b"content")
        self.assertEqual(list(fs.list.table()), ["b", "a", "file"])
        fs.list = [fs["a"]]
        self.assertEqual(fs.keys(), ["a"])
        fs.clear()
        self.assertEqual((len(fs), fs.list, bool(fs)), (0, [], False))

    def test_a_list_forgets_its_table_when_it_changes(self):
        a, b = util.StringField("1"), util.StringField("2")
        a.name, b.name = "a", "b"
        fields = util.FieldList([a])
        for change, names in [
            (lambda: fields.append(b), "ab"),
            (lambda: fields.insert(0, b), "ba"),
            (lambda: fields.remove(b), "ab"),
            (lambda: fields.pop(), "a"),
            (lambda: fields.extend([b]), "ab"),
            (lambda: fields.reverse(), "ba"),
            (lambda: fields.sort(key=lambda field: field.name), "ab"),
            (lambda: fields.__delitem__(0), "b"),
            (lambda: fields.__setitem__(0, a), "a"),
            (lambda: fields.__setitem__(slice(0, 0), [b]), "ba"),
            (lambda: fields.__delitem__(slice(0, 1)), "a"),
            (lambda: fields.__iadd__([b]), "ab"),
            (lambda: fields.clear(), ""),
        ]:
            fields.table()
            change()
            self.assertEqual("".join(fields.table()), names)

    def test_a_string_field_is_a_str_that_knows_its_bytes(self):
        field = util.FieldStorage(Request(b"a=%E9", URLENCODED))["a"]
        self.assertEqual((field, field.value, bytes(field), field.decode("latin-1")), ("é", "é", b"\xe9", "é"))
        self.assertTrue(field == "é" and field == b"\xe9" and field != b"\xc3\xa9" and not field != "é")
        self.assertEqual((field.file.read(), field.type, field.type_options, field.filename), (b"\xe9", "text/plain", {}, None))
        self.assertIs(field.file, field.file)
        self.assertEqual((field.disposition, field.disposition_options, field.headers), (None, {}, {}))
        self.assertEqual((str(field), f"{field}", repr(field), {field: 1}["é"]), ("é", "é", "Field('a', 'é')", 1))
        self.assertRaises(AttributeError, getattr, field, "nothing")
        copied = pickle.loads(pickle.dumps(field))
        self.assertEqual((copied, bytes(copied), copied.name), ("é", b"\xe9", "a"))
        plain = util.StringField("é")
        self.assertEqual((bytes(plain), plain.decode(), plain == "é".encode(), plain.name), ("é".encode(), "é", True, None))
        self.assertEqual(util.StringField(b"x"), "x")

    def test_parts_have_what_their_headers_say(self):
        fs = form(
            part(b"one\r\ntwo\n"),
            part(b"\xc3\xa9", 'form-data; name="é"'),
            part(b"", 'form-data; name="blank"'),
            part(b"", 'form-data; name="nofile"; filename=""', b"Content-Type: application/octet-stream\r\n"),
            part(b"\x00\xff\r", 'form-data; name="f"; filename="x.bin"', b"Content-Type: image/png; a=b\r\nX-Folded: one\r\n two\r\n"),
        )
        self.assertEqual([(name, type(field)) for name, field in fs.items()], [
            ("a", util.StringField), ("é", util.StringField), ("blank", util.StringField), ("nofile", util.StringField), ("f", util.Field),
        ])  # fmt: skip
        self.assertEqual([field.value for field in fs.list], ["one\r\ntwo\n", "é", "", "", b"\x00\xff\r"])
        file = fs["f"]
        self.assertEqual((file.name, file.filename, file.type, file.type_options), ("f", "x.bin", "image/png", {"a": "b"}))
        self.assertEqual((file.disposition, file.disposition_options), ("form-data", {"name": "f", "filename": "x.bin"}))
        options = file.disposition_options
        self.assertEqual((options[b"name"], options.get(b"filename"), options.get(b"x", 1), b"name" in options, b"x" in options), ("f", "x.bin", 1, True, False))
        self.assertRaises(KeyError, lambda: options[b"x"])
        self.assertRaises(KeyError, lambda: options["x"])
        self.assertEqual(fs.list.table()[b"a"], fs.getlist(b"a"))
        self.assertEqual((file.headers["Content-Type"], file.headers["x-folded"]), ("image/png; a=b", "one two"))
        self.assertEqual((file.file.read(), file.value, file.file.tell()), (b"\x00\xff\r", b"\x00\xff\r", 0))
        self.assertEqual(repr(file), "Field('f', b'\\x00\\xff\\r')")
        self.assertTrue(os.fstat(file.file.fileno()).st_size == 3)
        self.assertEqual((fs["a"].type, fs["a"].file.read(), fs["nofile"].type), ("text/plain", b"one\r\ntwo\n", "application/octet-stream"))
        self.assertEqual(form(part(b"x", 'form-data; name="f"; filename="x"', b"Content-Type: odd\r\n"))["f"].type, "application/octet-stream")

    def test_names_come_in_every_spelling(self):
        for disposition, name, filename in [
            ('form-data; name=plain; filename=x', "plain", "x"),
            ('form-data; NAME="a;b"; FileName="c;d"', "a;b", "c;d"),
            (r'form-data; name="q\"uote"; filename="C:\\dir\\x.txt"', 'q"uote', r"C:\dir\x.txt"),
            (r'form-data; name="ie"; filename="C:\dir\x.txt"', "ie", r"C:\dir\x.txt"),
            ('form-data; name="p"; filename="../../etc/passwd"', "p", "../../etc/passwd"),
            ("form-data; name=\"s\"; filename*=UTF-8''na%C3%AFve%20x", "s", "naïve x"),
            ("form-data; name=\"s\"; filename=\"old\"; filename*=iso-8859-1'en'%E9", "s", "é"),
            ("form-data; name*0=\"lo\"; name*1=\"ng%41\"; filename*0*=utf-8''%C3; filename*1*=%A9; filename*2=\"%41\"", "long%41", "é%41"),
            ("form-data; name=\"s\"; filename*=odd''%zz%E9", "s", "%zzé"),
            ("form-data; name=\"s\"; filename*=%41", "s", "A"),
            ("form-data; name=\"%22\"; filename=\"%0A\"", "%22", "%0A"),
        ]:  # fmt: skip
            fs = form(part(b"content", disposition))
            self.assertEqual([(field.name, field.filename, field.value) for field in fs.list], [(name, filename, b"content")], disposition)
        latin = form(part(b"\xe9", b'form-data; name="\xe9"'))
        self.assertEqual((latin.keys(), latin["é"], bytes(latin["é"])), (["é"], "é", b"\xe9"))
        self.assertEqual(latin[b"\xe9"], latin["é".encode()])

    def test_bodies_differ_in_small_things(self):
        for body in [
            b"--XX\nContent-Disposition: form-data; name=a\n\nval\n--XX--",
            b"preamble\r\nmore\r\n--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nval\r\n--XX--\r\nepilogue",
            b"\r\n--XX \t\r\nContent-Disposition: form-data;\r\n\tname=a\r\n\nval\r\n--XX--  ",
        ]:
            for size in (1, 2, 7, 1000):
                fs = util.FieldStorage(Request(body, MULTIPART, size=size))
                self.assertEqual(fs.items(), [("a", "val")], (body, size))
        for kind in ('multipart/form-data; boundary="XX"', "Multipart/Form-Data;charset=utf-8;BOUNDARY=XX", "multipart/mixed; boundary=XX"):
            self.assertEqual(util.FieldStorage(Request(multipart(part(b"v")), kind)).items(), [("a", "v")])
        empty = b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n--XX--\r\n"
        self.assertEqual(util.FieldStorage(Request(empty, MULTIPART)).items(), [("a", "")])

    def test_content_that_looks_like_a_boundary_is_content(self):
        for content in [b"\r\n--X", b"x\r\n--XXY\r\n--XX-\r\n -- XX", b"\r\n\r\r\n", b"\r", b"\n", b"\r\n", b"x--XX--", b"\n--XX.\n--XX:" * 50]:
            for size in (1, 3, 100000):
                request = Request(multipart(part(content, 'form-data; name="f"; filename="x"'), part(b"after", 'form-data; name="b"')), MULTIPART, size=size)
                fs = util.FieldStorage(request)
                self.assertEqual((fs["f"].value, fs["b"]), (content, "after"), (content, size))

    def test_nested_multipart_is_the_content_of_its_part(self):
        inner = b"--YY\r\nContent-Disposition: file; filename=x\r\n\r\ninner\r\n--YY--\r\n"
        fs = form(part(inner, more=b"Content-Type: multipart/mixed; boundary=YY\r\n"))
        self.assertEqual((fs["a"], fs["a"].type, fs["a"].type_options), (inner.decode(), "multipart/mixed", {"boundary": "YY"}))

    def test_a_body_that_is_cut_anywhere_is_refused(self):
        body = multipart(part(b"one"), part(b"two\r\nthree", 'form-data; name="f"; filename="x"', b"Content-Type: text/html\r\n"))
        whole = body.rindex(b"--XX--") + len(b"--XX--")
        for end in range(whole):
            for size in (1, 1000):
                request = Request(body[:end], MULTIPART, size=size)
                self.refused(request, 400, "MP0500")
        for end in range(whole, len(body) + 1):
            self.assertEqual(len(util.FieldStorage(Request(body[:end], MULTIPART))), 2)

    def test_what_is_wrong_is_said(self):
        good = part(b"1", 'form-data; name="good"')
        for body, kind, says in [
            (b"x", "multipart/form-data", "has no boundary"),
            (b"x", "multipart/form-data; boundary=", "is not one"),
            (b"x", "multipart/form-data; boundary=" + "x" * 201, "is not one"),
            (b"x", 'multipart/form-data; boundary="a\0b"', "is not one"),
            (b"x", MULTIPART, "the boundary is not in the body"),
            (b"", MULTIPART, "the boundary is not in the body"),
            (multipart(good, b"X: y\r\n\r\nv"), MULTIPART, "part 2, byte 0: it has no Content-Disposition"),
            (multipart(good, part(b"v", "form-data")), MULTIPART, "has no name"),
            (multipart(good, part(b"v", 'form-data; filename="x"')), MULTIPART, "has no name"),
            (multipart(good, part(b"v", "form-data; name=a\0b")), MULTIPART, "have a NUL"),
            (multipart(good, part(b"v", "form-data; name*=utf-8''a%00b")), MULTIPART, "part 2 ('a\\x00b'), byte "),
            (multipart(good, part(b"v", "form-data; name=a; filename*=a%00b")), MULTIPART, "has a NUL"),
            (multipart(good, b"no colon\r\n\r\nv"), MULTIPART, "part 2, byte 0: its header 'no colon' has no colon"),
            (multipart(good, b": v\r\n\r\nv"), MULTIPART, "has no colon"),
            (multipart(good, b" folded\r\n\r\nv"), MULTIPART, "begins with a space"),
            (multipart(good, b"A: b"), MULTIPART, "do not end before the next boundary"),
            (multipart(part(b"v", 'form-data; name="cut"'), end=b""), MULTIPART, "part 1 ('cut'), byte "),
        ]:
            logged = self.refused(Request(body, kind), 400, "MP0500: the form is refused: ")
            place, _, rest = says.partition("byte 0")
            self.assertIn(place, logged)
            self.assertIn(rest.lstrip(": "), logged)

    def test_what_is_no_form_is_not_implemented(self):
        for kind in ("text/plain", "application/json; charset=utf-8", "", "multipart"):
            self.refused(Request(b"{}", kind), 501, "MP0503", repr(kind.partition(";")[0]))

    def test_everything_has_a_bound(self):
        def option(**bounds):
            return {f"mod_python.util.{name}": str(bound) for name, bound in bounds.items()}

        many = multipart(*[part(b"", f"form-data; name=n{n}") for n in range(12)])
        files = multipart(*[part(b"x", f"form-data; name=n{n}; filename=f") for n in range(4)])
        bomb = multipart(part(b"", more=(b"X: " + b"y" * 20 + b"\r\n") * 60))
        headers = multipart(*[part(b"", more=b"X: " + b"y" * 12_000 + b"\r\n") for _ in range(400)])
        line = multipart(part(b"", more=b"X: " + b"y" * 100_000 + b"\r\n"))
        large = multipart(part(b"x" * 60), part(b"x" * 60, "form-data; name=second"))
        for request, says in [
            (Request(many, MULTIPART, options=option(max_fields=11)), ["part 12", "more than 11 fields", "max_fields"]),
            (Request(many, MULTIPART, query="q=1", options=option(max_fields=12)), ["more than 12 fields"]),
            (Request(files, MULTIPART, options=option(max_files=3)), ["part 4", "more than 3 files", "max_files"]),
            (Request(bomb, MULTIPART, options=option(max_header_size=1000)), ["part 1", "longer than 1000 bytes", "max_header_size"]),
            (Request(headers, MULTIPART, options=option(max_memory=100)), ["the headers of all parts have more than 4194304 bytes", "max_memory"]),
            (Request(line, MULTIPART), ["longer than 16384 bytes"]),
            (Request(line, MULTIPART, size=10), ["longer than 16384 bytes"]),
            (Request(large, MULTIPART, options=option(max_memory=100)), ["part 2 ('second')", "more than 100 bytes", "max_memory"]),
            (Request(b"a=" + b"x" * 100, URLENCODED, options=option(max_memory=100)), ["102 bytes, more than 100", "max_memory"]),
            (Request(b"a=" + b"x" * 100, options=option(max_memory=100), length=False), ["more than 100 bytes"]),
            (Request(b"a&" * 12, URLENCODED, options=option(max_fields=11)), ["the form has more than 11 fields"]),
            (Request(query="a;" * 12, method="GET", options=option(max_fields=11)), ["the query has more than 11 fields"]),
        ]:
            self.refused(request, 413, "MP0502", *says)
        for request, count in [
            (Request(many, MULTIPART, options=option(max_fields=12)), 12),
            (Request(files, MULTIPART, options=option(max_files=4)), 4),
            (Request(large, MULTIPART, options=option(max_memory=120)), 2),
            (Request(b"a=" + b"x" * 98, URLENCODED, options=option(max_memory=100)), 1),
        ]:
            self.assertEqual(len(util.FieldStorage(request)), count)
        request = Request(many, MULTIPART, options=option(max_fields="lots"))
        self.assertEqual(len(util.FieldStorage(request)), 12)
        self.assertIn("MP0504: PythonOption mod_python.util.max_fields is 'lots', which is no number: 10000 is used", request.logged)

    def test_a_part_has_few_headers_and_parameters(self):
        self.refused(Request(multipart(part(b"", more=b"X: y\r\n" * 100)), MULTIPART), 400, "it has more than 64 headers")
        many = multipart(part(b"", more=b"1:\n" * 100))
        self.refused(Request(many, MULTIPART), 400, "it has more than 64 headers")
        many = multipart(part(b"", "form-data; name=a" + "".join(f"; p{n}=1" for n in range(100))))
        self.refused(Request(many, MULTIPART), 400, "one of its headers has more than 32 parameters")

    def test_names_with_a_nul_are_refused(self):
        self.refused(Request(b"a=1&b%00=2", URLENCODED), 400, "the name of field 2 of the form has a NUL: 'b\\x00'")
        self.refused(Request(b"a\0=1", URLENCODED), 400, "field 1")
        self.refused(Request(query="%00=1", method="GET"), 400, "the query")
        self.assertEqual(util.FieldStorage(Request(b"a=%00x", URLENCODED))["a"], "\0x")

    def test_what_is_bad_stays_as_it_is_unless_parsing_is_strict(self):
        for data, says in [
            ("a=100%", "field 1 of the query has a '%' without two hexadecimal digits: 'a=100%'"),
            ("a=1&b=%zz", "field 2"),
            ("a=1&b", "field 2 of the query has no '='"),
            ("a=1&b=%ff", "is not UTF-8"),
        ]:
            self.assertEqual(util.FieldStorage(Request(query=data, method="GET")).getfirst("a")[0], "1")
            self.refused(Request(query=data, method="GET"), 400, says, keep_blank_values=1, strict_parsing=1)
        fs = util.FieldStorage(Request(b"a=1&b=2", query="c=%41"), strict_parsing=1)
        self.assertEqual(fs.items(), [("c", "A"), ("a", "1"), ("b", "2")])

    def test_a_body_that_the_program_has_read_is_none(self):
        for kind, body in ((URLENCODED, b"a=1"), (MULTIPART, multipart(part(b"x")))):
            request = Request(body, kind, query="q=1")
            request.read()
            self.assertEqual(util.FieldStorage(request).items(), [("q", "1")])

    def test_an_error_of_reading_goes_through(self):
        class Failing(Request):
            def read(self, count=-1):
                if self.body.tell():
                    raise OSError("cut short")
                return super().read(20)

        for kind in (MULTIPART, URLENCODED):
            request = Failing(multipart(part(b"x")), kind)
            request.body.read(0 if kind == MULTIPART else 1)
            with self.assertRaisesRegex(OSError, "cut short"):
                util.FieldStorage(request)
            self.assertEqual(request.logged, [])

    def test_callbacks_make_the_files(self):
        made = []

        class Stored:
            def __init__(self, name):
                self.name, self.pieces, self.closed, self.at = name, [], False, None
                made.append(self)

            def write(self, data):
                self.pieces.append(data)

            def seek(self, at):
                self.at = at

            def read(self):
                return b"".join(self.pieces)

            def close(self):
                self.closed = True

        body = multipart(part(b"text"), part(b"file", 'form-data; name="f"; filename="../x"'), part(b"", 'form-data; name="g"; filename=""'))
        fs = util.FieldStorage(Request(body, MULTIPART), file_callback=Stored, field_callback=lambda: Stored(None))
        self.assertEqual([stored.name for stored in made], [None, "../x", ""])
        self.assertIs(fs["f"].file, made[1])
        self.assertEqual((fs["a"], fs["a"].file, fs["f"].value, fs["f"].filename, fs["g"]), ("text", made[0], b"file", "../x", ""))
        self.assertFalse(made[1].closed)
        del fs
        self.assertTrue(made[1].closed)

        def failing(name):
            raise PermissionError(name)

        with self.assertRaises(PermissionError):
            util.FieldStorage(Request(body, MULTIPART), file_callback=failing)

    def test_a_large_file_goes_to_disk_in_pieces(self):
        size = 64 << 20

        class Large(Request):
            def __init__(self):
                super().__init__(b"", MULTIPART)
                self.head = b"--XX\r\n" + part(b"", 'form-data; name="f"; filename="big"')
                self.left, self.tail = size, b"\r\n--XX--\r\n"

            def read(self, count=-1):
                if self.head:
                    data, self.head = self.head, b""
                elif self.left:
                    data = b"\n--X\r-" * (min(count, self.left) // 6) or b"x" * self.left
                    self.left -= len(data)
                else:
                    data, self.tail = self.tail, b""
                return data

        tracemalloc.start()
        try:
            fs = util.FieldStorage(Large())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.assertLess(peak, 2 << 20)
        self.assertEqual(os.fstat(fs["f"].file.fileno()).st_size, size)

    def test_any_content_comes_back_whatever_the_blocks(self):
        source = random.Random(16)
        bits = [b"\r\n--XX", b"--XX", b"\r\n", b"\n", b"\r", b"-", b"--", b"X", b"x", b"\r\n--X", b" ", b"\n--XXz", b"\0"]
        for _ in range(400):
            contents = []
            for _ in range(source.randrange(1, 5)):
                content = b"".join(source.choices(bits, k=source.randrange(12)))
                # What is a delimiter is none of the content's
                while any((b"\n" + content + b"\r\n").find(b"\n--XX" + end) >= 0 for end in (b"--", b"\r\n", b"\n", b" ", b"\r")):
                    content = content.replace(b"XX", b"X")
                contents.append(content)
            body = multipart(*[part(content, f'form-data; name="f{n}"; filename="x"') for n, content in enumerate(contents)])
            request = Request(body, MULTIPART, size=source.choice([1, 2, 3, 5, 64, 1 << 20]))
            self.assertEqual([field.value for field in util.FieldStorage(request).list], contents, body)

    def test_random_bodies_are_read_or_refused(self):
        source = random.Random(17)
        body = multipart(part(b"one"), part(b"two", 'form-data; name="f"; filename="x"'))
        outcomes = {"read": 0, "refused": 0}
        for _ in range(1500):
            changed = bytearray(body)
            for _ in range(source.randrange(1, 4)):
                at = source.randrange(len(changed))
                changed[at : at + source.randrange(3)] = bytes(source.choices(b'\0\r\n-X":; %\xffa', k=source.randrange(4)))
            request = Request(bytes(changed), MULTIPART, size=source.choice([1, 7, 10000]))
            try:
                fs = util.FieldStorage(request)
            except util.SERVER_RETURN as error:
                self.assertEqual((error.args, len(request.logged)), ((400,), 1))
                outcomes["refused"] += 1
            else:
                self.assertTrue(all(type(name) is str for name in fs))
                outcomes["read"] += 1
        self.assertTrue(all(count > 100 for count in outcomes.values()), outcomes)


class FunctionsTest(unittest.TestCase):
    def test_headers_have_parameters(self):
        for line, value, options in [
            ("text/html; a=b; c=\"d;e\"; F=\"x\\\"y\"", "text/html", {"a": "b", "c": "d;e", "f": 'x"y'}),
            ("", "", {}),
            (";;a;=b; c =  d ;e=\"", "", {"": "b", "c": "d", "e": '"'}),
            ("form-data; name=\"é\"", "form-data", {"name": "é"}),
        ]:
            self.assertEqual(util.parse_header(line), (value, options))
            data = util.parse_header(line.encode())
            self.assertEqual(data, (value.encode(), {name.encode(): option for name, option in options.items()}))
        self.assertRaises(TypeError, util.parse_header, None)

    def test_a_field_can_be_made_as_in_old_times(self):
        file = io.BytesIO(b"x")
        field = util.Field("n", file, "image/png", {"a": "b"}, "form-data", {"filename": "f"}, {"X": "y"})
        self.assertEqual((field.type, field.type_options, field.disposition, field.filename, field.headers), ("image/png", {"a": "b"}, "form-data", "f", {"X": "y"}))
        empty = util.Field("n")
        self.assertEqual((empty.file, empty.value, empty.filename, empty.type, empty.headers), (None, None, None, "text/plain", {}))
        self.assertRaises(AttributeError, getattr, empty, "nothing")

    def test_urlencoded_data_without_a_server(self):
        qs, qsl = _urlencoded.parse_qs, _urlencoded.parse_qsl
        self.assertEqual(qsl("a+b=c%20d&%61=%c3%A9;x"), [("a b", "c d"), ("a", "é")])
        self.assertEqual(qsl("a=&b", 1), [("a", ""), ("b", "")])
        self.assertEqual(qs(b"x=1&x=%ff"), {b"x": [b"1", b"\xff"]})
        self.assertEqual(qsl("a=x%00y&b=100%&c=%e9"), [("a", "x"), ("b", "100%"), ("c", "é")])
        self.assertEqual(_urlencoded.form_fields("a=%ff&%e9=\0", 0), [("a", b"\xff"), ("é", "\0")])
        self.assertRaises(TypeError, qsl, None)

    def test_redirects(self):
        class Answer(Request):
            sent_bodyct = 0

            def __init__(self):
                super().__init__()
                self.err_headers_out, self.written, self.status, self.content_type = {}, [], 200, None

            def write(self, text):
                self.written.append(text)

        for arguments, status, text in [
            (("/x?a=1&b",), 302, '<p>The document has moved <a href="/x?a=1&amp;b">here</a></p>\n'),
            (("/x", 1), 301, '<p>The document has moved <a href="/x">here</a></p>\n'),
            (("/x", 0, "moved"), 302, "moved"),
        ]:
            req = Answer()
            with self.assertRaises(util.SERVER_RETURN) as raised:
                util.redirect(req, *arguments)
            self.assertEqual((raised.exception.args, req.status, req.written), ((-2,), status, [text]))
            self.assertEqual(req.err_headers_out, {"Location": arguments[0]})
        for wrong, error in ((b"/x", TypeError), (None, TypeError), ("/x\r\nA: b", ValueError)):
            self.assertRaises(error, util.redirect, Answer(), wrong)
        req = Answer()
        req.sent_bodyct = 1
        self.assertRaises(OSError, util.redirect, req, "/x")

    def test_what_is_imported_is_little(self):
        import subprocess

        code = "import sys; before = set(sys.modules); from mod_python import util; print(*sorted(set(sys.modules) - before))"
        done = subprocess.run([sys.executable, "-S", "-B", "-c", code], cwd=os.path.dirname(fake_apache.LIBRARY), capture_output=True, text=True, check=True)
        loaded = set(done.stdout.split())
        self.assertEqual(loaded & {"tempfile", "inspect", "html", "email", "urllib", "mod_python._multipart"}, set())
        self.assertIn("mod_python.util", loaded)


class ApplyTest(unittest.TestCase):
    def applied(self, object, query="a=1&b=2&a=3", **args):
        return util.apply_fs_data(object, util.FieldStorage(Request(query=query, method="GET")), **args)

    def test_objects_get_what_they_take(self):
        class Page:
            def __init__(self, a=None):
                self.a = a

            def method(self, a, b):
                return a, b

            def __call__(self, b):
                return b

            @classmethod
            def made(cls, b):
                return b

            @staticmethod
            def plain(b):
                return b

        class Nested:
            __call__ = Page()

        import functools

        def decorated(function):
            @functools.wraps(function)
            def inner(*args, **kwargs):
                return function(*args, **kwargs)

            return inner

        pairs = (["1", "3"], "2")
        for object, expected in [
            (lambda a, b: (a, b), pairs),
            (lambda b="d", c="e": (b, c), ("2", "e")),
            (lambda *, b, c=4: (b, c), ("2", 4)),
            (lambda b, /, a: (b, a), ("2", ["1", "3"])),
            (lambda **all: sorted(all.items()), [("a", ["1", "3"]), ("b", "2")]),
            (lambda *args: args, ()),
            (lambda: "none", "none"),
            (Page().method, pairs),
            (Page(), "2"),
            (Page.made, "2"),
            (Page().made, "2"),
            (Page.plain, "2"),
            (Nested(), "2"),
            (decorated(lambda b: b), "2"),
            (decorated(lambda **all: sorted(all)), ["a", "b"]),
            (functools.partial(lambda x, b: (x, b), 5), (5, "2")),
            (dict, {}),
            (str.upper.__get__("x"), "X"),
            ([1].copy, [1]),
        ]:
            self.assertEqual(self.applied(object), expected, object)
        self.assertEqual(self.applied(Page).a, ["1", "3"])

    def test_what_is_given_comes_first(self):
        self.assertEqual(self.applied(lambda a, req: (a, req), "a=1&req=evil", req="the request"), ("1", "the request"))
        self.assertEqual(self.applied(lambda **all: all, "a=1&req=evil", req="it", b="more"), {"a": "1", "req": "it", "b": "more"})
        self.assertEqual(self.applied(lambda a: a, "a=1", req="it"), "1")

    def test_what_is_missing_is_pythons_error(self):
        self.assertRaises(TypeError, self.applied, lambda a, z: None)
        self.assertRaises(TypeError, self.applied, 5)

    def test_files_come_as_fields(self):
        fs = form(part(b"x", 'form-data; name="f"; filename="x"'), part(b"\xe9"))
        file, text = util.apply_fs_data(lambda f, a: (f, a), fs)
        self.assertEqual((type(file), file.value, text, type(text)), (util.Field, b"x", "é", str))


if __name__ == "__main__":
    unittest.main()
