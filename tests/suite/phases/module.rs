//! PythonHandlerModule: a module whose functions are named after the phases.

use super::with_module;
use crate::fixture::{Httpd, Mpm, for_each_mpm};

const SOME: &str = r#"
    from mod_python import apache

    def note(req, name):
        req.notes["ran"] = (req.notes.get("ran", "") + " %s" % name).strip()
        return apache.DECLINED

    def postreadrequesthandler(req):
        assert req.hlist.silent == 1 and req.hlist.handler == "some"
        return note(req, "postreadrequest")

    def accesshandler(req):
        return note(req, "access")

    def handler(req):
        req.write(req.notes["ran"])
        return apache.OK

    def loghandler(req):
        req.log_error("LOGGED %s" % req.notes["ran"], apache.APLOG_WARNING)
        return apache.OK
"#;

for_each_mpm! {
    fn its_functions_run_and_missing_ones_are_passed_over(mpm) {
        let server = with_module(mpm, "some", SOME)
            .file("lib/other.py", "
                from mod_python import apache
                import some
                def fixuphandler(req):
                    return some.note(req, 'fixup of ' + req.hlist.handler)
            ")
            .config("PythonHandlerModule some other\n<Location />\n    SetHandler mod_python\n</Location>")
            .start();
        for turn in 1..=3 {
            let response = server.get("/x");
            assert_eq!((response.status, response.text().as_str()), (200, "postreadrequest access fixup of other"), "{}", server.log());
            server.wait_for_log("LOGGED postreadrequest access fixup of other", turn);
        }
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
}

#[test]
fn a_module_with_no_function_for_the_content_leaves_it_to_httpd() {
    let server = Httpd::new(Mpm::OneChild)
        .file("lib/none.py", "def unrelated(req):\n    return 0\n")
        .file("file.txt", "as it is")
        .config("PythonPath \"['${HTDOCS}/lib'] + sys.path\"\nPythonHandlerModule none")
        .config("<Location />\n    SetHandler mod_python\n</Location>")
        .start();
    for _ in 0..2 {
        let response = server.get("/file.txt");
        assert_eq!((response.status, response.text().as_str()), (200, "as it is\n"), "{}", server.log());
        assert_eq!(server.get("/no-such-file").status, 404);
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}

#[test]
fn a_list_goes_on_behind_a_missing_function_and_ends_where_it_does() {
    let server = with_module(Mpm::OneChild, "some", SOME)
        .file(
            "lib/first.py",
            "
            from mod_python import apache
            def handler(req):
                req.write('first ')
                return apache.OK
        ",
        )
        .file("lib/none.py", "")
        .config(
            r#"
            <Location />
                SetHandler mod_python
            </Location>
            <Location /around>
                PythonHandlerModule none first none
            </Location>
            <Location /explicit>
                PythonHandlerModule none
                PythonHandler first
                PythonHandlerModule none
            </Location>
            <Location /named>
                PythonHandler none
            </Location>
            "#,
        )
        .start();
    assert_eq!(server.get("/around").text(), "first ");
    assert_eq!(server.get("/explicit").text(), "first ");
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    // Named by the phase's own directive it has to be there, though the module is the same.
    assert_eq!(server.get("/named").status, 500);
    assert!(server.log_lines("MP0401")[0].contains("none.py' contains no 'handler'"), "{}", server.log());
}

#[test]
fn in_a_section_it_is_for_the_phases_that_know_the_section() {
    let server = with_module(Mpm::OneChild, "some", SOME)
        .file("access/.htaccess", "PythonHandlerModule some\nSetHandler mod_python")
        .file("directory/x", "")
        .config("<Directory \"${HTDOCS}/directory\">\n    PythonHandlerModule some\n    SetHandler mod_python\n</Directory>")
        .start();
    for path in ["/access/x", "/directory/x"] {
        let response = server.get(path);
        assert_eq!((response.status, response.text().as_str()), (200, "access"), "{path}: {}", server.log());
    }
}

#[test]
fn what_fails_in_it_is_an_error_and_a_function_that_appears_is_used() {
    let server = Httpd::new(Mpm::OneChild)
        .file("lib/broken.py", "import no_such_thing\n")
        .file("lib/later.py", "")
        .file(
            "lib/hidden.py",
            "
            def __getattr__(name):
                if name == 'handler':
                    raise ValueError('failed by itself')
                raise AttributeError(name)
        ",
        )
        .file("file.txt", "as it is")
        .config(
            r#"
            PythonPath "['${HTDOCS}/lib'] + sys.path"
            <Location /broken>
                PythonHandlerModule broken
            </Location>
            <Location /hidden>
                SetHandler mod_python
                PythonHandlerModule hidden
            </Location>
            <Location /file.txt>
                SetHandler mod_python
                PythonHandlerModule later
            </Location>
            "#,
        )
        .start();
    assert_eq!(server.get("/broken").status, 500);
    server.wait_for_log("MP0401: PythonCleanupHandler 'broken'", 1);
    let entries = server.log_lines("MP0401");
    assert!(entries[0].contains("PythonTransHandler 'broken'"), "the first phase that the section has: {entries:?}");
    assert!(entries[0].contains("No module named 'no_such_thing'"), "{entries:?}");

    server.forget_log();
    assert_eq!(server.get("/hidden").status, 500);
    assert!(server.log_lines("MP0401")[0].contains("ValueError: failed by itself"), "{}", server.log());

    assert_eq!(server.get("/file.txt").text(), "as it is\n");
    server.write("lib/later.py", "def handler(req):\n    req.write('appeared')\n    return 0\n");
    crate::fixture::wait_until("the new function", || server.get("/file.txt").text() == "appeared");
}
