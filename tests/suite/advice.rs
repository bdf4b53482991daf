//! What the log says where a beginner goes wrong: a directive that is misspelled, a WSGI application where a handler is expected, a folder that
//! httpd's user cannot read, an environment that there is not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::fixture::{Httpd, Mpm};

const APPLICATION: &str =
    "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'hello']\n";

#[test]
fn a_misspelled_directive_is_named_with_the_one_that_was_meant() {
    let lines = "# A comment.\nPythonHander who\n<Location /x>\n    PythonDebgu On\n    SetHandler mod_python\n</Location>\nNothingOfOurs On\n";
    let wrong = Httpd::new(Mpm::Event).file("wrong.conf", lines).config("Include ${HTDOCS}/wrong.conf");
    let test = wrong.configtest();
    assert!(!test.accepted);
    for output in [test.output, wrong.start_fails()] {
        assert!(output.contains("Invalid command 'PythonHander'"), "httpd's own words: {output}");
        for part in [
            "htdocs/wrong.conf:2: there is no directive PythonHander: did you mean PythonHandler?",
            "htdocs/wrong.conf:4: there is no directive PythonDebgu: did you mean PythonDebug?",
        ] {
            assert!(output.contains(part), "{part:?} in {output}");
        }
        assert_eq!(output.matches("MP0254").count(), 2, "{output}");
    }
}

#[test]
fn a_file_of_an_application_is_no_handler() {
    for file in ["/srv/app.wsgi", "app/wsgi.py", "/srv/app.py"] {
        let test = Httpd::new(Mpm::Event).config(format!("PythonHandler {file}")).configtest();
        assert!(!test.accepted);
        let part = format!("MP0203: PythonHandler: '{file}' is a file, not a handler");
        assert!(test.output.contains(&part), "{part} in {}", test.output);
        assert!(test.output.contains(&format!("'PythonApplication / {file}'")), "{}", test.output);
    }
}

#[test]
fn a_module_with_an_application_is_no_handler() {
    let server = Httpd::new(Mpm::Event)
        .handler("site", APPLICATION)
        .handler(
            "flask",
            "class App:\n    def __call__(self, environ, start_response):\n        return []\napp = App()\n",
        )
        .handler("plain", "application = 'text'\n")
        .start();
    for (name, part) in [
        (
            "site",
            "contains no 'handler'; it has 'application': a WSGI application is served by 'PythonApplication / site:application'",
        ),
        (
            "flask",
            "contains no 'handler'; it has 'app': a WSGI application is served by 'PythonApplication / flask:app'",
        ),
        ("plain", "contains no 'handler'"),
    ] {
        server.forget_log();
        assert_eq!(server.get(&format!("/{name}")).status, 500);
        let entries = server.log_lines("MP0401");
        assert!(entries.len() == 1 && entries[0].contains(part), "{part} in {entries:?}");
        assert_eq!(entries[0].contains("PythonApplication"), name != "plain", "{entries:?}");
    }
}

/// A folder that nobody can read, for as long as this lives.
struct Closed(PathBuf);

impl Closed {
    fn new(path: PathBuf) -> Self {
        fs::set_permissions(&path, Permissions::from_mode(0o000)).expect("it is ours");
        Self(path)
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let _ = fs::set_permissions(&self.0, Permissions::from_mode(0o755));
    }
}

#[test]
fn a_folder_or_file_that_cannot_be_read_is_named() {
    let server = Httpd::new(Mpm::Event)
        .file("closed/inner/private.py", "def handler(req):\n    return 0\n")
        .file("app.wsgi", APPLICATION)
        .config(
            "<Location /handler>\n    SetHandler mod_python\n    PythonPath \"['${HTDOCS}/closed/inner'] + sys.path\"\n    PythonHandler private\n</Location>\n\
             <Location /missing>\n    SetHandler mod_python\n    PythonHandler no_such_module\n    PythonInterpreter another\n</Location>\n\
             PythonApplication /app ${HTDOCS}/app.wsgi interpreter=third",
        )
        .start();
    let folder = server.root().join("htdocs/closed");
    let script = server.root().join("htdocs/app.wsgi");
    let _closed = [Closed::new(folder.clone()), Closed::new(script.clone())];
    let (folder, script) = (folder.display(), script.display());
    for (path, parts) in [
        (
            "/handler",
            [
                "No module named 'private'; of the folders of sys.path, httpd's user ".to_owned(),
                format!(" cannot read {folder}, in which {folder}/inner is: "),
                format!("'chmod o+x {folder}'"),
            ],
        ),
        (
            "/app",
            [
                "Permission denied; httpd's user ".to_owned(),
                format!(" cannot read {script}: "),
                format!("'chmod o+r {script}'"),
            ],
        ),
    ] {
        server.forget_log();
        assert_eq!(server.get(path).status, 500);
        let entries = server.log_lines("MP0401");
        for part in parts {
            assert!(entries.len() == 1 && entries[0].contains(&part), "{part} in {entries:?}");
        }
    }
    server.forget_log();
    assert_eq!(server.get("/missing").status, 500);
    let entries = server.log_lines("MP0401");
    assert!(
        entries[0].contains("No module named 'no_such_module'") && !entries[0].contains("cannot read"),
        "{entries:?}"
    );
}

#[test]
fn an_environment_that_there_is_not_is_explained_once_in_a_child() {
    let server = Httpd::new(Mpm::Event)
        .children(1)
        .handler("outside", "def handler(req):\n    req.write(repr(req.build_wsgi_env()))\n    return 0\n")
        .config("PythonOption mod_python.wsgi.base_uri /elsewhere")
        .start();
    for _ in 0..3 {
        assert_eq!(server.get("/outside").text(), "None");
    }
    let entries = server.log_lines("MP0473");
    let is_said = |entry: &&String| entry.contains("python:warn");
    assert_eq!(entries.iter().filter(is_said).count(), 1, "{entries:?}");
    for part in ["the URL is not below '/elsewhere'", "PythonOption mod_python.wsgi.base_uri", "apache.DECLINED"] {
        assert!(entries[0].contains(part), "{part} in {entries:?}");
    }
}
