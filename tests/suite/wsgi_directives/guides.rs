//! The configurations of docs/migration-mod_wsgi.md: each runs with its first line changed only, or stops with the sentence that says why.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::SHOW;
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm, not_tested, python_version};

const LOAD: &str = "LoadModule wsgi_module modules/mod_wsgi.so\n";

/// The configuration under a heading of the page, for the test's folders and port. The fixture loads the module.
fn configuration(heading: &str) -> String {
    const PAGE: &str = include_str!("../../../docs/migration-mod_wsgi.md");
    let (_, part) = PAGE.split_once(&format!("### {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let (_, block) = part.split_once("```apache\n").expect("a configuration");
    let (block, _) = block.split_once("```").expect("its end");
    let block = block.strip_prefix(LOAD).unwrap_or_else(|| panic!("{heading} begins with the LoadModule line"));
    block
        .replace("/srv/", "${HTDOCS}/srv/")
        .replace("*:80", "127.0.0.1:${PORT}")
        .replace(" run/wsgi", " ${ROOT}/run/wsgi")
}

/// A server with a configuration of the page and the applications that it names: each shows what the query asks for.
fn guide(mpm: Mpm, heading: &str) -> Httpd {
    let scripts = ["myapp", "wiki", "blog"];
    let httpd = Httpd::new(mpm).children(1).config(configuration(heading));
    scripts.iter().fold(httpd, |httpd, name| httpd.file(format!("srv/wsgi/{name}.wsgi"), SHOW))
}

const KEYS: &str = "SCRIPT_NAME,PATH_INFO,mod_wsgi.process_group,mod_wsgi.application_group";

/// What the application at a URL shows of the environ, without the port.
#[track_caller]
fn shown(server: &Server, path: &str, keys: &str) -> String {
    let response = server.get(&format!("{path}?{keys}"));
    assert_eq!(response.status, 200, "{path}: {}\n{}", response.text(), server.log());
    response.text().replace(&format!(":{}", server.port()), "")
}

for_each_mpm! {
    fn embedded_beside_static_files(mpm) {
        let server = guide(mpm, "Embedded, beside static files").file("srv/www/index.html", "static").start();
        assert_eq!(shown(&server, "/myapp/x", KEYS), "/myapp /x  www.example.com|/myapp");
        assert_eq!(server.get("/index.html").text(), "static\n");
        assert_eq!(server.log_count("MP0250"), 0);
    }

    fn at_the_root_of_a_site(mpm) {
        let server = guide(mpm, "At the root of a site")
            .file("srv/www/robots.txt", "robots")
            .file("srv/www/styles/a.css", "css")
            .file("srv/www/media/m.txt", "media")
            .start();
        assert_eq!(shown(&server, "/any/thing", "SCRIPT_NAME,PATH_INFO,demo.templates"), format!(" /any/thing {}/htdocs/srv/templates", server.root().display()));
        for (path, text) in [("/robots.txt", "robots\n"), ("/a.css", "css\n"), ("/media/m.txt", "media\n")] {
            assert_eq!(server.get(path).text(), text);
        }
    }

    fn daemon_mode(mpm) {
        let server = guide(mpm, "Daemon mode").start();
        assert_eq!(shown(&server, "/x", &format!("{KEYS},mod_python.interpreter")), " /x example.com  main_interpreter");
        assert_eq!(server.log_count("MP0250"), 1, "{}", server.log());
    }

    fn several_applications(mpm) {
        let server = guide(mpm, "Several applications").start();
        assert_eq!(shown(&server, "/wiki/x", KEYS), "/wiki /x myapps www.example.com|/wiki");
        assert_eq!(shown(&server, "/blog", KEYS), "/blog  myapps www.example.com|/blog");
        assert_eq!(shown(&server, "/x", KEYS), " /x myapps www.example.com|");
    }

    fn a_folder_of_scripts(mpm) {
        let server = guide(mpm, "A folder of scripts").start();
        assert_eq!(shown(&server, "/wsgi/wiki.wsgi/x", KEYS), "/wsgi/wiki.wsgi /x  scripts");
        assert_eq!(shown(&server, "/short/blog", "SCRIPT_FILENAME").rsplit('/').next(), Some("blog.wsgi"));
        assert_eq!(server.get("/wsgi/none.wsgi").status, 404);
    }

    fn flask(mpm) {
        let server = guide(mpm, "Flask")
            .file("srv/lib/package.py", "name = 'package'")
            .file("srv/myapp/myapp.py", r#"
                import sys, package

                def app(environ, start_response):
                    status = '404 Not Found' if environ['PATH_INFO'] == '/missing' else '200 OK'
                    start_response(status, [('X-Method', environ['REQUEST_METHOD'])])
                    return [b'%s %d %s' % (package.name.encode(), sys.flags.optimize, environ['mod_wsgi.application_group'].encode())]
            "#)
            .start();
        assert_eq!(shown(&server, "/x", ""), "package 1 localhost");
        let missing = server.get("/missing");
        assert_eq!((missing.status, missing.text().as_str()), (404, "not here"));
        assert_eq!(server.request("HEAD", "/x").send().header("X-Method"), Some("GET"));
    }
}

#[test]
fn django_in_a_virtual_environment() {
    let (major, minor) = python_version();
    // Others on the path may be in somebody's home, which httpd's user cannot read.
    let name = format!("python{major}.{minor}");
    let python = ["/usr/bin/", "/usr/local/bin/", ""].map(|folder| format!("{folder}{name}"));
    let python = python.iter().find(|path| !path.contains('/') || Path::new(path).exists());
    let venv = python.and_then(|python| Venv::new(python));
    let Some(venv) = venv else { return not_tested("there is no such python with the module venv") };
    venv.package("installed", "colour = 'green'");
    let config = configuration("Django in a virtual environment");
    let config = config.replace("${HTDOCS}/srv/venv", &venv.0.display().to_string());
    let server = Httpd::new(Mpm::Event)
        .children(1)
        .config(config)
        .file("srv/site/static/a.css", "css")
        .file("srv/site/mysite/__init__.py", "")
        .file("srv/site/mysite/settings.py", "name = 'settings'")
        .file("srv/site/mysite/wsgi.py", r#"
            import os, sys
            import installed
            from mysite import settings

            def application(environ, start_response):
                start_response('200 OK', [])
                keys = ['mod_wsgi.process_group', 'mod_wsgi.application_group', 'mod_python.interpreter', 'HTTP_AUTHORIZATION']
                values = [environ.get(key) for key in keys]
                return [repr([installed.colour, settings.name, sys.prefix, os.getcwd()] + values).encode()]
        "#)
        .start();
    let response = server.request("GET", "/").header("Authorization", "Basic eDp5").send();
    let expected = format!(
        "['green', 'settings', '{}', '{}/htdocs/srv/site', 'site', '', 'main_interpreter', 'Basic eDp5']",
        venv.0.display(),
        server.root().display()
    );
    assert_eq!((response.status, response.text()), (200, expected), "{}", server.log());
    assert_eq!(server.get("/static/a.css").text(), "css\n");
}

#[test]
fn scripts_of_users() {
    let server = guide(Mpm::Event, "Scripts of users")
        .file("srv/home/joe/scripts/a.wsgi", SHOW)
        .file("srv/home/bob/scripts/a.wsgi", SHOW)
        .file("srv/home/bob/scripts/.htaccess", "WSGICallableObject application\nSetEnv X y")
        .start();
    assert_eq!(shown(&server, "/home/joe/scripts/a.wsgi/x", KEYS), "/home/joe/scripts/a.wsgi /x  ~joe");
    assert_eq!(shown(&server, "/home/bob/scripts/a.wsgi", &format!("{KEYS},X")), "/home/bob/scripts/a.wsgi   ~bob y");
}

#[test]
fn who_may_have_it() {
    let server = guide(Mpm::Event, "Who may have it")
        .file(
            "srv/auth/auth.wsgi",
            r#"
            def allow_access(environ, host):
                return environ['SCRIPT_NAME'] != '/closed'

            def check_password(environ, user, password):
                return {'spy': 'secret', 'joe': 'secret'}.get(user) == password

            def groups_for_user(environ, user):
                return ['secret-agents'] if user == 'spy' else []
        "#,
        )
        .start();
    let ask = |path: &str, credentials: &str| {
        server
            .request("GET", format!("{path}?REMOTE_USER,AUTH_TYPE,HTTP_AUTHORIZATION"))
            .header("Authorization", credentials)
            .send()
    };
    let (spy, joe) = ("Basic c3B5OnNlY3JldA==", "Basic am9lOnNlY3JldA==");
    assert_eq!(ask("/", spy).text(), "spy Basic None", "{}", server.log());
    assert_eq!(ask("/closed", spy).status, 403);
    assert_eq!(ask("/", joe).status, 401);
    assert_eq!(server.get("/").status, 401);
}

#[test]
fn handlers_and_work_at_the_start() {
    let server = guide(Mpm::Event, "Handlers, and work at the start")
        .file("srv/wsgi/warm.wsgi", "import builtins\nbuiltins.warm = 'warm'")
        .file(
            "srv/wsgi/resource.wsgi",
            r#"
            def handle_request(environ, start_response):
                start_response('200 OK', [])
                return [warm.encode() + b' ' + open(environ['SCRIPT_FILENAME'], 'rb').read()]
        "#,
        )
        .file("srv/www/page.myext", "page")
        .start();
    assert_eq!(server.get("/page.myext").text(), "warm page\n", "{}", server.log());
}

/// Without root there is no other user: mod_wsgi ignores it, and so does this module.
#[test]
fn another_user_stops_httpd_with_the_way_out() {
    // SAFETY: only asks.
    if unsafe { libc::geteuid() } != 0 {
        return not_tested("httpd is not started as root");
    }
    let httpd = guide(Mpm::Event, "One that stops");
    let said = httpd.configtest().output + &httpd.start_fails();
    let wanted = "MP0249: WSGIDaemonProcess www.site1.com (";
    assert!(said.matches(wanted).count() >= 2, "{said}");
    for part in ["user=games group=games is not the user or group", "mpm_itk", "AssignUserID"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

/// A virtual environment, gone with the value.
struct Venv(PathBuf);

impl Venv {
    fn new(python: &str) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("mod_python-test-venv-{}", std::process::id()));
        let made = Command::new(python).args(["-m", "venv", "--without-pip"]).arg(&folder).output();
        let this = Self(folder);
        made.is_ok_and(|output| output.status.success()).then_some(this)
    }

    fn package(&self, name: &str, text: &str) {
        let (major, minor) = python_version();
        let folder = self.0.join(format!("lib/python{major}.{minor}/site-packages"));
        fs::write(folder.join(format!("{name}.py")), text).expect("a folder of our own");
    }
}

impl Drop for Venv {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
