//! Frameworks that people write their applications with, as PyPI has them.

mod front_ends;
pub mod venv;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::fixture::{Framing, Httpd, Mpm, Response, Server, for_each_mpm, has_own_gil};
use venv::Venv;

/// The kinds of GIL that this Python has.
fn gils() -> &'static [&'static str] {
    if has_own_gil() { &["shared", "own"] } else { &["shared"] }
}

/// A server whose interpreters have the frameworks.
fn site(mpm: Mpm, venv: &Venv, gil: &str) -> Httpd {
    Httpd::new(mpm).children(1).config(format!(
        "PythonInterpreterOptions * gil={gil} venv={}\n\
         PythonPath \"['${{HTDOCS}}/lib'] + sys.path\"",
        venv.root().display()
    ))
}

/// The framework's site under /site, under each kind of GIL.
#[track_caller]
fn serve(mpm: Mpm, name: &str, source: &str, target: &str) {
    let Some(venv) = Venv::get() else { return };
    for gil in gils() {
        let server = site(mpm, venv, gil)
            .config(format!("PythonApplication /site {target}"))
            .file(format!("lib/{name}_site.py"), source)
            .start();
        check(&server, "/site");
    }
}

fn text(response: &Response) -> (u16, String) {
    (response.status, response.text())
}

/// What every site answers under its prefix.
#[track_caller]
fn check(server: &Server, prefix: &str) {
    let url = |path: &str| format!("{prefix}{path}");
    let ok = |body: &str| (200, body.to_owned());
    let hello = server.get(&url("/hello/J%C3%B6rg?q=%E2%82%AC"));
    assert_eq!(text(&hello), ok(&format!("Jörg € {prefix}/echo")), "{}", server.log());
    let form = |request: crate::fixture::Request| request.header("Content-Type", "application/x-www-form-urlencoded");
    let posted = form(server.request("POST", url("/echo"))).body("a=%C3%A9&b=2").send();
    assert_eq!(text(&posted), ok("é 2 12"), "{}", server.log());
    assert_eq!(server.get(&url("/nothing")).status, 404);
    server.forget_log();
    assert_eq!(server.get(&url("/fail")).status, 500);
    // Said once, by the framework or by the module; Pyramid's has another exception above it, with a traceback of its own.
    let (raised, tracebacks) = (server.log_count("ValueError: on purpose"), server.log_count("Traceback (most recent"));
    assert!((1..=2).contains(&raised) && (1..=2).contains(&tracebacks), "{raised} {tracebacks}\n{}", server.log());
    let numbers: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    let streamed = server.get(&url("/stream"));
    assert!(text(&streamed) == ok(&numbers), "{streamed:.2000?}\n{}", server.log());
    assert_eq!(streamed.framing, Framing::Chunked);
    // All at once, where there are threads.
    for response in server.parallel(8, |number| server.request("GET", url(&format!("/hello/{number}?q=x")))) {
        assert_eq!(response.status, 200, "{}", server.log());
    }
}

for_each_mpm! {
    fn flask(mpm) {
        serve(mpm, "flask", include_str!("flask_site.py"), "flask_site:app");
    }

    fn bottle(mpm) {
        serve(mpm, "bottle", include_str!("bottle_site.py"), "bottle_site:app");
    }

    fn falcon(mpm) {
        serve(mpm, "falcon", include_str!("falcon_site.py"), "falcon_site:app");
    }

    fn pyramid(mpm) {
        serve(mpm, "pyramid", include_str!("pyramid_site.py"), "pyramid_site:make factory=on");
    }

    /// As virtual hosts have them.
    fn two_interpreters_of_a_child_have_all_of_them(mpm) {
        let Some(venv) = Venv::get() else { return };
        for gil in gils() {
            let sites = [
                ("flask", include_str!("flask_site.py"), "flask_site:app"),
                ("bottle", include_str!("bottle_site.py"), "bottle_site:app"),
                ("falcon", include_str!("falcon_site.py"), "falcon_site:app"),
                ("pyramid", include_str!("pyramid_site.py"), "pyramid_site:make factory=on"),
            ];
            let server = sites
                .iter()
                .fold(site(mpm, venv, gil), |httpd, (name, source, target)| {
                    httpd.file(format!("lib/{name}_site.py"), source).config(format!(
                        "PythonApplication /one/{name} {target} interpreter=one\n\
                         PythonApplication /two/{name} {target} interpreter=two"
                    ))
                })
                .start();
            for (name, ..) in sites {
                for interpreter in ["one", "two"] {
                    check(&server, &format!("/{interpreter}/{name}"));
                }
            }
        }
    }

    fn django(mpm) {
        let Some(venv) = Venv::get() else { return };
        for gil in gils() {
            let server = django_site(mpm, venv, gil).start();
            let database = server.scratch().join("db.sqlite3");
            fs::copy(venv.database(), &database).expect("a folder of ours");
            fs::set_permissions(&database, fs::Permissions::from_mode(0o666)).expect("a file of ours");
            check(&server, "");
            administer(&server);
        }
    }
}

/// The whole URL space is Django's, but for the static files.
fn django_site(mpm: Mpm, venv: &Venv, gil: &str) -> Httpd {
    let project = venv.project();
    let read = |name: &str| fs::read_to_string(project.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let files = ["mysite/__init__.py", "mysite/settings.py", "mysite/wsgi.py", "site_urls.py"];
    let static_files = project.join("static");
    let httpd = site(mpm, venv, gil).config(format!(
        "PythonApplication / mysite.wsgi:application path=${{HTDOCS}}/project\n\
         Alias /static {folder}\n\
         <Directory {folder}>\n    Require all granted\n</Directory>",
        folder = static_files.display()
    ));
    files.iter().fold(httpd, |httpd, name| httpd.binary_file(format!("project/{name}"), read(name)))
}

/// The administrator's pages: a form with its token, a session in the database, static files.
#[track_caller]
fn administer(server: &Server) {
    let page = server.get("/admin/login/");
    assert!(page.status == 200 && page.text().contains("csrfmiddlewaretoken"), "{page:?}\n{}", server.log());
    let token = page.text().split("name=\"csrfmiddlewaretoken\" value=\"").nth(1).map(|rest| rest[..64].to_owned());
    let (token, cookie) = (token.expect("a token"), cookies(&page));
    let form = |fields: String, cookie: &str| {
        let request = server.request("POST", "/admin/login/").header("Cookie", cookie);
        request.header("Content-Type", "application/x-www-form-urlencoded").body(fields).send()
    };
    let fields = "username=admin&password=a-password&next=/admin/";
    assert_eq!(form(fields.into(), &cookie).status, 403, "without its token");
    let entered = form(format!("{fields}&csrfmiddlewaretoken={token}"), &cookie);
    assert_eq!((entered.status, entered.header("Location")), (302, Some("/admin/")), "{}", server.log());
    let admin = server.request("GET", "/admin/").header("Cookie", cookies(&entered)).send();
    assert!(admin.status == 200 && admin.text().contains("Site administration"), "{}", server.log());
    assert_eq!(server.get("/admin/").status, 302);
    let style = server.get("/static/admin/css/base.css");
    assert_eq!((style.status, style.header("Content-Type")), (200, Some("text/css")));
    assert!(page.text().contains("/static/admin/css/base.css") && style.text().contains("body"));
    assert_eq!(server.get("/static/admin/nothing.css").status, 404);
}

/// What a browser would send back.
fn cookies(response: &Response) -> String {
    let all = response.headers.all("Set-Cookie");
    let pairs: Vec<&str> = all.iter().filter_map(|cookie| cookie.split(';').next()).collect();
    pairs.join("; ")
}
