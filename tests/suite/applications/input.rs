//! wsgi.input.

use super::applications;
use crate::common::probe::with_code;
use crate::fixture::{Server, for_each_mpm};

#[track_caller]
fn put(server: &Server, body: &[u8], code: &str) -> String {
    let response = with_code(server.request("POST", "/app").body(body), code).send();
    assert_eq!(response.status, 200, "{}\n{}", response.text(), server.log());
    response.text()
}

for_each_mpm! {
    fn the_body_is_a_file(mpm) {
        let server = applications(mpm).shared();
        for (code, expected) in [
            ("out(environ['CONTENT_LENGTH'], i.read())", "'11' b'one\\ntwo\\nend'"),
            ("out(i.read(4), i.read(0), i.read(100), i.read(), i.read(5))", "b'one\\n' b'' b'two\\nend' b'' b''"),
            ("out(i.read(-1), i.read(None))", "b'one\\ntwo\\nend' b''"),
            ("out(i.readline(), i.readline(2), i.readline(None), i.readline(), i.readline())", "b'one\\n' b'tw' b'o\\n' b'end' b''"),
            ("out(i.readlines())", "[b'one\\n', b'two\\n', b'end']"),
            ("out(i.readlines(4), i.readlines(1))", "[b'one\\n'] [b'two\\n']"),
            ("out(list(i), list(i), iter(i) is i)", "[b'one\\n', b'two\\n', b'end'] [] True"),
            ("out(error(i.read, 'x'))", "\"TypeError: 'str' object cannot be interpreted as an integer\""),
        ] {
            assert_eq!(put(&server, b"one\ntwo\nend", &format!("i = environ['wsgi.input']\n{code}")), expected, "{code}");
        }
        // Nothing to read.
        let response = with_code(server.request("GET", "/app"), "out(environ['wsgi.input'].read(), 'CONTENT_LENGTH' in environ)").send();
        assert_eq!(response.text(), "b'' False");
    }

    fn chunked_bodies_are_read_like_any_other(mpm) {
        let server = applications(mpm).shared();
        let request = server.request("POST", "/app").chunked(["one", "\ntwo"]);
        let code = "out(environ.get('CONTENT_LENGTH'), environ['wsgi.input_terminated'], environ['wsgi.input'].readlines())";
        assert_eq!(with_code(request, code).send().text(), "None True [b'one\\n', b'two']");
    }

    fn a_body_that_is_left_does_not_become_the_next_request(mpm) {
        let server = applications(mpm).shared();
        let mut connection = server.raw();
        for code in ["out(1)", "out(environ['wsgi.input'].read(1))"] {
            let request = with_code(server.request("POST", "/app").body(vec![b'x'; 50_000]).keep_alive(), code);
            assert_eq!(connection.exchange(&request).status, 200);
        }
        assert_eq!(connection.exchange(&with_code(server.request("GET", "/app").keep_alive(), "out(2)")).text(), "2");
    }

    fn continue_is_sent_when_the_body_is_first_read(mpm) {
        let server = applications(mpm).shared();
        let mut connection = server.raw();
        let request = with_code(server.request("POST", "/app").header("Expect", "100-continue").header("Content-Length", "3"), "out(environ['wsgi.input'].read())");
        let bytes = request.to_bytes();
        connection.send(&bytes);
        assert_eq!(connection.response().status, 100);
        connection.send("abc");
        assert_eq!(connection.response().text(), "b'abc'");
    }

    fn a_bad_body_is_the_clients_fault(mpm) {
        let server = applications(mpm).shared();
        let begin = |code: &str| {
            let mut connection = server.raw();
            let request = with_code(server.request("POST", "/app").header("Transfer-Encoding", "chunked"), code);
            connection.send(request.to_bytes()).send("zzz\r\n");
            connection.response()
        };
        assert_eq!(begin("environ['wsgi.input'].read()").status, 400);
        assert_eq!(begin("out(error(environ['wsgi.input'].read).split(':')[0], isinstance(1, int))").text(), "'RequestBodyError' True");
        server.forget_log();
        // One that is cut short.
        let mut connection = server.raw();
        let code = "try:\n    environ['wsgi.input'].read()\nexcept OSError as error:\n    print('an OSError:', type(error).__name__)\n    raise";
        connection.send(with_code(server.request("POST", "/app").header("Content-Length", "10"), code).to_bytes()).send("abc");
        connection.finish_sending();
        server.wait_for_log("an OSError", 1);
    }
}
