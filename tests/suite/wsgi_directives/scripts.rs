//! Scripts: how URLs come to them, what they see, how they are called.

use super::{PROBE, SHOW, line_of, site};
use crate::fixture::{Httpd, Mpm, for_each_lasting_mpm, for_each_mpm, wait_until};

for_each_mpm! {
    fn aliases_map_urls_to_scripts(mpm) {
        let server = site(mpm)
            .file("wsgi/other.wsgi", "from sys import path\nfrom show import application\npath")
            .file("wsgi/show.py", SHOW)
            .file("media/page.css", "css")
            .config(
                "Alias /top/media/ ${HTDOCS}/media/\n\
                 WSGIScriptAlias /app ${HTDOCS}/wsgi/show.wsgi\n\
                 WSGIScriptAlias /folder/ ${HTDOCS}/wsgi/\n\
                 WSGIScriptAliasMatch ^/match/([^/]+) ${HTDOCS}/wsgi/$1.wsgi\n\
                 WSGIScriptAliasMatch ^/(keep|this) ${HTDOCS}/wsgi/show.wsgi/$1\n\
                 WSGIScriptAlias /top/ ${HTDOCS}/wsgi/show.wsgi",
            )
            .shared();
        for (url, shown) in [
            ("/app", "/app "),
            ("/app/", "/app /"),
            ("/app/a/b", "/app /a/b"),
            ("/app/a%2Bb%20c", "/app /a+b c"),
            ("/folder/show.wsgi", "/folder/show.wsgi "),
            ("/folder/show.wsgi/x", "/folder/show.wsgi /x"),
            ("/folder/other.wsgi/x", "/folder/other.wsgi /x"),
            ("/match/show/x", "/match/show"),
            ("/keep", " /keep"),
            ("/keep/x", "/keep/x /keep"),
            ("/top/x", "/top /x"),
        ] {
            let response = server.get(url);
            assert_eq!((response.status, response.text().starts_with(shown)), (200, true), "{url}: {}", response.text());
        }
        assert_eq!(server.get("/top/media/page.css").text(), "css\n");
        for (url, status, number) in
            [("/appx", 404, ""), ("/folder/none.wsgi", 404, "MP0462"), ("/folder/", 403, "MP0463")]
        {
            server.forget_log();
            assert_eq!(server.get(url).status, status, "{url}");
            assert_eq!(server.log_count("MP046"), usize::from(!number.is_empty()), "{}", server.log());
            assert!(server.log().contains(number));
        }
    }

    fn a_script_is_a_handler_where_scripts_may_be_run(mpm) {
        let server = site(mpm)
            .file("by_name/a.wsgi", SHOW)
            .file("all/b.anything", SHOW)
            .file("refused/c.wsgi", SHOW)
            .file("own/.htaccess", "SetHandler wsgi-script\nWSGICallableObject other\n")
            .file("own/d.py", "def other(environ, start_response):\n    start_response('200 OK', [])\n    return [b'other']\n")
            .config(
                "<Directory ${HTDOCS}/by_name>\n    Options ExecCGI\n    AddHandler wsgi-script .wsgi\n</Directory>\n\
                 <Directory ${HTDOCS}/all>\n    Options +ExecCGI\n    SetHandler wsgi-script\n</Directory>\n\
                 <Directory ${HTDOCS}/own>\n    Options +ExecCGI\n</Directory>\n\
                 <Directory ${HTDOCS}/refused>\n    SetHandler wsgi-script\n</Directory>",
            )
            .shared();
        assert_eq!(server.get("/by_name/a.wsgi/x").text(), "/by_name/a.wsgi /x");
        assert_eq!(server.get("/all/b.anything/x").text(), "/all/b.anything /x");
        assert_eq!(server.get("/own/d.py").text(), "other");
        assert_eq!(server.get("/refused/c.wsgi").status, 403);
        assert!(server.log().contains("MP0461: "), "{}", server.log());
    }

    fn the_environ_has_what_mod_wsgi_says(mpm) {
        let server = site(mpm).config("WSGIScriptAlias /app ${HTDOCS}/wsgi/probe.wsgi").shared();
        let code = "
            import mod_wsgi
            out(environ['mod_wsgi.version'] == mod_wsgi.version, isinstance(mod_wsgi.version, tuple))
            out(repr(environ['mod_wsgi.process_group']), environ['mod_wsgi.application_group'] == mod_wsgi.application_group)
            out(environ['mod_wsgi.application_group'] == 'localhost:%s|/app' % environ['mod_wsgi.listener_port'])
            out(environ['mod_wsgi.callable_object'], repr(environ['mod_wsgi.handler_script']), environ['mod_wsgi.script_reloading'])
            out(environ['mod_wsgi.script_name'], environ['mod_wsgi.path_info'])
            out(environ['mod_wsgi.listener_host'], environ['mod_wsgi.listener_port'].isdigit())
            out(len(environ['mod_wsgi.request_id']) > 5, environ['mod_wsgi.server_pid'] == str(os.getpid()))
            start, now = environ['mod_wsgi.request_start'], environ['mod_wsgi.application_start']
            out(isinstance(start, float), 0 <= now - start < 60, environ['mod_wsgi.queue_start'], environ['mod_wsgi.daemon_start'])
            out(type(environ['mod_wsgi.thread_id']).__name__, __name__.startswith('_mod_wsgi_'))
            out(mod_wsgi.maximum_processes >= 1, mod_wsgi.threads_per_process >= 1, mod_wsgi.FileWrapper is environ['wsgi.file_wrapper'])
            try:
                import mod_wsgi.server
            except ImportError as error:
                out('ImportError')
        ";
        assert_eq!(
            line_of(&server, "/app/rest", code).lines().collect::<Vec<_>>(),
            [
                "True True",
                "'' True",
                "True",
                "application '' 1",
                "/app /rest",
                "127.0.0.1 True",
                "True True",
                "True True 0.0 0.0",
                "int True",
                "True True True",
                "ImportError",
            ]
        );
    }

}

/// What a package of that name has stays, and gets what the server says.
#[test]
fn a_package_mod_wsgi_is_not_hidden() {
    let server = site(Mpm::Event)
        .file("packages/mod_wsgi/__init__.py", "mark = 'package'")
        .file("packages/mod_wsgi/server/__init__.py", "express = True")
        .config("WSGIPythonPath ${HTDOCS}/packages\nWSGIScriptAlias /app ${HTDOCS}/wsgi/probe.wsgi")
        .start();
    let code = "
        import mod_wsgi.server
        from mod_wsgi import version, subscribe_shutdown
        out(mod_wsgi.mark, mod_wsgi.server.express, len(version), os.path.basename(os.path.dirname(mod_wsgi.__file__)))
    ";
    assert_eq!(line_of(&server, "/app", code), "package True 3 mod_wsgi");
}

#[test]
fn requests_and_responses_are_as_the_section_says() {
    let server = Httpd::new(Mpm::Event)
        .module("deflate")
        .file("wsgi/all.wsgi", r#"
            import os
            def application(environ, start_response):
                path = environ['PATH_INFO']
                if path == '/missing':
                    start_response('404 Not here', [('Content-Type', 'text/plain'), ('X-Own', '1')])
                    return [b'the application: not found']
                if path == '/denied':
                    start_response('401 Who', [('WWW-Authenticate', 'Basic realm="x"')])
                    return iter([b'the application: who?'])
                if path == '/file':
                    start_response('200 OK', [('Content-Type', 'text/plain')])
                    return environ['wsgi.file_wrapper'](open(__file__, 'rb'))
                body = environ['wsgi.input'].read()
                start_response('200 OK', [('X-Method', environ['REQUEST_METHOD']), ('X-Authorization', environ.get('HTTP_AUTHORIZATION', 'none'))])
                return [b'got ' + body]
        "#)
        .config(
            "WSGIScriptAlias / ${HTDOCS}/wsgi/all.wsgi\n\
             WSGIScriptAlias /unreachable ${HTDOCS}/wsgi/none.wsgi\n\
             ErrorDocument 404 \"httpd: not found\"\n\
             ErrorDocument 401 \"httpd: who\"\n\
             <Location /small>\n    LimitRequestBody 10\n</Location>\n",
        )
        .vhost(
            "strict.test",
            "WSGIScriptAlias / ${HTDOCS}/wsgi/all.wsgi\n\
             WSGIErrorOverride On\nWSGIChunkedRequest Off\nWSGIMapHEADToGET On\nWSGIPassAuthorization On\nWSGIEnableSendfile Off\n\
             ErrorDocument 404 \"httpd: not found\"\n\
             <Location /head>\n    WSGIMapHEADToGET Off\n</Location>",
        )
        .vhost("zipped.test", "WSGIScriptAlias / ${HTDOCS}/wsgi/all.wsgi\nSetOutputFilter DEFLATE")
        .start();
    let ask = |host: &str, method: &str, path: &str| {
        server.request(method, path).host(host).header("Authorization", "Basic eDp5")
    };
    // The application's own page, or httpd's.
    let own = server.get("/missing");
    assert_eq!((own.status, own.text().as_str(), own.header("X-Own")), (404, "the application: not found", Some("1")));
    let other = ask("strict.test", "GET", "/missing").send();
    assert_eq!((other.status, other.text().as_str(), other.header("X-Own")), (404, "httpd: not found", None));
    let denied = ask("strict.test", "GET", "/denied").send();
    assert_eq!((denied.status, denied.header("WWW-Authenticate")), (401, Some("Basic realm=\"x\"")));
    assert!(!denied.text().contains("the application"), "{}", denied.text());
    // Chunked bodies.
    let chunked = |host: &str| ask(host, "POST", "/").chunked(["ab", "c"]).send();
    assert_eq!(chunked("localhost").text(), "got abc");
    assert_eq!(chunked("strict.test").status, 411);
    // Too long ones.
    assert_eq!(server.request("POST", "/small").body("12345678901").send().status, 413);
    assert_eq!(server.request("POST", "/small").body("1234567890").send().text(), "got 1234567890");
    // HEAD and credentials.
    for (host, path, method, credentials) in [
        ("localhost", "/", "HEAD", "none"),
        ("strict.test", "/", "GET", "Basic eDp5"),
        ("strict.test", "/head", "HEAD", "Basic eDp5"),
        ("zipped.test", "/", "GET", "none"),
    ] {
        let response = ask(host, "HEAD", path).send();
        assert_eq!(
            (response.header("X-Method"), response.header("X-Authorization"), response.text().as_str()),
            (Some(method), Some(credentials), ""),
            "{host}{path}"
        );
    }
    // Files, read and sent.
    for host in ["localhost", "strict.test"] {
        assert!(ask(host, "GET", "/file").send().text().contains("def application"), "{host}");
    }
    // The first alias that fits counts.
    assert_eq!(server.get("/unreachable").text(), "got ");
}

#[test]
fn handler_scripts_answer_for_files() {
    let server = Httpd::new(Mpm::Event)
        .file("wsgi/resource.wsgi", r#"
            def handle_request(environ, start_response):
                start_response('200 OK', [])
                keys = ['SCRIPT_NAME', 'PATH_INFO', 'mod_wsgi.callable_object', 'HTTP_AUTHORIZATION']
                name = environ['mod_wsgi.handler_script'].rsplit('/', 1)[1]
                return [' '.join([str(environ.get(key)) for key in keys] + [name, open(environ['SCRIPT_FILENAME']).read()]).encode()]
        "#)
        .file("pages/a.mine", "text")
        .file("pages/inner/b.mine", "")
        .file("wsgi/other.wsgi", "")
        .config(
            "WSGIHandlerScript resource ${HTDOCS}/wsgi/resource.wsgi application-group=%{GLOBAL} pass-authorization=On\n\
             <Directory ${HTDOCS}/pages>\n    AddHandler resource .mine\n</Directory>\n\
             <Directory ${HTDOCS}/pages/inner>\n    WSGIHandlerScript resource ${HTDOCS}/wsgi/other.wsgi\n</Directory>",
        )
        .start();
    let response = server.request("GET", "/pages/a.mine/x").header("Authorization", "Basic eDp5").send();
    assert_eq!(response.text(), "/pages/a.mine /x handle_request Basic eDp5 resource.wsgi text\n");
    assert_eq!(server.get("/pages/inner/b.mine").status, 500);
    assert!(server.log().contains("has no 'handle_request': define it there"), "{}", server.log());
}

#[test]
fn what_a_script_lacks_is_said() {
    let server = Httpd::new(Mpm::Event)
        .file("wsgi/flask.py", "def app(environ, start_response): pass")
        .file("wsgi/syntax.wsgi", "def broken(:")
        .config("WSGIScriptAlias /s ${HTDOCS}/wsgi/")
        .config("WSGIScriptAlias /w/ ${HTDOCS}/wsgi/")
        .file("wsgi/probe.wsgi", PROBE)
        .start();
    for (url, text) in [
        ("/w/flask.py", "has no 'application': write 'WSGICallableObject app' for it"),
        ("/w/syntax.wsgi", "raised SyntaxError"),
    ] {
        server.forget_log();
        assert_eq!(server.get(url).status, 500);
        assert!(server.log().contains(text), "{}", server.log());
    }
    assert_eq!(line_of(&server, "/s/probe.wsgi", "out(1)"), "1");
}

for_each_lasting_mpm! {
    fn a_script_that_was_edited_is_loaded_again(mpm) {
        let version = |number: u32| format!("def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{number}']\n");
        let server = Httpd::new(mpm)
            .children(1)
            .file("wsgi/edited.wsgi", version(1))
            .file("wsgi/kept.wsgi", version(1))
            .config(
                "WSGIScriptAlias /edited ${HTDOCS}/wsgi/edited.wsgi\nWSGIScriptAlias /kept ${HTDOCS}/wsgi/kept.wsgi\n\
                 <Location /kept>\n    WSGIScriptReloading Off\n</Location>",
            )
            .start();
        assert_eq!(server.get("/edited").text() + &server.get("/kept").text(), "11");
        server.write("wsgi/edited.wsgi", version(22));
        server.write("wsgi/kept.wsgi", version(22));
        wait_until("the edited script", || server.get("/edited").text() == "22");
        assert_eq!(server.get("/kept").text(), "1");
    }
}
