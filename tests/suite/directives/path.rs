//! `PythonPath`, and what is on the path without it.

use crate::fixture::{Httpd, Mpm, Server};

/// A handler that shows the first part of the path, and how often its expression was evaluated.
const SHOW: &str = r#"
    import os
    import sys

    def handler(req):
        here = os.path.dirname(__file__)
        shown = [os.path.relpath(path, os.path.dirname(here)) for path in sys.path if path.startswith(os.path.dirname(here))]
        req.write("%s %d" % (",".join(shown), getattr(sys, "evaluated", 0)))
        return 0
"#;

fn site() -> Httpd {
    Httpd::new(Mpm::OneChild).file("lib/show.py", SHOW).config(
        r#"
        <Directory "${HTDOCS}">
            DirectorySlash Off
            SetHandler mod_python
        </Directory>
        "#,
    )
}

/// An expression for the path that counts its evaluations.
fn counted(folders: &str) -> String {
    format!(
        "PythonPath \"setattr(sys, 'evaluated', getattr(sys, 'evaluated', 0) + 1) or {folders} + ['${{HTDOCS}}/lib'] + sys.path\""
    )
}

#[track_caller]
fn shown(server: &Server, host: &str, path: &str) -> String {
    let response = server.request("GET", path).host(host).send();
    assert_eq!(response.status, 200, "{host} {path}\n{}", server.log());
    response.text()
}

#[test]
fn it_is_evaluated_once_for_each_text_and_interpreter() {
    let server = site()
        .config("PythonHandler show")
        .config(counted("[]"))
        .config(format!("<Location /one>\n{}\n</Location>", counted("['${HTDOCS}/one']")))
        .config(format!("<Location /two>\n{}\n</Location>", counted("['${HTDOCS}/two']")))
        .vhost("a.test", "")
        .start();
    for _ in 0..3 {
        assert_eq!(shown(&server, "localhost", "/x"), "lib 1");
    }
    assert_eq!(shown(&server, "localhost", "/one"), "one,lib,lib 2");
    assert_eq!(shown(&server, "localhost", "/two"), "two,lib,one,lib,lib 3");
    // One that was evaluated before is not again: what is there stays.
    assert_eq!(shown(&server, "localhost", "/one"), "two,lib,one,lib,lib 3");
    assert_eq!(shown(&server, "localhost", "/x"), "two,lib,one,lib,lib 3");
    assert_eq!(shown(&server, "a.test", "/x"), "lib 1", "another interpreter has another path");
}

#[test]
fn it_replaces_the_path_and_with_it_the_folder_of_the_directive() {
    let server = site()
        .file("own/show.py", SHOW)
        .file("own/set/x", "")
        .config(
            r#"
            <Directory "${HTDOCS}/own">
                PythonHandler show
            </Directory>
            <Directory "${HTDOCS}/own/set">
                PythonHandler show
                PythonPath "['${HTDOCS}/lib'] + [path for path in sys.path if not path.startswith('${HTDOCS}')]"
                PythonInterpreter other
            </Directory>
            "#,
        )
        .start();
    assert_eq!(shown(&server, "localhost", "/own/x"), "own 0");
    assert_eq!(shown(&server, "localhost", "/own/deep/x"), "own 0", "once");
    assert_eq!(shown(&server, "localhost", "/own/set/x"), "lib 0");
}

#[test]
fn the_folder_of_a_directory_or_htaccess_is_on_the_path_of_a_location_not() {
    let server = site()
        .file("directory/in_directory.py", SHOW)
        .file("access/in_access.py", SHOW)
        .file("access/.htaccess", "PythonHandler in_access")
        .file("place/in_place.py", SHOW)
        .file("wild-1/in_wild.py", SHOW)
        .config(
            r#"
            <Directory "${HTDOCS}/directory">
                PythonHandler in_directory
            </Directory>
            <Directory "${HTDOCS}/wild-*">
                PythonHandler in_wild
            </Directory>
            <Location /place>
                PythonHandler in_place
            </Location>
            "#,
        )
        .start();
    assert_eq!(shown(&server, "localhost", "/directory/deep/x"), "directory 0");
    assert_eq!(shown(&server, "localhost", "/access/deep/x"), "access,directory 0", "in front");
    assert_eq!(shown(&server, "localhost", "/wild-1/deep/x"), "wild-1,access,directory 0");
    assert_eq!(shown(&server, "localhost", "/directory/x"), "wild-1,access,directory 0");
    assert_eq!(server.get("/place/x").status, 500);
    assert!(server.log().contains("No module named 'in_place'"), "{}", server.log());
}

#[test]
fn what_is_no_list_of_folders_is_said_at_each_request_until_it_is_one() {
    let wrong = [
        ("syntax", "['/srv'", "SyntaxError"),
        ("name", "no_such_name", "NameError"),
        ("text", "'/srv'", "str: '/srv'"),
        ("numbers", "[1, 2]", "[1, 2]"),
        ("none", "None", "None"),
        ("raises", "1 / 0", "ZeroDivisionError"),
        ("late", "open('${SCRATCH}/path').read().split()", "FileNotFoundError"),
    ];
    let server = wrong
        .iter()
        .fold(site().config("PythonHandler show"), |site, (name, expression, _)| {
            site.config(format!(
                "<Location /{name}>\n    PythonInterpreter {name}\n    PythonPath \"{expression}\"\n</Location>"
            ))
        })
        .start();
    for (name, expression, reason) in wrong {
        for _ in 0..2 {
            server.forget_log();
            assert_eq!(server.get(&format!("/{name}")).status, 500, "{expression}");
            let lines = server.log_lines("MP0401");
            assert_eq!(lines.len(), 1, "{}", server.log());
            assert!(lines[0].contains("MP0706: PythonPath") && lines[0].contains(reason), "{expression}: {lines:?}");
        }
    }
    // It is tried again: what made it fail may be gone.
    let lib = server.root().join("htdocs/lib");
    std::fs::write(server.scratch().join("path"), lib.to_str().expect("our own path")).expect("we can write there");
    assert_eq!(shown(&server, "localhost", "/late"), "lib 0");
}
