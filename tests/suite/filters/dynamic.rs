//! Filters that a handler registers and adds for its own request.

use super::{COMMON, got, logged_nothing, posted, site};
use crate::fixture::{Httpd, Mpm, for_each_mpm};

/// A handler for each path: `h_NAME`.
const HANDLERS: &str = r#"
    def raises(exception, call, *arguments, says=""):
        try:
            call(*arguments)
        except Exception as error:
            assert type(error) is exception and says in str(error), repr(error)
        else:
            raise AssertionError("nothing raised")

    def facts(filter):
        data = filter.read()
        while data:
            filter.write("%s %s %s %s %s" % (filter.name, filter.handler, filter.dir, filter.is_input, data.decode()))
            data = filter.read()
        if data is None:
            filter.close()

    def h_own(req):
        req.register_output_filter("Own", "f::facts")
        req.add_output_filter("oWN")
        req.write("text")

    def h_shadows(req):
        req.register_output_filter("big", "f::brackets")
        req.add_output_filter("BIG")
        req.write("text")

    def h_directive(req):
        req.add_output_filter("BIG")
        req.write("text")

    def h_again(req):
        req.register_output_filter("own", "f::upper")
        req.register_output_filter("OWN", "f::brackets")
        req.add_output_filter("own")
        req.write("text")

    def h_two(req):
        req.register_output_filter("one", "f::upper")
        req.register_output_filter("two", "f::brackets")
        req.add_output_filter("two")
        req.add_output_filter("one")
        req.write("text")

    def h_later(req):
        req.write("before ")
        req.register_output_filter("own", "f::upper")
        req.add_output_filter("own")
        req.write("after")

    def h_httpds(req):
        req.content_type = "text/html"
        req.add_output_filter("INCLUDES")
        req.write('<!--#echo var="DOCUMENT_NAME" -->')

    def h_input(req):
        req.register_input_filter("Own", "f::facts")
        req.add_input_filter("OWN")
        req.write(req.read())

    def h_inputdirective(req):
        req.add_input_filter("BIGIN")
        req.write(req.read())

    def h_errors(req):
        for kind, other in ("input", "output"), ("output", "input"):
            add, register = getattr(req, "add_%s_filter" % kind), getattr(req, "register_%s_filter" % kind)
            # As with httpd's directives: the log says it, and the request goes on
            assert add("nowhere") is None and add("") is None
            raises(TypeError, add, None)
            raises(TypeError, add, 1)
            raises(TypeError, add)
            raises(TypeError, add, "a", "b")
            raises(TypeError, register, "a")
            raises(TypeError, register, "a", None)
            raises(TypeError, register, "a", "f", 1)
            raises(TypeError, register, "a", "f", "/", "more")
            raises(ValueError, register, "a", "f::")
            raises(ValueError, register, "a", "/f.py")
            # What is for one direction is not for the other
            register("my-" + kind, "f::upper")
            getattr(req, "add_%s_filter" % other)("my-" + kind)
            req.headers_out["X-" + kind] = "checked"
        req.write("passed")

    def handler(req):
        globals()["h_" + os.path.basename(req.uri)](req)
        return apache.OK

    def fixup(req):
        req.register_output_filter("Own", "f::brackets")
        req.add_output_filter("own")
        return apache.OK
"#;

fn serving(httpd: Httpd) -> Httpd {
    httpd.config(
        r#"
            PythonOutputFilter f::upper BIG
            PythonInputFilter f::upper BIGIN
            <Location /h>
                Options Includes
                SetHandler mod_python
                PythonHandler f
            </Location>
            <Location /docs>
                PythonFixupHandler f::fixup
            </Location>
            "#,
    )
}

for_each_mpm! {
    fn a_request_has_filters_of_its_own(mpm) {
        let server = serving(site(mpm, HANDLERS)).start();
        for (name, expected) in [
            ("own", "own f::facts None 0 text"),
            ("shadows", "[text]"),
            ("directive", "TEXT"),
            ("again", "[text]"),
            ("two", "[TEXT]"),
            ("later", "before AFTER"),
            ("httpds", "h"),
        ] {
            assert_eq!(got(&server, &format!("/h/{name}")), expected, "{name}");
        }
        assert_eq!(posted(&server, "/h/input", "text"), "own f::facts None 1 text");
        assert_eq!(posted(&server, "/h/inputdirective", "text"), "TEXT");
        // One that an earlier phase has added, to a file
        assert_eq!(got(&server, "/docs/doc.txt"), "[Hello, world!]");
        logged_nothing(&server);

        assert_eq!(got(&server, "/h/errors"), "passed");
        let unknown = server.log_lines("MP0420");
        assert_eq!(unknown.len(), 6, "{unknown:#?}");
        assert!(unknown[0].contains("req.add_input_filter('nowhere'): there is no filter of that name"), "{unknown:#?}");
    }
}

#[test]
fn a_directory_is_searched_for_the_module() {
    let server = Httpd::new(Mpm::Prefork)
        .file(
            "other/elsewhere.py",
            format!("{COMMON}\ndef shout(filter):\n    change(filter, lambda data: data + filter.dir.encode())\n"),
        )
        .handler(
            "alone",
            r#"
            import os

            def handler(req):
                req.register_output_filter("own", "elsewhere::shout", os.path.join(req.document_root(), "other"))
                req.add_output_filter("own")
                req.write("text ")
                return 0
            "#,
        )
        .start();
    assert_eq!(got(&server, "/alone"), format!("text {}/htdocs/other/", server.root().display()));
}
