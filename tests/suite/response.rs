//! What a handler sends: text and bytes, files, the head of the response, and what comes of it when the client goes away.

use std::thread;
use std::time::Duration;

use crate::common::probe::{lines, probe, respond, with_code};
use crate::fixture::{Framing, HttpError, Httpd, Mpm, Server, for_each_mpm, wait_until};

for_each_mpm! {
    fn text_and_bytes_are_sent_in_order(mpm) {
        let server = probe(mpm).shared();
        let response = respond(
            &server,
            r#"
            import array
            req.content_type = "text/plain; charset=utf-8"
            req.write("a")
            req.write(b"b", 0)
            req.write(bytearray(b"c"), 0)
            req.write(memoryview(b"xdx")[1:2])
            req.write("", 0), req.write(b""), req.write(bytearray())
            req.write(array.array("B", b"e"), 1)
            req.write("\u00e9\u20ac\U0001f40d\0", 0)
            req.flush()
            req.write("f" * 100000, 0)
            req.write("g", 0)
            "#,
        );
        assert_eq!((response.status, response.header("Content-Type")), (200, Some("text/plain; charset=utf-8")));
        assert_eq!(response.text(), format!("abcdeé€🐍\0{}g", "f".repeat(100_000)));
    }

    fn what_is_written_comes_at_once(mpm) {
        let server = Httpd::new(mpm)
            .handler(
                "slow",
                r#"
                import os, time

                def handler(req):
                    req.write("now")
                    for turn in range(2000):
                        if os.path.exists(req.get_options()["go"]):
                            break
                        time.sleep(0.005)
                    req.write("later", 0)
                    return 0
                "#,
            )
            .config("PythonOption go ${SCRATCH}/go")
            .start();
        let mut connection = server.raw();
        connection.send("GET /slow HTTP/1.0\r\n\r\n");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\nnow") {
            head.extend(connection.read_bytes(1));
        }
        std::fs::write(server.scratch().join("go"), "").expect("a file");
        assert_eq!(connection.read_to_end(), b"later");
    }

    fn a_client_that_goes_away_is_told_to_the_handler_once_and_quietly(mpm) {
        let server = Httpd::new(mpm)
            .children(1)
            .handler(
                "endless",
                r#"
                import errno, os, _apache

                def handler(req):
                    try:
                        while True:
                            req.write("x" * 10000)
                    except OSError as error:
                        assert isinstance(error, _apache.ClientGone) and isinstance(error, ConnectionError)
                        assert error.errno == errno.EPIPE and "closed the connection" in str(error), error
                        open(os.path.join(req.get_options()["scratch"], "told"), "w").close()
                        for again in (lambda: req.write("x"), lambda: req.write("x", 0), req.flush):
                            try:
                                again()
                                req.log_error("written after the client went")
                            except _apache.ClientGone:
                                pass
                        raise
                "#,
            )
            .handler("hello", "def handler(req):\n    req.write('Hello')\n    return 0\n")
            .config("PythonOption scratch ${SCRATCH}")
            .start();
        let children = server.child_pids();
        let mut connection = server.raw();
        connection.send("GET /endless HTTP/1.0\r\n\r\n");
        connection.read_bytes(1000);
        connection.abort();
        let entries = server.wait_for_log("MP0405", 1);
        assert!(entries.len() == 1 && entries[0].contains("python:info"), "{entries:?}");
        assert!(server.scratch().join("told").exists());
        assert_eq!((server.log_count("MP0401"), server.log_count("Traceback"), server.log_count("written after")), (0, 0, 0));
        assert_eq!(server.get("/hello").text(), "Hello");
        assert_eq!(server.child_pids(), children);
    }

    fn files_are_sent_whole_and_in_part(mpm) {
        let server = probe(mpm).shared();
        server.write("data.txt", "0123456789");
        let large: Vec<u8> = (0..2_000_000u32).map(|at| (at % 253) as u8).collect();
        std::fs::write(server.root().join("htdocs/large.bin"), &large).expect("a file");
        std::os::unix::fs::symlink("data.txt", server.root().join("htdocs/link.txt")).expect("a link");
        let response = respond(
            &server,
            r#"
            import pathlib
            root = req.document_root()
            path = os.path.join(root, "data.txt")
            counts = [req.sendfile(path)]
            req.write(" ", 0)
            counts.append(req.sendfile(path.encode(), 2, 3))
            req.write(" ", 0)
            counts.append(req.sendfile(pathlib.Path(root, "link.txt"), 7))
            counts.append(req.sendfile(path, 8, 100))
            counts.append(req.sendfile(path, 10))
            counts.append(req.sendfile(path, 11, 1))
            counts.append(req.sendfile(path, 0, 0))
            req.write(" %r %d" % (counts, req._bytes_queued))
            "#,
        );
        // 'file' adds a newline: 11 bytes.
        assert_eq!(response.text(), "0123456789\n 234 789\n89\n\n [11, 3, 4, 3, 1, 0, 0] 24");
        for setting in ["On", "Off"] {
            let server = probe(mpm).config(format!("EnableSendfile {setting}\nEnableMMAP {setting}")).start();
            std::fs::write(server.root().join("htdocs/large.bin"), &large).expect("a file");
            let response = respond(&server, "req.sendfile(os.path.join(req.document_root(), 'large.bin'))");
            assert!(response.body == large, "{setting}");
            let response = respond(&server, "out(req.sendfile(os.path.join(req.document_root(), 'large.bin'), 1999990, 5))");
            assert!(response.body.starts_with(&large[1_999_990..1_999_995]) && response.body.ends_with(b"5"));
        }
    }

    fn many_files_do_not_stay_open(mpm) {
        let server = probe(mpm).shared();
        server.write("data.txt", "0123456789");
        let response = respond(
            &server,
            r#"
            path = os.path.join(req.document_root(), "data.txt")
            before = len(os.listdir("/proc/self/fd"))
            for turn in range(300):
                req.sendfile(path)
                req.flush()
            req.write("%d" % (len(os.listdir("/proc/self/fd")) - before < 20))
            "#,
        );
        assert_eq!(response.body.len(), 300 * 11 + 1);
        assert!(response.text().ends_with('1'), "files stay open");
    }

    fn a_header_cannot_begin_another(mpm) {
        let server = probe(mpm).shared();
        let response = respond(
            &server,
            r#"
            for value in ("a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1", b"a\r\nX-Evil: 1"):
                out(error(req.headers_out.__setitem__, "X-A", value).split(":")[0], error(setattr, req, "content_type", value).split(":")[0])
            out(error(req.allow_methods, ["GET\r\nX-Evil: 1"]).split(":")[0], error(req.internal_redirect, "/x\r\ny").split(":")[0])
            "#,
        );
        assert_eq!(response.text(), format!("{}'ValueError' 'ValueError'", "'ValueError' 'ValueError'\n".repeat(4)));
        assert_eq!((response.header("X-Evil"), response.header("X-A")), (None, None));
        // Let through, it is an error like any other.
        let response = respond(&server, r#"req.headers_out["X-A"] = "a\r\nX-Evil: 1""#);
        assert_eq!((response.status, response.header("X-Evil")), (500, None));
        assert_eq!(server.log_count("MP0401"), 1, "{}", server.log());
    }

    fn an_exception_after_a_redirect_does_not_answer_twice(mpm) {
        let server = Httpd::new(mpm)
            .children(1)
            .handler(
                "from",
                r#"
                def handler(req):
                    req.internal_redirect("/to?x=1")
                    req.write("lost")
                    req.write("lost", 0)
                    req.flush()
                    if req.args == "raise":
                        raise ValueError("after the redirect")
                    return 0
                "#,
            )
            .handler("to", "def handler(req):\n    req.write('redirected ' + req.args)\n    return 0\n")
            .start();
        let mut connection = server.raw();
        for (target, errors) in [("/from", 0), ("/from?raise", 1), ("/from", 1), ("/to?y", 1)] {
            let response = connection.exchange(&server.request("GET", target).keep_alive());
            let expected = if target == "/to?y" { "redirected y" } else { "redirected x=1" };
            assert_eq!((response.status, response.text().as_str()), (200, expected), "{target}");
            assert_eq!(server.log_count("MP0401"), errors, "{}", server.log());
        }
    }

    fn what_httpd_refuses_to_send_is_an_error_page(mpm) {
        let server = probe(mpm).shared();
        for code in [
            "req.err_headers_out['X-A'] = 'a\\x01b'\nreq.write('never sent', 0)",
            "req.headers_out['X-A'] = 'a\\x01b'\nreq.write('never sent', 0)\nerror(req.flush)\nreq.write('nor this')",
        ] {
            let mut connection = server.raw();
            // httpd counts what it has thrown away in the length of its page.
            connection.send(with_code(server.request("GET", "/probe"), &format!("try:\n {}\nexcept ValueError:\n status = 500", code.replace('\n', "\n "))).to_bytes());
            let text = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
            assert!(text.starts_with("HTTP/1.1 500 ") && text.contains("<h1>Internal Server Error</h1>"), "{text}");
            assert!(!text.contains("never sent") && !text.contains("nor this"), "{text}");
        }
        assert_eq!(lines(&server, "out(1)"), ["1"]);
    }

    fn an_error_in_the_middle_of_the_response_is_noticed(mpm) {
        let server = probe(mpm).shared();
        let request = with_code(server.request("GET", "/probe"), "req.write('begun')\nraise ValueError('then this')");
        assert!(matches!(request.try_send(), Err(HttpError::Truncated(_))), "{}", server.log());
        assert_eq!(server.log_count("MP0401"), 1);
        assert_eq!(lines(&server, "out(1)"), ["1"]);
    }
}

#[test]
fn only_text_and_buffers_are_written() {
    let server = probe(Mpm::Event).shared();
    let found = lines(
        &server,
        r#"
        for value in (None, 1, 1.5, ["x"], object):
            out(error(req.write, value))
        out(error(req.write, "\ud800")[:70])
        out(error(req.write), error(req.write, "x", 1, 2))
        out(error(req.write, memoryview(b"abcd")[::2]).split(":")[0])
        out(error(req.flush, 1), req._bytes_queued)
        "#,
    );
    let expected = [
        "'TypeError: write() argument 1 must be str or a bytes-like object, not NoneType'",
        "'TypeError: write() argument 1 must be str or a bytes-like object, not int'",
        "'TypeError: write() argument 1 must be str or a bytes-like object, not float'",
        "'TypeError: write() argument 1 must be str or a bytes-like object, not list'",
        "'TypeError: write() argument 1 must be str or a bytes-like object, not type'",
        r#""UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in p""#,
        "'TypeError: write() takes at least 1 argument (0 given)' 'TypeError: write() takes at most 2 arguments (3 given)'",
        "'BufferError'",
        "'TypeError: flush() takes no arguments (1 given)' 0",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_small_response_written_without_flush_has_its_length() {
    let server = probe(Mpm::Event).shared();
    let response = respond(&server, "req.write('12', 0); req.write('345', 0)");
    assert_eq!((response.text().as_str(), response.framing), ("12345", Framing::Length(5)));
    let response = respond(&server, "req.set_content_length(5); req.write('12345')");
    assert_eq!((response.text().as_str(), response.framing), ("12345", Framing::Length(5)));
    let response = with_code(server.request("HEAD", "/probe"), "req.write('12345', 0)").send();
    assert_eq!((response.status, response.text().as_str()), (200, ""));
}

#[test]
fn files_that_cannot_be_sent_raise() {
    let server = probe(Mpm::Event).shared();
    server.write("data.txt", "0123456789");
    let fifo = std::ffi::CString::new(server.root().join("htdocs/fifo").into_os_string().into_encoded_bytes())
        .expect("a path");
    // SAFETY: a path.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o644) }, 0);
    let found = lines(
        &server,
        r#"
        root = req.document_root()
        path = os.path.join(root, "data.txt")
        for name in ("missing", "data.txt/x", ".", "fifo"):
            text = error(req.sendfile, os.path.join(root, name))
            out(text.replace(root, "ROOT"))
        out(error(req.sendfile, path, -1), error(req.sendfile, "a\0b"), error(req.sendfile, 5)[:9], error(req.sendfile))
        try:
            req.sendfile(os.path.join(root, "missing"))
        except FileNotFoundError as error:
            out(error.errno, error.filename == os.path.join(root, "missing"))
        out(error_of("req.sendfile('/etc/shadow')").split(":")[0] in ("PermissionError", "FileNotFoundError"), req._bytes_queued)
        "#,
    );
    let expected = [
        r#""FileNotFoundError: [Errno 2] No such file or directory: 'ROOT/missing'""#,
        r#""NotADirectoryError: [Errno 20] Not a directory: 'ROOT/data.txt/x'""#,
        r#""IsADirectoryError: [Errno 21] Is a directory: 'ROOT/.'""#,
        r#""OSError: [Errno 22] Invalid argument: 'ROOT/fifo'""#,
        "'ValueError: sendfile(): the offset must not be negative' 'ValueError: embedded null byte' 'TypeError' 'TypeError: sendfile() takes at least 1 argument (0 given)'",
        "2 True",
        "True 0",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_name_that_is_no_text_is_sent() {
    let server = probe(Mpm::Event).shared();
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    std::fs::write(server.root().join("htdocs").join(name), "coffee").expect("a file");
    let code = r#"
        root = req.document_root()
        name = [name for name in os.listdir(root) if name.startswith("caf")][0]
        req.sendfile(os.path.join(root, name))
        req.sendfile(os.fsencode(os.path.join(root, name)))
    "#;
    assert_eq!(respond(&server, code).text(), "coffeecoffee");
}

#[test]
fn conditions_are_met_or_not() {
    let server = probe(Mpm::Event).shared();
    server.write("data.txt", "0123456789");
    let code = r#"
        req.finfo = apache.stat(os.path.join(req.document_root(), "data.txt"), apache.APR_FINFO_NORM)
        req.update_mtime(req.finfo.mtime + 0.75)
        assert req.mtime == req.finfo.mtime
        req.update_mtime(5)
        assert req.mtime == req.finfo.mtime
        req.set_last_modified()
        req.set_etag()
        status = req.meets_conditions()
        if status == apache.OK:
            req.set_content_length(2)
            req.write("ok")
    "#;
    let first = respond(&server, code);
    assert_eq!((first.status, first.text().as_str()), (200, "ok"));
    let etag = first.header("ETag").expect("an ETag").to_owned();
    let modified = first.header("Last-Modified").expect("a time").to_owned();
    let with = |name, value: &str| with_code(server.request("GET", "/probe"), code).header(name, value).send().status;
    assert_eq!(with("If-None-Match", &etag), 304);
    assert_eq!(with("If-None-Match", "\"other\""), 200);
    assert_eq!(with("If-Modified-Since", &modified), 304);
    assert_eq!(with("If-Match", "\"other\""), 412);
    let found = lines(
        &server,
        r#"
        out(error(req.update_mtime, "x"), error(req.update_mtime, float("nan")), error(req.update_mtime, float("inf")))
        out(error(req.update_mtime, 1e30), error(req.set_content_length, -1), error(req.set_content_length, "1"))
        req.update_mtime(7.9)
        out(req.mtime, req.send_http_header())
        "#,
    );
    let expected = [
        "'TypeError: must be real number, not str' 'ValueError: update_mtime(): NaN is not a time in seconds' 'ValueError: update_mtime(): inf is not a time in seconds'",
        r#"'ValueError: update_mtime(): 1000000000000000000000000000000 is not a time in seconds' 'ValueError: set_content_length(): -1 is not a length' "TypeError: 'str' object cannot be interpreted as an integer""#,
        "7.0 None",
    ];
    assert_eq!(found, expected);
}

#[test]
fn methods_are_allowed() {
    let server = probe(Mpm::Event).shared();
    let allowed = |code: &str| {
        let response = respond(&server, &format!("{code}\nstatus = apache.HTTP_METHOD_NOT_ALLOWED"));
        assert_eq!(response.status, 405, "{}", server.log());
        let mut names: Vec<_> = response.header("Allow").unwrap_or_default().split(',').map(str::to_owned).collect();
        names.retain(|name| name != "TRACE");
        names.sort();
        names.join(" ")
    };
    assert_eq!(allowed("req.allow_methods(['GET'])"), "GET HEAD");
    assert_eq!(allowed("req.allow_methods(('PUT',)); req.allow_methods(['POST', b'GET'], 1)"), "GET HEAD POST");
    assert_eq!(allowed("req.allow_methods(['PUT']); req.allow_methods(['POST'])"), "POST PUT");
    assert_eq!(allowed("req.allow_methods('PUT')"), "PUT");
    let found = lines(
        &server,
        r#"
        out(error(req.allow_methods, 5), error(req.allow_methods, {"GET"}), error(req.allow_methods, [5]), error(req.allow_methods, ["A B"]))
        req.allow_methods(["SPECIAL"])
        out(req.allowed_methods)
        req.allow_methods([], 1)
        out(req.allowed_methods)
        "#,
    );
    let expected = [
        r#"'TypeError: allow_methods() argument 1 must be a sequence, not int' 'TypeError: allow_methods() argument 1 must be a sequence, not set' 'TypeError: allow_methods(): not an ISO-8859-1 string but int' 'ValueError: allow_methods(): "A B" is not the name of a method'"#,
        "('SPECIAL',)",
        "()",
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_output_filter_may_change_what_is_sent() {
    let server = probe(Mpm::Event).config("<Location /probe>\n SetOutputFilter DEFLATE\n</Location>").start();
    let request = server.request("GET", "/probe").header("Accept-Encoding", "gzip");
    let response =
        with_code(request, "req.content_type = 'text/plain'; req.write('x' * 1000); req.write('y' * 1000, 0)").send();
    assert_eq!((response.status, response.header("Content-Encoding")), (200, Some("gzip")));
    assert!(response.body.len() < 200);
}

#[test]
fn a_redirect_to_nothing_is_not_found() {
    let server = probe(Mpm::Event).shared();
    server.write("other.txt", "the file");
    assert_eq!(respond(&server, "req.internal_redirect('/missing')").status, 404);
    assert_eq!(respond(&server, "req.internal_redirect('/other.txt')").text(), "the file\n");
    let found = lines(&server, "out(error(req.internal_redirect, None), error(req.internal_redirect, 'a\\0b'))");
    assert_eq!(
        found,
        [
            "'TypeError: internal_redirect() argument 1 must be str, not NoneType' 'ValueError: internal_redirect(): embedded null character'"
        ]
    );
    let response = respond(&server, "req.internal_redirect(req.unparsed_uri)");
    assert_eq!(response.status, 500, "a redirect to itself ends");
}

#[test]
fn threads_of_a_handler_write_one_after_the_other() {
    let server = probe(Mpm::Event).shared();
    let response = respond(
        &server,
        r#"
        import threading
        threads = [threading.Thread(target=lambda: [req.write("ab" * 1000) for turn in range(20)]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        "#,
    );
    assert_eq!(response.text(), "ab".repeat(80_000));
}

#[test]
fn a_write_that_waits_for_the_client_lets_others_run() {
    let server: Server = probe(Mpm::Event).children(1).start();
    let mut slow = server.raw();
    slow.send(with_code(server.request("GET", "/probe"), "req.write('x' * 50000000)").to_bytes());
    slow.read_bytes(100);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(lines(&server, "out('others')"), ["'others'"]);
    slow.abort();
    wait_until("the write to end", || server.log_count("MP0405") == 1);
}
