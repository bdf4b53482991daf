//! PythonInitHandler: once for a request, whether it is the server's or a section's own.

use super::with_module;
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm};

const INIT: &str = r#"
    from mod_python import apache

    def named(name, status=apache.OK):
        def handler(req):
            known = "file" if req.filename else "no file"
            req.notes["ran"] = req.notes.get("ran", "") + "%s %s(%s) " % (req.phase[6:-7], name, known)
            return status
        return handler

    inithandler = one = named("one")
    two, third = named("two"), named("third")
    declined = named("declined", apache.DECLINED)
    forbidden = named("forbidden", apache.HTTP_FORBIDDEN)
    post = header = named("other")

    def handler(req):
        if req.uri == "/redirecting":
            req.internal_redirect("/inner/target")
            return apache.OK
        if req.uri == "/page":
            req.write("page ")
        req.write(req.notes.get("ran", "none").strip())
        return apache.OK
"#;

fn site(mpm: Mpm) -> Httpd {
    with_module(mpm, "init", INIT).config("PythonHandler init\n<Location />\n    SetHandler mod_python\n</Location>")
}

#[track_caller]
fn expect(server: &Server, host: &str, expected: &[(&str, &str)]) {
    for (path, text) in expected {
        let response = server.request("GET", path).host(host).send();
        assert_eq!((response.status, response.text().as_str()), (200, *text), "{host} {path}\n{}", server.log());
    }
}

for_each_mpm! {
    fn it_runs_wherever_it_stands_and_once(mpm) {
        let server = site(mpm)
            .config(
                r#"
                <Directory "${HTDOCS}/directory">
                    PythonInitHandler init::two
                </Directory>
                <Location /place>
                    PythonInitHandler init::third
                </Location>
                "#,
            )
            .file("access/.htaccess", "PythonInitHandler init::two init::third")
            .file("directory/.htaccess", "PythonOption some thing")
            .vhost("server.test", "PythonInitHandler init")
            .start();
        expect(
            &server,
            "localhost",
            &[
                ("/x", "none"),
                ("/directory/x", "Init two(file)"),
                ("/place/x", "Init third(file)"),
                ("/access/x", "Init two(file) Init third(file)"),
            ],
        );
        // The server's own comes first of all, and then a section's, if it has another.
        expect(
            &server,
            "server.test",
            &[
                ("/x", "Init one(no file)"),
                ("/directory/x", "Init one(no file) Init two(file)"),
                ("/place/x", "Init one(no file) Init third(file)"),
                ("/access/x", "Init one(no file) Init two(file) Init third(file)"),
            ],
        );
    }
}

#[test]
fn what_a_section_only_inherits_has_run() {
    let server = site(Mpm::OneChild)
        .config(
            r#"
            PythonInitHandler init
            <Directory "${HTDOCS}/unset">
                PythonOption some thing
                PythonHandler init
            </Directory>
            <Directory "${HTDOCS}/extension">
                PythonInitHandler init::two | .html
            </Directory>
            "#,
        )
        .file("unset/.htaccess", "PythonOption some other")
        .file("extension/x.html", "")
        .vhost("inner.test", "PythonInitHandler init::third")
        .vhost("unset.test", "PythonOption some thing")
        .start();
    for (host, own) in [("localhost", "one"), ("inner.test", "third"), ("unset.test", "one")] {
        expect(
            &server,
            host,
            &[
                ("/x", &format!("Init {own}(no file)")),
                ("/unset/x", &format!("Init {own}(no file)")),
                ("/extension/x", &format!("Init {own}(no file)")),
                ("/extension/x.html", &format!("Init {own}(no file) Init two(file)")),
            ],
        );
    }
}

#[test]
fn the_phase_that_it_comes_before_follows_unless_it_ends_the_request() {
    let server = site(Mpm::OneChild)
        .vhost(
            "ok.test",
            "PythonInitHandler init\nPythonPostReadRequestHandler init::post\nPythonHeaderParserHandler init::header",
        )
        .vhost("declined.test", "PythonInitHandler init::declined\nPythonPostReadRequestHandler init::post")
        .vhost("forbidden.test", "PythonInitHandler init::forbidden\nPythonPostReadRequestHandler init::post")
        .vhost(
            "section.test",
            "<Location />\n    PythonInitHandler init\n    PythonHeaderParserHandler init::header\n</Location>\n\
             <Location /no>\n    PythonInitHandler init::forbidden\n</Location>",
        )
        .config("ErrorDocument 403 /told")
        .start();
    expect(&server, "ok.test", &[("/x", "Init one(no file) PostReadRequest other(no file) HeaderParser other(file)")]);
    expect(&server, "declined.test", &[("/x", "Init declined(no file) PostReadRequest other(no file)")]);
    expect(&server, "section.test", &[("/x", "Init one(file) HeaderParser other(file)")]);
    for (host, path) in [("forbidden.test", "/x"), ("section.test", "/no")] {
        server.forget_log();
        assert_eq!(server.request("GET", path).host(host).send().status, 403, "{host}");
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
}

#[test]
fn a_redirected_request_is_another_and_a_subrequest_has_none() {
    let server = site(Mpm::OneChild)
        .config(
            r#"
            PythonInitHandler init
            <Location /inner>
                PythonInitHandler init::two
            </Location>
            <Location /included>
                PythonInitHandler init::two
            </Location>
            <Location /file.shtml>
                SetHandler default-handler
                SetOutputFilter INCLUDES
            </Location>
            "#,
        )
        .file("file.shtml", "[<!--#include virtual=\"/included/x\" -->]")
        .start();
    expect(&server, "localhost", &[("/redirecting", "Init one(no file) Init two(file)"), ("/file.shtml", "[none]\n")]);
}
