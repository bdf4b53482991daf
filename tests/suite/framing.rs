//! Where a response ends: its length, statuses that come too late, and files that change while they are sent.

use std::fs::OpenOptions;

use crate::common::probe::{lines, lines_of, probe, respond, with_code};
use crate::fixture::{Framing, HttpError, Httpd, Mpm, Server, for_each_mpm, wait_until};

/// What comes on one connection for these requests, until the server ends it or has nothing more to say.
fn all_of(server: &Server, codes: &[&str]) -> String {
    let mut connection = server.raw();
    for code in codes {
        connection.send(with_code(server.request("GET", "/probe").keep_alive(), code).to_bytes());
    }
    connection.finish_sending();
    String::from_utf8_lossy(&connection.read_to_end()).into_owned()
}

for_each_mpm! {
    fn a_status_that_comes_too_late_breaks_the_response_off(mpm) {
        let server = probe(mpm).shared();
        for late in [
            "status = apache.HTTP_NOT_FOUND",
            "status = apache.DECLINED",
            "status = apache.HTTP_NO_CONTENT",
            "status = apache.HTTP_NOT_MODIFIED",
            "raise apache.SERVER_RETURN(apache.HTTP_NOT_FOUND)",
            "raise apache.SERVER_RETURN(apache.DECLINED)",
            "raise apache.SERVER_RETURN(apache.HTTP_MOVED_TEMPORARILY)",
        ] {
            for begun in [
                "req.set_content_length(4); req.write('text')",
                "req.write('text'); req.flush()",
                "req.write('text')",
                "req.write('text' * 10000, 0)",
                "req.headers_out['Content-Length'] = '40000'; req.write('text' * 10000)",
            ] {
                server.forget_log();
                let code = format!("{begun}\n{late}");
                let all = all_of(&server, &[&code, "req.write('the next one')"]);
                assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "{code}: {all}");
                assert!(all.contains("text") && !all.contains("DOCTYPE") && !all.contains("the next one"), "{code}: {all}");
                assert_eq!(server.log_count("MP0423"), 1, "{code}: {}", server.log());
            }
            // Nothing has left yet.
            let response = with_code(server.request("GET", "/probe"), &format!("req.write('text', 0)\n{late}")).try_send();
            let response = response.expect("a whole response");
            assert!(response.status != 200 && !response.text().contains("text"), "{late}: {response:?}");
        }
        assert_eq!(lines(&server, "out(1)"), ["1"]);
    }

    fn no_more_is_sent_than_was_announced(mpm) {
        let server = probe(mpm).shared();
        for code in [
            "req.set_content_length(7); req.write('0123456789')",
            "req.headers_out['Content-Length'] = '7'; req.write('0123456789')",
            "req.headers_out['content-length'] = '007'; [req.write(x) for x in '0123456789']",
            "req.set_content_length(7); [req.write(x, 0) for x in '0123456789']",
            "req.set_content_length(7); req.write('01234'); req.flush(); req.write('56789')",
            "req.set_content_length(7); req.write('0123456'); req.flush(); req.write('789'); req.flush()",
            "req.wsgi_start_response('200 OK', [('Content-Length', '7')])('0123456789')",
            "req.headers_out.add('Content-Length', '9'); req.headers_out.add('Content-Length', '7'); req.write('0123456789')",
            "req.err_headers_out['Content-Length'] = '9'; req.set_content_length(7); req.write('0123456789')",
        ] {
            server.forget_log();
            let mut connection = server.raw();
            let response = connection.exchange(&with_code(server.request("GET", "/probe").keep_alive(), code));
            assert_eq!((response.text().as_str(), response.framing), ("0123456", Framing::Length(7)), "{code}");
            // The next one begins where it should.
            let next = connection.exchange(&with_code(server.request("GET", "/probe").keep_alive(), "req.write('next', 0)"));
            assert_eq!(next.text(), "next", "{code}");
            assert_eq!(server.log_count("MP0421"), 1, "{code}: {}", server.log());
        }
        // A large write, and one after the other.
        let code = "req.set_content_length(100000); [req.write('x' * 30000) for turn in range(5)]";
        assert_eq!(respond(&server, code).body.len(), 100_000);
    }

    fn less_than_was_announced_breaks_the_response_off(mpm) {
        let server = probe(mpm).shared();
        for code in [
            "req.set_content_length(7); req.write('012')",
            "req.set_content_length(7); req.write('012', 0)",
            "req.set_content_length(7); req.write('012'); req.flush()",
            "req.set_content_length(100000); req.write('012' * 20000)",
            "req.headers_out['Content-Length'] = '7'",
        ] {
            server.forget_log();
            let outcome = with_code(server.request("GET", "/probe"), code).try_send();
            assert!(matches!(outcome, Err(HttpError::Truncated(_))), "{code}: {outcome:?}");
            assert_eq!(server.log_count("MP0424"), 1, "{code}: {}", server.log());
        }
        // What has no body has no end to miss.
        let response = with_code(server.request("HEAD", "/probe"), "req.set_content_length(7)").send();
        assert_eq!((response.status, response.header("Content-Length")), (200, Some("7")));
        let response = with_code(server.request("GET", "/probe"), "req.set_content_length(7); status = 304").send();
        assert_eq!(response.status, 304);
        assert_eq!(lines(&server, "out(1)"), ["1"]);
    }

    fn what_would_mislead_the_client_is_refused_or_dropped(mpm) {
        let server = probe(mpm).shared();
        let found = lines(
            &server,
            r#"
            for value in ("-5", "+5", "5 ", "", "five", "5, 5", "1" * 30, b"0x5"):
                for table in (req.headers_out, req.err_headers_out):
                    for use in (lambda: table.__setitem__("Content-Length", value), lambda: table.add("CONTENT-length", value),
                                lambda: table.setdefault("Content-Length", value), lambda: table.update({"Content-Length": value})):
                        assert error(use).startswith("ValueError: "), (value, error(use))
                text = value if isinstance(value, str) else value.decode()
                assert error(req.wsgi_start_response, "200 OK", [("Content-Length", text)]).startswith("ValueError: ")
            out(error(req.headers_out.__setitem__, "Content-Length", "-5"))
            out(error(req.wsgi_start_response, "200 OK", [("Content-Length", "-5")]))
            out(error(req.set_content_length, -5))
            "#,
        );
        let expected = [
            r#""ValueError: headers_out['Content-Length']: '-5' is not a length: it must be a number of bytes, in digits""#,
            r#"'ValueError: start_response(): Content-Length: "-5" is not a length: it must be a number of bytes, in digits'"#,
            "'ValueError: set_content_length(): -5 is not a length'",
        ];
        assert_eq!(found, expected);
        // httpd would believe that the body is in chunks already.
        for table in ["headers_out", "err_headers_out"] {
            for code in ["req.write('body', 0)", "req.write('body'); req.flush()", "req.set_content_length(4); req.write('body')"] {
                server.forget_log();
                let mut connection = server.raw();
                let code = format!("req.{table}['Transfer-Encoding'] = 'chunked'\n{code}");
                let response = connection.exchange(&with_code(server.request("GET", "/probe").keep_alive(), &code));
                assert_eq!(response.text(), "body", "{code}");
                let next = connection.exchange(&with_code(server.request("GET", "/probe").keep_alive(), "req.write('next')"));
                assert_eq!(next.text(), "next", "{code}");
                assert_eq!(server.log_count("MP0425"), usize::from(table == "headers_out"), "{code}");
            }
        }
    }

    /// Who has the file can cut it short at any time.
    fn a_file_that_is_cut_short_while_it_is_sent(mpm) {
        const SIZE: u64 = 30_000_000;
        for settings in ["EnableMMAP On\nEnableSendfile Off", "EnableMMAP Off\nEnableSendfile Off", "EnableMMAP Off\nEnableSendfile On"] {
            let server = sending(mpm).config(settings).start();
            let children = server.child_pids();
            let path = server.root().join("htdocs/large");
            std::fs::write(&path, vec![b'x'; SIZE as usize]).expect("a file of our own");
            let mut connection = server.raw();
            connection.send(server.request("GET", "/sends").to_bytes());
            connection.read_bytes(1000);
            let file = OpenOptions::new().write(true).open(&path).expect("a file of our own");
            file.set_len(1_000_000).expect("a file of our own");
            let rest = connection.read_to_end();
            assert!((rest.len() as u64) < SIZE, "{}", rest.len());
            wait_until("the handler to be told", || server.scratch().join("told").exists());
            let told = std::fs::read_to_string(server.scratch().join("told")).expect("what it was told");
            assert!(told.contains("cut short while it was sent: 1000000 of 30000000 bytes"), "{settings}: {told}");
            assert_eq!(server.log_count("MP0422"), 1, "{settings}: {}", server.log());
            assert_eq!(server.get("/sends?small").text(), "small");
            assert_eq!(server.child_pids(), children, "{settings}: {}", server.log());
        }
    }

    /// A program that waits, in whatever way, has what it has written leave.
    fn what_was_written_leaves_while_the_program_is_busy(mpm) {
        let server = Httpd::new(mpm)
            .children(1)
            .config("PythonOption scratch ${SCRATCH}")
            .handler(
                "busy",
                r#"
                import os, threading, time

                def handler(req):
                    seen = os.path.join(req.get_options()["scratch"], req.args)
                    is_seen = lambda: os.path.exists(seen)

                    def sleeps():
                        while not is_seen():
                            time.sleep(0.01)

                    def computes():
                        while not is_seen():
                            sum(range(100000))

                    def waits_for_a_thread():
                        done = threading.Event()
                        def watch():
                            sleeps()
                            done.set()
                        threading.Thread(target=watch).start()
                        done.wait()

                    def reads():
                        while not is_seen():
                            req.read(1)

                    def uses_the_request():
                        while not is_seen():
                            req.headers_in.items()
                            req.uri

                    def writes_unflushed():
                        while not is_seen():
                            req.write("", 0)

                    req.content_type = "text/plain"
                    req.write("begun, ")
                    locals()[req.args]()
                    req.write("done")
                    return 0
                "#,
            )
            .start();
        for way in ["sleeps", "computes", "waits_for_a_thread", "uses_the_request", "writes_unflushed"] {
            let mut connection = server.raw();
            connection.send(server.request("GET", format!("/busy?{way}")).to_bytes());
            let begun = read_until(&mut connection, b"begun, ");
            assert!(!begun.contains("done"), "{way}: {begun}");
            std::fs::write(server.scratch().join(way), "").expect("a folder of our own");
            let rest = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
            assert!(rest.contains("done"), "{way}: {rest}");
        }
        // One that reads the body has it leave before it waits for the client.
        let mut connection = server.raw();
        connection.send("POST /busy?reads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n1");
        read_until(&mut connection, b"begun, ");
        std::fs::write(server.scratch().join("reads"), "").expect("a folder of our own");
        connection.send("23");
        assert!(String::from_utf8_lossy(&connection.read_to_end()).contains("done"));
    }
}

/// What has come when that has.
fn read_until(connection: &mut crate::fixture::RawConnection, wanted: &[u8]) -> String {
    let mut all = Vec::new();
    while !all.windows(wanted.len()).any(|window| window == wanted) {
        all.extend(connection.read_bytes(1));
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn sending(mpm: Mpm) -> Httpd {
    Httpd::new(mpm).children(1).config("PythonOption scratch ${SCRATCH}").handler(
        "sends",
        r#"
        import os

        def handler(req):
            if req.args:
                req.write(req.args)
                return 0
            try:
                req.sendfile(os.path.join(req.document_root(), "large"))
            except OSError as error:
                with open(os.path.join(req.get_options()["scratch"], "telling"), "w") as file:
                    file.write(str(error))
                os.rename(file.name, os.path.join(req.get_options()["scratch"], "told"))
                raise
            return 0
        "#,
    )
}

/// A filter that is called for each piece would have each piece sent.
#[test]
fn pieces_are_collected() {
    let server = Httpd::new(Mpm::Event)
        .children(1)
        .handler(
            "pieces",
            r#"
            calls = 0

            def handler(req):
                for number in range(300):
                    req.write("a" * 1024)
                return 0

            def outputfilter(filter):
                global calls
                calls += 1
                while piece := filter.read():
                    filter.write(piece)
                if piece is None:
                    filter.close()

            def count(req):
                req.write(str(calls))
                return 0
            "#,
        )
        .config("PythonOutputFilter pieces COUNTS\n<Location /pieces>\n    SetOutputFilter COUNTS\n</Location>")
        .config("<Location /count>\n    SetHandler mod_python\n    PythonHandler pieces::count\n</Location>")
        .start();
    assert_eq!(server.get("/pieces").body.len(), 300 * 1024);
    let calls: u32 = server.get("/count").text().parse().expect("a number");
    // Sixteen kilobytes at a time, and what time may have passed.
    assert!((1..100).contains(&calls), "{calls}");
}

/// What was read of a request can be written back, whatever bytes it is.
#[test]
fn text_that_was_read_can_be_written_back() {
    let server = Httpd::new(Mpm::Worker)
        .children(1)
        .config("PythonTransHandler same\nPythonPath \"sys.path + ['${HTDOCS}/lib']\"")
        .config("PythonFixupHandler same::fixuphandler")
        .file(
            "lib/same.py",
            r#"
            from mod_python import apache

            NAMES = ("uri", "filename", "canonical_filename", "path_info", "args", "user", "content_type", "handler")

            def again(req):
                for name in NAMES:
                    value = getattr(req, name)
                    if value is not None:
                        setattr(req, name, value)
                for table in (req.headers_in, req.subprocess_env):
                    for name, value in table.items():
                        table[name] = value
                        req.headers_out["X-Echo"] = value
                        req.notes[name] = value

            def transhandler(req):
                again(req)
                return apache.DECLINED

            def fixuphandler(req):
                req.add_cgi_vars()
                again(req)
                return apache.OK
            "#,
        )
        .file("é.txt", "accented")
        .file("日本.txt", "Japan")
        .file("plain.txt", "plain")
        .start();
    let latin1 = std::ffi::OsStr::new("caf");
    let mut name = latin1.to_os_string().into_encoded_bytes();
    name.extend(b"\xe9.txt");
    // SAFETY: any bytes but NUL and a slash are a name here.
    let name = unsafe { std::ffi::OsString::from_encoded_bytes_unchecked(name) };
    std::fs::write(server.root().join("htdocs").join(name), "latin1").expect("a file of our own");
    for (path, text) in [
        ("/%C3%A9.txt", "accented\n"),
        ("/%E6%97%A5%E6%9C%AC.txt", "Japan\n"),
        ("/caf%E9.txt", "latin1"),
        ("/plain.txt?q=%E9\u{e9}", "plain\n"),
    ] {
        for header in [&b"ascii"[..], b"caf\xe9", "€".as_bytes(), b"\xff\xfe\x80"] {
            let response = server.request("GET", path).header("X-Any", header).send();
            assert_eq!((response.status, response.text().as_str()), (200, text), "{path}: {}", server.log());
        }
    }
}

/// A browser may send any bytes in a header.
#[test]
fn a_header_that_is_utf_8_gets_into_the_environment() {
    let server = probe(Mpm::Event).shared();
    let code = r#"
        env = apache.build_cgi_env(req)
        out(env["HTTP_AUTHORIZATION"], env["HTTP_X_ANY"], env["SCRIPT_NAME"], env["GATEWAY_INTERFACE"])
        out(dict(req._build_cgi_env()) == dict(env))
        out(req.build_wsgi_env()["HTTP_X_ANY"].encode("latin-1") == req.headers_in["X-Any"].encode())
        saved = apache.setup_cgi(req)
        import os
        name = os.environ["HTTP_AUTHORIZATION"]
        apache.restore_nocgi(*saved)
        out(name)
    "#;
    let request = server.request("GET", "/probe/é").header("Authorization", "€").header("X-Any", "日本");
    assert_eq!(lines_of(request, &server, code), ["'€' '日本' '/probe/é' 'Python-CGI/1.1'", "True", "True", "'€'"]);
}

/// What `mod_python.wsgi` calls.
#[test]
fn a_handler_runs_a_wsgi_application() {
    let server = probe(Mpm::Event).shared();
    let code = r#"
        def application(environ, start_response):
            start_response("200 OK", [])
            return [environ["REQUEST_METHOD"].encode(), b"\n"]
        assert req._run_wsgi(application) is True
    "#;
    assert_eq!(lines_of(server.request("GET", "/probe/"), &server, code), ["GET"]);
}
