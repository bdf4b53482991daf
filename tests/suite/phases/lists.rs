//! The lists of each phase: what is in them for a request, and what `req.hlist` and `req.extension` say of them.

use std::fmt::Write;

use super::with_module;
use crate::fixture::{Httpd, Mpm, Server};

/// Each handler notes its name; the log phase, which sees all, tells.
const LISTS: &str = r#"
    from mod_python import apache

    def named(name):
        def handler(req):
            hlist = req.hlist
            req.notes["ran"] = req.notes.get("ran", "") + "%s=%s(%r,%s) " % (
                req.phase[6:-7], name, req.extension, hlist.directory)
            assert (hlist.handler, hlist.silent) == ("lists::" + name, 0)
            if req.phase == "PythonHandler":
                req.write(req.notes["ran"].strip())
            return apache.OK if req.phase in ("PythonHandler", "PythonCleanupHandler") else apache.DECLINED
        return handler

    outer, inner, second, page = named("outer"), named("inner"), named("second"), named("page")

    def tell(req):
        req.log_error("RAN for %s: %s" % (req.uri, req.notes.get("ran", "nothing").strip()), apache.APLOG_WARNING)
        return apache.OK
"#;

fn site() -> Httpd {
    with_module(Mpm::OneChild, "lists", LISTS).config("<Location />\n    SetHandler mod_python\n</Location>")
}

#[track_caller]
fn told(server: &Server, path: &str) -> String {
    let response = server.get(path);
    assert_eq!(response.status, 200, "{path}: {}", server.log());
    response.text().replace(server.root().join("htdocs").to_str().expect("UTF-8"), "HTDOCS")
}

/// Those that a section can have, but for those behind the response and the one that tells.
const OF_SECTIONS: [&str; 5] =
    ["PythonHeaderParserHandler", "PythonAccessHandler", "PythonTypeHandler", "PythonFixupHandler", "PythonHandler"];

#[test]
fn in_each_phase_an_inner_list_replaces_the_outer_one() {
    let lines = |name: &str| {
        let mut lines = String::new();
        for phase in OF_SECTIONS {
            writeln!(lines, "{phase} lists::{name}").expect("a string takes all");
        }
        lines
    };
    let server = site()
        .config(lines("outer"))
        .config(format!("<Directory \"${{HTDOCS}}/inner\">\n{}</Directory>", lines("inner")))
        .config(format!("<Location /place>\n{}</Location>", lines("inner")))
        .config("<Directory \"${HTDOCS}/unset\">\n    PythonOption some thing\n</Directory>")
        .file("unset/x.x", "")
        .file("inner/x.x", "")
        .file("place/x.x", "")
        .file("access/x.x", "")
        .file("access/.htaccess", lines("inner") + &lines("second"))
        .start();
    let all = |name: &str, directory: &str| {
        let each = OF_SECTIONS.map(|phase| format!("{}={name}(None,{directory})", &phase[6..phase.len() - 7]));
        each.join(" ")
    };
    for (path, expected) in [
        ("/x.x", all("outer", "None")),
        ("/unset/x.x", all("outer", "None")),
        ("/inner/x.x", all("inner", "HTDOCS/inner/")),
        ("/place/x.x", all("inner", "/place")),
    ] {
        assert_eq!(told(&server, path), expected, "{path}");
    }
    // Lines of one section append. The content phase tells what has run before it.
    let text = told(&server, "/access/x.x");
    let both = OF_SECTIONS.map(|phase| {
        let phase = &phase[6..phase.len() - 7];
        format!("{phase}=inner(None,HTDOCS/access/) {phase}=second(None,HTDOCS/access/)")
    });
    assert!(text.starts_with(&both[..4].join(" ")), "{text}");
}

#[test]
fn a_virtual_host_has_lists_of_its_own_before_there_is_a_section() {
    let server = site()
        .config(
            "PythonPostReadRequestHandler lists::outer\n\
             PythonTransHandler lists::outer\n\
             PythonLogHandler lists::outer lists::tell\n\
             PythonCleanupHandler lists::tell\n",
        )
        .vhost(
            "inner.test",
            "PythonPostReadRequestHandler lists::inner lists::second\nPythonLogHandler lists::inner lists::tell",
        )
        .vhost("unset.test", "PythonOption some thing")
        .start();
    for (host, expected) in [
        ("localhost", "PostReadRequest=outer(None,None) Trans=outer(None,None) Log=outer(None,None)"),
        ("unset.test", "PostReadRequest=outer(None,None) Trans=outer(None,None) Log=outer(None,None)"),
        (
            "inner.test",
            "PostReadRequest=inner(None,None) PostReadRequest=second(None,None) Trans=outer(None,None) Log=inner(None,None)",
        ),
    ] {
        let path = format!("/{host}.x");
        server.request("GET", &path).host(host).send();
        // The log phase, and then the clean-up.
        for entry in server.wait_for_log(&format!("RAN for {path}: "), 2) {
            assert!(entry.contains(&format!(": {expected}")), "{expected} in {entry}");
        }
    }
}

#[test]
fn each_phase_can_have_lists_for_extensions() {
    let server = site()
        .config(
            r#"
            PythonTransHandler lists::outer
            PythonHeaderParserHandler lists::page | .html .htm
            PythonFixupHandler lists::outer
            PythonFixupHandler lists::page | .html
            PythonHandler lists::outer
            PythonLogHandler lists::outer lists::tell
            PythonLogHandler lists::page lists::tell | .html
            PythonCleanupHandler lists::outer lists::tell
            PythonCleanupHandler lists::page lists::tell | .html
            "#,
        )
        .start();
    let until_content = [
        (
            "/x.html",
            "Trans=outer(None,None) HeaderParser=page('.html',None) Fixup=page('.html',None) =outer(None,None)",
        ),
        ("/x.htm", "Trans=outer(None,None) HeaderParser=page('.htm',None) Fixup=outer(None,None) =outer(None,None)"),
        ("/x.txt", "Trans=outer(None,None) Fixup=outer(None,None) =outer(None,None)"),
        ("/x", "Trans=outer(None,None) Fixup=outer('',None) =outer('',None)"),
    ];
    for (path, expected) in until_content {
        assert_eq!(told(&server, path), expected, "{path}");
    }
    for (path, name) in [("/x.html", "page('.html',None)"), ("/x.txt", "outer(None,None)")] {
        let entries = server.wait_for_log(&format!("RAN for {path}: "), 2);
        assert!(entries[0].ends_with(&format!(" Log={name}")), "{entries:?}");
        assert!(entries[1].ends_with(&format!(" Cleanup={name}")), "{entries:?}");
    }
}

#[test]
fn the_list_is_that_of_the_phase_and_can_be_passed_over() {
    let source = r#"
        from mod_python import apache

        def look(req):
            req.shown = getattr(req, "shown", []) + [repr(req.hlist)]
            return apache.DECLINED

        def skip(req):
            req.hlist.next()
            return apache.DECLINED

        def no(req):
            return apache.HTTP_FORBIDDEN

        def handler(req):
            req.write("\n".join(req.shown + [repr(req.hlist)]))
            return apache.OK
    "#;
    let server = with_module(Mpm::Prefork, "look", source)
        .config(
            r#"
            PythonTransHandler look::look
            <Location /place>
                SetHandler mod_python
                PythonAccessHandler look::skip look::no look::look
                PythonFixupHandler look::look
                PythonHandler look
            </Location>
            "#,
        )
        .start();
    assert_eq!(
        told(&server, "/place/x"),
        "{'handler':'look::look','is_location':False,'silent':0}\n\
         {'handler':'look::look','directory':'/place','is_location':True,'silent':0}\n\
         {'handler':'look::look','directory':'/place','is_location':True,'silent':0}\n\
         {'handler':'look','directory':'/place','is_location':True,'silent':0}"
    );
}

#[test]
fn what_stands_behind_the_response_is_chosen_by_section_too() {
    let server = site()
        .file("inner/x", "")
        .config(
            r#"
            PythonHandler lists::outer
            PythonLogHandler lists::outer lists::tell
            PythonCleanupHandler lists::outer lists::tell
            <Directory "${HTDOCS}/inner">
                PythonLogHandler lists::inner lists::tell
                PythonCleanupHandler lists::inner lists::tell
            </Directory>
            "#,
        )
        .start();
    for (path, name) in [("/x.x", "outer"), ("/inner/x", "inner")] {
        server.get(path);
        let entries = server.wait_for_log(&format!("RAN for {path}: "), 2);
        assert!(entries[0].contains(&format!(" Log={name}(")), "{entries:?}");
        assert!(entries[1].contains(&format!(" Cleanup={name}(")), "{entries:?}");
    }
}
