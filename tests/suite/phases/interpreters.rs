//! Which interpreter each phase runs in, and which object the request is there.

use std::fmt::Write;

use super::{PHASES, with_module};
use crate::fixture::{Httpd, Mpm, for_each_mpm};

/// Each phase notes where it ran, in httpd's notes, which all interpreters see, and on the request, which is each one's own.
const WHERE: &str = r#"
    from mod_python import apache

    def note(req):
        assert req.interpreter == apache.interpreter
        if not hasattr(req, "seen"):
            req.seen = []
        req.seen.append(req.phase[6:-7])
        step = "%s:%s" % (req.phase[6:-7], apache.interpreter)
        req.notes["steps"] = (req.notes.get("steps", "") + " " + step).strip()
        if req.phase == "PythonHandler":
            req.write(req.notes["steps"] + "\n" + ",".join(req.seen))
        if req.phase == "PythonLogHandler":
            req.log_error("SEEN by %s: %s" % (apache.interpreter, ",".join(req.seen)), apache.APLOG_WARNING)
        return apache.OK if req.phase == "PythonHandler" else apache.DECLINED
"#;

/// These phases at the server's level.
fn everywhere(mpm: Mpm, phases: &[&str]) -> Httpd {
    let mut lines = String::new();
    for phase in phases {
        writeln!(lines, "{phase} where::note").expect("a string takes all");
    }
    with_module(mpm, "where", WHERE).config(lines).config("<Location />\n    SetHandler mod_python\n</Location>")
}

/// What was noted, with the document root as `HTDOCS`, and the phases that the content handler's own object has seen.
#[track_caller]
fn steps(server: &crate::fixture::Server, path: &str) -> (String, String) {
    let response = server.get(path);
    assert_eq!(response.status, 200, "{path}: {}", server.log());
    let text = response.text().replace(server.root().join("htdocs").to_str().expect("UTF-8"), "HTDOCS");
    let (steps, seen) = text.split_once('\n').expect("two lines");
    (steps.to_owned(), seen.to_owned())
}

const SOME: [&str; 6] = [
    "PythonPostReadRequestHandler",
    "PythonTransHandler",
    "PythonHeaderParserHandler",
    "PythonFixupHandler",
    "PythonHandler",
    "PythonLogHandler",
];

for_each_mpm! {
    fn one_interpreter_has_one_object(mpm) {
        let server = everywhere(mpm, &PHASES).start();
        let (steps, seen) = steps(&server, "/x");
        assert_eq!(
            steps,
            "Init:localhost PostReadRequest:localhost Trans:localhost HeaderParser:localhost Access:localhost \
             Type:localhost Fixup:localhost :localhost"
        );
        assert_eq!(seen, "Init,PostReadRequest,Trans,HeaderParser,Access,Type,Fixup,");
    }

    fn by_directory_once_there_is_a_file(mpm) {
        let server = everywhere(mpm, &SOME)
            .config("<Directory \"${HTDOCS}/sub\">\n    PythonInterpPerDirectory On\n</Directory>")
            .file("sub/file", "")
            .start();
        let (steps, seen) = steps(&server, "/sub/file");
        assert_eq!(
            steps,
            "PostReadRequest:localhost Trans:localhost HeaderParser:HTDOCS/sub/ Fixup:HTDOCS/sub/ :HTDOCS/sub/"
        );
        assert_eq!(seen, "HeaderParser,Fixup,", "an object of its own in each interpreter");
        let entry = &server.wait_for_log("SEEN by", 1)[0];
        assert!(entry.contains("/sub/: HeaderParser,Fixup,,Log"), "{entry}");
    }
}

#[test]
fn by_directory_without_a_file_it_is_the_main_one() {
    let server = everywhere(Mpm::OneChild, &SOME).config("PythonInterpPerDirectory On").file("sub/file", "").start();
    let (steps, seen) = steps(&server, "/sub/file");
    assert_eq!(
        steps,
        "PostReadRequest:main_interpreter Trans:main_interpreter HeaderParser:HTDOCS/sub/ Fixup:HTDOCS/sub/ :HTDOCS/sub/"
    );
    assert_eq!(seen, "HeaderParser,Fixup,");
}

#[test]
fn by_directive_it_is_the_section_of_the_phase() {
    let server = with_module(Mpm::OneChild, "where", WHERE)
        .config(
            r#"
            PythonInterpPerDirective On
            PythonPostReadRequestHandler where::note
            PythonTransHandler where::note
            PythonHeaderParserHandler where::note
            PythonFixupHandler where::note
            <Directory "${HTDOCS}">
                PythonAccessHandler where::note
                PythonHandler where::note
                SetHandler mod_python
            </Directory>
            <Directory "${HTDOCS}/sub">
                PythonFixupHandler where::note
            </Directory>
            <Location /sub>
                PythonTypeHandler where::note
            </Location>
            "#,
        )
        .file("sub/file", "")
        .start();
    let (steps, seen) = steps(&server, "/sub/file");
    assert_eq!(
        steps,
        "PostReadRequest:main_interpreter Trans:main_interpreter HeaderParser:main_interpreter Access:HTDOCS/ \
         Type:/sub Fixup:HTDOCS/sub/ :HTDOCS/"
    );
    assert_eq!(seen, "Access,", "the phases in between were elsewhere");
}

#[test]
fn a_location_names_it_for_the_translation_already() {
    let server =
        everywhere(Mpm::OneChild, &SOME).config("<Location /place>\n    PythonInterpreter placed\n</Location>").start();
    let (steps, seen) = steps(&server, "/place/file");
    assert_eq!(steps, "PostReadRequest:localhost Trans:placed HeaderParser:placed Fixup:placed :placed");
    assert_eq!(seen, "Trans,HeaderParser,Fixup,");
}

#[test]
fn phases_that_go_back_and_forth_find_their_objects_again() {
    let server = with_module(Mpm::OneChild, "where", WHERE)
        .config(
            r#"
            PythonInterpPerDirective On
            <Directory "${HTDOCS}">
                SetHandler mod_python
                PythonHeaderParserHandler where::note
                PythonTypeHandler where::note
                PythonHandler where::note
            </Directory>
            <Location />
                PythonAccessHandler where::note
                PythonFixupHandler where::note
                PythonLogHandler where::note
            </Location>
            "#,
        )
        .start();
    for _ in 0..3 {
        server.forget_log();
        let (steps, seen) = steps(&server, "/file");
        assert_eq!(steps, "HeaderParser:HTDOCS/ Access:/ Type:HTDOCS/ Fixup:/ :HTDOCS/");
        assert_eq!(seen, "HeaderParser,Type,");
        let entry = &server.wait_for_log("SEEN by", 1)[0];
        assert!(entry.contains("SEEN by /: Access,Fixup,Log"), "{entry}");
    }
}
