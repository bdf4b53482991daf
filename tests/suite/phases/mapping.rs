//! From the URL to the file and its type: Trans, Type, Fixup, and sections that say nothing about any of that.

use super::with_module;
use crate::fixture::{Httpd, Mpm, for_each_mpm};

const MAP: &str = r#"
    import os

    from mod_python import apache

    def transhandler(req):
        if req.uri.startswith("/mapped/"):
            req.filename = os.path.join(req.document_root(), "real", req.uri[len("/mapped/"):])
            return apache.OK
        if req.uri == "/rewritten":
            # httpd translates what is there then.
            req.uri = "/real/file.txt"
        if req.uri == "/forbidden":
            return apache.HTTP_FORBIDDEN
        return apache.DECLINED

    def typehandler(req):
        if req.uri.endswith("mine.txt"):
            req.content_type = "text/x-mine"
            return apache.OK
        if req.uri.endswith("theirs.txt"):
            req.content_type = "text/x-mine"
        return apache.DECLINED

    def fixuphandler(req):
        if req.uri.endswith(".gen"):
            req.handler = "mod_python"
            req.add_handler("PythonHandler", "map::generated")
        if req.filename.endswith("type.txt"):
            req.content_type = "text/x-fixed"
            req.headers_out["X-Fixed"] = req.content_type
        return apache.OK

    def nothing(req):
        return apache.DECLINED

    def generated(req):
        req.content_type = "text/plain"
        req.write("generated for %s, handler %s" % (os.path.basename(req.filename), req.handler))
        return apache.OK

    def handler(req):
        root = req.document_root()
        req.write("%s %s %s" % (req.filename.replace(root, "HTDOCS"), req.path_info, req.hlist.directory))
        return apache.OK
"#;

fn site(mpm: Mpm) -> Httpd {
    with_module(mpm, "map", MAP)
        .file("real/file.txt", "real")
        .file("real/.htaccess", "Header set X-Access real")
        .config("<Directory \"${HTDOCS}/real\">\n    Header set X-Directory real\n</Directory>")
}

for_each_mpm! {
    fn a_file_can_be_named_or_left_to_httpd(mpm) {
        let server = site(mpm).config("PythonTransHandler map").start();
        for path in ["/mapped/file.txt", "/rewritten", "/real/file.txt"] {
            let response = server.get(path);
            assert_eq!((response.status, response.text().as_str()), (200, "real\n"), "{path}: {}", server.log());
            // Sections and .htaccess follow the file.
            assert_eq!(response.header("X-Directory"), Some("real"), "{path}");
            assert_eq!(response.header("X-Access"), Some("real"), "{path}");
            assert_eq!(response.header("Content-Type"), Some("text/plain"), "{path}");
        }
        assert_eq!(server.get("/mapped/nothing.txt").status, 404);
        assert_eq!(server.get("/real/nothing.txt").status, 404);
        assert_eq!(server.get("/forbidden").status, 403);
    }
}

#[test]
fn a_location_section_leaves_the_translation_alone() {
    let server = site(Mpm::OneChild)
        .file("place/deep/file.txt", "a file")
        .config(
            r#"
            <Location /real>
                PythonFixupHandler map
            </Location>
            <Location /place>
                SetHandler mod_python
                PythonHandler map
            </Location>
            <LocationMatch "^/place/deep/file.txt$">
                SetHandler default-handler
                PythonAccessHandler map::nothing
            </LocationMatch>
            <Location /nothing-there>
                SetHandler mod_python
                PythonHandler map
            </Location>
            "#,
        )
        .start();
    // Another content handler in a Location with Python handlers has its file, its sections, its .htaccess.
    let file = server.get("/real/file.txt");
    assert_eq!((file.status, file.text().as_str()), (200, "real\n"), "{}", server.log());
    assert_eq!((file.header("X-Directory"), file.header("X-Access")), (Some("real"), Some("real")));
    assert_eq!(server.get("/place/deep/file.txt").text(), "a file\n");
    // A Python one too, with what follows the file apart.
    assert_eq!(server.get("/place/deep/file.txt/more").status, 200);
    assert_eq!(server.get("/place/deep/file.txt/more").text(), "HTDOCS/place/deep/file.txt /more /place");
    assert_eq!(server.get("/place/other/more").text(), "HTDOCS/place/other /more /place");
    assert_eq!(server.get("/nothing-there/x/y").text(), "HTDOCS/nothing-there /x/y /nothing-there");
    assert_eq!(server.log_count("AH00029"), 0, "{}", server.log());
}

#[test]
fn a_type_comes_before_mod_mimes_which_follows_what_is_declined() {
    let server = site(Mpm::OneChild)
        .file("mine.txt", "x")
        .file("theirs.txt", "x")
        .file("other.css", "x")
        .config("PythonTypeHandler map")
        .start();
    for (path, kind) in [("/mine.txt", "text/x-mine"), ("/theirs.txt", "text/plain"), ("/other.css", "text/css")] {
        let response = server.get(path);
        assert_eq!((response.status, response.header("Content-Type")), (200, Some(kind)), "{path}");
    }
}

#[test]
fn fixups_have_the_last_word() {
    let server =
        site(Mpm::OneChild).file("type.txt", "x").file("page.gen", "not this").config("PythonFixupHandler map").start();
    let fixed = server.get("/type.txt");
    assert_eq!(fixed.header("Content-Type"), Some("text/x-fixed"));
    assert_eq!(fixed.header("X-Fixed"), Some("text/x-fixed"));
    assert_eq!(server.get("/page.gen").text(), "generated for page.gen, handler mod_python");
    assert_eq!(server.get("/real/file.txt").text(), "real\n");
}
