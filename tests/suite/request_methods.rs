//! What else a handler calls on a request: cleanups, authentication, addresses, the configuration, CGI and WSGI.

use crate::common::probe::{lines, lines_of, probe, respond, with_code};
use crate::fixture::{HttpError, Httpd, Mpm, for_each_mpm, has_module};

for_each_mpm! {
    fn cleanups_run_at_the_end_the_last_first(mpm) {
        let server = probe(mpm).shared();
        let children = server.child_pids();
        let code = r#"
            def note(data):
                req.log_error("cleanup %s of %s, phase %s, %s" % (data, req.uri, req.phase, req.server.server_hostname), apache.APLOG_WARNING)
            req.register_cleanup(note, "first")
            req.register_cleanup(note, "second")
            req.register_cleanup(note)
            req.register_cleanup(lambda given: note("itself" if given is req else "?"), req)
            req.mark = "kept"
            req.register_cleanup(lambda given: note(given.mark + given.headers_in["Host"]), req)
            out("handled")
        "#;
        assert_eq!(lines(&server, code), ["'handled'"]);
        let entries = server.wait_for_log(" of /probe", 5);
        let texts: Vec<_> = entries.iter().map(|entry| entry.split("cleanup ").nth(1).unwrap_or_default().to_owned()).collect();
        let expected = ["keptlocalhost", "itself", "None", "second", "first"].map(|data| format!("{data} of /probe, phase None, localhost"));
        assert_eq!(texts, expected, "{}", server.log());
        assert!(entries.iter().all(|entry| entry.contains("python:warn") && entry.contains("[client 127.0.0.1")), "{entries:?}");
        assert_eq!(lines(&server, "out('next')"), ["'next'"]);
        assert_eq!(server.child_pids(), children);
    }

    fn a_cleanup_writes_nothing_behind_its_response(mpm) {
        let server = Httpd::new(mpm)
            .children(1)
            .handler(
                "late",
                r#"
                from mod_python import apache
                def late(req):
                    req.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
                    req.flush()
                    req.log_error("too late", apache.APLOG_WARNING)
                def handler(req):
                    req.register_cleanup(late, req)
                    req.write("in time")
                    return apache.OK
                "#,
            )
            .start();
        let mut connection = server.raw();
        let request = server.request("GET", "/late").keep_alive();
        for _ in 0..3 {
            assert_eq!(connection.exchange(&request).text(), "in time");
        }
        connection.finish_sending();
        assert_eq!(connection.read_to_end(), b"");
        server.wait_for_log("too late", 3);
        assert_eq!(server.log_count("MP05"), 0, "{}", server.log());
    }

    fn a_cleanup_that_fails_is_logged_and_the_others_run(mpm) {
        let server = probe(mpm).shared();
        let code = r#"
            def fails(data):
                raise ValueError("no " + data)
            def leaves(data):
                sys.exit(3)
            req.register_cleanup(lambda data: print("printed", data), "last")
            req.register_cleanup(fails, "way")
            req.register_cleanup(leaves)
            req.register_cleanup(lambda: None)
            out(1)
        "#;
        let mut connection = server.raw();
        for turn in 1..=2 {
            let response = connection.exchange(&with_code(server.request("GET", "/probe").keep_alive(), code));
            assert_eq!(response.text(), "1");
            server.wait_for_log("printed last", turn);
            assert_eq!(server.log_count("ValueError: no way; the others still run"), turn, "{}", server.log());
            assert_eq!(server.log_count("SystemExit: 3; the others still run"), turn, "{}", server.log());
            assert_eq!(server.log_count("MP0501: Traceback"), 2 * turn, "{}", server.log());
        }
        assert!(server.log_lines("printed last")[0].contains("[client 127.0.0.1"), "{}", server.log());
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }

    fn a_cleanup_runs_in_the_interpreter_that_registered_it(mpm) {
        let server = Httpd::new(mpm)
            .children(1)
            .handler(
                "one",
                r#"
                from mod_python import apache

                def note(data):
                    data.log_error("%s in %s" % (data.uri, apache.interpreter), apache.APLOG_WARNING)

                def handler(req):
                    req.register_cleanup(note, req)
                    if req.prev is None:
                        req.internal_redirect("/one/second")
                    else:
                        req.register_cleanup(lambda data: note(data.prev), req)
                        req.write("redirected")
                    return 0
                "#,
            )
            .config("<Location /one/second>\n PythonInterpreter other\n</Location>")
            .start();
        assert_eq!(server.get("/one/first").text(), "redirected");
        for entry in ["/one/first in localhost", "/one/second in other", "/one/first in other"] {
            assert_eq!(server.wait_for_log(entry, 1).len(), 1, "{entry}\n{}", server.log());
        }
    }

    fn blocking_calls_let_others_run(mpm) {
        if !mpm.is_threaded() {
            return;
        }
        let server = Httpd::new(mpm)
            .children(1)
            .handler(
                "wait",
                r#"
                def handler(req):
                    count = req.discard_request_body() if req.args == "discard" else len(req.read())
                    req.write("%s" % count)
                    return 0
                "#,
            )
            .handler("hello", "def handler(req):\n    req.write('Hello')\n    return 0\n")
            .start();
        for (args, answer) in [("discard", "0"), ("read", "4")] {
            let mut connection = server.raw();
            connection.send(format!("POST /wait?{args} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n12"));
            assert_eq!(server.get("/hello").text(), "Hello");
            connection.send("34");
            assert_eq!(connection.response().text(), answer);
        }
    }
}

#[test]
fn what_cannot_be_called_is_no_cleanup() {
    let server = probe(Mpm::Event).shared();
    let found = lines(
        &server,
        "out(error(req.register_cleanup, 5), error(req.register_cleanup), req.register_cleanup(len, []))",
    );
    let expected = "'ValueError: register_cleanup() argument 1 must be callable, not int' \
                    'TypeError: register_cleanup() takes at least 1 argument (0 given)' None";
    assert_eq!(found, [expected]);
}

#[test]
fn messages_have_their_level() {
    let server = probe(Mpm::Event).shared();
    let found = lines(
        &server,
        r#"
        req.log_error("plain")
        req.log_error("at emerg", apache.APLOG_EMERG)
        req.log_error("at info", apache.APLOG_INFO)
        req.log_error("flagged", apache.APLOG_NOTICE | 8 << 4)
        req.log_error("caf\u00e9 \u20ac \ud800 two\nlines \0 end", apache.APLOG_ERR)
        out(req.log_error(None), req.log_error(None, apache.APLOG_ERR), error(req.log_error, b"x"), error(req.log_error, "x", "err"))
        "#,
    );
    let expected = r#"None None 'TypeError: log_error() argument 1 must be str or None, not bytes' "TypeError: 'str' object cannot be interpreted as an integer""#;
    assert_eq!(found, [expected]);
    for (text, level) in
        [("plain", "error"), ("at emerg", "emerg"), ("at info", "info"), ("flagged", "notice"), ("two", "error")]
    {
        let entries = server.log_lines(text);
        assert!(entries.len() == 1 && entries[0].contains(&format!("[python:{level}]")), "{text}: {entries:?}");
        assert!(entries[0].contains("[client 127.0.0.1"), "{entries:?}");
    }
}

#[test]
fn basic_authentication_gives_user_and_password() {
    let server = probe(Mpm::Event)
        .config("<Location /probe/basic>\n AuthType Basic\n AuthName \"the realm\"\n</Location>\n<Location /probe/digest>\n AuthType Digest\n AuthName d\n</Location>")
        .start();
    let code = "out(req.get_basic_auth_pw(), req.user, req.ap_auth_type, req.auth_type(), req.auth_name())";
    let ask = |path: &str, authorization: Option<&str>| {
        let request = server.request("GET", path);
        let request = match authorization {
            Some(value) => request.header("Authorization", value),
            None => request,
        };
        lines_of(request, &server, code)
    };
    // joe:secret: with colon
    assert_eq!(
        ask("/probe/basic", Some("Basic am9lOnNlY3JldDogd2l0aCBjb2xvbg==")),
        ["'secret: with colon' 'joe' 'Basic' 'Basic' 'the realm'"]
    );
    assert_eq!(ask("/probe/basic", None), ["None None None 'Basic' 'the realm'"]);
    assert_eq!(ask("/probe/basic", Some("Bearer x")), ["None None None 'Basic' 'the realm'"]);
    assert_eq!(ask("/probe/digest", Some("Basic am9lOng=")), ["None None None 'Digest' 'd'"]);
    assert_eq!(ask("/probe", Some("Basic am9lOng=")), ["None None None None None"]);
    // No colon, and no Base64 at all.
    for value in ["Basic am9l", "Basic \x01\x02%%", "Basic", "Basic "] {
        let mut connection = server.raw();
        let request = with_code(server.request("GET", "/probe/basic").header("Authorization", value), code);
        connection.send(request.to_bytes());
        assert!([200, 400].contains(&connection.response().status), "{value:?}");
    }
}

#[test]
fn the_client_has_an_address() {
    let server = probe(Mpm::Event).shared();
    let found = lines(
        &server,
        r#"
        out(req.get_remote_host(apache.REMOTE_NOLOOKUP), req.get_remote_host(apache.REMOTE_NOLOOKUP, 1))
        out(req.get_remote_host(apache.REMOTE_HOST), req.get_remote_host(), req.get_remote_host(apache.REMOTE_NAME, None))
        out(error(req.get_remote_host, "x"), error(req.get_remote_host, 1, 2, 3))
        "#,
    );
    let expected = [
        "'127.0.0.1' ('127.0.0.1', 1)",
        "None '127.0.0.1' '127.0.0.1'",
        r#""TypeError: 'str' object cannot be interpreted as an integer" 'TypeError: get_remote_host() takes at most 2 arguments (3 given)'"#,
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_configuration_is_shown() {
    let server = probe(Mpm::Event)
        .config(
            "PythonOption outer one\nPythonOption removed yes\n\
             <Location /probe>\n PythonOption inner \"two words\"\n PythonOption removed \"\"\n PythonDebug Off\n PythonInterpreter mine\n</Location>",
        )
        .start();
    let found = lines(
        &server,
        r#"
        options = req.get_options()
        out(sorted(options.items()), "removed" in options)
        options["added"] = "x"
        del options["outer"]
        out(sorted(req.get_options().items()))
        config = req.get_config()
        out(config["PythonDebug"], config["PythonInterpreter"], config.get("PythonPath"), str(type(config)))
        config["PythonDebug"] = "1"
        out(req.get_config()["PythonDebug"], req.interpreter)
        out(os.path.basename(req.document_root()), req.construct_url("/a?b"))
        "#,
    );
    let expected = [
        "[('inner', 'two words'), ('outer', 'one')] False".to_owned(),
        "[('inner', 'two words'), ('outer', 'one')]".to_owned(),
        r#"'0' 'mine' None "<class 'mp_table'>""#.to_owned(),
        "'0' 'mine'".to_owned(),
        "'htdocs' 'http://localhost/a?b'".to_owned(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn extensions_for_mod_python_are_found_in_the_configuration() {
    let server = probe(Mpm::Event)
        .config(
            "AddHandler mod_python .Py psp\nAddHandler cgi-script .cgi\n\
             <Directory ${HTDOCS}/probe>\n AddHandler python-program .pyc py\n RemoveHandler .psp\n</Directory>\n\
             <Directory ${HTDOCS}/elsewhere>\n AddHandler mod_python .no\n</Directory>\n\
             <Location /probe>\n <IfModule mod_mime.c>\n AddHandler mod_python .inner\n </IfModule>\n</Location>\n\
             <Location /prob>\n AddHandler mod_python .no2\n</Location>",
        )
        .vhost("other.test", "AddHandler mod_python .other")
        .start();
    let code = "out(sorted(req.get_addhandler_exts().split()))";
    assert_eq!(lines(&server, code), ["['inner', 'py', 'pyc']"]);
    let request = server.request("GET", "/probe").host("other.test");
    assert_eq!(lines_of(request, &server, code), ["['inner', 'other', 'py', 'pyc']"]);
    let server = probe(Mpm::Event).shared();
    assert_eq!(lines(&server, "out(req.get_addhandler_exts())"), ["''"]);
}

#[test]
fn cgi_variables_are_there_when_asked_for() {
    let server = probe(Mpm::Event).shared();
    let request = server.request("GET", "/probe/page/a%20b?x=1").header("X-Own", "value");
    let found = lines_of(
        request,
        &server,
        r#"
        out("REQUEST_METHOD" in req.subprocess_env, "HTTP_X_OWN" in req.subprocess_env)
        out(req.add_common_vars())
        out("REQUEST_METHOD" in req.subprocess_env, req.subprocess_env["HTTP_X_OWN"], req.subprocess_env["SERVER_NAME"])
        out(req.add_cgi_vars())
        names = ("GATEWAY_INTERFACE", "SERVER_PROTOCOL", "REQUEST_METHOD", "QUERY_STRING", "REQUEST_URI", "SCRIPT_NAME", "PATH_INFO")
        out([req.subprocess_env[name] for name in names], "PATH_TRANSLATED" in req.subprocess_env)
        req.path_info = ""
        req.args = None
        req.add_cgi_vars()
        out(req.subprocess_env["SCRIPT_NAME"], req.subprocess_env["QUERY_STRING"])
        "#,
    );
    let expected = [
        "False False",
        "None",
        "False 'value' 'localhost'",
        "None",
        "['CGI/1.1', 'HTTP/1.1', 'GET', 'x=1', '/probe/page/a b', '/probe/page', '/a b'] False",
        "'/probe/page/a b' ''",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_wsgi_environment_splits_the_path_at_its_base() {
    let code = r#"
        env = req.build_wsgi_env()
        out(env if env is None else (env["SCRIPT_NAME"], env["PATH_INFO"], env["QUERY_STRING"]))
    "#;
    let bare = probe(Mpm::Event).shared();
    for (target, expected) in [("/probe/a%20b?x", "('', '/probe/a b', 'x')"), ("/probe", "('', '/probe', '')")] {
        assert_eq!(lines_of(bare.request("GET", target), &bare, code), [expected], "{target}");
    }
    let option = probe(Mpm::Event).config("PythonOption mod_python.wsgi.base_uri /probe/app").start();
    for (target, expected) in [
        ("/probe/app/x//y", "('/probe/app', '/x/y', '')"),
        ("/probe/app", "('/probe/app', '', '')"),
        ("/probe/app/", "('/probe/app', '/', '')"),
        ("/probe/application", "None"),
        ("/probe/other", "None"),
    ] {
        assert_eq!(lines_of(option.request("GET", target), &option, code), [expected], "{target}");
    }
    let location = probe(Mpm::Event)
        .config("<Location /probe/>\n SetHandler mod_python\n PythonHandler probe\n PythonPath \"['${HTDOCS}/probe'] + sys.path\"\n</Location>")
        .start();
    assert_eq!(lines_of(location.request("GET", "/probe/x"), &location, code), ["('/probe', '/x', '')"]);
    let wrong = probe(Mpm::Event).config("PythonOption mod_python.wsgi.base_uri /probe/").start();
    let found = lines(&wrong, "out(error(req.build_wsgi_env))");
    assert_eq!(found, [r#""ValueError: PythonOption 'mod_python.wsgi.base_uri' ('/probe/') must not end with '/'""#]);
}

#[test]
fn a_wsgi_environment_has_what_an_application_needs() {
    let server = probe(Mpm::Event).shared();
    let request = server
        .request("POST", "/probe/caf%C3%A9")
        .header("Authorization", "Basic x")
        .header("X-A", b"\xc3\xa9".as_slice())
        .body("one\ntwo");
    let found = lines_of(
        request,
        &server,
        r#"
        env = req.build_wsgi_env()
        out(type(env) is dict, env["wsgi.input"] is req, env["wsgi.errors"] is sys.stderr, env["wsgi.version"])
        out(env["wsgi.multithread"], env["wsgi.multiprocess"], env["wsgi.url_scheme"], "wsgi.run_once" in env, "wsgi.file_wrapper" in env)
        out(env["HTTP_AUTHORIZATION"], env["CONTENT_LENGTH"], env["REQUEST_METHOD"], env["SERVER_PROTOCOL"])
        # Bytes as Latin-1, as WSGI has them
        out(env["PATH_INFO"].encode("latin-1").decode(), env["HTTP_X_A"].encode("latin-1").decode())
        out(all(type(value) is str for name, value in env.items() if not name.startswith("wsgi.")))
        out(env["wsgi.input"].__class__.__name__, list(env["wsgi.input"]))
        req.subprocess_env["HTTPS"] = "on"
        out(req.build_wsgi_env()["wsgi.url_scheme"])
        "#,
    );
    let expected = [
        "True True True (1, 0)",
        "True True 'http' False False",
        "'Basic x' '7' 'POST' 'HTTP/1.1'",
        "'/probe/café' 'é'",
        "True",
        r"'mp_request' [b'one\n', b'two']",
        "'https'",
    ];
    assert_eq!(found, expected);
    let prefork = probe(Mpm::Prefork).shared();
    let found = lines(&prefork, "env = req.build_wsgi_env(); out(env['wsgi.multithread'], env['wsgi.multiprocess'])");
    assert_eq!(found, ["False True"]);
}

#[test]
fn start_response_sets_status_and_headers() {
    let server = probe(Mpm::Event).shared();
    let response = respond(
        &server,
        r#"
        req.headers_out["X-Before"] = "kept"
        headers = [("Content-Type", "text/x-wsgi"), ("Set-Cookie", "a=1"), (b"Set-Cookie", b"b=2"), ("X-Caf\u00e9"[:5], "\u00e9")]
        write = req.wsgi_start_response("404 Gone Fishing", headers)
        out(write == req.write, req.status, req.status_line, req.content_type)
        write("body ")
        write(b"bytes ")
        req.write(repr(lines))
        lines.clear()
        "#
        .replace("lines", "out.__closure__[0].cell_contents")
        .as_str(),
    );
    assert_eq!((response.status, response.reason.as_str()), (404, "Gone Fishing"));
    assert_eq!(response.text(), "body bytes [\"True 404 '404 Gone Fishing' 'text/x-wsgi'\"]");
    assert_eq!(response.headers.all("Set-Cookie"), ["a=1", "b=2"]);
    assert_eq!(response.headers.all("Content-Type"), ["text/x-wsgi"]);
    assert_eq!(
        (response.header("X-Before"), response.headers.bytes("X-Caf")),
        (Some("kept"), Some(b"\xe9".as_slice()))
    );

    let found = lines(
        &server,
        r#"
        start = req.wsgi_start_response
        for line in ("x", "", "99 Low", "600 High", "200\r\nX-Evil: 1", "2000 OK"):
            out(error(start, line, []))
        out(error(start, b"200 OK", []), error(start, "200 OK", ()), error(start, "200 OK"))
        for headers in (["ab"], [["a", "b"]], [("a",)], [("a", 1)], [(1, "b")], [("a", None)]):
            out(error(start, "200 OK", headers))
        for header in (("a b", "c"), ("", "c"), ("a", "b\r\nc"), ("a:", "b"), ("a\n", "b")):
            out(error(start, "200 OK", [("X-Good", "1"), header]))
        out("X-Good" in req.headers_out, req.status_line)
        try:
            raise KeyError("first")
        except KeyError:
            out(start("200 Fine", [("X-Replaced", "1"), ("X-Kept", "1")]) == req.write)
            out(start("500 Oops", [("X-Kept", "2")], sys.exc_info()) == req.write, req.status_line)
            out(dict(req.headers_out).get("X-Replaced"), req.headers_out["X-Kept"])
        out(error(start, "200 OK", [], 5), error(start, "200 OK", [], (1, 2)))
        out(start("201 Made", [], None) == req.write, req.status)
        req.status, req.status_line = 200, "200 OK"
        "#,
    );
    let expected = [
        "'ValueError: Invalid status line: x'",
        "'ValueError: Invalid status line: '",
        "'ValueError: Invalid status line: 99 Low'",
        "'ValueError: Invalid status line: 600 High'",
        "'ValueError: the status: a line break would end the header'",
        "'ValueError: Invalid status line: 2000 OK'",
        "'TypeError: start_response(): the status must be str, not bytes' 'TypeError: start_response(): the headers must be a list, not tuple' 'TypeError: wsgi_start_response() takes at least 2 arguments (1 given)'",
        "'TypeError: start_response(): each header must be a tuple, not str'",
        "'TypeError: start_response(): each header must be a tuple, not list'",
        "'TypeError: start_response(): each header must be a tuple of name and value, not tuple'",
        "\"TypeError: start_response(): a header's value must be str or bytes, not int\"",
        "\"TypeError: start_response(): a header's name must be str or bytes, not int\"",
        "\"TypeError: start_response(): a header's value must be str or bytes, not NoneType\"",
        "'ValueError: start_response(): \"a b\" is not the name of a header'",
        "'ValueError: start_response(): \"\" is not the name of a header'",
        "'ValueError: a: a line break would end the header'",
        "'ValueError: start_response(): \"a:\" is not the name of a header'",
        r#"'ValueError: start_response(): "a\\n" is not the name of a header'"#,
        "False None",
        "True",
        "True '500 Oops'",
        "None '2'",
        "'TypeError: start_response(): exc_info must be the tuple of sys.exc_info()' 'TypeError: start_response(): exc_info must be the tuple of sys.exc_info()'",
        "True 201",
    ];
    assert_eq!(found, expected);

    // What has left cannot be replaced.
    let request = with_code(
        server.request("GET", "/probe"),
        r#"
        write = req.wsgi_start_response("200 OK", [])
        write("begun")
        try:
            raise KeyError("too late")
        except KeyError:
            assert error(req.wsgi_start_response, "500 Oops", [], sys.exc_info()) == "KeyError: 'too late'"
            req.wsgi_start_response("500 Oops", [], sys.exc_info())
        "#,
    );
    let outcome = request.try_send();
    assert!(matches!(&outcome, Err(HttpError::Truncated(Some(begun))) if begun.text() == "begun"), "{outcome:?}");
}

#[test]
fn without_tls_it_is_not_https() {
    let server = probe(Mpm::Event).shared();
    assert_eq!(
        lines(&server, "out(req.is_https(), req.ssl_var_lookup('SERVER_NAME'), error(req.ssl_var_lookup, None))"),
        ["0 None 'TypeError: ssl_var_lookup() argument 1 must be str, not NoneType'"]
    );
    if has_module("ssl") {
        let server = probe(Mpm::Event).module("ssl").start();
        assert_eq!(
            lines(
                &server,
                "out(req.is_https(), req.ssl_var_lookup('SERVER_NAME'), req.ssl_var_lookup('NO_SUCH_THING'))"
            ),
            ["0 'localhost' ''"]
        );
    }
}
