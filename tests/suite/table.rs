//! `mp_table`: what Python does with httpd's tables and with tables of its own.

use crate::common::checks::passes;

#[test]
fn it_is_made_of_nothing_mappings_or_pairs() {
    passes(
        r#"
        class Mapping:
            def keys(self):
                return iter(["a", 1])
            def __getitem__(self, key):
                return [key]

        def check(req):
            table = apache.table
            assert table is apache.make_table
            assert table().items() == []
            assert table({"a": "1", "b": "2"}).items() == [("a", "1"), ("b", "2")]
            assert table(items={"a": "1"}).items() == [("a", "1")]
            assert table([("a", "1"), ["B", "2"], "cd", iter("ef"), ("b", "3")]).items() == [
                ("a", "1"), ("B", "3"), ("c", "d"), ("e", "f")]
            assert table({1: None, b"x": b"y", "z": 2.5}).items() == [("1", "None"), ("x", "y"), ("z", "2.5")]
            assert table(Mapping()).items() == [("a", "['a']"), ("1", "[1]")]
            assert table(table({"a": "1"})).items() == [("a", "1")]
            assert table(filled(("a", "1"), ("b", "2"), ("A", "3"))).items() == [("a", "1"), ("b", "2"), ("A", "3")]

            raises(TypeError, table, None, says="not iterable")
            raises(TypeError, table, {}, {}, says="at most 1 argument (2 given)")
            raises(TypeError, lambda: table({}, items={}), says="at most 1 argument (2 given)")
            raises(TypeError, lambda: table(entries={}), says="unexpected keyword argument 'entries'")
            raises(TypeError, table, [("a", "1"), 2], says="cannot convert table update sequence element #1 to a sequence")
            raises(ValueError, table, [("a",)], says="table update sequence element #0 has length 1; 2 is required")
            raises(ValueError, table, ["abc"], says="has length 3; 2 is required")
            raises(TypeError, table, {"\u20ac": "1"}, says="not an ISO-8859-1 string")
            raises(ValueError, table, {"a": "\0"}, says="null character")
        "#,
    );
}

#[test]
fn keys_are_compared_without_regard_to_case() {
    passes(
        r#"
        def check(req):
            t = apache.table({"Content-Type": "text/plain"})
            for key in "Content-Type", "content-type", "CONTENT-TYPE", b"content-TYPE":
                assert t[key] == t.get(key) == "text/plain"
                assert key in t and t.has_key(key) == 1
            assert "Content" not in t and t.has_key("x") == 0
            t["CONTENT-type"] = "text/html"
            assert t.items() == [("Content-Type", "text/html")]
            del t["content-type"]
            assert len(t) == 0 and not t
            del t["content-type"]

            # Python's str.lower() would take these for each other; httpd does not
            t["\xe4"] = "1"
            assert "\xc4" not in t and t["\xe4"] == "1"
            t["x1"] = "1"
            assert "x01" not in t and "x 1" not in t
        "#,
    );
}

#[test]
fn a_key_can_have_several_values() {
    passes(
        r#"
        def check(req):
            t = apache.table({"a": "b"})
            assert t.add("A", "c") is None
            t.add("x", "y")
            t.add(b"a", b"d")
            assert t["a"] == ["b", "c", "d"] and t["x"] == "y"
            assert t.get("a") == "b"
            assert len(t) == 4
            assert t.keys() == ["a", "A", "x", "a"]
            assert t.values() == ["b", "c", "y", "d"]
            assert t.items() == [("a", "b"), ("A", "c"), ("x", "y"), ("a", "d")]
            t["A"] = "e"
            assert t.items() == [("a", "e"), ("x", "y")]
            t.add("X", "z")
            del t["x"]
            assert t.items() == [("a", "e")]
            raises(TypeError, t.add, "a")
            raises(TypeError, t.add, "a", "b", "c")
            raises(TypeError, t.add, "a", None, says="not an ISO-8859-1 string")
            raises(TypeError, t.add, 1, "a", says="not an ISO-8859-1 string")
            assert t.items() == [("a", "e")]
        "#,
    );
}

#[test]
fn a_value_reads_back_as_it_was_set() {
    passes(
        r#"
        def check(req):
            values = ["", "x", "caf\xe9", "\xc3\xa9", "\xc3\xa9\xff", "\x80\x9f", "".join(map(chr, range(1, 256)))]
            for table in apache.table(), req.notes:
                for value in values:
                    table["v"] = value
                    assert table["v"] == table.get("v") == table.setdefault("v", "other") == value
                    assert ("v", value) in table.items() and value in table.values()
                    if value:
                        table.clear()
                        table[value] = "key"
                        assert table.keys() == list(table) == [value]
                        assert table[value] == "key" and value in table
                        del table[value]
                        assert len(table) == 0
                # bytes are what httpd gets; they read as UTF-8, else as Latin-1
                table["v"] = "caf\xe9".encode()
                assert table["v"] == "caf\xe9"
                table["v"] = b"caf\xe9"
                assert table["v"] == "caf\xe9"
                # A value of any text is stored as UTF-8, with escaped bytes as they were; a key is within Latin-1
                for value in "\u20ac", "\u20ac".encode(), "\u20acaf\xe9":
                    table["v"] = value
                    assert table["v"] == (value.decode() if isinstance(value, bytes) else value)
                table["v"] = "\u20ac\udcff"
                assert table["v"] == b"\xe2\x82\xac\xff".decode("latin-1")
                raises(UnicodeEncodeError, table.__setitem__, "v", "\ud800", says="surrogates not allowed")
                for value in 1, None, ["a"], bytearray(b"a"):
                    raises(TypeError, table.__setitem__, "v", value, says="not an ISO-8859-1 string")
                for key in "\u20ac", "\ud800", 1, None, ["a"], bytearray(b"a"):
                    raises(TypeError, table.__setitem__, key, "v", says="not an ISO-8859-1 string")
                table["v"] = "\u20ac"
                for value in "a\0b", b"\0":
                    raises(ValueError, table.__setitem__, "v", value, says="null character")
                    raises(ValueError, table.__setitem__, value, "v", says="null character")
                    raises(ValueError, table.add, value, "v", says="null character")
                assert table.items() == [("v", "\u20ac")]
        "#,
    );
}

#[test]
fn a_text_finds_its_key_however_httpd_has_it() {
    passes(
        r#"
        def check(req):
            for table in apache.table(), req.notes:
                table.clear()
                table.add("k\xe9y", "latin-1")
                table.add("k\xe9y".encode(), "utf-8")
                table.add("\u20ac".encode(), "euro")
                assert table["K\xe9Y"] == ["latin-1", "utf-8"]
                assert table[b"k\xe9y"] == "latin-1" and table["k\xe9y".encode()] == "utf-8"
                assert [table[key] for key in table] == [["latin-1", "utf-8"]] * 2 + ["euro"]
                table["k\xe9y"] = "one"
                assert table.items() == [("k\xe9y", "one"), ("\u20ac", "euro")]
                del table["\u20ac"]
                assert table.keys() == ["k\xe9y"]
                # what no key can be is just not there
                for key in "\u20ac", "\ud800", "a\0b", b"\0":
                    assert key not in table and table.get(key, 1) == 1 and table.has_key(key) == 0
                    raises(KeyError, table.__getitem__, key)
                    del table[key]
                for key in 1, None, ("a",), bytearray(b"a"):
                    for method in "__getitem__", "__contains__", "__delitem__", "get", "has_key", "setdefault":
                        raises(TypeError, getattr(table, method), key, says="not an ISO-8859-1 string")
        "#,
    );
}

#[test]
fn looking_up_gives_a_default_or_an_error() {
    passes(
        r#"
        def check(req):
            t = apache.table({"a": "1"})
            try:
                t["Missing"]
            except KeyError as error:
                assert error.args == ("Missing",), error.args
            else:
                raise AssertionError
            assert t.get("b") is None and t.get("b", 2) == 2 and t.get("a", 2) == "1"
            raises(TypeError, t.get)
            raises(TypeError, t.get, "a", "b", "c")
            assert t.setdefault("a", "x") == "1"
            assert t.setdefault("b", "x") == "x" and t["b"] == "x"
            assert t.setdefault("c") == "" and t["c"] == ""
            assert t.setdefault("c", "y") == ""
            assert t.setdefault(b"d", b"\xe9") == "\xe9"
            raises(TypeError, t.setdefault, "e", 1)
            raises(TypeError, t.setdefault, "e", None)
            raises(TypeError, t.setdefault)
            raises(ValueError, t.setdefault, "e", "\0")
            assert t.items() == [("a", "1"), ("b", "x"), ("c", ""), ("d", "\xe9")]
        "#,
    );
}

#[test]
fn popitem_removes_what_it_returns() {
    passes(
        r#"
        def check(req):
            for table in apache.table(), req.notes:
                table.clear()
                for pair in ("a", "1"), ("b", "2"), ("A", "3"), ("c", "4"):
                    table.add(*pair)
                left = table.items()
                while left:
                    popped = table.popitem()
                    left.remove(popped)
                    assert table.items() == left
                    for key, value in left:
                        assert value in (table[key] if type(table[key]) is list else [table[key]])
                assert len(table) == 0 and "a" not in table
                raises(KeyError, table.popitem, says="popitem(): table is empty")
                raises(TypeError, table.popitem, 1)

            # borrowed from mod_python's own test
            for size in 1, 2, 256:
                a, b = apache.table(), apache.table()
                for i in range(size):
                    a[repr(i)] = b[repr(i)] = str(i)
                c = a.copy()
                for i in range(size):
                    key, value = a.popitem()
                    assert key == value and b.popitem() == c.popitem() == (key, value)
                assert not a and not b and not c
        "#,
    );
}

#[test]
fn update_takes_mappings() {
    passes(
        r#"
        class Mapping:
            def __init__(self, keys):
                self.given = keys
            def keys(self):
                return self.given() if callable(self.given) else self.given
            def __getitem__(self, key):
                if key == "bad":
                    raise ValueError("getitem")
                return key

        def failing():
            yield "c"
            raise ValueError("next")

        def check(req):
            t = apache.table({"a": "1"})
            assert t.update({"A": "2", "b": 3}) is None
            assert t.items() == [("a", "2"), ("b", "3")]
            t.update(Mapping([1, 1]))
            assert t["1"] == "1" and len(t) == 3
            raises(AttributeError, t.update, None, says="keys")
            raises(AttributeError, t.update, [("a", "b")], says="keys")
            raises(TypeError, t.update)
            raises(ZeroDivisionError, t.update, Mapping(lambda: 1 / 0))
            raises(TypeError, t.update, Mapping(1))
            raises(ValueError, t.update, Mapping(failing), says="next")
            raises(ValueError, t.update, Mapping(["bad"]), says="getitem")
            raises(TypeError, t.update, {"\u20ac": "a"})
            t.update({"euro": "\u20ac"})
            assert t["euro"] == "\u20ac"

            t = filled(("x", "1"), ("Y", "2"), ("x", "3"))
            t.update(filled(("X", "4"), ("z", "5"), ("x", "6")))
            assert t.items() == [("x", "4"), ("Y", "2"), ("z", "5"), ("x", "6")], t.items()
            t.update(t)
            assert sorted(t.items()) == [("Y", "2"), ("x", "4"), ("x", "6"), ("z", "5")], t.items()
            req.notes.clear()
            req.notes.update(t)
            assert sorted(req.notes.items()) == sorted(t.items())
            assert t.clear() is None and t.items() == []
            t.update(req.notes)
            assert len(t) == 4
        "#,
    );
}

#[test]
fn a_copy_is_independent_and_has_the_last_value_of_each_key() {
    passes(
        r#"
        def check(req):
            for table in apache.table(), req.notes:
                table.clear()
                assert table.copy().items() == []
                for pair in ("a", "1"), ("b", "2"), ("A", "3"):
                    table.add(*pair)
                copied = table.copy()
                assert type(copied) is apache.table
                assert copied.items() == [("a", "3"), ("b", "2")], copied.items()
                copied["c"] = "4"
                del copied["a"]
                assert "c" not in table and table["a"] == ["1", "3"]
                table.clear()
                assert copied.items() == [("b", "2"), ("c", "4")]
                raises(TypeError, table.copy, 1)
        "#,
    );
}

#[test]
fn it_iterates_and_notices_when_its_size_changes() {
    passes(
        r#"
        import gc, weakref

        def check(req):
            for t in apache.table(), req.notes:
                t.clear()
                assert list(t) == list(t.iterkeys()) == list(t.itervalues()) == list(t.iteritems()) == []
                for pair in ("a", "1"), ("b", "2"), ("A", "3"):
                    t.add(*pair)
                assert list(t) == list(t.iterkeys()) == t.keys() == ["a", "b", "A"]
                assert list(t.itervalues()) == t.values() == ["1", "2", "3"]
                assert list(t.iteritems()) == t.items() == [("a", "1"), ("b", "2"), ("A", "3")]
                iterator = iter(t)
                assert iter(iterator) is iterator and next(iterator) == "a"

                for key in t:
                    t["b"] = "x"
                assert t["b"] == "x"
                for change in lambda: t.add("c", "4"), lambda: t.__delitem__("a"), t.clear:
                    for make in iter, apache.table.iterkeys, apache.table.itervalues, apache.table.iteritems:
                        iterator = make(t)
                        t.add("z", "")
                        raises(RuntimeError, next, iterator, says="table changed size during iteration")
                        del t["z"]
                    iterator = iter(t)
                    next(iterator)
                    change()
                    raises(RuntimeError, next, iterator, says="changed size")
                # also at the very end
                t["only"] = "1"
                def remove():
                    for key in t:
                        del t[key]
                raises(RuntimeError, remove, says="changed size")
                for method in "iterkeys", "itervalues", "iteritems", "keys", "values", "items", "clear":
                    raises(TypeError, getattr(t, method), 1, says="takes no arguments (1 given)")

            class Table(apache.table):
                pass
            cycle = Table({"a": "1"})
            cycle.iterator = iter(cycle)
            gone = weakref.ref(cycle)
            del cycle
            gc.collect()
            assert gone() is None
        "#,
    );
}

#[test]
fn it_is_compared_as_dicts_are_and_has_no_hash() {
    passes(
        r#"
        class Mapping:
            def keys(self):
                return ["a"]
            def __getitem__(self, key):
                return "1"

        class Anything:
            def __eq__(self, other):
                return True

        def check(req):
            t = apache.table({"a": "1", "b": "2"})
            assert t == {"b": "2", "a": "1"} and {"b": "2", "a": "1"} == t
            assert t == apache.table([("b", "2"), ("a", "1")]) and not t != t.copy()
            assert t != {"a": "1"} and t != {"a": "1", "b": "3"} and t != {"A": "1", "b": "2"}
            assert apache.table({"a": "1"}) == Mapping() and t != Mapping()
            assert apache.table() == {} and apache.table() == apache.table()
            assert filled(("a", "1"), ("A", "2")) == {"a": ["1", "2"], "A": ["1", "2"]}
            assert t != None and t != 1 and t != [("a", "1"), ("b", "2")] and t == Anything()
            raises(TypeError, lambda: t < {}, says="not supported")
            raises(TypeError, lambda: t >= t, says="not supported")
            raises(TypeError, hash, t, says="unhashable")
            raises(TypeError, lambda: {t: 1}, says="unhashable")
            assert type(t).__hash__ is None
        "#,
    );
}

#[test]
fn it_shows_its_entries_the_last_one_first() {
    passes(
        r#"
        def check(req):
            assert repr(apache.table()) == str(apache.table()) == "{}"
            t = filled(("a", "1"), ("B", "it's"), ("a", "\xe9"), ("c", "\u20ac".encode()), ("d", "x\r\n\t\\"))
            shown = r"""{'d': 'x\r\n\t\\', 'c': '\xe2\x82\xac', 'a': '\xe9', 'B': "it's", 'a': '1'}"""
            assert repr(t) == shown, repr(t)
            assert (repr(type(t)), type(t).__name__) == ("<class 'mp_table'>", "mp_table"), repr(type(t))
            for name in "pop", "fromkeys", "sort":
                assert not hasattr(t, name)
            raises(AttributeError, setattr, t, "attribute", 1)
        "#,
    );
}

#[test]
fn classes_can_derive_from_it() {
    passes(
        r#"
        class Table(apache.table):
            def __init__(self, name, *arguments):
                super().__init__(*arguments)
                self.name = name
            def __str__(self):
                return "str() of " + self.name

        def check(req):
            t = Table("mine", {"a": "1"})
            assert isinstance(t, apache.table) and str(t) == "str() of mine" and repr(t) == "{'a': '1'}"
            assert t == {"a": "1"} == apache.table(t) and t == apache.table(t) and apache.table(t) == t
            assert type(t.copy()) is apache.table
            t.update(Table("other", {"b": "2"}))
            assert t.items() == [("a", "1"), ("b", "2")]
            t.__init__("again", [("c", "3")])
            assert len(t) == 3 and t.name == "again"
        "#,
    );
}

#[test]
fn tables_of_httpd_and_of_python_do_the_same() {
    passes(
        r#"
        import random

        def check(req):
            chance = random.Random(5)
            mine, httpds = apache.table(), req.notes
            httpds.clear()
            keys = ["a", "A", "b", "B", "key-c", "KEY-C", "\xe9", "\xe9".encode(), "", "d" * 300]
            values = ["", "x", "\xe9", "\xc3\xa9", b"\xff", "v" * 9000]
            for step in range(1000):
                key, value = chance.choice(keys), chance.choice(values)
                call = chance.choice([
                    lambda t: t.__setitem__(key, value), lambda t: t.add(key, value), lambda t: t.add(key, value),
                    lambda t: t.__delitem__(key), lambda t: t.setdefault(key, value), lambda t: t.popitem() if t else None,
                    lambda t: t.get(key), lambda t: key in t, lambda t: t.update({key: value}), lambda t: t.copy().items(),
                ])
                assert call(mine) == call(httpds), step
                assert mine.items() == httpds.items() == list(httpds.iteritems()), step
                assert [mine[k] for k in mine] == [httpds[k] for k in httpds]
                assert repr(mine) == repr(httpds) and mine == httpds and len(mine) == len(httpds)
                if len(mine) > 40:
                    mine.clear(), httpds.clear()
        "#,
    );
}
