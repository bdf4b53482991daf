//! Requests that belong to others: parts of a page, index files, redirects, error documents.

use super::with_module;
use crate::fixture::{Httpd, Mpm, for_each_mpm};

const RELATED: &str = r#"
    from mod_python import apache

    def first(req):
        while req.main or req.prev:
            req = req.main or req.prev
        return req

    def note(req):
        kind = "main" if not req.main and not req.prev else "sub" if req.main else "redirected"
        own = first(req)
        own.steps = getattr(own, "steps", []) + ["%s %s %s" % (req.phase[6:-7], kind, req.uri)]
        if req.phase == "PythonAccessHandler" and "secret" in req.uri:
            return apache.HTTP_FORBIDDEN
        if req.phase == "PythonHandler":
            req.write("content of %s" % req.uri)
            return apache.OK
        if req.phase in ("PythonLogHandler", "PythonCleanupHandler"):
            req.log_error("STEPS of %s in %s: %s" % (req.uri, req.phase, "; ".join(own.steps)), apache.APLOG_WARNING)
            return apache.OK
        return apache.DECLINED

    def redirect(req):
        req.internal_redirect("/target.py")
        return apache.OK
"#;

fn site(mpm: Mpm) -> Httpd {
    with_module(mpm, "related", RELATED).config(
        r#"
        PythonPostReadRequestHandler related::note
        PythonTransHandler related::note
        PythonHeaderParserHandler related::note
        PythonAccessHandler related::note
        PythonFixupHandler related::note
        PythonLogHandler related::note
        AddHandler mod_python .py
        PythonHandler related::note
        # httpd asks no more for what is configured like the request that it belongs to; URLs are told apart by sections for them.
        <Location />
            PythonOption some thing
        </Location>
        "#,
    )
}

#[track_caller]
fn steps(server: &crate::fixture::Server, uri: &str) -> Vec<String> {
    let entries = server.wait_for_log(&format!("STEPS of {uri} in PythonLogHandler: "), 1);
    assert_eq!(entries.len(), 1, "{entries:?}");
    let steps = entries[0].split("PythonLogHandler: ").nth(1).unwrap_or_default();
    steps.split("; ").map(str::to_owned).collect()
}

/// What every request passes through in front of its content.
fn whole(kind: &str, uri: &str) -> Vec<String> {
    ["PostReadRequest", "Trans", "HeaderParser", "Access", "Fixup"]
        .map(|phase| format!("{phase} {kind} {uri}"))
        .to_vec()
}

/// What a subrequest passes through in front of its content.
fn part(uri: &str) -> Vec<String> {
    ["Trans", "Access", "Fixup"].map(|phase| format!("{phase} sub {uri}")).to_vec()
}

for_each_mpm! {
    fn a_part_of_a_page_passes_through_the_phases_of_its_own(mpm) {
        let server = site(mpm)
            .config("AddOutputFilter INCLUDES .shtml")
            .file(
                "page.shtml",
                "[<!--#include virtual=\"/part.py\" -->][<!--#include virtual=\"/secret.py\" -->]",
            )
            .file("part.py", "")
            .file("secret.py", "")
            .start();
        let page = server.get("/page.shtml");
        assert_eq!(page.status, 200);
        assert!(page.text().starts_with("[content of /part.py]["), "{page:?}");
        assert!(!page.text().contains("content of /secret.py"), "{page:?}");
        let expected = [
            whole("main", "/page.shtml"),
            part("/part.py"),
            vec![" sub /part.py".into()],
            vec!["Trans sub /secret.py".into(), "Access sub /secret.py".into()],
            vec!["Log main /page.shtml".into()],
        ];
        assert_eq!(steps(&server, "/page.shtml"), expected.concat());
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
}

#[test]
fn what_is_configured_like_its_main_request_may_be_seen_if_that_may() {
    let source = "
        from mod_python import apache
        def access(req):
            if not req.main:
                req.asked = []
            (req.main or req).asked.append(req.uri)
            return apache.OK
        def handler(req):
            req.write(' '.join(req.main.asked))
            return apache.OK
    ";
    let server = with_module(Mpm::OneChild, "same", source)
        .config("PythonAccessHandler same::access\nPythonHandler same\nAddHandler mod_python .py\nAddOutputFilter INCLUDES .shtml")
        .file("page.shtml", "<!--#include virtual=\"/beside.py\" --> <!--#include virtual=\"/other/part.py\" -->")
        .file("beside.py", "")
        .file("other/part.py", "")
        .file("other/.htaccess", "PythonOption some thing")
        .start();
    assert_eq!(server.get("/page.shtml").text(), "/page.shtml /page.shtml /other/part.py\n", "{}", server.log());
}

#[test]
fn an_index_file_is_looked_at_and_then_is_the_request() {
    let server = site(Mpm::OneChild).config("DirectoryIndex none.py index.py").file("folder/index.py", "").start();
    let response = server.get("/folder/");
    assert_eq!(response.text(), "content of /folder/index.py");
    let expected = [
        whole("main", "/folder/"),
        part("/folder/none.py"),
        part("/folder/index.py"),
        // The request goes on as that file, of which the fixups have been.
        vec![" main /folder/index.py".into(), "Log main /folder/index.py".into()],
    ];
    assert_eq!(steps(&server, "/folder/index.py"), expected.concat(), "{}", server.log());
}

#[test]
fn a_redirected_request_passes_through_all_phases_and_the_first_is_logged() {
    let server = site(Mpm::OneChild)
        .config("<Location /redirecting>\n    SetHandler mod_python\n    PythonHandler related::redirect\n</Location>")
        .file("target.py", "")
        .start();
    assert_eq!(server.get("/redirecting").text(), "content of /target.py");
    let expected = [
        whole("main", "/redirecting"),
        whole("redirected", "/target.py"),
        vec![" redirected /target.py".into(), "Log main /redirecting".into()],
    ];
    assert_eq!(steps(&server, "/redirecting"), expected.concat());
}

#[test]
fn an_error_document_is_a_redirected_request() {
    let server = site(Mpm::OneChild).config("ErrorDocument 403 /told.py").file("told.py", "").start();
    let response = server.get("/secret");
    assert_eq!((response.status, response.text().as_str()), (403, "content of /told.py"));
    let expected = [
        whole("main", "/secret")[..4].to_vec(),
        whole("redirected", "/told.py"),
        vec![" redirected /told.py".into(), "Log main /secret".into()],
    ];
    assert_eq!(steps(&server, "/secret"), expected.concat());
}

#[test]
fn a_part_of_a_page_that_fails_before_its_content_leaves_the_page_alone() {
    let source = "
        from mod_python import apache
        def access(req):
            if req.main and 'broken' in req.uri:
                raise ValueError('broken part')
            return apache.OK
        def handler(req):
            req.write('content')
            return apache.OK
    ";
    let server = with_module(Mpm::OneChild, "broken", source)
        .config(
            "PythonDebug On\nPythonAccessHandler broken::access\nPythonHandler broken\nAddHandler mod_python .py\n\
             AddOutputFilter INCLUDES .shtml\nDirectoryIndex broken.py\n<Location />\nPythonOption some thing\n</Location>",
        )
        .file("page.shtml", "[<!--#include virtual=\"/broken.py\" -->][<!--#include virtual=\"/whole.py\" -->]")
        .file("broken.py", "")
        .file("whole.py", "")
        .file("folder/broken.py", "")
        .start();
    let page = server.get("/page.shtml");
    assert!(page.text().ends_with("][content]\n") && !page.text().contains("Mod_python error"), "{page:?}");
    assert_eq!(server.log_count("MP0401"), 1, "{}", server.log());
    // The one that is only looked at would be answered with two pages.
    let index = server.get("/folder/");
    assert!(!index.text().contains("Mod_python error"), "{index:?}");
    assert_eq!(server.log_count("MP0401"), 2, "{}", server.log());
}
