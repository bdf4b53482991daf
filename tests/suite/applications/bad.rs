//! What goes wrong: the status, one entry that says what to do, and the next request is served.

use super::{SOURCE, applications, lines, respond};
use crate::common::probe::with_code;
use crate::fixture::{Httpd, Mpm, for_each_mpm};

for_each_mpm! {
    fn what_an_application_does_wrong_is_said_once(mpm) {
        let server = applications(mpm).shared();
        for (code, text) in [
            ("raise ValueError('boom')", "raised ValueError: boom"),
            ("raise SystemExit(3)", "raised SystemExit: 3"),
            ("response = [b'x']", "did not call start_response"),
            ("response = iter([])", "did not call start_response"),
            ("response = None", "returned NoneType: return a list of bytes"),
            ("start_response('200 OK', []); response = b'bytes'", "returned bytes: return a list of bytes"),
            ("start_response('200 OK', []); response = 'text'", "returned str: return a list of bytes"),
            ("start_response('200 OK', []); response = ['text']", "must be of bytes, not str"),
            ("start_response('200 OK', []); response = iter([1])", "must be of bytes, not int"),
            ("start_response('200 OK', []); start_response('200 OK', [])", "start_response() was called before"),
            ("start_response(200, [])", "the status must be str, not int"),
            ("start_response('OK', [])", "Invalid status line"),
            ("start_response('103 Early', [])", "103 is no final status"),
            ("start_response('200 OK', {})", "the headers must be a list, not dict"),
            ("start_response('200 OK', [('A', 'b', 'c')])", "a tuple of name and value"),
            ("start_response('200 OK', [('A: B', 'c')])", "is not the name of a header"),
            ("start_response('200 OK', [('A', 'b\\r\\nC: d')])", "a line break would end the header"),
            ("start_response('200 OK', [('A', '€')])", "not an ISO-8859-1 string"),
            ("start_response('200 OK', [('Connection', 'close')])", "the header Connection is the server's to set"),
            ("start_response('200 OK', [('Transfer-Encoding', 'chunked')])", "the header Transfer-Encoding is the server's to set"),
            ("start_response('200 OK', [('Content-Length', '-5')])", "is not a length"),
            ("start_response()", "start_response() takes the status, the headers"),
            ("start_response('200 OK', []).__self__.write('x')", "write() takes bytes, not str"),
            ("start_response.write(b'x')", "write() was called before start_response()"),
        ] {
            server.forget_log();
            let response = respond(&server, code);
            assert_eq!(response.status, 500, "{code}: {response:?}");
            let entries = server.log_lines("MP04");
            assert!(entries.len() == 1 && entries[0].contains(text), "{code}: {entries:#?}");
            assert!(entries[0].contains("PythonApplication 'probe:application' ("), "{entries:#?}");
        }
        assert_eq!(lines(&server, "out(1)"), ["1"]);
    }

    fn a_status_without_a_reason_is_sent_and_said(mpm) {
        let server = applications(mpm).shared();
        server.forget_log();
        let response = respond(&server, "start_response('404', []); response = [b'x']");
        assert_eq!((response.status, response.reason.as_str(), response.text().as_str()), (404, "Not Found", "x"));
        assert_eq!(server.log_count("MP0426"), 1, "{}", server.log());
    }

    fn very_many_headers_are_sent_or_refused(mpm) {
        let server = applications(mpm).shared();
        let response = with_code(server.request("GET", "/app"), "start_response('200 OK', [('X-%d' % n, 'v') for n in range(100000)]); response = [b'x']").try_send();
        if let Ok(response) = response {
            assert!([200, 500].contains(&response.status), "{}", response.status);
        }
        assert_eq!(lines(&server, "out(1)"), ["1"]);
    }
}

#[test]
fn targets_that_cannot_be_used_say_what_to_do() {
    let server = Httpd::new(Mpm::Event)
        .config(
            "PythonApplication /typo nowhere:app\n\
             PythonApplication /object probe:nothing path=${HTDOCS}/lib\n\
             PythonApplication /factory only_factory path=${HTDOCS}/lib\n\
             PythonApplication /data probe:data path=${HTDOCS}/lib\n\
             PythonApplication /notfactory probe:data factory=on path=${HTDOCS}/lib\n\
             PythonApplication /coroutine probe:asynchronous path=${HTDOCS}/lib\n\
             PythonApplication /asgi probe:asynchronous_object path=${HTDOCS}/lib\n\
             PythonApplication /nofile ${HTDOCS}/lib/missing.wsgi\n\
             PythonApplication /syntax ${HTDOCS}/lib/syntax.wsgi\n\
             PythonApplication /good probe path=${HTDOCS}/lib",
        )
        .file("lib/probe.py", SOURCE)
        .file("lib/only_factory.py", "def create_app():\n    pass\n")
        .file("lib/syntax.wsgi", "def application(:\n")
        .start();
    for (name, text) in [
        ("typo", "ModuleNotFoundError: No module named 'nowhere'"),
        ("object", "name the object that it has, as in 'probe:application'"),
        ("factory", "write 'only_factory:create_app factory=on'"),
        ("data", "probe:data is not callable, but list"),
        ("notfactory", "factory=on is for a function that makes the application"),
        ("coroutine", "is an ASGI application or a coroutine function"),
        ("asgi", "is an ASGI application or a coroutine function"),
        ("nofile", "FileNotFoundError"),
        ("syntax", "SyntaxError"),
    ] {
        // It stays so, and is said at each request.
        for _ in 0..2 {
            server.forget_log();
            assert_eq!(server.get(&format!("/{name}")).status, 500, "{name}");
            let entries = server.log_lines("MP04");
            assert!(entries.len() == 1 && entries[0].contains(text), "{name}: {entries:#?}");
        }
    }
    assert_eq!(super::lines_of(&server, "/good", "out(1)"), ["1"]);
}

#[test]
fn directives_that_make_no_sense_stop_the_start() {
    for (directive, text) in [
        ("PythonApplication /", "MP0220"),
        ("PythonApplication probe:app", "MP0220"),
        ("PythonApplication / probe:app more", "MP0220"),
        ("PythonApplication app probe:app", "MP0220"),
        ("<Location /x>\nPythonApplication /x probe:app\n</Location>", "MP0220"),
        ("PythonApplication / app.py", "MP0219"),
        ("PythonApplication / 'a b'", "MP0218"),
        ("PythonApplication / probe:app factory=perhaps", "MP0221"),
        ("PythonApplication / probe:app colour=red", "MP0221"),
        ("PythonApplication / probe:app protocol=asgi", "MP0223"),
        ("PythonApplication /a probe:app\nPythonApplication /a/ other:app", "MP0222"),
    ] {
        let output = Httpd::new(Mpm::Event).config(directive).start_fails();
        assert!(output.contains(text) && output.contains("httpd.conf"), "{directive}: {output}");
    }
}
