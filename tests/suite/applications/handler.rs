//! `PythonHandler mod_python.wsgi`, as mod_python had it.

use crate::common::probe::{lines, probe};
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm};

const SOURCE: &str = r#"
    class Site:
        @staticmethod
        def nested(environ, start_response):
            start_response("200 OK", [])
            return ["nested"]

    def application(environ, start_response):
        write = start_response("201 Made", [("Content-Type", "text/plain"), ("X-Input", type(environ["wsgi.input"]).__name__)])
        write(b"written ")
        body = environ["wsgi.input"].read()
        return ["é ", repr((environ["SCRIPT_NAME"], environ["PATH_INFO"], environ.get("HTTP_AUTHORIZATION"), body)).encode()]
"#;

fn get(server: &Server, target: &str) -> (u16, String) {
    let response = server.request("POST", target).header("Authorization", "Basic eDp5").body("abc").send();
    (response.status, response.text())
}

for_each_mpm! {
    fn the_options_name_application_and_base(mpm) {
        let section = |name: &str, options: &str| {
            format!(
                "<Location /{name}>\n    SetHandler mod_python\n    PythonHandler mod_python.wsgi\n    PythonPath \"['${{HTDOCS}}/lib'] + sys.path\"\n{options}\n</Location>"
            )
        };
        let option = "    PythonOption mod_python.wsgi.application";
        let server = Httpd::new(mpm)
            .config(section("plain", &format!("{option} site_wsgi")))
            .config(section("named", &format!("{option} site_wsgi::Site.nested")))
            .config(section("based", &format!("{option} site_wsgi\n    PythonOption mod_python.wsgi.base_uri /based/app")))
            .config(section("slash", &format!("{option} site_wsgi\n    PythonOption mod_python.wsgi.base_uri /slash/")))
            .config(section("none", ""))
            .config(section("missing", &format!("{option} site_wsgi::nothing")))
            .file("lib/site_wsgi.py", SOURCE)
            .shared();
        assert_eq!(get(&server, "/plain/x"), (201, "written é ('/plain', '/x', 'Basic eDp5', b'abc')".into()));
        assert_eq!(server.get("/plain").header("X-Input"), Some("mp_request"));
        assert_eq!(get(&server, "/named"), (200, "nested".into()));
        assert_eq!(get(&server, "/based/app/y").1, "written é ('/based/app', '/y', 'Basic eDp5', b'abc')");
        for (target, status, entry) in [
            ("/based/application", 404, "MP0429"),
            ("/slash/x", 500, "must not end with '/'"),
            ("/none", 404, "MP0428"),
            ("/missing", 404, "MP0428"),
        ] {
            server.forget_log();
            assert_eq!(server.get(target).status, status, "{target}");
            assert!(server.log_count(entry) > 0, "{target}: {}", server.log());
        }
    }
}

#[test]
fn what_is_no_application_is_a_type_error() {
    let server = probe(Mpm::Event).start();
    let code = r#"
        out(error(req._run_wsgi))
        out(error(req._run_wsgi, 1))
        out(error(req._run_wsgi, lambda environ, start: None))
    "#;
    let expected = [
        "'TypeError: _run_wsgi() takes exactly one argument (0 given)'",
        "\"TypeError: 'int' object is not callable\"",
        "'TypeError: the application returned NoneType: return a list of bytes, or an iterable that yields bytes'",
    ];
    assert_eq!(lines(&server, code), expected);
    let code = r#"
        import threading
        said = []
        thread = threading.Thread(target=lambda: said.append(error(req._run_wsgi, print)))
        thread.start()
        thread.join()
        out(said[0])
    "#;
    let other = "'RuntimeError: _run_wsgi() can only be called by the thread that serves the request'";
    assert_eq!(lines(&server, code), [other]);
}
