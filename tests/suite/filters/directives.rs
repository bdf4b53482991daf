//! PythonOutputFilter and PythonInputFilter: names, sections, and what uses them.

use super::{got, output, posted, route, site};
use crate::fixture::{Httpd, Mpm, for_each_mpm};

const PROGRAMS: &str = r#"
    def outputfilter(filter):
        change(filter, lambda data: b"default " + data)

    def inputfilter(filter):
        change(filter, lambda data: b"default " + data)

    class Greeter:
        def __init__(self, filter):
            self.name = filter.name

        def run(self, filter):
            change(filter, lambda data: self.name.encode() + b": " + data)
"#;

for_each_mpm! {
    fn a_filter_has_a_handler_and_a_name(mpm) {
        let mut httpd = site(mpm, PROGRAMS).config("PythonOutputFilter f::upper GLOBAL\nPythonOutputFilter f::upper big");
        for (name, directives) in [
            ("default", "PythonOutputFilter f\nSetOutputFilter f"),
            ("text", "PythonOutputFilter f::upper\nSetOutputFilter F::Upper"),
            ("named", "PythonOutputFilter f::upper Some-Name\nSetOutputFilter sOME-nAME"),
            ("class", "PythonOutputFilter f::Greeter.run HELLO\nSetOutputFilter HELLO"),
            // The same name in two sections
            ("one", "PythonOutputFilter f::upper SAME\nSetOutputFilter SAME"),
            ("two", "PythonOutputFilter f::brackets SAME\nSetOutputFilter SAME"),
            ("three", "PythonOutputFilter f::upper same\nPythonOutputFilter f::brackets SAME\nSetOutputFilter SAME"),
            ("global", "SetOutputFilter GLOBAL"),
            ("override", "PythonOutputFilter f::brackets global\nSetOutputFilter GLOBAL"),
            // By extension and by type
            ("added", "AddOutputFilter BIG txt"),
            ("type", "AddOutputFilterByType BIG text/plain"),
            ("both", "SetOutputFilter BIG;SAME\nPythonOutputFilter f::brackets SAME"),
            ("input", "PythonInputFilter f\nSetInputFilter f"),
            ("ininput", "PythonInputFilter f::upper BIGIN\nSetInputFilter BIGIN\nPythonOutputFilter f::brackets BIGIN"),
        ] {
            httpd = route(httpd, name, directives);
        }
        let server = httpd.start();
        for (path, expected) in [
            ("/default/doc.txt", "default Hello, world!"),
            ("/text/doc.txt", "HELLO, WORLD!"),
            ("/named/doc.txt", "HELLO, WORLD!"),
            ("/class/doc.txt", "hello: Hello, world!"),
            ("/one/doc.txt", "HELLO, WORLD!"),
            ("/two/doc.txt", "[Hello, world!]"),
            ("/three/doc.txt", "[Hello, world!]"),
            ("/global/doc.txt", "HELLO, WORLD!"),
            ("/override/doc.txt", "[Hello, world!]"),
            ("/added/doc.txt", "HELLO, WORLD!"),
            ("/added/page.html", "<p>Hello</p>"),
            ("/type/doc.txt", "HELLO, WORLD!"),
            ("/type/page.html", "<p>Hello</p>"),
            ("/both/doc.txt", "[HELLO, WORLD!]"),
            ("/docs/doc.txt", "Hello, world!"),
        ] {
            assert_eq!(got(&server, path), expected, "{path}");
        }
        assert_eq!(posted(&server, "/input/echo", "body"), "default body");
        assert_eq!(posted(&server, "/ininput/echo", "body"), "BODY");
    }
}

#[test]
fn each_virtual_host_has_its_own() {
    let server = site(Mpm::Event, "")
        .config("<Location /docs>\nSetOutputFilter MINE\n</Location>")
        .config("PythonOutputFilter f::same MINE")
        .vhost("a.test", "PythonOutputFilter f::upper MINE")
        .vhost("b.test", "PythonOutputFilter f::brackets MINE")
        .start();
    let get = |host: &str| server.request("GET", "/docs/doc.txt").host(host).send().text();
    assert_eq!((get("a.test").as_str(), get("b.test").as_str()), ("HELLO, WORLD!", "[Hello, world!]"));
    assert_eq!(get("localhost"), "Hello, world!");
}

#[test]
fn a_filter_without_a_handler_is_told() {
    let httpd = output(site(Mpm::Event, ""), &["upper"]);
    let httpd = route(httpd, "lost", "SetOutputFilter O-upper");
    let httpd = route(httpd, "type", "AddOutputFilterByType O-upper text/plain");
    let httpd = route(httpd, "inlost", "SetInputFilter LOST");
    let server = httpd.config("<Location /elsewhere>\nPythonInputFilter f::upper LOST\n</Location>").start();
    for (path, name) in [("/lost/doc.txt", "o-upper"), ("/type/doc.txt", "o-upper")] {
        server.forget_log();
        assert_eq!(server.get(path).status, 500, "{path}");
        let entries = server.log_lines("MP04");
        assert!(entries.len() == 1 && entries[0].contains("MP0413") && entries[0].contains(name), "{entries:#?}");
    }
    server.forget_log();
    assert_eq!(server.request("POST", "/inlost/echo").body("x").send().status, 500);
    assert_eq!((server.log_count("MP0413"), server.log_count("Traceback")), (1, 0), "{}", server.log());
    assert_eq!(got(&server, "/upper/doc.txt"), "HELLO, WORLD!");
}

#[test]
fn a_filter_is_made_known_where_it_can_be() {
    for (line, part) in [
        ("PythonOutputFilter", "PythonOutputFilter takes 1-2 arguments"),
        ("PythonOutputFilter f a b", "PythonOutputFilter takes 1-2 arguments"),
        ("PythonOutputFilter f::x a;b", "MP0216: PythonOutputFilter: 'a;b'"),
        ("PythonOutputFilter f::x \"a b\"", "MP0216: PythonOutputFilter: 'a b'"),
        ("PythonOutputFilter f:: x", "MP0203: PythonOutputFilter"),
        ("PythonInputFilter /f.py x", "MP0203: PythonInputFilter"),
    ] {
        let test = Httpd::new(Mpm::Event).config(line).configtest();
        assert!(!test.accepted && test.output.contains(part), "{line}: {}", test.output);
    }
    // Not in .htaccess: what is made known is so for the whole server.
    let server = Httpd::new(Mpm::Event).file("x/.htaccess", "PythonOutputFilter f::x X\n").file("x/y.txt", "y").start();
    assert_eq!(server.get("/x/y.txt").status, 500);
    assert!(server.log().contains("PythonOutputFilter not allowed here"), "{}", server.log());
}
