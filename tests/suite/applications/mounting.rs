//! Which requests are an application's, and what SCRIPT_NAME and PATH_INFO are.

use super::{SOURCE, applications, lines_of};
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm};

const NAMES: &str = "out(environ['SCRIPT_NAME'], environ['PATH_INFO'])";

#[track_caller]
fn names(server: &Server, target: &str) -> String {
    lines_of(server, target, NAMES).join("\n")
}

for_each_mpm! {
    fn a_prefix_is_the_script_name_and_the_rest_the_path(mpm) {
        let server = applications(mpm).shared();
        for (target, expected) in [
            ("/app", "'/app' ''"),
            ("/app/", "'/app' '/'"),
            ("/app/a/b?x=/y", "'/app' '/a/b'"),
            ("/app/a%20b%3f%25", "'/app' '/a b?%'"),
            ("/app/%C3%A9", "'/app' '/Ã©'"),
            ("/app/%E9%ff", "'/app' '/éÿ'"),
            ("/app/a/../b/./c", "'/app' '/b/c'"),
        ] {
            assert_eq!(names(&server, target), expected, "{target}");
        }
        for target in ["/", "/apple", "/ap", "/APP"] {
            assert_eq!(server.get(target).status, 404, "{target}");
        }
    }
}

#[test]
fn the_longest_prefix_wins_whatever_the_order() {
    let server = Httpd::new(Mpm::Event)
        .config(
            "PythonApplication / probe path=${HTDOCS}/lib\n\
             PythonApplication /a probe path=${HTDOCS}/lib\n\
             PythonApplication /a/b/ probe path=${HTDOCS}/lib",
        )
        .file("lib/probe.py", SOURCE)
        .start();
    for (target, expected) in [
        ("/", "'' '/'"),
        ("/x", "'' '/x'"),
        ("/ab", "'' '/ab'"),
        ("/a", "'/a' ''"),
        ("/a/x", "'/a' '/x'"),
        ("/a/b", "'/a/b' ''"),
        ("/a/b/c", "'/a/b' '/c'"),
    ] {
        assert_eq!(names(&server, target), expected, "{target}");
    }
}

#[test]
fn targets_that_differ_in_their_path_are_different() {
    let server = Httpd::new(Mpm::Event)
        .config(
            "PythonApplication /a same path=${HTDOCS}/one\n\
             PythonApplication /b same path=${HTDOCS}/two",
        )
        .file("one/same.py", version("one"))
        .file("two/same.py", version("two"))
        .children(1)
        .start();
    for _ in 0..3 {
        assert_eq!((server.get("/a").text(), server.get("/b").text()), ("one".into(), "two".into()));
    }
}

#[test]
fn handlers_for_extensions_are_not_meant_for_applications() {
    let server = Httpd::new(Mpm::Event)
        .config(
            "PythonApplication /module dotted.name path=${HTDOCS}/lib\n\
             PythonApplication /file ${HTDOCS}/lib/dotted/name.py\n\
             AddHandler mod_python .py\n\
             AddHandler server-status .name\n\
             AddType text/x-own .py .name\n\
             PythonHandler nowhere",
        )
        .file("lib/dotted/__init__.py", "")
        .file("lib/dotted/name.py", version("served"))
        .start();
    for target in ["/module", "/module/x.py", "/file", "/file/x.name"] {
        let response = server.get(target);
        assert_eq!((response.status, response.text().as_str()), (200, "served"), "{target}: {}", server.log());
        assert_eq!(response.header("Content-Type"), None, "{target}");
    }
}

#[test]
fn sections_count_below_an_alias_too() {
    let location = |path: &str, text: &str| format!("<Location {path}>\n    {text}\n</Location>");
    let server = Httpd::new(Mpm::Event)
        .config("Alias /all/ ${HTDOCS}/static/\nPythonApplication /all/app probe path=${HTDOCS}/lib")
        .config(location("/all/app/files", "PythonApplication None"))
        .config(location("/all/app/other", "PythonApplication probe:Site.nested path=${HTDOCS}/lib"))
        .config(location("/all/app/set", "SetHandler default-handler"))
        .file("lib/probe.py", SOURCE)
        .file("static/app/files/a.txt", "a file")
        .file("static/app/set/a.txt", "a file")
        .start();
    assert_eq!(names(&server, "/all/app/x"), "'/all/app' '/x'");
    assert_eq!(names(&server, "/all/app/other/x"), "'/all/app/other' '/x'");
    for target in ["/all/app/files/a.txt", "/all/app/set/a.txt"] {
        assert_eq!(server.get(target).text(), "a file\n", "{target}");
    }
}

#[test]
fn aliases_that_are_more_specific_win_and_others_do_not() {
    let server = Httpd::new(Mpm::Event)
        .config(
            "PythonApplication / probe path=${HTDOCS}/lib\n\
             PythonApplication /files/app probe path=${HTDOCS}/lib\n\
             Alias /static ${HTDOCS}/static\n\
             Alias /files/ ${HTDOCS}/static/\n\
             AliasMatch ^/match/(.*)$ ${HTDOCS}/static/$1\n\
             Alias /deep ${HTDOCS}/static\n\
             <Location /deep/app>\n    PythonApplication probe path=${HTDOCS}/lib\n</Location>\n\
             <Location /none>\n    PythonApplication None\n</Location>\n\
             <Location /set>\n    SetHandler default-handler\n</Location>\n\
             <Location /status>\n    SetHandler server-status\n</Location>",
        )
        .file("lib/probe.py", SOURCE)
        .file("static/a.txt", "a file")
        .file("none.txt", "")
        .file("set/a.txt", "a file")
        .start();
    for target in ["/static/a.txt", "/files/a.txt", "/match/a.txt", "/deep/a.txt"] {
        assert_eq!(server.get(target).text(), "a file\n", "{target}");
    }
    assert_eq!(server.get("/static/missing").status, 404);
    for (target, expected) in [
        ("/", "'' '/'"),
        ("/none.txt", "'' '/none.txt'"),
        ("/files/app/x", "'/files/app' '/x'"),
        ("/deep/app/x", "'/deep/app' '/x'"),
        ("/statics", "'' '/statics'"),
    ] {
        assert_eq!(names(&server, target), expected, "{target}");
    }
    assert_eq!(server.get("/none").status, 404);
    assert!(server.get("/status?auto").text().contains("ServerVersion"));
    assert_eq!(server.get("/set/a.txt").text(), "a file\n");
}

for_each_mpm! {
    fn sections_have_applications_of_their_own(mpm) {
        let server = Httpd::new(mpm)
            .config(
                "PythonPath \"['${HTDOCS}/lib'] + sys.path\"\n\
                 <Location /loc>\n    PythonApplication probe\n</Location>\n\
                 <Directory ${HTDOCS}/dir>\n    PythonApplication probe:Site.nested\n</Directory>\n\
                 <Files script.txt>\n    PythonApplication probe\n</Files>",
            )
            .file("lib/probe.py", SOURCE)
            .file("dir/index.html", "an index")
            .file("script.txt", "a script")
            .file("loc/index.html", "an index")
            .shared();
        for (target, expected) in [
            ("/loc", "'/loc' ''"),
            ("/loc/", "'/loc' '/'"),
            ("/loc/x/y", "'/loc' '/x/y'"),
            ("/dir/", "'/dir' '/'"),
            ("/dir/index.html", "'/dir' '/index.html'"),
            ("/dir/x/y", "'/dir' '/x/y'"),
            ("/script.txt", "'/script.txt' ''"),
            ("/script.txt/x", "'/script.txt' '/x'"),
        ] {
            assert_eq!(names(&server, target), expected, "{target}");
        }
    }

    fn targets_are_modules_files_and_factories(mpm) {
        let server = Httpd::new(mpm)
            .config(
                "PythonApplication /module probe:application path=${HTDOCS}/lib\n\
                 PythonApplication /colons probe::application path=${HTDOCS}/lib\n\
                 PythonApplication /dotted probe:Site.nested path=${HTDOCS}/lib\n\
                 PythonApplication /package pack.wsgi path=${HTDOCS}/lib\n\
                 PythonApplication /file ${HTDOCS}/lib/probe.py\n\
                 PythonApplication /object ${HTDOCS}/site/app.wsgi:Site.nested\n\
                 PythonApplication /factory probe:make factory=on path=${HTDOCS}/lib",
            )
            .file("lib/probe.py", SOURCE)
            .file("lib/pack/__init__.py", "")
            .file("lib/pack/wsgi.py", "from probe import application\n")
            .file("site/app.wsgi", SOURCE)
            .shared();
        for name in ["module", "colons", "dotted", "package", "file", "object", "factory"] {
            assert_eq!(names(&server, &format!("/{name}/x")), format!("'/{name}' '/x'"));
        }
        for _ in 0..3 {
            assert_eq!(lines_of(&server, "/factory", "import probe; out(len(probe.made))"), ["1"]);
        }
        let file = lines_of(&server, "/object", "out(__name__ in sys.modules, __file__.endswith('site/app.wsgi'))");
        assert_eq!(file, ["True True"]);
    }

    fn virtual_hosts_have_applications_and_interpreters_of_their_own(mpm) {
        let server = Httpd::new(mpm)
            .config("PythonApplication /shared probe path=${HTDOCS}/lib")
            .vhost("one.example", "PythonApplication / probe path=${HTDOCS}/lib")
            .vhost("two.example", "PythonApplication / probe path=${HTDOCS}/lib interpreter=named")
            .file("lib/probe.py", SOURCE)
            .shared();
        let code = "out(environ['mod_python.interpreter'], environ['SCRIPT_NAME'])";
        for (host, target, expected) in [
            ("one.example", "/", "'one.example' ''"),
            ("two.example", "/", "'named' ''"),
            ("one.example", "/shared", "'one.example' '/shared'"),
        ] {
            let request = crate::common::probe::with_code(server.request("GET", target).host(host), code);
            assert_eq!(request.send().text(), expected, "{host}{target}");
        }
    }
}

#[test]
fn a_rewritten_url_goes_to_the_application() {
    let server = applications(Mpm::Event)
        .config(
            "RewriteEngine On\n\
             RewriteRule ^/old/(.*)$ /app/$1 [PT,E=WAS:old]\n\
             ErrorDocument 404 /app/missing",
        )
        .start();
    assert_eq!(
        lines_of(&server, "/old/x", "out(environ['PATH_INFO'], environ['REQUEST_URI'], environ['WAS'])"),
        ["'/x' '/old/x' 'old'"]
    );
    let code = "out(environ['PATH_INFO'], environ['REDIRECT_STATUS'], environ['REDIRECT_URL'], environ['REQUEST_URI'])";
    let response = crate::common::probe::with_code(server.request("GET", "/nowhere"), code).send();
    // The status is what the application says.
    assert_eq!((response.status, response.text().as_str()), (200, "'/missing' '404' '/nowhere' '/nowhere'"));
}

#[test]
fn a_folder_can_have_one_by_its_htaccess_file() {
    let server = Httpd::new(Mpm::Event)
        .config("LogLevel info")
        .file("lib/probe.py", SOURCE)
        .file("dir/.htaccess", "PythonApplication probe:application path=${HTDOCS}/lib\n")
        .file("dir/page.html", "a page")
        .file("other/.htaccess", "PythonApplication /x probe:application\n")
        .file("named/.htaccess", "PythonApplication probe:application path=${HTDOCS}/lib interpreter=other\n")
        .file("file/.htaccess", "PythonApplication probe:application path=${HTDOCS}/lib\n")
        .file("auth/.htaccess", "PythonApplication probe:application path=${HTDOCS}/lib\n")
        .config(
            "<Directory ${HTDOCS}/file>\n    AllowOverride FileInfo\n</Directory>\n\
             <Directory ${HTDOCS}/auth>\n    AllowOverride AuthConfig Indexes Limit Options\n</Directory>",
        )
        .start();
    assert_eq!(names(&server, "/dir/a/b"), "'/dir' '/a/b'");
    assert_eq!(names(&server, "/dir/page.html"), "'/dir' '/page.html'");
    assert_eq!(server.get("/other/x").status, 500);
    assert_eq!(server.log_count("MP0220"), 1, "{}", server.log());
    assert_eq!(server.get("/named/x").status, 500);
    assert_eq!(server.log_count("MP0224: PythonApplication: interpreter= is not allowed"), 1, "{}", server.log());
    assert_eq!(names(&server, "/file/x"), "'/file' '/x'");
    assert_eq!(server.get("/auth/x").status, 500);
    assert_eq!(server.log_count("PythonApplication not allowed"), 1, "{}", server.log());
}

#[test]
fn a_file_that_was_edited_is_loaded_again_unless_reload_is_off() {
    let server = Httpd::new(Mpm::Event)
        .config(
            "PythonApplication /on ${HTDOCS}/site/on.wsgi\n\
             PythonApplication /off ${HTDOCS}/site/off.wsgi\n\
             <Location /off>\n    PythonAutoReload Off\n</Location>",
        )
        .file("site/on.wsgi", version("one"))
        .file("site/off.wsgi", version("one"))
        .children(1)
        .start();
    assert_eq!((server.get("/on").text(), server.get("/off").text()), ("one".into(), "one".into()));
    server.write("site/on.wsgi", version("second"));
    server.write("site/off.wsgi", version("second"));
    crate::fixture::wait_until("the new version", || server.get("/on").text() == "second");
    assert_eq!(server.get("/off").text(), "one");
    // What does not load leaves the version before it in place.
    server.write("site/on.wsgi", "def application(:\n");
    crate::fixture::wait_until("the entry", || {
        assert_eq!(server.get("/on").text(), "second");
        server.log_count("MP0703") == 1
    });
}

fn version(text: &str) -> String {
    format!("def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{text}']\n")
}
