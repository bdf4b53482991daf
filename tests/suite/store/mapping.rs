//! The mapping: what is written is read again by all interpreters and children.

use super::{program, returned, run};
use crate::fixture::{Mpm, for_each_mpm};

pub(super) const PROGRAM: &str = r#"
    import datetime, threading
    from mod_python import store

    s = store.open()

    def values(req):
        zone = datetime.timezone(datetime.timedelta(hours=2))
        values = [
            None, True, False, 0, 1, -1, 23, 24, 255, 256, 2**31, -2**31, 2**63 - 1, -2**63, 2**63, -2**63 - 1, 2**64, 10**40, -10**40,
            0.0, 1.5, -1e300, float("inf"), "", "a", "é\U0001f600\0", b"", b"\0\xff" * 100, [], [1, [2, ["x"]]], {}, {"a": 1, "b": {"c": [None]}},
            {1: "int", b"b": "bytes", None: "none", True: "bool", 2.5: "float"},
            datetime.datetime(2026, 1, 2, 3, 4, 5, 678901), datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone),
        ]
        for value in values:
            s["value"] = value
            got = s["value"]
            assert got == value and type(got) is type(value), (value, got)
        s["value"] = (1, bytearray(b"x"))
        assert s["value"] == [1, b"x"]
        deep = []
        for _ in range(60):
            deep = [deep]
        s["value"] = deep
        assert s["value"] == deep
        large = b"x" * (1 << 20)
        s["value"] = large
        assert s["value"] == large
        del s["value"]

    def mapping(req):
        s.clear()
        assert len(s) == 0 and bool(s) and list(s) == [] and "a" not in s
        assert s.get("a") is None and s.get("a", 5) == 5
        for work in (lambda: s["a"], lambda: s.__delitem__("a"), lambda: s.pop("a"), lambda: s.ttl("a")):
            try:
                work()
            except KeyError as error:
                assert error.args == ("a",)
            else:
                raise AssertionError("no KeyError")
        s["a"] = 1
        assert s["a"] == 1 and "a" in s and len(s) == 1 and s.get("a") == 1
        assert s.add("a", 2) is False and s.add("b", 2) is True
        assert s.replace("a", 5, 6) is False and s.replace("a", 1, 6) is True and s["a"] == 6
        assert s.replace("c", None, 1) is False
        assert s.incr("n") == 1 and s.incr("n", 41) == 42 and s.decr("n", 2) == 40 and s["n"] == 40
        assert s.pop("n") == 40 and s.pop("n", "gone") == "gone"
        assert s.delete("b") is True and s.delete("b") is False
        s.update({"x": 1}, y=2)
        s.set_many({"z": 3, "x1": 4}, ttl=100)
        assert s.get_many(["x", "y", "nothing", "z"]) == {"x": 1, "y": 2, "z": 3}
        assert sorted(s) == ["a", "x", "x1", "y", "z"] and sorted(s.keys("x")) == ["x", "x1"]
        assert dict(s.items("x")) == {"x": 1, "x1": 4} and sorted(s.values("x")) == [1, 4]
        assert 99 < s.ttl("z") <= 100 and s.ttl("x") is None
        assert s.touch("nothing") is False and s.expire("x", 50) is True and 49 < s.ttl("x") <= 50
        assert s.expire("z", 10) and s.ttl("z") <= 10 and s.touch("z") and s.expire("z", None) and s.ttl("z") is None
        s.clear("x")
        assert sorted(s) == ["a", "y", "z"]
        for n in range(1000):
            s[f"many{n}"] = n
        assert len(s) == 1003 and sum(s.values("many")) == 499500
        s.clear()
        assert len(s) == 0

    def keys(req):
        s.clear()
        for key in ["", "a" * 480, "é" * 240, "\0", "\U0001f600"]:
            s[key] = key
            assert s[key] == key and list(s) == [key], key
            del s[key]

    def expires(req):
        s.clear()
        s.set("short", 1, ttl=0.05)
        s.set("long", 2, ttl=60)
        assert s["short"] == 1
        event = threading.Event()
        while "short" in s:
            event.wait(0.005)
        assert "short" not in s and s.get("short") is None and len(s) == 1 and list(s) == ["long"]
        assert s.incr("short", 5, ttl=60) == 5 and 59 < s.ttl("short") <= 60
        assert s.incr("short", 5, ttl=1) == 10 and s.ttl("short") > 59, "an entry keeps its time"
        # The writes above have taken the expired entry away; a value that is written again has a time of its own.
        s.set("short", 1, ttl=0.05)
        s["short"] = 2
        event.wait(0.1)
        for n in range(20):
            s["other"] = n
        assert s["short"] == 2

    def transactions(req):
        s.clear()
        s["a"], s["b"] = 1, 2
        with s.transaction() as t:
            assert t["a"] == 1 and t.get("c") is None and "b" in t
            t["a"] = t["a"] + 10
            t.delete("b")
            t.set("d", 4, ttl=60)
            assert t["a"] == 11 and s["a"] == 1 and "b" not in t
        assert dict(s.items()) == {"a": 11, "d": 4} and s.ttl("d") <= 60
        t = s.transaction()
        assert t["a"] == 11
        s["a"] = 12
        t["d"] = 5
        try:
            t.commit()
        except store.Conflict:
            pass
        else:
            raise AssertionError("no Conflict")
        assert s["d"] == 4
        tries = []
        def work(t):
            before = t["a"]
            if not tries:
                s["a"] = 100
            tries.append(before)
            t["a"] = before + 1
            return before
        assert s.transaction().run(work) == 100 and tries == [12, 100] and s["a"] == 101

    def others(req):
        s.clear()
        assert s.once("job", 60) is True and s.once("job", 60) is False
        assert [bool(s.rate("r", 3, 60)) for _ in range(5)] == [True, True, True, False, False]
        limited = s.rate("r", 3, 60)
        assert not limited and 59 < limited.retry_after <= 60, limited
        calls = []
        @s.cached(60)
        def double(n):
            calls.append(n)
            return n * 2
        assert double(2) == 4 and double(2) == 4 and double(3) == 6 and calls == [2, 3]
        double.forget(2)
        assert double(2) == 4 and calls == [2, 3, 2]
        assert len(s) == 0, "these are no entries of the mapping"

    def write(req):
        s["shared"] = {"by": req.server.server_hostname}

    def read(req):
        return s["shared"]["by"]
"#;

/// What the program checks.
pub(super) const CHECKS: [&str; 6] = ["values", "mapping", "keys", "expires", "transactions", "others"];

for_each_mpm! {
    fn what_is_written_is_read_again(mpm) {
        let server = program(mpm, PROGRAM).start();
        for name in CHECKS {
            assert_eq!(run(&server, name), "ok", "{name}");
        }
    }

    fn all_interpreters_and_children_have_the_same(mpm) {
        let server = program(mpm, PROGRAM).vhost("a.test", "").vhost("b.test", "").start();
        let ask = |path: &str, host: &str| {
            let response = server.request("GET", path).host(host).send();
            returned(&response, path)
        };
        for (writer, reader) in [("a.test", "b.test"), ("b.test", "a.test")] {
            assert_eq!(ask("/write", writer), "ok");
            for _ in 0..10 {
                assert_eq!(ask("/read", reader), writer);
            }
        }
        server.graceful();
        assert_eq!(ask("/read", "a.test"), "b.test");
        server.restart();
        assert_eq!(ask("/read", "a.test"), "b.test");
    }
}

#[test]
fn wrong_keys_and_values_are_refused() {
    let server = program(
        Mpm::Event,
        r#"
        import datetime, enum
        from mod_python import store

        s = store.open()

        def refused(work, kind, words):
            try:
                work()
            except kind as error:
                assert words in str(error), (words, str(error))
            else:
                raise AssertionError(f"not refused: {words}")

        def bad(req):
            s.clear()
            for key in (1, b"a", None, ("a",)):
                refused(lambda: s[key], TypeError, "a key in a store is a str")
                refused(lambda: s.set(key, 1), TypeError, "a key in a store is a str")
                refused(lambda: key in s, TypeError, "a key in a store is a str")
            refused(lambda: s["a" * 481], ValueError, "481 bytes")
            refused(lambda: s.set("é" * 241, 1), ValueError, "482 bytes")
            refused(lambda: s["\ud800"], UnicodeEncodeError, "surrogates not allowed")
            refused(lambda: s.set("a", "\ud800"), UnicodeEncodeError, "surrogates not allowed")
            refused(lambda: s.set("a", float("nan")), ValueError, "NaN")
            refused(lambda: s.set("a", [float("nan")]), ValueError, "NaN")
            cycle = []
            cycle.append(cycle)
            refused(lambda: s.set("a", cycle), ValueError, "contains itself")
            loop = {}
            loop["x"] = [loop]
            refused(lambda: s.set("a", loop), ValueError, "contains itself")
            for value in (object(), {1}, 1j, datetime.date(2026, 1, 1), datetime.timedelta(1), len, s, memoryview(b"x"), range(3)):
                refused(lambda: s.set("a", value), TypeError, "but no")
                refused(lambda: s.set("a", {"x": [value]}), TypeError, "but no")
            refused(lambda: s.set("a", {(1, 2): 3}), TypeError, "as a key")
            refused(lambda: s.set("a", b"x" * (16 << 20)), ValueError, "at most 16 MB")
            refused(lambda: s.set("a", 1 << (8 * (17 << 20))), ValueError, "at most 16 MB")
            for ttl in (0, -1, float("nan"), float("inf"), 1e11, 10**400):
                refused(lambda: s.set("a", 1, ttl=ttl), ValueError, "a time of")
            for ttl in ("1", True, [1]):
                refused(lambda: s.set("a", 1, ttl=ttl), TypeError, "a time is a number")
            s["text"], s["flag"], s["float"], s["large"], s["most"] = "1", True, 1.0, 2**63, 2**63 - 1
            for key in ("text", "flag", "float"):
                refused(lambda: s.incr(key), TypeError, "is no int")
            refused(lambda: s.incr("large"), OverflowError, "64 bits")
            refused(lambda: s.incr("most"), OverflowError, "64 bits")
            refused(lambda: s.incr("n", 2**63), OverflowError, "")
            for by in (1.5, "1", None, True):
                refused(lambda: s.incr("n", by), TypeError, "is an int")
            assert s["most"] == 2**63 - 1 and "n" not in s and "a" not in s
            refused(lambda: s.rate("r", 0, 1), ValueError, "limit is 0")
            refused(lambda: s.rate("r", 10_001, 1), ValueError, "limit is 10001")
            refused(lambda: s.rate("r", 1, None), TypeError, "per is None")
            refused(lambda: store.open("nowhere"), LookupError, "PythonStore nowhere")
            refused(lambda: store.open(b"x"), TypeError, "a store's name is a str")
            import copy, pickle
            refused(lambda: pickle.dumps(s), store.StoreError, "cannot be pickled")
            refused(lambda: copy.copy(s), store.StoreError, "cannot be pickled")

        def half(req):
            # What cannot be written as a whole is not written at all.
            s.clear()
            refused(lambda: s.update({"a": 1, "b": object()}), TypeError, "but no")
            refused(lambda: s.set_many({"a": 1, "b" * 481: 1}), ValueError, "481 bytes")
            assert len(s) == 0
            t = s.transaction()
            t["a"] = 1
            refused(lambda: t.set("b", object()), TypeError, "but no")
            try:
                with s.transaction() as t:
                    t["a"] = 1
                    raise KeyError("x")
            except KeyError:
                pass
            assert len(s) == 0
        "#,
    )
    .start();
    for name in ["bad", "half"] {
        assert_eq!(run(&server, name), "ok", "{name}");
    }
}
