//! Filters that fail: the right status, one clear entry in the log, and a child that goes on.

use super::{got, input, logged_nothing, output, posted, route, site};
use crate::fixture::{HttpError, Mpm, Server, for_each_lasting_mpm, for_each_mpm};

const PROGRAMS: &str = r#"
    def raises(filter):
        raise ValueError("on purpose")

    def raises_late(filter):
        filter.write(filter.read(-1))
        filter.flush()
        raise ValueError("on purpose")

    def raises_after_writing(filter):
        filter.write("something that is not sent")
        raise ValueError("on purpose")

    def exits(filter):
        raise SystemExit("on purpose")

    def never_reads(filter):
        pass

    def reads_nothing_but_writes(filter):
        filter.write("its own")

    def writes_after_close(filter):
        filter.write("all there is")
        filter.close()
        filter.write("more")

    def closes_early(filter):
        filter.write("the end")
        filter.close()

    def not_callable(filter):
        return filter()

    def reads_request(filter):
        filter.write("%r" % filter.req.read())
        filter.close()

    def writes_request(filter):
        filter.req.write("written ")
        change(filter, bytes.upper)

    def copies(filter):
        """The loop of the manual."""
        data = filter.read(8192)
        while data:
            filter.write(data)
            data = filter.read(8192)
        if data is None:
            filter.close()

    def copies_lines(filter):
        line = filter.readline()
        while line:
            filter.write(line)
            line = filter.readline()
        if line is None:
            filter.close()

    def unread(req):
        req.write("unread")
        return apache.OK

    data = 1
"#;

/// The only entry of ours about an error.
#[track_caller]
fn only_entry(server: &Server, number: &str) -> String {
    let entries = server.log_lines("MP0").into_iter();
    let entries: Vec<_> =
        entries.filter(|line| !line.contains("python:info]") && !line.contains("python:notice]")).collect();
    assert!(entries.len() == 1 && entries[0].contains(number), "{number}: {entries:#?}");
    entries.into_iter().next().unwrap_or_default()
}

for_each_lasting_mpm! {
    fn one_that_raises_before_the_response_began(mpm) {
        let names = ["raises", "raises_after_writing", "exits", "not_callable", "data", "missing"];
        let httpd = output(site(mpm, PROGRAMS), &names).children(1);
        let httpd = route(httpd, "unknown", "PythonOutputFilter nowhere::f X\nSetOutputFilter X");
        let server = httpd.binary_file("docs/large.txt", "x".repeat(3_000_000)).start();
        let children = server.child_pids();
        for (name, why) in [
            ("raises", "ValueError: on purpose"),
            ("raises_after_writing", "ValueError: on purpose"),
            ("exits", "SystemExit: on purpose"),
            ("not_callable", "TypeError: 'mp_filter' object is not callable"),
            ("data", "TypeError: 'int' object is not callable"),
            ("missing", "contains no 'missing'"),
            ("unknown", "ModuleNotFoundError: No module named 'nowhere'"),
        ] {
            for document in ["doc.txt", "large.txt", "program"] {
                server.forget_log();
                let mut connection = server.raw();
                let response = connection.exchange(&server.request("GET", format!("/{name}/{document}")).keep_alive());
                assert_eq!(response.status, 500, "{name} {document}");
                assert!(response.text().contains("Internal Server Error"), "{response:?}");
                // httpd closes the connection after a 500, and nothing follows the page.
                assert_eq!(connection.read_to_end(), b"", "{name} {document}");
                let entry = only_entry(&server, "MP0401");
                assert!(entry.contains(why) && entry.contains("PythonOutputFilter"), "{name}: {entry}");
            }
        }
        assert_eq!(server.child_pids(), children);
    }

    fn one_that_raises_after_the_response_began(mpm) {
        let server = output(site(mpm, PROGRAMS), &["raises_late"]).children(1).start();
        let children = server.child_pids();
        for document in ["doc.txt", "program"] {
            server.forget_log();
            let outcome = server.request("GET", format!("/raises_late/{document}")).keep_alive().try_send();
            let Err(HttpError::Truncated(Some(response))) = outcome else { panic!("{document}: {outcome:?}") };
            assert!(response.status == 200 && !response.body.is_empty(), "{response:?}");
            only_entry(&server, "MP0401");
        }
        assert_eq!(got(&server, "/docs/doc.txt"), "Hello, world!");
        assert_eq!(server.child_pids(), children);
    }

    fn an_input_filter_that_raises(mpm) {
        let names = ["raises", "raises_after_writing", "exits", "missing"];
        let httpd = input(site(mpm, PROGRAMS), &names)
            .children(1)
            .config("<Files begins>\nSetHandler mod_python\nPythonHandler begins\n</Files>")
            .config("<Files catches>\nSetHandler mod_python\nPythonHandler catches\n</Files>")
            .file("lib/begins.py", "def handler(req):\n    req.write('begun ')\n    req.write(req.read())\n    return 0\n")
            .file(
                "lib/catches.py",
                "def handler(req):\n    try:\n        req.read()\n    except OSError as error:\n        req.log_error('caught ' + str(error))\n    req.write('its own')\n    return 0\n",
            );
        let httpd = route(httpd, "unknown", "PythonInputFilter nowhere::f X\nSetInputFilter X");
        let server = httpd.start();
        let children = server.child_pids();
        for name in ["raises", "raises_after_writing", "exits", "missing", "unknown"] {
            server.forget_log();
            let mut connection = server.raw();
            let smuggled = "GET /docs/doc.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
            connection.send(server.request("POST", format!("/{name}/echo")).keep_alive().body(smuggled).to_bytes());
            let response = connection.response();
            assert_eq!(response.status, 500, "{name}: {response:?}");
            assert!(response.text().contains("Internal Server Error"), "{response:?}");
            // What was not read of the body is not taken for a request.
            connection.finish_sending();
            assert_eq!(String::from_utf8_lossy(&connection.read_to_end()), "", "{name}");
            only_entry(&server, "MP0401");
        }
        server.forget_log();
        let outcome = server.request("POST", "/raises/begins").body("x").try_send();
        assert!(matches!(outcome, Err(HttpError::Truncated(_))), "{outcome:?}");
        only_entry(&server, "MP0401");
        // A handler that catches the error gives an answer of its own.
        assert_eq!(server.request("POST", "/raises/catches").body("x").send().text(), "its own");
        assert_eq!(server.log_count("caught "), 1);
        // Nobody asks for a body: nobody is disturbed by what would become of it.
        assert_eq!(got(&server, "/docs/doc.txt"), "Hello, world!");
        assert_eq!(server.child_pids(), children);
    }
}

for_each_mpm! {
    fn python_debug_shows_the_traceback(mpm) {
        let server = output(site(mpm, PROGRAMS), &["raises", "raises_late", "raises_after_writing"])
            .config("PythonDebug On")
            .start();
        for (name, status) in [("raises", 500), ("raises_after_writing", 500), ("raises_late", 200)] {
            for document in ["doc.txt", "program"] {
                server.forget_log();
                let mut connection = server.raw();
                let response = connection.exchange(&server.request("GET", format!("/{name}/{document}")).keep_alive());
                let text = response.text();
                assert_eq!(response.status, status, "{name}: {response:?}");
                let head = format!("Mod_python error: &quot;PythonOutputFilter f::{name}&quot;").replace("&quot;", "\"");
                assert!(text.contains(&head) && text.contains("ValueError: on purpose") && text.ends_with("</pre>\n"), "{text}");
                assert!(status == 200 || response.header("Content-Type") == Some("text/html"), "{response:?}");
                // httpd closes the connection after a 500.
                if status == 200 {
                    let response = connection.exchange(&server.request("GET", "/docs/doc.txt").keep_alive());
                    assert_eq!(response.text(), "Hello, world!", "{name}");
                }
                only_entry(&server, "MP0401");
            }
        }
    }
}

#[test]
fn python_debug_and_an_input_filter() {
    let server = input(site(Mpm::Event, PROGRAMS), &["raises"]).config("PythonDebug On").start();
    let response = server.request("POST", "/raises/echo").body("x").send();
    assert_eq!(response.status, 500);
    only_entry(&server, "MP0401");
}

for_each_mpm! {
    fn one_that_never_reads(mpm) {
        let server = output(site(mpm, PROGRAMS), &["never_reads", "reads_nothing_but_writes"])
            .binary_file("docs/large.txt", "x".repeat(3_000_000))
            .start();
        let mut connection = server.raw();
        for (name, document, expected) in [
            ("never_reads", "doc.txt", ""),
            ("never_reads", "large.txt", ""),
            ("never_reads", "program", ""),
            ("reads_nothing_but_writes", "doc.txt", "its own"),
            ("reads_nothing_but_writes", "program", "its ownits own"),
        ] {
            server.forget_log();
            let response = connection.exchange(&server.request("GET", format!("/{name}/{document}")).keep_alive());
            assert_eq!((response.status, response.text().as_str()), (200, expected), "{name} {document}");
            assert!(only_entry(&server, "MP0411").contains(name), "{}", server.log());
        }
    }

    fn one_that_writes_after_its_end(mpm) {
        let server = output(site(mpm, PROGRAMS), &["writes_after_close", "closes_early"])
            .binary_file("docs/large.txt", "x".repeat(3_000_000))
            .start();
        let mut connection = server.raw();
        for document in ["doc.txt", "large.txt", "program"] {
            server.forget_log();
            let response = connection.exchange(&server.request("GET", format!("/closes_early/{document}")).keep_alive());
            assert_eq!((response.status, response.text().as_str()), (200, "the end"), "{document}");
            logged_nothing(&server);
            // What it has closed is complete; its failure is only told.
            let path = format!("/writes_after_close/{document}");
            let response = connection.exchange(&server.request("GET", path).keep_alive());
            assert_eq!((response.status, response.text().as_str()), (200, "all there is"), "{document}");
            assert!(only_entry(&server, "MP0401").contains("ValueError: I/O operation on closed filter"));
        }
    }

    fn one_that_does_nothing_to_a_body(mpm) {
        let server = input(site(mpm, PROGRAMS), &["never_reads"]).start();
        for request in [
            server.request("POST", "/never_reads/echo").body("the body"),
            server.request("POST", "/never_reads/echo").chunked(["the", "body"]),
        ] {
            server.forget_log();
            assert_eq!(request.send().status, 500);
            only_entry(&server, "MP0412");
        }
        assert_eq!(got(&server, "/docs/doc.txt"), "Hello, world!");
    }

    /// A client could fill the log otherwise: there is nothing to read, and the filter has lost nothing.
    fn one_that_is_not_to_blame(mpm) {
        const TOO_LONG: &str = "Content-Length: 2147483648\r\n\r\n";
        let names = ["same", "copies", "copies_lines", "never_reads"];
        let server = input(site(mpm, PROGRAMS), &names)
            .config("LimitRequestBody 1000\n<Files unread>\nSetHandler mod_python\nPythonHandler f::unread\n</Files>")
            .start();
        let limited = format!("{TOO_LONG}{}", "x".repeat(100));
        let broken_off = format!("Content-Length: 500\r\n\r\n{}", "x".repeat(100));
        let malformed = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nno number\r\n";
        let too_many = format!("Transfer-Encoding: chunked\r\n\r\n800\r\n{}\r\n0\r\n\r\n", "x".repeat(0x800));
        let whole = "Content-Length: 10\r\n\r\n0123456789";
        for rest in [TOO_LONG, &limited, &broken_off, malformed, &too_many, whole] {
            for program in ["echo", "unread"] {
                // As it is without a filter.
                let outcomes = ["docs", "same", "copies", "copies_lines"].map(|route| {
                    let mut connection = server.raw();
                    connection.send(format!("POST /{route}/{program} HTTP/1.1\r\nHost: localhost\r\n{rest}"));
                    connection.finish_sending();
                    let text = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
                    text.lines().next().unwrap_or_default().to_owned()
                });
                assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{program} {rest:.60}: {outcomes:?}");
                assert!(rest != TOO_LONG || program != "echo" || outcomes[0].contains(" 413 "), "{outcomes:?}");
            }
        }
        assert_eq!(server.log_count("MP0412"), 0, "{}", server.log());
        // One that has lost what was there still is.
        assert_eq!(server.request("POST", "/never_reads/echo").body("the body").send().status, 500);
        assert_eq!(server.log_count("MP0412"), 1, "{}", server.log());
    }

    fn one_that_uses_the_request(mpm) {
        let server = output(site(mpm, PROGRAMS), &["writes_request", "reads_request"]).start();
        assert_eq!(got(&server, "/writes_request/doc.txt"), "written HELLO, WORLD!");
        assert_eq!(got(&server, "/writes_request/program"), "written ONE TWO written THREE");
        // A response's filter may look at the body, if nobody else does
        assert_eq!(posted(&server, "/reads_request/program", "body"), "b'body'");
        let server = input(site(mpm, PROGRAMS), &["writes_request", "reads_request"]).start();
        assert_eq!(posted(&server, "/writes_request/echo", "body"), "written BODY");
        // but a body's filter must read from the filter.
        let response = server.request("POST", "/reads_request/echo").body("body").send();
        assert_eq!(response.status, 500);
        let entry = only_entry(&server, "MP0401");
        assert!(entry.contains("RuntimeError") && entry.contains("must read from the filter"), "{entry}");
    }
}
