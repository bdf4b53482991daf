//! Filters over responses of every origin, behind and in front of httpd's own filters.

use super::{got, is_ok, logged_nothing, make_executable, output, route, site};
use crate::fixture::{Framing, HttpError, Mpm, Server, for_each_lasting_mpm, for_each_mpm, has_module, not_tested};

/// Some megabytes, of which no part is like another.
fn large() -> Vec<u8> {
    (0..3_000_000u32).map(|at| b'a' + (at.wrapping_mul(2_654_435_761) >> 24) as u8 % 26).collect()
}

for_each_mpm! {
    fn a_file_goes_through_whole(mpm) {
        let upper = large().to_ascii_uppercase();
        for settings in ["EnableSendfile On\nEnableMMAP On", "EnableSendfile Off\nEnableMMAP Off"] {
            let server = output(site(mpm, ""), &["upper", "same"])
                .config(settings)
                .binary_file("docs/large.txt", large())
                .binary_file("docs/empty.txt", "")
                .start();
            let response = server.get("/upper/large.txt");
            assert!(response.status == 200 && response.body == upper, "{response:?}");
            assert_eq!(response.framing, Framing::Chunked, "its length is not that of the file");
            assert_eq!(got(&server, "/upper/empty.txt"), "");
            let response = server.get("/upper/doc.txt");
            assert_eq!(response.text(), "HELLO, WORLD!");
            // httpd counts what comes in one piece.
            assert_eq!(response.framing, Framing::Length(13));
            logged_nothing(&server);
        }
    }

    fn what_a_handler_writes_goes_through_as_it_comes(mpm) {
        let server = output(site(mpm, ""), &["upper", "brackets"]).start();
        assert_eq!(got(&server, "/upper/program"), "ONE TWO THREE");
        assert_eq!(got(&server, "/brackets/program"), "[one two ][three]");
        logged_nothing(&server);
    }

    /// A flush does not send the headers that a filter is about to set.
    fn one_that_holds_all_until_its_end_can_set_headers_then(mpm) {
        let programs = r#"
            held = {}

            def holds(filter):
                data = held.setdefault(filter.req.uri, [])
                while piece := filter.read():
                    data.append(piece)
                if piece is None:
                    body = b"".join(held.pop(filter.req.uri)).upper()
                    filter.req.headers_out["X-Length"] = str(len(body))
                    filter.req.headers_out["Content-Length"] = str(len(body))
                    filter.write(body)
                    filter.close()

            def flushes(req):
                req.flush()
                req.write("one ")
                req.flush()
                req.write("two ")
                req.flush()
                req.write("three")
                return apache.OK

            def early(req):
                req.write("one ")
                req.flush()
                req.write("two three")
                return apache.OK
        "#;
        let server = output(site(mpm, programs), &["holds"])
            .config("<Files early>\nSetHandler mod_python\nPythonHandler f::early\n</Files>")
            .config("<Files flushes>\nSetHandler mod_python\nPythonHandler f::flushes\n</Files>")
            .start();
        for document in ["program", "early"] {
            let response = server.get(&format!("/holds/{document}"));
            assert_eq!(response.text(), "ONE TWO THREE", "{document}");
            assert_eq!((response.header("X-Length"), response.framing), (Some("13"), Framing::Length(13)), "{document}");
        }
        // Who flushes before there is any data wants the headers sent.
        let response = server.get("/holds/flushes");
        assert_eq!((response.text().as_str(), response.header("X-Length")), ("ONE TWO THREE", None));
        logged_nothing(&server);
    }

    fn a_flush_reaches_the_client_before_the_handler_goes_on(mpm) {
        let programs = r#"
            def flushes(filter):
                data = filter.read()
                while data:
                    filter.write(data.upper())
                    filter.flush()
                    wait_for(filter.req, "seen")
                    filter.write("the rest ")
                    data = filter.read()
                if data is None:
                    filter.close()

            def bit_by_bit(req):
                req.write("from the ")
                wait_for(req, "seen")
                req.write("handler")
                return apache.OK
        "#;
        let server = output(site(mpm, programs), &["flushes", "upper"])
            .config("<Files bits>\nSetHandler mod_python\nPythonHandler f::bit_by_bit\n</Files>")
            .start();
        for (path, first, rest) in
            [("/flushes/doc.txt", "HELLO, WORLD!", "the rest "), ("/upper/bits", "FROM THE ", "HANDLER")]
        {
            let mut connection = server.raw();
            connection.send(format!("GET {path} HTTP/1.0\r\n\r\n"));
            let mut head = Vec::new();
            while !head.ends_with(format!("\r\n\r\n{first}").as_bytes()) {
                head.extend(connection.read_bytes(1));
            }
            std::fs::write(server.scratch().join("seen"), "").expect("a file");
            assert_eq!(String::from_utf8_lossy(&connection.read_to_end()), rest, "{path}");
            std::fs::remove_file(server.scratch().join("seen")).expect("the file");
        }
        logged_nothing(&server);
    }
}

/// Programs that leave the length as it is, or change it.
const LENGTHS: &str = r#"
    def passes(filter):
        filter.pass_on()

    def disables(filter):
        filter.disable()

    def writes(filter):
        filter.write("x")
        filter.pass_on()

    def swallows(filter):
        while filter.read():
            pass

    def new_length(filter):
        data = filter.read(-1)
        filter.req.headers_out["Content-Length"] = str(2 * len(data))
        filter.write(data * 2)

    def nothing_more(filter):
        filter.close()

    def half(filter):
        filter.write(filter.read(5))
        filter.close()

    def some_then_all(filter):
        filter.write(filter.read(5).upper())
        filter.pass_on()
        filter.disable()
"#;

for_each_mpm! {
    fn the_length_is_that_of_what_is_sent(mpm) {
        let names = ["passes", "disables", "writes", "swallows", "new_length", "nothing_more", "half", "some_then_all"];
        let server = output(site(mpm, LENGTHS), &names).binary_file("docs/large.txt", large()).start();
        // Over one connection: a length that is not true would put the next response out of step.
        let mut connection = server.raw();
        for (name, body) in [
            ("passes", "Hello, world!"),
            ("disables", "Hello, world!"),
            ("writes", "xHello, world!"),
            ("swallows", ""),
            ("new_length", "Hello, world!Hello, world!"),
            ("nothing_more", ""),
            ("half", "Hello"),
            ("some_then_all", "HELLO, world!"),
        ] {
            let response = connection.exchange(&server.request("GET", format!("/{name}/doc.txt")).keep_alive());
            assert_eq!((response.text().as_str(), response.framing), (body, Framing::Length(body.len() as u64)), "{name}");
            let response = connection.exchange(&server.request("HEAD", format!("/{name}/doc.txt")).keep_alive());
            assert_eq!((response.status, response.body.len()), (200, 0), "{name}");
            let response = connection.exchange(&server.request("GET", format!("/{name}/large.txt")).keep_alive());
            let length = match name {
                "passes" | "disables" => 3_000_000,
                "writes" => 3_000_001,
                "some_then_all" => 3_000_000,
                "new_length" => 6_000_000,
                "half" => 5,
                _ => 0,
            };
            assert_eq!(response.body.len(), length, "{name}");
            let is_known = ["passes", "disables", "new_length"].contains(&name);
            assert!(!is_known || response.framing == Framing::Length(length as u64), "{name}: {:?}", response.framing);
            // A length that is said of the first part of several would be wrong.
            if name != "new_length" {
                let program = connection.exchange(&server.request("GET", format!("/{name}/program")).keep_alive());
                assert_eq!(program.status, 200, "{name}");
            }
        }
        logged_nothing(&server);
    }
}

#[test]
fn over_httpds_own_content() {
    let programs = "def redirects(req):\n    req.internal_redirect('/upper/doc.txt')\n    return apache.OK\n";
    let server = output(site(Mpm::Event, programs), &["upper", "brackets"])
        .config("<Files redirects>\nSetHandler mod_python\nPythonHandler f::redirects\n</Files>")
        .file("docs/outer.shtml", "<!--#include virtual=\"/brackets/doc.txt\" --> <!--#echo var=\"DOCUMENT_NAME\" -->")
        .file("errors/missing.txt", "nothing of the kind")
        .config(
            r#"
            Options Includes
            AddType text/html .shtml
            <Location /includes>
                SetOutputFilter INCLUDES;O-upper
                PythonOutputFilter f::upper O-upper
            </Location>
            Alias /includes ${HTDOCS}/docs
            <Location /inside>
                SetOutputFilter INCLUDES
            </Location>
            Alias /inside ${HTDOCS}/docs
            <Location /errors>
                PythonOutputFilter f::upper O-upper
                SetOutputFilter O-upper
            </Location>
            ErrorDocument 404 /errors/missing.txt
            "#,
        )
        .start();
    // A sub-request's output goes through its own filters, then through those behind the page's includes.
    assert_eq!(got(&server, "/inside/outer.shtml").trim(), "[Hello, world!] outer.shtml");
    assert_eq!(got(&server, "/includes/outer.shtml").trim(), "[HELLO, WORLD!] OUTER.SHTML");
    let response = server.get("/upper/nothing");
    assert_eq!((response.status, response.text().trim()), (404, "NOTHING OF THE KIND"));
    // httpd's own error page goes past all filters.
    let response = server.request("DELETE", "/upper/doc.txt").send();
    assert_eq!(response.status, 405);
    assert!(response.text().contains("Method Not Allowed"), "{response:?}");

    // A redirect within httpd goes through the filters of where it leads, and not through those of where it comes from.
    assert_eq!(got(&server, "/brackets/redirects"), "HELLO, WORLD!");

    let plain = server.get("/upper/doc.txt");
    let modified = plain.header("Last-Modified").expect("a file has one");
    let response = server.request("GET", "/upper/doc.txt").header("If-Modified-Since", modified).send();
    assert_eq!((response.status, response.body.len(), response.framing), (304, 0, Framing::NoBody));
    let response = server.request("HEAD", "/upper/doc.txt").send();
    assert_eq!((response.status, response.header("Content-Length")), (200, Some("13")));
    // Ranges are of what the filter has made.
    let response = server.request("GET", "/upper/doc.txt").header("Range", "bytes=7-11").send();
    assert_eq!((response.status, response.text().as_str()), (206, "WORLD"));
    let response = server.request("GET", "/upper/doc.txt").header("Range", "bytes=0-0,-1").send();
    assert_eq!(response.status, 206);
    assert!(response.text().contains("\r\n\r\nH\r\n") && response.text().contains("\r\n\r\n!\r\n"), "{response:?}");
    logged_nothing(&server);
}

const CHAINS: &str = r#"
    def tells(filter):
        change(filter, lambda data: data + b" " + apache.interpreter.encode())

    def asks_within(filter):
        """A request within the filter's own, which goes through filters too."""
        data = filter.read()
        while data:
            filter.write(data)
            filter.req.write("past the filter ")
            data = filter.read()
        if data is None:
            filter.close()

    def by_lines(filter):
        line = filter.readline()
        while line:
            filter.write(b"<%s>" % line.strip())
            line = filter.readline()
        if line is None:
            filter.close()

    def once(filter):
        """Reads a little at each call."""
        data = filter.read(2)
        if data is None:
            filter.close()
        else:
            filter.write(b"%s." % data)
"#;

for_each_mpm! {
    fn filters_in_a_row(mpm) {
        let httpd = site(mpm, CHAINS).binary_file("docs/lines.txt", "a\nb\n\nlast").binary_file("docs/large.txt", large());
        let all = "PythonOutputFilter f::upper UP\nPythonOutputFilter f::brackets BR\nPythonOutputFilter f::by_lines LI\n\
                   PythonOutputFilter f::once ON\nPythonOutputFilter f::asks_within AS\nPythonOutputFilter f::same SA\n";
        let server = [
            ("up-br", "SetOutputFilter UP;BR"),
            ("br-up", "SetOutputFilter BR;UP"),
            ("li-br", "SetOutputFilter LI;BR"),
            ("on-br", "SetOutputFilter ON;BR"),
            ("on-up", "SetOutputFilter ON;UP"),
            ("as", "SetOutputFilter AS"),
            ("up-as", "SetOutputFilter UP;AS"),
            ("as-up", "SetOutputFilter AS;UP"),
            ("type", "AddOutputFilterByType AS text/plain"),
            ("smart", "FilterDeclare AS\nFilterProvider AS AS \"%{CONTENT_TYPE} =~ m|^text/plain|\"\nFilterChain AS"),
            ("many", "SetOutputFilter SA;UP;SA;UP;SA"),
            ("deflated", "SetOutputFilter UP;DEFLATE"),
            ("inflated", "SetOutputFilter INFLATE;UP"),
        ]
        .iter()
        .fold(httpd, |httpd, (name, filters)| route(httpd, name, &format!("{all}{filters}")))
        .config("AddEncoding gzip .gz")
        .start();
        for (path, expected) in [
            ("/up-br/doc.txt", "[HELLO, WORLD!]"),
            ("/br-up/doc.txt", "[HELLO, WORLD!]"),
            ("/br-up/program", "[ONE TWO ][THREE]"),
            ("/li-br/lines.txt", "[<a><b><><last>]"),
            ("/on-br/doc.txt", "[He.ll.o,. w.or.ld.!.]"),
            ("/on-up/doc.txt", "HE.LL.O,. W.OR.LD.!."),
            // What a filter writes to its request comes past it, behind what it has written before.
            ("/as/doc.txt", "Hello, world!past the filter "),
            ("/type/doc.txt", "Hello, world!past the filter "),
            ("/type/page.html", "<p>Hello</p>"),
            ("/smart/doc.txt", "Hello, world!past the filter "),
            ("/smart/page.html", "<p>Hello</p>"),
            ("/as-up/doc.txt", "HELLO, WORLD!PAST THE FILTER "),
        ] {
            assert_eq!(got(&server, path), expected, "{path}");
        }
        // One that comes earlier is on the way of what a later one writes to the request.
        assert!(got(&server, "/up-as/doc.txt").to_ascii_lowercase().contains("past the filter"));
        let upper = large().to_ascii_uppercase();
        assert!(server.get("/many/large.txt").body == upper);
        let zipped = server.request("GET", "/deflated/large.txt").header("Accept-Encoding", "gzip").send();
        assert_eq!((zipped.status, zipped.header("Content-Encoding")), (200, Some("gzip")));
        assert!(unzipped(&server, &zipped.body) == upper);
        std::fs::write(server.root().join("htdocs/docs/large.txt.gz"), zipped.body).expect("a file");
        let response = server.request("GET", "/inflated/large.txt.gz").header("Accept-Encoding", "gzip").send();
        assert_eq!((response.status, response.header("Content-Encoding")), (200, None));
        assert!(response.body == upper);
        logged_nothing(&server);
    }
}

/// What gzip makes of this.
fn unzipped(server: &Server, zipped: &[u8]) -> Vec<u8> {
    let path = server.scratch().join("zipped.gz");
    std::fs::write(&path, zipped).expect("a file");
    let output = std::process::Command::new("gzip").arg("-dc").arg(path).output().expect("gzip runs");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

for_each_lasting_mpm! {
    fn two_filters_in_two_interpreters(mpm) {
        let server = site(mpm, CHAINS)
            .config(
                r#"
                PythonInterpPerDirective On
                Alias /a ${HTDOCS}/docs
                <Location /a>
                    PythonOutputFilter f::tells ONE
                    SetOutputFilter ONE;TWO;GLOBAL
                </Location>
                <Directory ${HTDOCS}/docs>
                    PythonOutputFilter f::tells TWO
                </Directory>
                PythonOutputFilter f::tells GLOBAL
                "#,
            )
            .children(1)
            .start();
        let docs = format!("{}/htdocs/docs/", server.root().display());
        for turn in 0..3 {
            let expected = format!("Hello, world! /a {docs} main_interpreter");
            assert_eq!(got(&server, "/a/doc.txt"), expected, "{turn}");
        }
        // The handler's own interpreter is that of its section: none here.
        assert_eq!(got(&server, "/a/program"), format!("one two  /a {docs} main_interpreterthree /a {docs} main_interpreter"));
        logged_nothing(&server);
    }
}

#[test]
fn over_a_program_of_another_process() {
    if !has_module("cgi") {
        return not_tested("this httpd has no mod_cgi");
    }
    let script = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nfirst '\n\
                  read -r seen <\"$SEEN\"\nprintf second\n";
    let server = output(site(Mpm::Prefork, ""), &["upper"])
        .module("cgi")
        .binary_file("docs/script.cgi", script)
        .config("<Files script.cgi>\nOptions ExecCGI\nSetHandler cgi-script\n</Files>\nSetEnv SEEN ${SCRATCH}/seen")
        .start();
    let seen = server.scratch().join("seen");
    let made = std::process::Command::new("mkfifo").arg("-m").arg("666").arg(&seen).status();
    assert!(made.expect("mkfifo runs").success());
    make_executable(&server, "htdocs/docs/script.cgi");
    // What comes bit by bit goes on bit by bit.
    let mut connection = server.raw();
    connection.send("GET /upper/script.cgi HTTP/1.0\r\n\r\n");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\nFIRST ") {
        head.extend(connection.read_bytes(1));
    }
    std::fs::write(&seen, "seen\n").expect("the pipe");
    assert_eq!(connection.read_to_end(), b"SECOND");
    logged_nothing(&server);
}

#[test]
fn a_program_that_falls_silent_breaks_the_response_off() {
    if !has_module("cgi") {
        return not_tested("this httpd has no mod_cgi");
    }
    let script = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nfirst '\nread -r seen <\"$SEEN\"\n";
    let programs = r#"
        def catches(filter):
            try:
                upper(filter)
            except OSError as error:
                filter.req.log_error("caught " + str(error))
    "#;
    let server = output(site(Mpm::Prefork, programs), &["upper", "catches"])
        .module("cgi")
        .binary_file("docs/script.cgi", script)
        .config("<Files script.cgi>\nOptions ExecCGI\nSetHandler cgi-script\n</Files>\nSetEnv SEEN ${SCRATCH}/seen\nTimeout 1")
        .start();
    let made = std::process::Command::new("mkfifo").arg("-m").arg("666").arg(server.scratch().join("seen")).status();
    assert!(made.expect("mkfifo runs").success());
    make_executable(&server, "htdocs/docs/script.cgi");
    for name in ["upper", "catches"] {
        let mut connection = server.raw();
        connection.send(server.request("GET", format!("/{name}/script.cgi")).keep_alive().to_bytes());
        match connection.try_response("GET") {
            Err(HttpError::Truncated(Some(response))) => assert_eq!(response.text(), "FIRST ", "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(server.log_count("caught Filter read error"), 1);
}

#[test]
fn one_that_is_declared_under_the_name_of_another() {
    let all = "PythonOutputFilter f::upper UP";
    let httpd = site(Mpm::Event, "");
    let server = [("httpds", "DEFLATE"), ("own", "UP"), ("nobodys", "NOBODY")]
        .iter()
        .fold(httpd, |httpd, (name, declared)| {
            route(
                httpd,
                name,
                &format!(
                    "{all}\nFilterDeclare {declared}\nFilterProvider {declared} UP \"true\"\nFilterChain {declared}"
                ),
            )
        })
        .start();
    for name in ["httpds", "nobodys"] {
        server.forget_log();
        let response = server.request("GET", format!("/{name}/doc.txt")).header("Accept-Encoding", "gzip").send();
        assert_eq!(response.status, 500, "{name}: {response:?}");
        assert_eq!(server.log_count("MP0413"), 1, "{}", server.log());
    }
    assert_eq!(got(&server, "/own/doc.txt"), "HELLO, WORLD!");
}

#[test]
fn over_a_proxied_response() {
    if !has_module("proxy_http") {
        return not_tested("this httpd has no mod_proxy_http");
    }
    let server = site(Mpm::Event, "")
        .module("proxy")
        .module("proxy_http")
        .binary_file("docs/large.txt", large())
        .config(
            r#"
            PythonOutputFilter f::upper UP
            <Location /proxied>
                ProxyPass http://127.0.0.1:${PORT}/docs
                SetOutputFilter UP
            </Location>
            "#,
        )
        .start();
    let response = server.get("/proxied/doc.txt");
    assert_eq!(is_ok(&server, "/proxied", &response), "HELLO, WORLD!");
    assert!(server.get("/proxied/large.txt").body == large().to_ascii_uppercase());
    logged_nothing(&server);
}
