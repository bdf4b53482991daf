//! Filters over requests' bodies.

use super::{input, is_ok, logged_nothing, make_executable, posted, route, site};
use crate::fixture::{Mpm, for_each_mpm, has_module, not_tested};

const PROGRAMS: &str = r#"
    def each(data, count):
        """However the body is cut into pieces."""
        return b"".join(bytes([byte]) * count for byte in data)

    def doubles(filter):
        change(filter, lambda data: each(data, 2))

    def much(filter):
        """A hundred times as much as was asked for."""
        change(filter, lambda data: each(data, 100))

    def halves(filter):
        """Leaves out every other line."""
        state = filter.req.headers_in
        line = filter.readline()
        while line:
            count = int(state.get("X-Count", "0"))
            state["X-Count"] = str(count + 1)
            if count % 2 == 0:
                filter.write(line)
            line = filter.readline()
        if line is None:
            filter.close()

    def nothing(filter):
        while filter.read():
            pass

    def late(filter):
        """Writes when all has come."""
        req = filter.req
        req.parts = getattr(req, "parts", [])
        data = filter.read(3)
        if data is None:
            filter.write(b"".join(req.parts)[::-1])
            filter.close()
        else:
            req.parts.append(data)

    def bit_by_bit(filter):
        data = filter.read(1)
        if data is None:
            filter.close()
        else:
            filter.write(data.upper())

    def tells(filter):
        """How often it had to read, in the log."""
        req = filter.req
        data = filter.read(65536)
        while data:
            req.reads = getattr(req, "reads", 0) + 1
            filter.write(data)
            data = filter.read(65536)
        if data is None:
            req.log_error("reads of the filter: %d" % req.reads, apache.APLOG_NOTICE)
            filter.close()

    def passes(filter):
        filter.pass_on()

    def disables(filter):
        filter.write("begun: ")
        filter.disable()

    def leaves(filter):
        """What was not read when it is disabled comes behind what was written."""
        filter.write((filter.read(4) or b"").upper())
        filter.disable()

    def first_line(filter):
        filter.write(filter.readline() or b"")
        filter.close()

    def before_and_after(filter):
        req = filter.req
        if not hasattr(req, "begun"):
            req.begun = True
            filter.write("<")
        change_until_end(filter)

    def change_until_end(filter):
        data = filter.read()
        while data:
            filter.write(data)
            data = filter.read()
        if data is None:
            filter.write(">")
            filter.close()

    def as_it_comes(filter):
        data = filter.read()
        filter.close() if data is None else filter.write(data)

    def by_size(filter):
        data = filter.read(100)
        filter.close() if data is None else filter.write(data)

    def whole(filter):
        data = filter.read(-1)
        filter.close() if data is None else filter.write(b"%d." % len(data))

    def answers(req):
        """Each part as soon as it is there."""
        for size in map(int, req.args.split(",")):
            req.write(b"(%s)" % req.read(size))
        return apache.OK

    def sets(req):
        req.x = 1
        req.register_cleanup(ends, req)
        req.write("set")
        return apache.OK

    def ends(req):
        req.log_error("at the end: %r %r" % (req.x, req.read()))

    def cleanup(req):
        ends(req)
        return apache.OK

    def unread(req):
        req.write("unread")
        return apache.OK

    def discards(req):
        req.write(str(req.discard_request_body()))
        return apache.OK
"#;

/// Each character so many times.
fn each(text: &str, count: usize) -> String {
    text.chars().flat_map(|one| std::iter::repeat_n(one, count)).collect()
}

for_each_mpm! {
    fn a_body_is_what_the_filter_makes_of_it(mpm) {
        let names = [
            "upper", "doubles", "much", "halves", "nothing", "late", "bit_by_bit", "passes", "disables", "leaves", "first_line",
            "before_and_after",
        ];
        let server = input(site(mpm, PROGRAMS), &names).children(2).start();
        let text = "one\ntwo\nthree\nfour";
        let long: String = (0..8_000).map(|at| format!("line {at} of it\n")).collect();
        let mut connection = server.raw();
        for (name, expected) in [
            ("upper", "ONE\nTWO\nTHREE\nFOUR".to_owned()),
            ("doubles", each(text, 2)),
            ("much", each(text, 100)),
            ("halves", "one\nthree\n".to_owned()),
            ("nothing", String::new()),
            ("late", "ruof\neerht\nowt\neno".to_owned()),
            ("bit_by_bit", "ONE\nTWO\nTHREE\nFOUR".to_owned()),
            ("passes", text.to_owned()),
            ("disables", format!("begun: {text}")),
            ("leaves", "ONE\ntwo\nthree\nfour".to_owned()),
            ("first_line", "one\n".to_owned()),
            ("before_and_after", format!("<{text}>")),
        ] {
            // However it comes and however it is read, over one connection.
            for (query, separator) in [("", ""), ("?7", "|"), ("?100000", "|"), ("?lines", "|")] {
                let path = format!("/{name}/echo{query}");
                let request = server.request("POST", &path).keep_alive();
                let whole = connection.exchange(&request.clone().body(text));
                let found = is_ok(&server, &path, &whole);
                assert_eq!(found.replace(separator, ""), expected, "{path}");
                let pieces = text.as_bytes().chunks(4);
                let chunked = connection.exchange(&request.chunked(pieces));
                assert_eq!(chunked.text().replace(separator, ""), expected, "{path} in chunks");
            }
            assert_eq!(posted(&server, &format!("/{name}/echo"), "").replace(['<', '>'], "").replace("begun: ", ""), "", "{name}");
        }
        for (name, count) in [("upper", 1), ("doubles", 2), ("much", 100), ("passes", 1), ("before_and_after", 1)] {
            let found = posted(&server, &format!("/{name}/echo"), &long);
            assert_eq!(found.len() - found.matches(['<', '>']).count(), long.len() * count, "{name}");
        }
        let halved: String = long.lines().step_by(2).map(|line| format!("{line}\n")).collect();
        assert!(posted(&server, "/halves/echo", &long) == halved);
        assert!(posted(&server, "/halves/echo?lines", &long).replace('|', "") == halved);
        logged_nothing(&server);
    }

    fn sizes_are_kept_to(mpm) {
        let server = input(site(mpm, PROGRAMS), &["doubles", "same"]).start();
        assert_eq!(posted(&server, "/doubles/echo?3", "abcd"), "aab|bcc|dd|");
        assert_eq!(posted(&server, "/same/echo?3", "abcdef"), "abc|def|");
        assert_eq!(posted(&server, "/doubles/echo?lines", "a\nb"), "aa\n|\n|bb");
        logged_nothing(&server);
    }

    fn a_body_that_nobody_reads_is_not_taken_for_the_next_request(mpm) {
        let names = ["upper", "first_line", "nothing", "passes"];
        let server = input(site(mpm, PROGRAMS), &names)
            .config("<Files unread>\nSetHandler mod_python\nPythonHandler f::unread\n</Files>")
            .config("<Files discards>\nSetHandler mod_python\nPythonHandler f::discards\n</Files>")
            .start();
        let smuggled = "first\r\nGET /docs/doc.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let next = server.request("GET", "/docs/page.html").keep_alive();
        let mut connection = server.raw();
        for name in names {
            for (program, expected) in [("unread", "unread"), ("discards", "0"), ("program", "one two three")] {
                let request = server.request("POST", format!("/{name}/{program}")).keep_alive();
                for request in [request.clone().body(smuggled), request.chunked([smuggled])] {
                    let response = connection.exchange(&request);
                    assert_eq!(response.text(), expected, "{name} {program}");
                    // All of it had come: the connection goes on with the next request.
                    let response = connection.try_exchange(&next).unwrap_or_else(|error| panic!("{name} {program} {request:?}: {error}"));
                    assert_eq!(response.text(), "<p>Hello</p>", "{name} {program}");
                }
            }
        }
        // Where a body has not come, what comes later is still none.
        drop(connection);
        let mut connection = server.raw();
        connection.send("POST /first_line/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65\r\n\r\nfirst\n");
        let response = connection.response();
        assert_eq!(response.text(), "first\n");
        let _ = connection.try_send("GET /docs/doc.txt HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2));
        let rest = String::from_utf8_lossy(&connection.finish_sending().read_to_end()).into_owned();
        assert!(!rest.contains("Hello"), "{rest}");
        logged_nothing(&server);
    }

    fn what_has_come_is_not_kept_back(mpm) {
        let server = input(site(mpm, PROGRAMS), &["as_it_comes", "by_size", "whole", "same"])
            .config("<Files answers>\nSetHandler mod_python\nPythonHandler f::answers\n</Files>")
            .start();
        for name in ["as_it_comes", "by_size"] {
            let mut connection = server.raw();
            connection.send(format!("POST /{name}/answers?5,3,2 HTTP/1.0\r\nContent-Length: 10\r\n\r\nfirst"));
            let mut head = connection.read_bytes(1);
            while !head.ends_with(b"\r\n\r\n") {
                head.extend(connection.read_bytes(1));
            }
            // The rest is sent when the answer to the beginning is there.
            assert_eq!(connection.read_bytes(7), b"(first)", "{name}");
            connection.send("sec");
            assert_eq!(connection.read_bytes(5), b"(sec)", "{name}");
            connection.send("on");
            assert_eq!(connection.read_to_end(), b"(on)", "{name}");
        }
        // All is all, in however many pieces it comes.
        let body = "x".repeat(300_000);
        assert_eq!(posted(&server, "/whole/echo", &body), "300000.");
        let chunks = body.as_bytes().chunks(70_000);
        let response = server.request("POST", "/whole/echo").chunked(chunks).send();
        assert_eq!(is_ok(&server, "/whole/echo", &response), "300000.");
        logged_nothing(&server);
    }

    fn the_end_of_a_request_reads_its_body(mpm) {
        let server = input(site(mpm, PROGRAMS), &["same", "upper"])
            .config("<Files sets>\nSetHandler mod_python\nPythonHandler f::sets\nPythonCleanupHandler f::cleanup\n</Files>")
            // Freed memory is overwritten, so that whoever still uses it is found out.
            .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.perturb=165")
            .start();
        for name in ["same", "upper"] {
            server.forget_log();
            let mut connection = server.raw();
            for _ in 0..3 {
                let request = server.request("POST", format!("/{name}/sets")).keep_alive().body("the body");
                assert_eq!(connection.exchange(&request).text(), "set", "{name}");
            }
            drop(connection);
            // What nobody has read is dropped before.
            server.wait_for_log("at the end: 1 b''", 6);
            assert!(server.log_lines("MP0").iter().all(|line| line.contains(":info]") || line.contains(":notice]")), "{}", server.log());
        }
    }

    fn a_client_that_waits_to_send_is_told_to(mpm) {
        let server = input(site(mpm, PROGRAMS), &["upper", "first_line"]).start();
        let head = |name: &str| {
            format!("POST /{name}/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n")
        };
        let mut connection = server.raw();
        assert_eq!(connection.send(head("upper")).response().status, 100);
        assert_eq!(connection.send("the body").response().text(), "THE BODY");
        assert_eq!(connection.send(head("first_line")).response().status, 100);
        assert_eq!(connection.send("a\nbody..").response().text(), "a\n");
        assert_eq!(connection.send(head("upper")).response().status, 100);
        assert_eq!(connection.send("the body").response().text(), "THE BODY");
        logged_nothing(&server);
    }
}

/// A handler that reads a little at a time does not have the filter work through the body in such pieces.
#[test]
fn small_reads_take_good_pieces() {
    let server = input(site(Mpm::Event, PROGRAMS), &["tells"]).start();
    let body = "0123456789abcdef".repeat(2048);
    for size in [1, 3, 1000] {
        assert_eq!(posted(&server, &format!("/tells/echo?{size}"), &body).replace('|', ""), body, "{size}");
    }
    // A body of 32 KiB. Some more than it takes, since it comes as the network cuts it.
    let lines = server.wait_for_log("reads of the filter: ", 3);
    let reads: Vec<usize> = lines.iter().filter_map(|line| line.rsplit_once(": ")?.1.parse().ok()).collect();
    assert!(reads.len() == 3 && reads.iter().all(|count| *count < 200), "{reads:?}");
    logged_nothing(&server);
}

#[test]
fn two_filters_and_those_of_httpd() {
    let all = "PythonInputFilter f::upper UP\nPythonInputFilter f::doubles DO\nPythonInputFilter f::bit_by_bit BI\n";
    let server = [
        ("up-do", "SetInputFilter UP;DO"),
        ("do-bi", "SetInputFilter DO;BI"),
        ("inflate", "SetInputFilter UP;DEFLATE"),
    ]
    .iter()
    .fold(site(Mpm::Event, PROGRAMS), |httpd, (name, filters)| route(httpd, name, &format!("{all}{filters}")))
    .start();
    assert_eq!(posted(&server, "/up-do/echo", "body"), "BBOODDYY");
    assert_eq!(posted(&server, "/do-bi/echo", "body"), "BBOODDYY");
    let text: String = (0..100_000).map(|at| format!("line {at}\n")).collect();
    let plain = server.scratch().join("plain");
    std::fs::write(&plain, &text).expect("a file");
    let zipped = std::process::Command::new("gzip").arg("-c").arg(&plain).output().expect("gzip runs").stdout;
    let request = server.request("POST", "/inflate/echo").header("Content-Encoding", "gzip").body(&zipped);
    assert!(is_ok(&server, "/inflate/echo", &request.send()) == text.to_ascii_uppercase());
    logged_nothing(&server);
}

#[test]
fn a_program_of_another_process_reads_what_the_filter_has_made() {
    if !has_module("cgi") {
        return not_tested("this httpd has no mod_cgi");
    }
    let script = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec cat\n";
    let server = input(site(Mpm::Prefork, PROGRAMS), &["upper", "late", "bit_by_bit"])
        .module("cgi")
        .binary_file("docs/script.cgi", script)
        .config("<Files script.cgi>\nOptions ExecCGI\nSetHandler cgi-script\n</Files>")
        .start();
    make_executable(&server, "htdocs/docs/script.cgi");
    assert_eq!(posted(&server, "/upper/script.cgi", "the body"), "THE BODY");
    assert_eq!(posted(&server, "/late/script.cgi", "the body"), "ydob eht");
    assert_eq!(posted(&server, "/bit_by_bit/script.cgi", "the body"), "THE BODY");
    logged_nothing(&server);
}
