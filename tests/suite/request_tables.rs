//! The tables of a request: live, and the only way in for what a client sends and out for what it gets.

use crate::common::checks::{passed, serving, sharing};
use crate::fixture::{Mpm, for_each_mpm};

for_each_mpm! {
    fn header_values_that_are_not_utf_8_can_be_read(mpm) {
        let (server, path) = sharing(
            mpm,
            r#"
            def check(req):
                t = req.headers_in
                assert t["X-Latin"] == t.get("x-latin") == t.setdefault("x-latin") == "caf\xe9 \xff", ascii(t["X-Latin"])
                assert t["X-Utf"] == "caf\xe9 \u20ac"
                assert ("X-Latin", "caf\xe9 \xff") in t.items() and ("X-Latin", "caf\xe9 \xff") in list(t.iteritems())
                assert "caf\xe9 \xff" in t.values() and "caf\xe9 \xff" in list(t.itervalues())
                assert r"'X-Latin': 'caf\xe9 \xff'" in repr(t)
                assert apache.table(t) == t == t.copy()
                while t:
                    t.popitem()
            "#,
        );
        let children = server.child_pids();
        for _ in 0..4 {
            let request = server.request("GET", &path).header("X-Latin", b"caf\xe9 \xff").header("X-Utf", "café €");
            passed(&server, &request.send());
        }
        assert_eq!(server.child_pids(), children);
    }

    fn a_table_kept_beyond_its_request_fails_softly(mpm) {
        let server = serving(
            mpm,
            r#"
            kept = []

            def check(req):
                if not kept:
                    kept.extend([req.headers_in, req.headers_out, req.err_headers_out, req.subprocess_env, req.notes])
                    kept.append(iter(req.headers_in))
                    assert kept[0]["Host"]
                    return
                *tables, iterator = kept
                for t in tables:
                    for use in (len, repr, list, bool, lambda t: t["a"], lambda t: "a" in t, lambda t: t.add("a", "b"),
                                lambda t: t.__setitem__("a", "b"), lambda t: t.__delitem__("a"), lambda t: t == {},
                                lambda t: t.get("a"), lambda t: t.items(), lambda t: t.copy(), lambda t: t.clear(),
                                lambda t: t.popitem(), lambda t: t.setdefault("a"), lambda t: t.update({"a": "b"}),
                                apache.table, lambda t: t.iteritems(), lambda t: apache.table().update(t)):
                        raises(RuntimeError, use, t, says="no longer valid")
                raises(RuntimeError, next, iterator, says="no longer valid")
                assert req.headers_in["Host"]
            "#,
        )
        .children(1)
        .start();
        for _ in 0..3 {
            passed(&server, &server.get("/t"));
        }
    }
}

#[test]
fn what_python_sets_is_what_the_client_gets() {
    let (server, path) = sharing(
        Mpm::Prefork,
        r#"
        def check(req):
            out, err = req.headers_out, req.err_headers_out
            out["X-One"] = "first"
            out["x-one"] = "caf\xe9"
            out[b"X-Bytes"] = b"\xff"
            for cookie in "a=1", "b=2":
                out.add("Set-Cookie", cookie)
            err["X-Err"] = "e"
            assert out["set-cookie"] == ["a=1", "b=2"] and len(err) == 1
            del out["X-Gone"]
            assert req.headers_out is out and req.notes is not out
        "#,
    );

    let response = server.get(&path);

    passed(&server, &response);
    assert_eq!(response.headers.bytes("X-One"), Some(&b"caf\xe9"[..]));
    assert_eq!(response.headers.bytes("X-Bytes"), Some(&b"\xff"[..]));
    assert_eq!(response.headers.all("Set-Cookie"), ["a=1", "b=2"]);
    assert_eq!(response.header("X-Err"), Some("e"));
}

#[test]
fn nothing_can_be_smuggled_into_the_headers_of_a_response() {
    let (server, path) = sharing(
        Mpm::Prefork,
        r#"
        def check(req):
            for name in "headers_out", "err_headers_out":
                table = getattr(req, name)
                before = table.items()
                for value in "a\r\nSet-Cookie: x=y", "a\n", "\r", b"a\r\n b", "\n":
                    message = f"{name}['X-A']: a header's value must not contain CR, LF or another control character"
                    raises(ValueError, table.__setitem__, "X-A", value, says=message)
                    raises(ValueError, table.add, "X-A", value, says=message)
                    raises(ValueError, table.setdefault, b"X-A", value, says=message)
                    raises(ValueError, table.update, {"X-A": value}, says=message)
                    raises(ValueError, table.update, apache.table({"X-A": value}), says=message)
                    raises(ValueError, table.__init__, [("X-A", value)], says=message)
                raises(ValueError, table.__setitem__, "X-A", "a\0b", says="null character")
                for key in "", "X A", "X:", "X\r\nY", "X\n", "X\t", "X(", "caf\xe9", b"\x7f", "a,b", " X", "X=", "X/":
                    for call in table.__setitem__, table.add, table.setdefault:
                        raises(ValueError, call, key, "v", says=f"{name}: ")
                    raises(ValueError, table.update, {key: "v"}, says="header's name")
                    # looking for it is no harm
                    assert key not in table and table.get(key) is None
                    del table[key]
                raises(ValueError, table.__setitem__, "X\r\nY", "v", says=r"'X\r\nY' is not a header's name")
                raises(ValueError, table.__setitem__, "", "v", says="must not be empty")
                assert table.items() == before
                table["!#$%&'*+-.^_`|~09aZ"] = "\t fine"
                del table["!#$%&'*+-.^_`|~09aZ"]

            # what does not go to the client takes everything
            for table in apache.table(), req.notes, req.subprocess_env, req.headers_in:
                table["X A"] = "a\r\nb"
                table[""] = "empty"
                assert table["x a"] == "a\r\nb" and table[""] == "empty"
                copied = table.copy()
                raises(ValueError, req.headers_out.update, copied)
        "#,
    );

    let response = server.get(&path);

    passed(&server, &response);
    assert_eq!(response.header("Set-Cookie"), None);
    assert_eq!(response.header("X-A"), None);
}

/// The members are httpd's tables, not copies: what httpd and other modules do shows, and the other way round.
#[test]
fn the_tables_of_a_request_are_live() {
    let server = serving(
        Mpm::Prefork,
        r#"
        def check(req):
            assert req.subprocess_env["FROM_CONFIG"] == "set"
            assert req.headers_in["X-Edited"] == "by httpd"
            assert "Host" in req.headers_in and len(req.headers_in) >= 2
            req.notes["note"] = "1"
            req.subprocess_env["FROM_PYTHON"] = "yes"
        "#,
    )
    .config(
        "SetEnv FROM_CONFIG set\nRequestHeader set X-Edited \"by httpd\"\n\
         Header always set X-From-Python expr=%{env:FROM_PYTHON}",
    )
    .start();

    let response = server.get("/t");

    passed(&server, &response);
    assert_eq!(response.header("X-From-Python"), Some("yes"));
}

/// Several Python threads use one table while httpd's request is lent: each operation is whole.
#[test]
fn threads_can_share_a_table() {
    for mpm in [Mpm::Prefork, Mpm::Worker] {
        let (server, path) = sharing(
            mpm,
            r#"
            import threading

            def check(req):
                for table in apache.table(), req.notes:
                    table.clear()
                    errors = []
                    def work(number):
                        try:
                            for i in range(300):
                                table.add("common", str(i))
                                table[f"own-{number}"] = str(i)
                                assert table[f"own-{number}"] == str(i)
                                table.items(), len(table), repr(table)[:1], table.get("common")
                                try:
                                    for item in table.iteritems():
                                        pass
                                except RuntimeError as error:
                                    assert "changed size" in str(error)
                                table.popitem()
                        except BaseException as error:
                            errors.append(error)
                    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
                    for thread in threads: thread.start()
                    for thread in threads: thread.join()
                    # popitem takes any entry, also another thread's own
                    assert all(isinstance(error, (KeyError, AssertionError)) for error in errors), errors
                    assert all(isinstance(value, str) for value in table.values())
            "#,
        );
        passed(&server, &server.request("GET", &path).timeout(std::time::Duration::from_secs(60)).send());
    }
}
