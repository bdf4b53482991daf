//! The environ.

use super::{applications, lines, lines_of};
use crate::common::probe::with_code;
use crate::fixture::{Mpm, for_each_mpm};

for_each_mpm! {
    fn the_environ_is_a_plain_dict_of_what_pep_3333_asks_for(mpm) {
        let children = if mpm == Mpm::OneChild { 1 } else { 2 };
        let server = applications(mpm).children(children).shared();
        let code = r#"
            out(type(environ), environ is not dict(environ))
            out(environ["REQUEST_METHOD"], environ["QUERY_STRING"], environ["SERVER_PROTOCOL"])
            out(environ["REQUEST_URI"], environ["GATEWAY_INTERFACE"], environ["REMOTE_ADDR"], environ["SERVER_ADDR"])
            out(environ["SERVER_NAME"], environ["SERVER_PORT"].isdigit(), environ["REMOTE_PORT"].isdigit())
            out(environ["wsgi.version"], environ["wsgi.url_scheme"], environ["wsgi.run_once"], environ["wsgi.input_terminated"])
            out(environ["wsgi.file_wrapper"].__name__, type(environ["wsgi.input"]).__name__, type(environ["wsgi.errors"]).__name__)
            out(environ["SERVER_SOFTWARE"].startswith("Apache/"), environ["mod_python.request"].uri)
            strings = [key for key in environ if not key.startswith(("wsgi.", "mod_"))]
            out([key for key in strings if type(environ[key]) is not str], "HTTP_COOKIE" in environ, "CONTENT_TYPE" in environ)
            environ.clear()
        "#;
        let target = "/app/x%20y?a=%20b&c";
        let expected = [
            "<class 'dict'> True",
            "'GET' 'a=%20b&c' 'HTTP/1.1'",
            "'/app/x%20y?a=%20b&c' 'CGI/1.1' '127.0.0.1' '127.0.0.1'",
            "'localhost' True True",
            "(1, 0) 'http' False True",
            "'FileWrapper' 'WsgiInput' 'WsgiErrors'",
            "True '/app/x y'",
            "[] False False",
        ];
        // What one request does to its environ is not seen by the next.
        for _ in 0..2 {
            assert_eq!(lines_of(&server, target, code), expected);
        }
        let flags = lines(&server, "out(environ['wsgi.multithread'], environ['wsgi.multiprocess'])");
        assert_eq!(flags, [match mpm {
            Mpm::Prefork => "False True",
            Mpm::OneChild => "True False",
            _ => "True True",
        }]);
    }

    fn headers_become_variables(mpm) {
        let server = applications(mpm).shared();
        let request = server
            .request("GET", "/app")
            .header("X-Some-Thing", "1")
            .header("Content-Type", "text/x")
            .header("Cookie", "a=1")
            .header("x-some-thing", "2")
            .header("X-Latin", b"\xe9\xff")
            .header("Proxy", "evil")
            .header("X_Under", "3")
            .header("Authorization", "Basic eDp5");
        let code = r#"
            for name in "HTTP_X_SOME_THING", "CONTENT_TYPE", "HTTP_COOKIE", "HTTP_X_LATIN", "HTTP_PROXY", "HTTP_X_UNDER", "HTTP_AUTHORIZATION":
                out(name, environ.get(name))
        "#;
        let response = with_code(request, code).send();
        let expected = [
            "'HTTP_X_SOME_THING' '1, 2'",
            "'CONTENT_TYPE' 'text/x'",
            "'HTTP_COOKIE' 'a=1'",
            "'HTTP_X_LATIN' 'éÿ'",
            "'HTTP_PROXY' None",
            "'HTTP_X_UNDER' None",
            "'HTTP_AUTHORIZATION' None",
        ];
        assert_eq!(response.text().lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn what_the_configuration_sets_is_there() {
    let server = applications(Mpm::Event)
        .module("env")
        .config(
            "SetEnv FROM_CONFIG \"a value\"\n\
             SetEnv SCRIPT_NAME wrong\n\
             SetEnv HTTPS on\n\
             PythonApplication /under probe:application path=${HTDOCS}/lib underscores=on\n\
             <Location /app>\n    PythonPassAuthorization On\n</Location>",
        )
        .start();
    let request = server.request("GET", "/app").header("Authorization", "Basic eDp5");
    let code = "out(environ['FROM_CONFIG'], environ['SCRIPT_NAME'], environ['wsgi.url_scheme'], environ['HTTP_AUTHORIZATION'])";
    assert_eq!(with_code(request, code).send().text(), "'a value' '/app' 'https' 'Basic eDp5'");
    let request = server.request("GET", "/under").header("X_Under", "3");
    assert_eq!(with_code(request, "out(environ['HTTP_X_UNDER'])").send().text(), "'3'");
    let request = server.request("GET", "/under").header("X-Both", "1").header("X_Both", "1");
    assert_eq!(with_code(request, "out(environ['HTTP_X_BOTH'])").send().text(), "'1, 1'");
}

/// An interpreter keeps values for the next request that has the same.
#[test]
fn values_are_those_of_the_request_whatever_was_before() {
    let admin = |host| format!("ServerAlias also.{host}\nInclude \"${{HTDOCS}}/{host}.conf\"");
    let server = applications(Mpm::Event)
        .children(1)
        .config("PythonInterpreter one")
        // Latin-1, and UTF-8: the second is the first one's UTF-8, and no text that is the same.
        .binary_file("a.test.conf", b"ServerAdmin \xe9@x\n")
        .binary_file("b.test.conf", b"ServerAdmin \xc3\xa9@x\n")
        .binary_file("c.test.conf", b"ServerAdmin e@x\n")
        .vhost("a.test", admin("a.test"))
        .vhost("b.test", admin("b.test"))
        .vhost("c.test", admin("c.test"))
        .start();
    let code = "out(*(environ[name] for name in ('REQUEST_METHOD', 'SERVER_NAME', 'SERVER_PORT', 'SERVER_ADMIN', 'SCRIPT_NAME', 'PATH_INFO')))";
    let port = server.port();
    for turn in 0..3 {
        for (host, admin) in [("a.test", "é@x"), ("b.test", "Ã©@x"), ("also.a.test", "é@x"), ("c.test", "e@x")] {
            for method in ["GET", "POST", "PURGE"] {
                let request = server.request(method, format!("/app/{turn}")).header("Host", format!("{host}:{port}"));
                let expected = format!("'{method}' '{host}' '{port}' '{admin}' '/app' '/{turn}'");
                assert_eq!(with_code(request, code).send().text(), expected);
            }
        }
    }
}

#[test]
fn any_number_of_names_leaves_the_memory_as_it_is() {
    let server = applications(Mpm::Event).children(1).start();
    let names = |turn: usize| {
        let request = server.request("GET", "/app").header(format!("X-Name-{turn}"), turn.to_string());
        with_code(request, &format!("out(environ['HTTP_X_NAME_{turn}'])")).send().text()
    };
    for turn in 0..1500 {
        assert_eq!(names(turn), format!("'{turn}'"));
    }
}
