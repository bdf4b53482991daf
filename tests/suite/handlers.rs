//! From a directive to what runs: how a handler is found and called, and what its result means.

use crate::fixture::{HttpError, Httpd, Mpm, Server, for_each_mpm, wait_until};

/// Serves `/NAME` with `PythonHandler TEXT` for each pair; the modules are looked for in the folder `lib`.
fn routes(httpd: Httpd, routes: &[(&str, &str)]) -> Httpd {
    let all = httpd.config("PythonPath \"['${HTDOCS}/lib'] + sys.path\"");
    routes.iter().fold(all, |httpd, (name, handlers)| {
        httpd.config(format!(
            "<Location \"/{name}\">\n\
             \x20   SetHandler mod_python\n\
             \x20   PythonHandler {handlers}\n\
             </Location>"
        ))
    })
}

/// What `/NAME` answers, with a 200.
#[track_caller]
fn answer(server: &Server, name: &str) -> String {
    let response = server.get(&format!("/{name}"));
    assert_eq!(response.status, 200, "/{name}: {response:?}\n{}", server.log());
    response.text()
}

/// The single entry of MP0401 since the log was last forgotten.
#[track_caller]
fn only_failure(server: &Server) -> String {
    let entries = server.log_lines("MP04");
    assert!(entries.len() == 1 && entries[0].contains("MP0401"), "{entries:#?}");
    entries.into_iter().next().unwrap_or_default()
}

#[test]
fn a_handler_is_found_along_its_path() {
    let server = routes(
        Httpd::new(Mpm::Event),
        &[
            ("default", "find"),
            ("named", "find::other"),
            ("instance", "find::box.lid.handler"),
            ("bound", "find::counter.count"),
            ("callable", "find::greeter"),
            ("partial", "find::bound_early"),
            ("class", "find::View.show"),
            ("inner", "find::View.Part.show"),
            ("static", "find::View.static"),
            ("classmethod", "find::View.of_class"),
            ("package", "package.sub"),
            ("through", "package::sub.handler"),
            ("old", "find::other"),
            ("bare", "find::View"),
            ("missing", "find::nowhere"),
            ("deep", "find::View.nowhere"),
            ("data", "find::data"),
            ("property", "find::broken.handler"),
        ],
    )
    .config("<Location /old>\n    SetHandler python-program\n</Location>")
    .file("lib/find.py", include_str!("handlers/find.py"))
    .file("lib/package/__init__.py", "from . import sub\n")
    .file("lib/package/sub.py", "def handler(req):\n    req.write(__name__)\n    return 0\n")
    .children(1)
    .start();

    for (name, text) in [
        ("default", "default"),
        ("named", "other"),
        ("instance", "lid"),
        ("bound", "count 1"),
        ("bound", "count 2"),
        ("callable", "called"),
        ("partial", "partial"),
        // A class on the way is called with the request, anew for each; then its method with the same request
        ("class", "view True 1"),
        ("class", "view True 2"),
        ("inner", "part of /inner"),
        ("static", "static"),
        ("classmethod", "class View"),
        ("package", "package.sub"),
        ("through", "package.sub"),
        ("old", "other"),
    ] {
        assert_eq!(answer(&server, name), text, "{name}");
    }
    assert_eq!(server.log_count("MP04"), 0);

    for (name, why) in [
        ("bare", "must return an int such as apache.OK, not View"),
        ("missing", "find.py' contains no 'nowhere'"),
        ("deep", "find.py' contains no 'nowhere'"),
        ("data", "TypeError: 'int' object is not callable"),
        ("property", "find.py' contains no 'handler'"),
    ] {
        server.forget_log();
        assert_eq!(server.get(&format!("/{name}")).status, 500, "{name}");
        let entry = only_failure(&server);
        assert!(entry.contains(why), "{name}: {entry}");
    }
    assert!(server.log_count("no attribute 'not_there'") > 0, "why the property failed: {}", server.log());
}

#[test]
fn requests_go_when_they_are_over() {
    let server = Httpd::new(Mpm::Event)
        .children(1)
        .handler(
            "go",
            r#"
            import gc

            def handler(req):
                if req.args == "count":
                    gc.collect()
                    req.write(str(sum(type(each).__name__ == "mp_request" for each in gc.get_objects())))
                    return 0
                req.cycle = req
                req.parts = req.headers_in, req.connection, req.server, req.hlist
                if req.args == "fail":
                    raise ValueError(req)
                return 0
            "#,
        )
        .start();
    for i in 0..50 {
        server.get(["/go", "/go?fail"][i % 2]);
    }
    // The last one goes with its pool, which is after its response.
    wait_until("none but the one that counts", || server.get("/go?count").text() == "1");
}

#[test]
fn stacked_handlers_run_while_they_return_ok() {
    let server = routes(
        Httpd::new(Mpm::Worker),
        &[
            ("two", "stack::a stack::b"),
            ("lines", "stack::a\n    PythonHandler stack::b stack::c"),
            ("declined", "stack::a stack::declined stack::b"),
            ("done", "stack::done stack::b"),
            ("status", "stack::a_unflushed stack::conflict stack::b"),
            ("raised", "stack::gives_up stack::b"),
            ("error", "stack::fails stack::b"),
            ("last", "stack::a stack::nothing"),
            ("attributes", "stack::leaves stack::finds"),
        ],
    )
    .file("lib/stack.py", include_str!("handlers/stack.py"))
    .config("<Location /ran>\n    SetHandler mod_python\n    PythonHandler stack::ran\n</Location>")
    .children(1)
    .start();

    assert_eq!(answer(&server, "two"), "ab");
    assert_eq!(answer(&server, "lines"), "abc");
    assert_eq!(answer(&server, "done"), "done");
    assert_eq!(answer(&server, "raised"), "gave up");
    assert_eq!(answer(&server, "last"), "a");
    // The content phase ends with anything but OK: httpd goes on to its own handler, and there is no such file
    // after what was written: the response is broken off.
    let declined = server.request("GET", "/declined").try_send();
    assert!(matches!(declined, Err(HttpError::Truncated(_))), "{declined:?}");
    assert_eq!(server.log_count("MP0423"), 1, "{}", server.log());
    let conflict = server.get("/status");
    assert_eq!(conflict.status, 409);
    assert!(conflict.text().starts_with("<!DOCTYPE"), "what was not flushed is not in front of the page: {conflict:?}");
    assert_eq!(server.get("/error").status, 500);
    assert_eq!(answer(&server, "ran"), "/two /lines");

    // Attributes of the request last through its handlers, and no longer
    for _ in 0..2 {
        assert_eq!(answer(&server, "attributes"), "first nothing, then left");
    }
}

#[test]
fn results_mean_what_they_mean_to_httpd() {
    let server = Httpd::new(Mpm::Prefork).shared();
    let path = server.add_handler(
        r#"
        import http
        from enum import IntEnum
        from mod_python import apache

        class Status(IntEnum):
            OK = 0

        class Number(int):
            pass

        def handler(req):
            return eval(req.args)
        "#,
    );
    let get = |expression: &str| {
        server.forget_log();
        server.get(&format!("{path}?{expression}"))
    };

    for (expression, status) in [
        ("apache.OK", 200),
        ("apache.DONE", 200),
        ("apache.HTTP_NOT_FOUND", 404),
        ("apache.HTTP_FORBIDDEN", 403),
        ("apache.HTTP_NO_CONTENT", 204),
        ("apache.HTTP_SERVICE_UNAVAILABLE", 503),
        ("apache.HTTP_INTERNAL_SERVER_ERROR", 500),
        ("apache.HTTP_IM_A_TEAPOT", 418),
        ("Status.OK", 200),
        ("Number(0)", 200),
        ("http.HTTPStatus.OK", 200),
        ("http.HTTPStatus.NOT_FOUND", 404),
        ("http.HTTPStatus(418)", 418),
    ] {
        assert_eq!(get(expression).status, status, "{expression}");
        assert_eq!(server.log_count("MP04"), 0, "{expression}");
    }
    for (expression, why) in [
        ("None", "not NoneType"),
        ("True", "not bool"),
        ("'200'", "not str"),
        ("3.5", "not float"),
        ("object()", "not object"),
        ("1<<31", "returned 2147483648, which is not a status"),
        ("7", "returned 7, which is not a status"),
        // httpd's word for a request that somebody will take up again, which nobody would
        ("-3", "returned -3, which is not a status"),
        ("10**30", "which is not a status"),
        ("-10**30", "which is not a status"),
    ] {
        let response = get(expression);
        assert_eq!(response.status, 500, "{expression}");
        let entry = only_failure(&server);
        assert!(entry.contains("AssertionError: ") && entry.contains(why), "{expression}: {entry}");
    }
    assert!(get("apache.HTTP_NOT_FOUND").text().contains("The requested URL was not found"), "httpd's own page");
}

#[test]
fn a_declined_request_is_httpds() {
    let server = Httpd::new(Mpm::Event)
        .handler("files", "from mod_python import apache\ndef handler(req):\n    return apache.DECLINED\n")
        .file("files/there.txt", "a file")
        .start();

    let file = server.get("/files/there.txt");
    assert_eq!((file.status, file.text().as_str()), (200, "a file\n"));
    assert_eq!(file.header("Content-Type"), Some("text/plain"));
    assert_eq!(server.get("/files/not-there.txt").status, 404);
    assert_eq!(server.log_count("MP04"), 0);
}

#[test]
fn a_status_of_its_own_goes_with_a_body_of_its_own() {
    let server = Httpd::new(Mpm::Event).shared();
    let path = server.add_handler(
        r#"
        from mod_python import apache

        def handler(req):
            req.status = apache.HTTP_NOT_FOUND
            req.content_type = "text/plain"
            req.write("mine")
            return apache.OK
        "#,
    );
    let response = server.get(&path);
    assert_eq!((response.status, response.text().as_str()), (404, "mine"));
    assert_eq!(response.header("Content-Type"), Some("text/plain"));
}

#[test]
fn server_return_is_a_return() {
    let server = Httpd::new(Mpm::Worker).shared();
    let path = server.add_handler(
        r#"
        from mod_python import apache

        class Mine(apache.SERVER_RETURN):
            pass

        def handler(req):
            def write(text):
                req.write(text, 0)
                return apache.OK
            raise eval(req.args, {**globals(), "write": write, "S": apache.SERVER_RETURN})
        "#,
    );
    for (raised, status, body) in [
        ("S(write('yes'))", 200, Some("yes")),
        ("S(apache.HTTP_FORBIDDEN)", 403, None),
        ("S(write('made'),201)", 201, Some("made")),
        ("S(write('none'),0)", 200, Some("none")),
        ("S(apache.DONE,apache.HTTP_ACCEPTED)", 202, Some("")),
        ("Mine(404)", 404, None),
    ] {
        server.forget_log();
        let response = server.get(&format!("{path}?{raised}"));
        assert_eq!(response.status, status, "{raised}");
        if let Some(body) = body {
            assert_eq!(response.text(), body, "{raised}");
        }
        assert_eq!(server.log_count("MP04"), 0, "{raised}");
    }
    for raised in ["S", "S()", "S((404,404))", "S('404')", "S(None)", "S(True)", "S(0,'x')", "S(0,10**30)"] {
        server.forget_log();
        assert_eq!(server.get(&format!("{path}?{raised}")).status, 500, "{raised}");
        only_failure(&server);
    }
}

#[test]
fn an_extension_can_have_handlers_of_its_own() {
    let server = Httpd::new(Mpm::Event)
        .handler(
            "ext",
            r#"
            from mod_python import apache

            def says(name):
                def handler(req):
                    req.write("%s %r" % (name, req.extension))
                    return apache.OK
                return handler

            plain, page, archive = says("plain"), says("page"), says("archive")
            "#,
        )
        .config(
            "<Directory \"${HTDOCS}/ext\">\n\
             \x20   PythonHandler ext::page | .html .htm\n\
             \x20   PythonHandler ext::archive | .tar.gz\n\
             \x20   PythonHandler ext::plain\n\
             </Directory>",
        )
        .start();
    for (file, text) in [
        ("a.html", "page '.html'"),
        ("a.htm", "page '.htm'"),
        ("a.tar.gz", "archive '.tar.gz'"),
        ("a.gz", "plain None"),
        ("a.html.bak", "plain None"),
        // No extension is an extension too, as in mod_python: the one that the plain list is for
        ("a", "plain ''"),
        ("", "plain ''"),
    ] {
        assert_eq!(server.get(&format!("/ext/{file}")).text(), text, "{file:?}");
    }
}

#[test]
fn subrequests_and_error_documents_are_requests_too() {
    let server = routes(
        Httpd::new(Mpm::Event),
        &[
            ("part", "related::part"),
            ("lost", "related::lost"),
            ("broken", "related::broken"),
            ("fails", "related::fails"),
            ("worse", "related::worse"),
        ],
    )
    .file("lib/related.py", include_str!("handlers/related.py"))
    .config(
        "AddOutputFilter INCLUDES .shtml\n\
         ErrorDocument 404 /lost\n\
         ErrorDocument 500 /lost\n\
         ErrorDocument 403 /worse\n\
         <Location /forbidden>\n    Require all denied\n</Location>",
    )
    .file("page.shtml", "[<!--#include virtual=\"/part\" -->][<!--#include virtual=\"/broken\" -->]")
    .children(1)
    .start();

    let page = server.get("/page.shtml");
    assert_eq!(page.status, 200);
    assert!(page.text().starts_with("[part of /page.shtml, None]["), "{page:?}");
    assert!(only_failure(&server).contains("ValueError: the subrequest"));

    let lost = server.get("/nowhere");
    assert_eq!((lost.status, lost.text().as_str()), (404, "/nowhere lost by 404, unmarked"));

    // The status that a handler meant to send does not stand in the way of the error's page
    server.forget_log();
    let failed = server.get("/fails");
    assert_eq!((failed.status, failed.text().as_str()), (500, "/fails lost by 500, marked"));
    assert!(only_failure(&server).contains("ValueError: the page"));

    server.forget_log();
    let worse = server.get("/forbidden");
    assert_eq!(worse.status, 403);
    assert!(worse.text().contains("Additionally, a "), "{worse:?}");
    only_failure(&server);
}

for_each_mpm! {
    fn one_connection_carries_many_requests(mpm) {
        let server = echo(mpm).children(1).config("MaxKeepAliveRequests 0").start();
        server.get("/echo/first");
        let mut connection = server.raw();
        for i in 0..300 {
            let request = server.request(if i % 3 == 0 { "POST" } else { "GET" }, format!("/echo/{i}")).keep_alive();
            let request = if i % 3 == 0 { request.body(b"unread") } else { request };
            let response = connection.exchange(&request);
            assert_eq!((response.status, response.text()), (200, format!("/echo/{i}\n")));
        }

        // Pipelined: sent at once, answered in order
        drop(connection);
        let mut connection = server.raw();
        let request = |i| server.request("GET", format!("/echo/{i}"));
        let requests: Vec<_> = (0..50).map(|i| request(i).keep_alive().to_bytes()).collect();
        connection.send(requests.concat()).send(request(50).to_bytes());
        for i in 0..=50 {
            assert_eq!(connection.response().text(), format!("/echo/{i}\n"));
        }
        assert_eq!(connection.read_to_end(), b"");
    }

    fn head_is_get_without_the_body(mpm) {
        let server = echo(mpm).shared();
        for (path, status) in [("/echo/x", 200), ("/echo/unflushed", 200), ("/echo/404", 404), ("/echo/raise", 500)] {
            let get = server.get(path);
            let head = server.request("HEAD", path).send();
            assert_eq!((get.status, head.status), (status, status), "{path}");
            assert!(head.body.is_empty() && !get.body.is_empty());
            assert_eq!(head.header("Content-Type"), get.header("Content-Type"), "{path}");
        }
        // The head has gone out: there is no way to tell the client, and no second response on the connection
        let mut connection = server.raw();
        let head = connection.exchange(&server.request("HEAD", "/echo/late").keep_alive());
        assert_eq!(head.status, 200);
        assert_eq!(String::from_utf8_lossy(&connection.read_to_end()), "");
        // A process of prefork stays with its client for as long as that does
        drop(connection);
        assert_eq!(server.get("/echo/x").status, 200);
    }
}

fn echo(mpm: Mpm) -> Httpd {
    Httpd::new(mpm).handler(
        "echo",
        r#"
        from mod_python import apache

        def handler(req):
            what = req.uri.rpartition("/")[2]
            req.content_type = "text/plain"
            if what == "404":
                return apache.HTTP_NOT_FOUND
            if what == "raise":
                raise ValueError(what)
            if what == "big":
                req.write(b"0123456789abcdef" * (2 << 20))
                return apache.OK
            if what == "pieces":
                for i in range(1 << 18):
                    req.write("%015d\n" % i, 0)
                return apache.OK
            req.write(req.uri + "\n", what != "unflushed")
            if what == "late":
                raise ValueError(what)
            return apache.OK
        "#,
    )
}

#[test]
fn big_responses_arrive_whole() {
    for mpm in Mpm::ALL {
        let server = echo(mpm).shared();
        let big = server.get("/echo/big");
        assert_eq!(big.body.len(), 32 << 20);
        assert!(big.body.chunks(16).all(|chunk| chunk == b"0123456789abcdef"));

        let pieces = server.get("/echo/pieces");
        assert_eq!(pieces.body.len(), 16 << 18);
        assert!(pieces.body.chunks(16).enumerate().all(|(i, line)| line == format!("{i:015}\n").as_bytes()));
    }
}
