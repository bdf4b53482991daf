//! The examples of docs/filters.md, as they stand there.

use super::{got, logged_nothing, posted};
use crate::fixture::{Httpd, example, for_each_mpm};

const PAGE: &str = include_str!("../../../docs/filters.md");

/// An example of the page. /srv/www is the document root.
#[track_caller]
fn placed(name: &str) -> String {
    example(PAGE, name).replace("/srv/www", "${HTDOCS}")
}

for_each_mpm! {
    fn the_examples_work(mpm) {
        let modules = ["shout", "lines", "first_line", "banner", "body", "dynamic"];
        // Each of the page's is here.
        let all = PAGE.matches("```python\n# ").count();
        assert_eq!(all, modules.len());
        let httpd = modules
            .iter()
            .fold(Httpd::new(mpm), |httpd, name| httpd.file(format!("lib/{name}.py"), placed(&format!("{name}.py"))))
            .config("PythonPath \"['${HTDOCS}/lib'] + sys.path\"")
            .config(placed("shout.conf"))
            .config(placed("body.conf"));
        let httpd = ["lines", "first_line", "banner"].iter().fold(httpd, |httpd, name| {
            httpd
                .config(format!("<Directory \"${{HTDOCS}}/{name}\">\nPythonOutputFilter {name} X\nSetOutputFilter X\n</Directory>"))
                .binary_file(format!("{name}/text.txt"), "one\ntwo\n")
                .binary_file(format!("{name}/page.html"), "<p>")
        });
        let server = httpd
            .binary_file("loud/text.txt", "Hello")
            .file("lib/echo.py", "def handler(req):\n    req.write(req.read())\n    return 0\n")
            .config("<Location /form>\nSetHandler mod_python\nPythonHandler echo\n</Location>")
            .config("<Location /dynamic>\nSetHandler mod_python\nPythonHandler dynamic\n</Location>")
            .start();
        for (path, expected) in [
            ("/loud/text.txt", "HELLO"),
            ("/lines/text.txt", "1: one\n2: two\n"),
            ("/first_line/text.txt", "one\n"),
            ("/banner/text.txt", "one\ntwo\n"),
            ("/banner/page.html", "<!-- served by mod_python -->\n<p>"),
            ("/dynamic", "one-two-three\n"),
        ] {
            assert_eq!(got(&server, path), expected, "{path}");
        }
        assert_eq!(posted(&server, "/form", b"caf\xe9"), "café");
        logged_nothing(&server);
    }
}
