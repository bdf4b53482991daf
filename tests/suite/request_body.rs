//! The body of a request: read by size and by line, however it comes, and whatever is wrong with it.

use crate::common::probe::{lines_of, probe, with_code};
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm, wait_until};

#[track_caller]
fn post(server: &Server, body: impl AsRef<[u8]>, code: &str) -> Vec<String> {
    lines_of(server.request("POST", "/probe").body(body), server, code)
}

/// A server whose handlers meet bad bodies: one lets the error through, one looks at it, one never reads.
fn reading(mpm: Mpm) -> Httpd {
    Httpd::new(mpm)
        .handler(
            "through",
            r#"
            import os
            from mod_python import apache

            def handler(req):
                open(os.path.join(apache.server_root(), 'scratch', 'reading'), 'w').close()
                req.write(str(len(req.read())))
                return 0
            "#,
        )
        .handler(
            "look",
            r#"
            import _apache

            def handler(req):
                try:
                    req.read()
                except OSError as error:
                    status = getattr(error, "status", None)
                    try:
                        req.read()
                        again = "read on"
                    except type(error):
                        again = "again"
                    req.write("%s %s %s %s" % (type(error).__name__, status, error, again))
                else:
                    req.write("read")
                return 0
            "#,
        )
        .handler("unread", "def handler(req):\n    req.write('unread')\n    return 0\n")
}

for_each_mpm! {
    fn a_body_is_read_by_size_and_by_line_in_one_order(mpm) {
        let server = probe(mpm).shared();
        let found = post(
            &server,
            "one\ntwo\n\nthree and more\nlast",
            r"
            out(req.read(2), req.readline(), req.readline(2), req.read(0), req.readline(0), req.readline())
            out(req.readline(), req.read(5), req.readline(100), req.read(2), req.read(), req.read(), req.readline())
            out(req.readlines(), list(req), req.read_length, req.remaining)
            ",
        );
        let expected = [
            r"b'on' b'e\n' b'tw' b'' b'' b'o\n'",
            r"b'\n' b'three' b' and more\n' b'la' b'st' b'' b''",
            "[] [] 28 0",
        ];
        assert_eq!(found, expected);
        let found = lines_of(server.request("POST", "/probe").chunked(["a\nb", "c", "\nd"]), &server, "out(req.readlines())");
        assert_eq!(found, [r"[b'a\n', b'bc\n', b'd']"]);
    }

    fn a_large_body_comes_whole(mpm) {
        let server = probe(mpm).shared();
        let body: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        let code = r#"
            import zlib
            first = req.read(1)
            parts = [first, req.read(100000), req.readline(), req.read(70000), req.read()]
            whole = b"".join(parts)
            out([len(part) for part in parts][:2], len(parts[3]), len(whole), zlib.crc32(whole), req.read(5))
        "#;
        let expected = format!("[1, 100000] 70000 3000000 {} b''", crc32(&body));
        assert_eq!(post(&server, &body, code), [expected.as_str()]);
        let chunks: Vec<_> = body.chunks(77_777).collect();
        let found = lines_of(server.request("POST", "/probe").chunked(chunks), &server, code);
        assert_eq!(found, [expected.as_str()]);
    }

    fn a_body_that_is_cut_short_is_a_bad_request(mpm) {
        let server = reading(mpm).shared();
        let children = server.child_pids();
        let head = |path| format!("POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly this");

        let mut connection = server.raw();
        connection.send(head("through")).finish_sending();
        assert_eq!(connection.response().status, 400);
        assert_eq!(server.wait_for_log("MP0406", 1).len(), 1);
        assert!(server.log_lines("MP0406")[0].contains("python:info"), "{}", server.log());

        let mut connection = server.raw();
        connection.send(head("look")).finish_sending();
        assert_eq!(connection.response().text(), "RequestBodyError 400 the request's body was cut short again");

        assert_eq!((server.log_count("MP0401"), server.log_count("Traceback")), (0, 0), "{}", server.log());
        assert_eq!(server.get("/unread").text(), "unread");
        assert_eq!(server.child_pids(), children);
    }

    fn a_body_that_is_badly_chunked_is_a_bad_request(mpm) {
        let server = reading(mpm).shared();
        for body in ["5\r\nhello\r\nzz\r\n", "5\r\nhelloXX\r\n", "-5\r\nhello\r\n", "ffffffffffffffffff\r\nx", "\r\n"] {
            server.forget_log();
            let head = |path| format!("POST /{path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
            let mut connection = server.raw();
            connection.send(head("through"));
            assert!([400, 413].contains(&connection.response().status), "{body:?} {}", server.log());
            assert_eq!(server.wait_for_log("MP0406", 1).len(), 1, "{body:?} {}", server.log());

            // A process of prefork stays with its client for as long as that does
            drop(connection);
            let mut connection = server.raw();
            connection.send(head("look"));
            // A handler that catches the error gives an answer of its own.
            let response = connection.response();
            assert_eq!(response.status, 200, "{body:?} {}", server.log());
            assert!(response.text().starts_with("RequestBodyError 4") && response.text().ends_with(" again"), "{response:?}");
            assert_eq!(connection.read_to_end(), b"", "{body:?}");
            assert_eq!(server.log_count("MP0401"), 0, "{}", server.log());
        }
        assert_eq!(server.get("/unread").text(), "unread");
    }

    fn a_client_that_goes_away_while_it_is_read_is_no_error(mpm) {
        let server = reading(mpm).children(1).start();
        let children = server.child_pids();
        let mut connection = server.raw();
        connection.send("POST /through HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly this");
        wait_until("the handler to run", || server.scratch().join("reading").exists());
        server.wait_until_asleep();
        connection.abort();
        let entries = server.wait_for_log("MP0405", 1);
        assert!(entries[0].contains("python:info") && entries[0].contains("ClientGone"), "{entries:?}");
        assert_eq!((server.log_count("MP0401"), server.log_count("Traceback")), (0, 0), "{}", server.log());
        assert_eq!(server.get("/unread").text(), "unread");
        assert_eq!(server.child_pids(), children);
    }

    fn impossible_lengths_do_not_reach_memory(mpm) {
        let server = reading(mpm).children(1).start();
        let children = server.child_pids();
        for (length, statuses) in [
            ("-1", [400, 400]),
            ("99999999999999999999999999", [400, 413]),
            ("1x", [400, 400]),
            ("", [400, 400]),
            ("+5", [400, 400]),
        ] {
            let mut connection = server.raw();
            connection.send(format!("POST /through HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nx"));
            let status = connection.response().status;
            assert!(statuses.contains(&status), "{length:?}: {status}");
        }
        // As much as fits the type, and nearly nothing sent.
        let mut connection = server.raw();
        connection.send("POST /through HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9223372036854775807\r\n\r\nx");
        connection.finish_sending();
        assert!([400, 413].contains(&connection.response().status), "{}", server.log());
        assert_eq!(server.get("/unread").text(), "unread");
        assert_eq!(server.child_pids(), children);
        assert!(server.resident_kib(children[0]) < 300_000);
    }

    fn a_client_that_waits_for_100_gets_it_when_the_body_is_read(mpm) {
        let server = reading(mpm).shared();
        let mut connection = server.raw();
        connection.send("POST /through HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        assert_eq!(connection.response().status, 100);
        connection.send("12345");
        let response = connection.response();
        assert_eq!((response.status, response.text().as_str()), (200, "5"));

        drop(connection);
        let mut connection = server.raw();
        connection.send("POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        assert_eq!(connection.response().status, 200);
    }

    fn a_body_beyond_the_limit_is_too_large(mpm) {
        let server = reading(mpm).config("LimitRequestBody 100").start();
        for request in [
            server.request("POST", "/through").body([b'x'; 101]),
            server.request("POST", "/through").chunked([[b'x'; 60], [b'x'; 60]]),
        ] {
            assert_eq!(request.send().status, 413, "{}", server.log());
        }
        let text = server.request("POST", "/look").body([b'x'; 101]).send().text();
        assert_eq!(text, "RequestBodyError 413 the request's body is larger than LimitRequestBody allows again");
        let text = server.request("POST", "/look").chunked([[b'x'; 60], [b'x'; 60]]).send().text();
        assert_eq!(text, "RequestBodyError 413 the request's body is larger than LimitRequestBody allows again");
        assert_eq!(server.request("POST", "/through").body([b'x'; 100]).send().text(), "100");
        assert_eq!(server.log_count("MP0401"), 0, "{}", server.log());
    }

    fn a_client_that_stops_sending_is_timed_out(mpm) {
        let server = reading(mpm).config("Timeout 1\nRequestReadTimeout header=0 body=0").start();
        for (path, status, text) in [("through", 408, ""), ("look", 200, "RequestBodyError 408 Client read error (Timeout?) again")] {
            let mut connection = server.raw();
            connection.send(format!("POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nsome"));
            let response = connection.response();
            assert_eq!(response.status, status, "{}", server.log());
            assert!(response.text().contains(text), "{}", response.text());
        }
        assert_eq!(server.get("/unread").text(), "unread");
    }

    fn the_debug_page_of_a_broken_body_has_its_status(mpm) {
        let server = reading(mpm).config("PythonDebug On\nTimeout 1\nRequestReadTimeout header=0 body=0").start();
        let head = "POST /through HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nsome";
        for (is_cut, status, text) in [(true, 400, "was cut short"), (false, 408, "Client read error (Timeout?)")] {
            server.forget_log();
            let mut connection = server.raw();
            connection.send(head);
            if is_cut {
                connection.finish_sending();
            }
            let response = connection.response();
            let page = response.text();
            assert_eq!((response.status, response.header("Content-Type")), (status, Some("text/html")), "{page}");
            for part in ["Traceback (most recent call last)", "req.write(str(len(req.read())))", text, "OSError"] {
                assert!(page.contains(part), "{part}: {page}");
            }
            assert_eq!((server.wait_for_log("MP0406", 1).len(), server.log_count("MP0401")), (1, 0), "{}", server.log());
        }
        assert_eq!(server.get("/unread").text(), "unread");
    }

    fn an_unread_body_leaves_the_connection_in_order(mpm) {
        let server = reading(mpm).shared();
        let mut connection = server.raw();
        let request = server.request("POST", "/unread").keep_alive().body([b'x'; 20_000]);
        assert_eq!(connection.exchange(&request).text(), "unread");
        assert_eq!(connection.exchange(&request).text(), "unread");
        assert_eq!(connection.exchange(&server.request("POST", "/through").keep_alive().body("123")).text(), "3");
    }
}

#[test]
fn lines_come_as_soon_as_they_are_there() {
    let server = Httpd::new(Mpm::Event)
        .handler(
            "echo",
            r#"
            def handler(req):
                for line in req:
                    req.write(b"got " + line)
                return 0
            "#,
        )
        .start();
    let mut connection = server.raw();
    connection.send("POST /echo HTTP/1.0\r\nContent-Length: 8\r\n\r\none\n");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\ngot one\n") {
        head.extend(connection.read_bytes(1));
    }
    connection.send("two\n");
    assert_eq!(connection.read_to_end(), b"got two\n");
}

#[test]
fn sizes_may_be_as_large_as_they_like() {
    let server = probe(Mpm::Event).shared();
    let found = post(
        &server,
        "a\nb\nc\nd",
        r"
        out(req.read(-7)[:2], req.read(1 << 62), req.readline(1 << 62), error(req.read, 1 << 70))
        out(error(req.read, 'x'), error(req.read, 1, 2), error(req.readline, None), error(req.readlines, 1.5))
        ",
    );
    let expected = [
        r"b'a\n' b'' b'' 'OverflowError: int too big to convert'",
        r#""TypeError: 'str' object cannot be interpreted as an integer" 'TypeError: read() takes at most 1 argument (2 given)' "TypeError: 'NoneType' object cannot be interpreted as an integer" "TypeError: 'float' object cannot be interpreted as an integer""#,
    ];
    assert_eq!(found, expected);
}

#[test]
fn readlines_stops_at_its_hint() {
    let server = probe(Mpm::Event).shared();
    for (hint, lines, rest) in [
        ("", r"[b'1234567\n', b'89\n', b'ab\n', b'c']", "b''"),
        ("-1", r"[b'1234567\n', b'89\n', b'ab\n', b'c']", "b''"),
        ("0", r"[b'1234567\n']", r"b'89\nab\nc'"),
        ("3", r"[b'1234567\n']", r"b'89\nab\nc'"),
        ("9", r"[b'1234567\n', b'89\n']", r"b'ab\nc'"),
    ] {
        let found = post(&server, "1234567\n89\nab\nc", &format!("out(req.readlines({hint}), req.read())"));
        assert_eq!(found, [format!("{lines} {rest}")], "{hint}");
    }
}

#[test]
fn a_body_can_be_dropped() {
    let server = probe(Mpm::Event).shared();
    let found = post(
        &server,
        "12345\n678",
        "out(req.readline(2), req.discard_request_body(), req.read(), req.discard_request_body())",
    );
    assert_eq!(found, ["b'12' 0 b'' 0"]);
    let found = post(&server, "12345", "out(req.discard_request_body(), req.read(), req.readlines())");
    assert_eq!(found, ["0 b'' []"]);
    let found = lines_of(
        server.request("GET", "/probe"),
        &server,
        "out(req.read(), req.readline(), req.readlines(), list(req))",
    );
    assert_eq!(found, ["b'' b'' [] []"]);
}

#[test]
fn a_deflated_body_can_be_inflated() {
    let server = probe(Mpm::Event).config("<Location /probe>\n SetInputFilter DEFLATE\n</Location>").start();
    // printf 'hello\nhello\n' | gzip -n
    let body: &[u8] =
        &[31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 231, 202, 0, 147, 0, 119, 12, 199, 47, 12, 0, 0, 0];
    let request = server.request("POST", "/probe").header("Content-Encoding", "gzip").body(body);
    let found = lines_of(request, &server, "out(req.readline(), req.read())");
    assert_eq!(found, [r"b'hello\n' b'hello\n'"]);
    // Not gzip at all: the filter says so.
    let request = with_code(
        server.request("POST", "/probe").header("Content-Encoding", "gzip").body("x".repeat(100)),
        "req.read()",
    );
    assert!((400..500).contains(&request.send().status), "{}", server.log());
    assert_eq!(server.log_count("MP0401"), 0, "{}", server.log());
}

#[test]
fn another_thread_may_read() {
    let server = probe(Mpm::Event).shared();
    let found = post(
        &server,
        "12345678",
        r"
        import threading
        parts = []
        thread = threading.Thread(target=lambda: parts.append(req.read(4)))
        thread.start()
        thread.join()
        parts.append(req.read())
        out(parts)
        ",
    );
    assert_eq!(found, ["[b'1234', b'5678']"]);
}

/// As zlib has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
