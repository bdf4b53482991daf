//! Filters and the connection: kept, pipelined, broken off.

use super::{got, input, logged_nothing, output, posted, route, site};
use crate::fixture::{HttpError, Mpm, for_each_lasting_mpm, for_each_mpm};

for_each_mpm! {
    fn requests_on_one_connection_do_not_mix(mpm) {
        let httpd = route(
            site(mpm, ""),
            "both",
            "PythonOutputFilter f::brackets B\nSetOutputFilter B\nPythonInputFilter f::upper U\nSetInputFilter U",
        );
        let server = httpd.start();
        let mut connection = server.raw();
        for turn in 0..20 {
            let text = format!("body {turn}");
            let request = server.request("POST", "/both/echo").keep_alive();
            let request = if turn % 2 == 0 { request.body(&text) } else { request.chunked([&text[..2], &text[2..]]) };
            assert_eq!(connection.exchange(&request).text(), format!("[{}]", text.to_uppercase()));
        }
        // All at once
        let requests: Vec<u8> = (0..10)
            .flat_map(|turn| {
                let post = server.request("POST", "/both/echo").keep_alive().body(format!("piped {turn}")).to_bytes();
                [post, server.request("GET", "/both/doc.txt").keep_alive().to_bytes()].concat()
            })
            .collect();
        connection.send(requests);
        for turn in 0..10 {
            assert_eq!(connection.response().text(), format!("[PIPED {turn}]"));
            assert_eq!(connection.response().text(), "[Hello, world!]");
        }
        logged_nothing(&server);
    }

    fn an_early_end_leaves_the_connection_in_step(mpm) {
        let programs = r#"
            def head(filter):
                """The first line, and nothing of what follows."""
                filter.write(filter.readline())
                filter.close()

            def many_lines(req):
                for number in range(50000):
                    req.write("line %d\n" % number, 0)
                return apache.OK
        "#;
        let server = output(site(mpm, programs), &["head"])
            .config("<Files lines>\nSetHandler mod_python\nPythonHandler f::many_lines\n</Files>")
            .binary_file("docs/large.txt", "a line\n".repeat(400_000))
            .start();
        let mut connection = server.raw();
        for _ in 0..3 {
            for (path, line) in [("/head/lines", "line 0\n"), ("/head/large.txt", "a line\n")] {
                let response = connection.exchange(&server.request("GET", path).keep_alive());
                assert_eq!(response.text(), line);
            }
            let response = connection.exchange(&server.request("HEAD", "/head/large.txt").keep_alive());
            assert_eq!(response.status, 200);
        }
        drop(connection);
        assert_eq!(got(&server, "/docs/doc.txt"), "Hello, world!");
        logged_nothing(&server);
    }
}

/// Programs that see the client go.
const GOING: &str = r#"
    def endless(req):
        while True:
            req.write(b"x" * 10000)

    def tells(filter):
        """Keeps to itself what it was told, and lets it through."""
        try:
            data = filter.read()
            while data:
                filter.write(data)
                filter.flush()
                data = filter.read()
        except OSError as error:
            import _apache
            assert isinstance(error, _apache.ClientGone), repr(error)
            made(filter.req, "told")
            raise
        if data is None:
            filter.close()

    def catches(filter):
        try:
            while True:
                filter.write(b"x" * 10000)
                filter.flush()
        except OSError:
            made(filter.req, "caught")

    def reads(filter):
        try:
            data = filter.read(10)
            made(filter.req, "reading")
            while data:
                filter.write(data)
                data = filter.read(10)
            if data is None:
                filter.close()
        except OSError:
            made(filter.req, "broken")
            raise
"#;

for_each_lasting_mpm! {
    fn a_client_that_goes_away_is_told_quietly(mpm) {
        let server = input(output(site(mpm, GOING), &["tells", "catches"]), &["reads"])
            .config("<Files endless>\nSetHandler mod_python\nPythonHandler f::endless\n</Files>")
            .children(1)
            .start();
        let children = server.child_pids();
        for (path, mark) in [("/tells/endless", "told"), ("/catches/doc.txt", "caught")] {
            let mut connection = server.raw();
            connection.send(format!("GET {path} HTTP/1.0\r\n\r\n"));
            connection.read_bytes(20_000);
            connection.abort();
            crate::fixture::wait_until(mark, || server.scratch().join(mark).exists());
        }
        let mut connection = server.raw();
        connection.send("POST /reads/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n0123456789 and some");
        crate::fixture::wait_until("the filter to read", || server.scratch().join("reading").exists());
        connection.abort();
        crate::fixture::wait_until("the filter to fail", || server.scratch().join("broken").exists());
        assert_eq!(got(&server, "/docs/doc.txt"), "Hello, world!");
        assert_eq!((server.log_count("MP0401"), server.log_count("Traceback")), (0, 0), "{}", server.log());
        server.wait_for_log("MP0414", 2);
        assert_eq!(server.child_pids(), children);
    }
}

/// `raise apache.SERVER_RETURN` ends a call of a filter, whatever it says.
const RETURNS: &str = r#"
    def returns(filter):
        data = filter.read()
        if data:
            filter.write(data.upper())
        raise apache.SERVER_RETURN(apache.OK)

    def status(filter):
        data = filter.read()
        if data:
            filter.write(data.upper())
        raise apache.SERVER_RETURN(apache.HTTP_FORBIDDEN, apache.HTTP_ACCEPTED)

    def wrong(filter):
        raise apache.SERVER_RETURN("text")

    def result(filter):
        """What it returns has no meaning."""
        same(filter)
        return "anything"
"#;

#[test]
fn server_return_ends_a_call() {
    let server = output(site(Mpm::Event, RETURNS), &["returns", "status", "wrong", "result"]);
    let server = input(server, &[]);
    let server = route(server, "in", "PythonInputFilter f::returns R\nSetInputFilter R").start();
    assert_eq!(got(&server, "/returns/doc.txt"), "HELLO, WORLD!");
    assert_eq!(got(&server, "/result/doc.txt"), "Hello, world!");
    assert_eq!(posted(&server, "/in/echo", "body"), "BODY");
    let response = server.get("/status/doc.txt");
    assert_eq!((response.status, response.text().as_str()), (202, "HELLO, WORLD!"));
    logged_nothing(&server);
    assert_eq!(server.get("/wrong/doc.txt").status, 500);
    assert_eq!(server.log_count("MP0401"), 1);
}

for_each_mpm! {
    fn a_response_cut_short_is_seen_to_be(mpm) {
        let programs = r#"
            def breaks(filter):
                data = filter.read(5)
                filter.write(data)
                filter.flush()
                raise ValueError("in the middle")
        "#;
        let server = output(site(mpm, programs), &["breaks"]).start();
        for path in ["/breaks/doc.txt", "/breaks/program"] {
            server.forget_log();
            let outcome = server.request("GET", path).keep_alive().try_send();
            let Err(HttpError::Truncated(_)) = outcome else { panic!("{path}: {outcome:?}") };
            assert_eq!(server.log_count("MP0401"), 1, "{}", server.log());
        }
        assert_eq!(got(&server, "/docs/doc.txt"), "Hello, world!");
    }
}
