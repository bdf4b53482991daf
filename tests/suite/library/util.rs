//! mod_python.util: forms of every kind, whole and broken, in bounded memory; redirects.

use std::time::Duration;

use crate::common::checks::{passed, serving};
use crate::fixture::{Httpd, Mpm, Request, Server, for_each_mpm};

/// Shows what a form has, a line for each field.
const SHOW: &str = r#"
    import zlib
    from mod_python import apache, util

    def handler(req):
        form = util.FieldStorage(req, 1)
        req.content_type = "text/plain; charset=utf-8"
        for field in form.list:
            if isinstance(field, util.Field):
                size = crc = 0
                while (data := field.file.read(1 << 20)):
                    size, crc = size + len(data), zlib.crc32(data, crc)
                req.write(f"{field.name} {field.filename!r} {field.type} {size} {crc}\n")
            else:
                req.write(f"{field.name}={field!s} {type(field.value).__name__} {bytes(field)!r}\n")
        return apache.OK
"#;

fn showing(mpm: Mpm) -> Httpd {
    Httpd::new(mpm).handler("show", SHOW)
}

fn posted(server: &Server, kind: &str, body: impl AsRef<[u8]>) -> Request {
    server.request("POST", "/show?query=1").header("Content-Type", kind).body(body)
}

const MULTIPART: &str = "multipart/form-data; boundary=XX";
const URLENCODED: &str = "application/x-www-form-urlencoded";

fn part(disposition: &str, content: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
}

/// What zlib.crc32() says.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

for_each_mpm! {
    fn forms_come_as_they_were_filled_in(mpm) {
        let server = showing(mpm).shared();
        let urlencoded = "a=1&b=%C3%A9+x&a=2&blank=&latin=%E9";
        let expected = "query=1 str b'1'\na=1 str b'1'\nb=é x str b'\\xc3\\xa9 x'\na=2 str b'2'\nblank= str b''\nlatin=é str b'\\xe9'\n";
        assert_eq!(posted(&server, URLENCODED, urlencoded).send().text(), expected);
        let chunked = server.request("POST", "/show?query=1").chunked([&urlencoded[..7], &urlencoded[7..]]);
        assert_eq!(chunked.send().text(), expected);

        let file: Vec<u8> = (0..300_000u32).map(|at| (at.wrapping_mul(at) >> 5) as u8).collect();
        let head = part("name=\"é\"", "value\r\nof two lines") + "--XX\r\nContent-Disposition: form-data; name=f; filename=\"C:\\x.png\"\r\nContent-Type: image/png\r\n\r\n";
        let body = [head.as_bytes(), &file, b"\r\n--XX--\r\n"].concat();
        let expected = format!(
            "query=1 str b'1'\né=value\r\nof two lines str b'value\\r\\nof two lines'\nf 'C:\\\\x.png' image/png 300000 {}\n",
            crc32(&file)
        );
        assert_eq!(posted(&server, MULTIPART, &body).send().text(), expected);
        let chunked = server.request("POST", "/show?query=1").header("Content-Type", MULTIPART).chunked(body.chunks(7_777));
        assert_eq!(chunked.send().text(), expected);
        assert_eq!(server.get("/show?x=10&y").text(), "x=10 str b'10'\ny= str b''\n");
        assert_eq!(server.request("POST", "/show").send().text(), "");
    }

    fn uploads_at_the_same_moment_do_not_mix(mpm) {
        let server = showing(mpm).shared();
        let content = |at: usize| format!("upload {at} ").repeat(20_000);
        let responses = server.parallel(6, |at| {
            let body = part(&format!("name=n; filename={at}"), &content(at)) + "--XX--";
            posted(&server, MULTIPART, body)
        });
        for (at, response) in responses.iter().enumerate() {
            let content = content(at);
            let expected = format!("query=1 str b'1'\nn '{at}' text/plain {} {}\n", content.len(), crc32(content.as_bytes()));
            assert_eq!(response.text(), expected, "{}", server.log());
        }
    }

    fn a_broken_form_is_a_bad_request(mpm) {
        let server = showing(mpm).shared();
        let children = server.child_pids();
        let good = part("name=good", "1");
        for (kind, body, status, says) in [
            ("multipart/form-data", good.clone(), 400, "MP0500: the form is refused: its Content-Type has no boundary"),
            (MULTIPART, "junk".into(), 400, "the boundary is not in the body"),
            (MULTIPART, good.clone(), 400, "part 1 ('good'), byte 51: the body ends after 54 bytes, before the boundary that closes it"),
            (MULTIPART, format!("{good}--XX\r\nX: y"), 400, "part 2, byte 60: the body ends within its headers"),
            (MULTIPART, format!("{good}--XX\r\nX\r\n\r\n--XX--"), 400, "its header 'X' has no colon"),
            (MULTIPART, part("filename=x", "") + "--XX--", 400, "has no name"),
            (MULTIPART, part("name*=utf-8''%00", "") + "--XX--", 400, "has a NUL"),
            (URLENCODED, "a%00b=1".into(), 400, "field 1 of the form has a NUL: 'a\\x00b'"),
            ("text/plain", "a=1".into(), 501, "MP0503: a form of type 'text/plain'"),
        ] {
            server.forget_log();
            assert_eq!(posted(&server, kind, body).send().status, status, "{says}: {}", server.log());
            let entries = server.wait_for_log("MP050", 1);
            assert!(entries[0].contains("[python:warn]") && entries[0].contains(&says.replace('\\', "\\\\")), "{entries:?}");
            assert_eq!((server.log_count("Traceback"), server.log_count("MP0401")), (0, 0), "{}", server.log());
        }
        assert_eq!(server.get("/show?query=1").text(), "query=1 str b'1'\n");
        assert_eq!(server.child_pids(), children);
    }

    fn what_is_over_its_bound_is_too_large(mpm) {
        let server = showing(mpm)
            .config("PythonOption mod_python.util.max_memory 1000\nPythonOption mod_python.util.max_header_size 200\n")
            .config("PythonOption mod_python.util.max_files 2\n")
            .start();
        let parts: String = (0..100_000).map(|_| "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n").collect();
        let files: String = (0..3).map(|_| part("name=f; filename=f", "")).collect();
        for (kind, body, says) in [
            (MULTIPART, parts, "part 10000 ('a'), "),
            (MULTIPART, files + "--XX--", "part 3 ('f'), "),
            (MULTIPART, part("name=a", &"x".repeat(1001)) + "--XX--", "the fields that are not files have more than 1000 bytes"),
            (MULTIPART, format!("--XX\r\nX: {}", "y".repeat(300)), "its headers are longer than 200 bytes"),
            (URLENCODED, "a=".to_owned() + &"x".repeat(1000), "the form has 1002 bytes, more than 1000"),
        ] {
            server.forget_log();
            assert_eq!(posted(&server, kind, body).send().status, 413, "{says}: {}", server.log());
            let entries = server.wait_for_log("MP0502", 1);
            assert!(entries[0].contains(says) && entries[0].contains("PythonOption mod_python.util.max_"), "{entries:?}");
        }
        let chunked = server.request("POST", "/show").chunked(["x".repeat(600), "x".repeat(600)]);
        assert_eq!(chunked.send().status, 413);
        let fields = "a=&".repeat(10_001);
        let server = showing(mpm).shared();
        assert_eq!(posted(&server, URLENCODED, fields).send().status, 413);
        assert!(server.wait_for_log("MP0502", 1)[0].contains("the form has more than 10000 fields"));
    }

    fn a_body_that_is_cut_short_is_not_the_forms_fault(mpm) {
        let server = showing(mpm).shared();
        for (kind, start) in [(MULTIPART, part("name=a", "x")), (URLENCODED, "a=1".into())] {
            server.forget_log();
            let mut connection = server.raw();
            connection.send(format!(
                "POST /show HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n{start}"
            ));
            connection.finish_sending();
            assert_eq!(connection.response().status, 400);
            assert_eq!(server.wait_for_log("MP0406", 1).len(), 1);
            assert_eq!(server.log_count("MP0500"), 0);
        }
    }
}

/// The body of a form with one field of this size, by pieces over a connection; false once the server takes no more.
fn send_large(server: &Server, disposition: &str, size: usize) -> (bool, u16, String) {
    let head = format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
    let tail = "\r\n--XX--\r\n";
    let mut connection = server.raw();
    connection.set_timeout(Duration::from_secs(60));
    let length = head.len() + size + tail.len();
    connection.send(format!(
        "POST /show HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART}\r\nContent-Length: {length}\r\n\r\n{head}"
    ));
    // Lines of one byte, of none, and of a megabyte
    let block: Vec<u8> = (0..1 << 20).map(|at| if at < 2000 { b"\n\r\n-\n--X"[at % 8] } else { b'x' }).collect();
    let whole = (0..size / block.len()).all(|_| connection.try_send(&block).is_ok());
    let whole = whole && connection.try_send(tail).is_ok();
    let response = connection.try_response("POST");
    let (status, text) = response.map_or((0, String::new()), |response| (response.status, response.text()));
    (whole, status, text)
}

#[test]
fn a_large_file_does_not_need_memory() {
    let server = showing(Mpm::Event).children(1).config("LimitRequestBody 0").start();
    let child = server.child_pids()[0];
    assert_eq!(send_large(&server, "name=f; filename=f", 1 << 20).1, 200);
    let before = server.most_resident_kib(child);
    let (whole, status, text) = send_large(&server, "name=f; filename=f", 192 << 20);
    assert_eq!((whole, status), (true, 200), "{}", server.log());
    assert!(text.starts_with("f 'f' text/plain 201326592 "), "{text}");
    let grown = server.most_resident_kib(child) - before;
    assert!(grown < 8_000, "{grown} KiB");
}

#[test]
fn a_large_field_is_refused_before_it_fills_memory() {
    let server = showing(Mpm::Event).children(1).config("LimitRequestBody 0").start();
    let child = server.child_pids()[0];
    let (_, status, _) = send_large(&server, "name=f", 1 << 30);
    // httpd reads some of what is left, and then closes the connection, which a client that still sends may not see as an answer
    assert!([0, 413].contains(&status), "{status}");
    assert!(server.wait_for_log("MP0502", 1)[0].contains("part 1 ('f')"), "{}", server.log());
    let most = server.most_resident_kib(child);
    assert!(most < 300_000, "{most} KiB");
    assert_eq!(server.get("/show?query=1").text(), "query=1 str b'1'\n");
}

#[test]
fn redirects_go_where_they_say() {
    let server = Httpd::new(Mpm::Event)
        .handler(
            "away",
            r#"
            from mod_python import util

            def handler(req):
                if req.args == "late":
                    req.write("begun")
                    req.flush()
                util.redirect(req, "/x?a=1&b=2", *{"moved": (1,), "text": (0, "gone there")}.get(req.args, ()))
            "#,
        )
        .start();
    for (query, status, text) in [
        ("", 302, "<p>The document has moved <a href=\"/x?a=1&amp;b=2\">here</a></p>\n"),
        ("moved", 301, "<p>The document has moved <a href=\"/x?a=1&amp;b=2\">here</a></p>\n"),
        ("text", 302, "gone there"),
    ] {
        let response = server.get(&format!("/away?{query}"));
        assert_eq!((response.status, response.text().as_str()), (status, text));
        assert_eq!(response.header("Location"), Some("/x?a=1&b=2"));
    }
    let _ = server.request("GET", "/away?late").try_send();
    assert!(server.wait_for_log("Cannot redirect after headers have already been sent", 1)[0].contains("OSError"));
}

#[test]
fn fields_behave_as_in_a_unit_test() {
    let server = serving(
        Mpm::Event,
        r#"
        import _apache
        from mod_python import util

        def check(req):
            assert util.parse_qs is _apache.parse_qs and util.parse_qsl is _apache.parse_qsl
            fields = _apache._form_fields
            assert fields(b"a=1&b=%C3%A9;c=%ff&=&d", 0) == [("a", "1"), ("b", "é"), ("c", b"\xff")]
            assert fields("a=1&b&x%00=%00&%ff=\udcff", 1) == [("a", "1"), ("b", ""), ("x\0", "\0"), ("ÿ", b"\xff")]
            raises(TypeError, fields, 1, 0, says="must be str or bytes")
            raises(TypeError, fields, "a")
            large = "&".join(f"k{n}=%41+{n}" for n in range(20000))
            assert fields(large, 0) == fields(large.encode(), 0) and fields(large, 0)[-1] == ("k19999", "A 19999")

            form = util.FieldStorage(req)
            assert (form["a"], form[b"a"], form["b"], form.keys()) == (["1", "2"], ["1", "2"], "3", ["a", "b"])
            assert isinstance(form["b"], util.StringField) and form["b"] == "3" == form["b"].value and form["b"] == b"3"
            assert util.apply_fs_data(lambda b, c=4: (b, c), form) == ("3", 4)
            assert util.apply_fs_data(lambda **all: all, form, req=5) == {"a": ["1", "2"], "b": "3", "req": 5}
            form.add_field("c", "4")
            assert form.items() == [("a", "1"), ("b", "3"), ("a", "2"), ("c", "4")]
            del form["a"]
            form["c"] = b"5"
            assert repr(form) == "{'b': [Field('b', '3')], 'c': [Field('c', '5')]}"
            assert form.getfirst("c") == "5" and form.getlist("x") == [] and form.has_key("b") and len(form) == 2
            form.clear()
            assert form.list == util.FieldList() and form.list.table() == {}
            assert util.parse_header('a/b; c="d;e"') == ("a/b", {"c": "d;e"})
            assert form.get("x", 5) == 5 and form.keys() == [] and util.readBlockSize == 65368
            field = util.StringField(b"\xe9")
            assert (field.decode("latin-1"), field.value, field.file.read(), field.filename) == ("é", "é", b"\xe9", None)
            field = util.Field("f", __import__("io").BytesIO(b"x"), disp_options={"filename": "n"})
            assert (field.file.read(), field.value, field.filename) == (b"x", b"x", "n")
            field = util.Field("f")
            assert (field.name, field.file, field.type) == ("f", None, "text/plain")
        "#,
    )
    .start();
    passed(&server, &server.get("/t?a=1&b=3&a=2"));
}
