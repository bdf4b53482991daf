//! Names of modules: the standard library's, those that several directories have, and a path without the standard library.

use crate::fixture::{Httpd, Mpm, Server, for_each_mpm};

#[track_caller]
fn says(server: &Server, path: &str, text: &str) {
    let response = server.get(path);
    assert_eq!((response.status, response.text().as_str()), (200, text), "{path}\n{}", server.log());
}

/// What mod_python has loaded before any code of an application runs.
const LOADED: [&str; 16] = [
    "token",
    "inspect",
    "traceback",
    "linecache",
    "tokenize",
    "contextlib",
    "re",
    "textwrap",
    "enum",
    "string",
    "logging",
    "importlib",
    "threading",
    "pdb",
    "html",
    "types",
];

for_each_mpm! {
    fn an_applications_file_is_not_taken_for_the_standard_librarys(mpm) {
        let site = Httpd::new(mpm)
            .handler(
                "a",
                "
                def handler(req):
                    import inspect
                    from mod_python import apache
                    if req.args == 'raises':
                        raise ValueError('on purpose')
                    apache.LogHandler
                    import importlib, token, calendar
                    req.write('%s %s' % (hasattr(token, 'ours'), hasattr(calendar, 'ours')))
                    return apache.OK
                ",
            )
            .file("a/calendar.py", "ours = True\n");
        let server = LOADED.iter().fold(site, |site, name| site.file(format!("a/{name}.py"), "ours = True\n")).start();
        says(&server, "/a", "False True");
        assert_eq!(server.get("/a?raises").status, 500);
        let traceback = server.log_lines("PythonHandler a: ");
        assert!(traceback.iter().any(|line| line.contains("raise ValueError('on purpose')")), "{traceback:#?}");
        assert!(traceback.iter().any(|line| line.contains("ValueError: on purpose")), "{traceback:#?}");
    }

    fn a_path_without_the_standard_library_is_named(mpm) {
        let section = |name: &str| {
            format!("<Location /{name}>\n    SetHandler mod_python\n    PythonHandler {name}\n    PythonPath \"['${{HTDOCS}}/app']\"\n</Location>")
        };
        let server = Httpd::new(mpm)
            .children(1)
            .file("app/needs.py", "import statistics\n")
            .file("app/raises.py", "def handler(req):\n    raise ValueError('on purpose')\n")
            .file("app/works.py", "import inspect, traceback\ndef handler(req):\n    req.write('works')\n    return 0\n")
            .config(["typo", "needs", "raises", "works"].map(section).join("\n"))
            .start();
        let one = |pattern: &str| {
            let mut lines = server.log_lines(pattern);
            assert_eq!(lines.len(), 1, "{pattern}\n{}", server.log());
            lines.remove(0)
        };
        for (name, module) in [("typo", "typo"), ("needs", "statistics")] {
            server.forget_log();
            assert_eq!(server.get(&format!("/{name}")).status, 500);
            let line = one("MP0401");
            let parts = [format!("No module named '{module}'"), format!("PythonHandler '{name}'"), "PythonPath \"['".into()];
            for part in parts.iter().map(String::as_str).chain(["without Python's standard library"]) {
                assert!(line.replace("\\\"", "\"").contains(part), "{part}\n{line}");
            }
            assert!(server.log_lines(&format!("PythonHandler {name}: ")).len() > 1, "{}", server.log());
        }
        server.forget_log();
        assert_eq!(server.get("/raises").status, 500);
        assert!(!server.log_lines("PythonHandler raises: ValueError: on purpose").is_empty(), "{}", server.log());
        says(&server, "/works", "works");
    }

    fn each_directory_has_its_own_module_of_a_name(mpm) {
        let index = |name: &str| format!("where = '{name}'\ndef handler(req):\n    req.write(where)\n    return 0\n");
        let python_path = |name: &str| {
            format!(
                "<Directory \"${{HTDOCS}}/{name}\">\n    PythonHandler index\n    PythonPath \"['${{HTDOCS}}/{name}'] + sys.path\"\n</Directory>"
            )
        };
        let site = Httpd::new(mpm).config(
            r#"
            <Directory "${HTDOCS}">
                DirectorySlash Off
                SetHandler mod_python
            </Directory>
            <Directory "${HTDOCS}/one">
                PythonHandler index
            </Directory>
            <Directory "${HTDOCS}/two">
                PythonHandler index::handler
            </Directory>
            <Directory "${HTDOCS}/wild-*">
                PythonHandler index
            </Directory>
            <DirectoryMatch "/match-[^/]*/">
                PythonHandler index
            </DirectoryMatch>
            "#,
        );
        let names = ["one", "two", "wild-1", "wild-2", "match-1", "match-2", "path-1", "path-2"];
        let site = names.iter().fold(site, |site, name| site.file(format!("{name}/index.py"), index(name)));
        let server = site.config(python_path("path-1")).config(python_path("path-2")).threads(8).start();
        let requests = 4 * names.len();
        let answers = server.parallel(requests, |index| server.request("GET", format!("/{}/x", names[index % names.len()])));
        for (index, answer) in answers.iter().enumerate() {
            assert_eq!(answer.text(), names[index % names.len()], "{}", server.log());
        }
        for name in names {
            says(&server, &format!("/{name}/x"), name);
        }
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
}

#[test]
fn a_package_that_two_directories_have_is_told() {
    let directory =
        |name: &str| format!("<Directory \"${{HTDOCS}}/{name}\">\n    PythonHandler shop.views\n</Directory>");
    let site = ["one", "two"].iter().fold(Httpd::new(Mpm::Event), |site, name| {
        let views =
            format!("from shop import where\ndef handler(req):\n    req.write(where)\n    return 0\n# {name}\n");
        site.file(format!("{name}/shop/__init__.py"), format!("where = '{name}'\n"))
            .file(format!("{name}/shop/views.py"), views)
            .config(directory(name))
    });
    let server = site.config("<Directory \"${HTDOCS}\">\n    SetHandler mod_python\n</Directory>").start();
    for _ in 0..2 {
        says(&server, "/one/x", "one");
        says(&server, "/two/x", "one");
    }
    let told = server.log_lines("MP0430");
    assert_eq!(told.len(), 1, "{told:#?}");
    for part in
        ["[python:warn]", "one/shop/__init__.py", "two/shop/__init__.py", "'shop.views'", "PythonInterpPerDirectory"]
    {
        assert!(told[0].contains(part), "{part}\n{told:#?}");
    }
}

#[test]
fn each_directory_has_its_own_application_of_a_name() {
    let source = |name: &str| {
        format!(
            "made = 0\n\
             def application(environ, start_response):\n\
             \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
             \x20   return [b'{name}']\n\
             def make():\n\
             \x20   global made\n\
             \x20   made += 1\n\
             \x20   return application if made == 1 else None\n"
        )
    };
    let directory = |name: &str, application: &str| {
        format!("<Directory \"${{HTDOCS}}/{name}\">\n    PythonApplication {application}\n</Directory>")
    };
    let names = ["one", "two", "three", "four"];
    let site =
        names.iter().fold(Httpd::new(Mpm::Event), |site, name| site.file(format!("{name}/wsgi.py"), source(name)));
    let server = site
        .config(directory("one", "wsgi:application"))
        .config(directory("two", "wsgi:application"))
        .config(directory("three", "wsgi:make factory=on"))
        .config(directory("four", "wsgi:make factory=on"))
        .start();
    for round in 0..3 {
        if round > 0 {
            // Their files are looked at again
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
        for name in names {
            says(&server, &format!("/{name}/x"), name);
        }
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}
