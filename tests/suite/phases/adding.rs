//! `req.add_handler`: handlers that a handler adds to its request.

use super::{ASK_WHO, PHASES, with_module};
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm};

/// `adder` adds in the phase `at=` of the query a handler to the phase `to=`.
const ADD: &str = r#"
    from urllib.parse import parse_qs
    from mod_python import apache

    def note(req, what):
        req.notes["ran"] = req.notes.get("ran", "") + "%s:%s " % (req.phase[6:-7], what)

    def passed(req):
        if req.phase == "PythonAuthenHandler":
            req.user = "somebody"
            return apache.OK
        if req.phase == "PythonCleanupHandler":
            req.log_error("RAN %s: %s" % (req.args, req.notes.get("ran", "")), apache.APLOG_WARNING)
            return apache.OK
        return apache.OK if req.phase == "PythonHandler" else apache.DECLINED

    def adder(req):
        query = parse_qs(req.args or "")
        if query.get("at") == [req.phase]:
            note(req, "adds")
            for name in query["name"]:
                assert req.add_handler(query["to"][0], "add::" + name) is None
        return passed(req)

    def last(req):
        note(req, "last")
        return passed(req)

    def one(req):
        note(req, "one")
        return apache.OK

    def two(req):
        note(req, "two")
        return apache.OK

    def declined(req):
        note(req, "declined")
        return apache.DECLINED

    def forbidden(req):
        return apache.HTTP_FORBIDDEN

    def inithandler(req):
        note(req, "by default")
        return apache.OK
"#;

fn site(mpm: Mpm) -> Httpd {
    let lines: String = PHASES.iter().map(|phase| format!("{phase} add::adder\n")).collect();
    with_module(mpm, "add", ADD)
        .config(lines)
        .config(ASK_WHO)
        .config("<Location />\n    SetHandler mod_python\n</Location>")
}

/// What ran for a request.
#[track_caller]
fn ran(server: &Server, query: &str) -> String {
    server.forget_log();
    server.get(&format!("/x?{query}"));
    let begin = format!("RAN {query}: ");
    let entries = server.wait_for_log(&begin, 1);
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    entries[0].split(&begin).nth(1).unwrap_or_default().trim().to_owned()
}

fn short(phase: &str) -> &str {
    phase.strip_prefix("Python").and_then(|rest| rest.strip_suffix("Handler")).expect("a phase")
}

for_each_mpm! {
    fn a_later_phase_runs_it_behind_its_own(mpm) {
        let server = site(mpm).start();
        for (at, first) in PHASES.iter().enumerate() {
            for to in &PHASES[at + 1..] {
                if *to == "PythonCleanupHandler" {
                    continue;
                }
                let expected = match *to {
                    // What the configured one accepts, nobody else is asked about.
                    "PythonAuthenHandler" => format!("{}:adds", short(first)),
                    _ => format!("{}:adds {}:one", short(first), short(to)),
                };
                assert_eq!(ran(&server, &format!("at={first}&to={to}&name=one")), expected);
            }
        }
    }
}

#[test]
fn a_phase_without_handlers_gets_them() {
    let server = with_module(Mpm::OneChild, "add", ADD)
        .config("PythonPostReadRequestHandler add::adder\nPythonCleanupHandler add::last")
        .config("<Location />\n    SetHandler mod_python\n</Location>")
        .start();
    let later = PHASES.iter().filter(|phase| {
        // Without anybody who is asked for there is nobody to be found out.
        !matches!(
            **phase,
            "PythonPostReadRequestHandler" | "PythonAuthenHandler" | "PythonAuthzHandler" | "PythonCleanupHandler"
        )
    });
    for to in later {
        // The server's own Init phase is over; there is one more in front of the header parser.
        let expected = format!("PostReadRequest:adds {}:one {}:two Cleanup:last", short(to), short(to));
        let goes_on = !matches!(*to, "PythonTransHandler" | "PythonTypeHandler");
        let name = if goes_on { "name=one&name=two" } else { "name=declined&name=two" };
        let expected = if goes_on { expected } else { expected.replace(":one", ":declined") };
        assert_eq!(ran(&server, &format!("at=PythonPostReadRequestHandler&to={to}&{name}")), expected);
    }
}

#[test]
fn the_running_phase_runs_it_behind_what_is_left_of_its_list() {
    let lines: String = PHASES.iter().map(|phase| format!("{phase} add::adder add::last\n")).collect();
    let server = with_module(Mpm::OneChild, "add", ADD)
        .config(lines)
        .config("<Location />\n    SetHandler mod_python\n</Location>")
        .start();
    for phase in [
        "PythonInitHandler",
        "PythonTransHandler",
        "PythonAccessHandler",
        "PythonFixupHandler",
        "PythonHandler",
        "PythonLogHandler",
    ] {
        let answer = ran(&server, &format!("at={phase}&to={phase}&name=one&name=two"));
        let steps: Vec<_> = answer.split(' ').filter(|step| step.starts_with(&format!("{}:", short(phase)))).collect();
        let name = short(phase);
        let mut expected = vec![format!("{name}:adds"), format!("{name}:last"), format!("{name}:one")];
        if phase != "PythonTransHandler" {
            expected.push(format!("{name}:two"));
        }
        assert_eq!(steps, expected, "{answer}");
    }
}

#[test]
fn a_phase_that_is_over_does_not_come_again() {
    let server = site(Mpm::OneChild).start();
    for (at, to) in [
        ("PythonTransHandler", "PythonPostReadRequestHandler"),
        ("PythonHandler", "PythonTransHandler"),
        ("PythonHandler", "PythonAccessHandler"),
        ("PythonLogHandler", "PythonHandler"),
        ("PythonCleanupHandler", "PythonLogHandler"),
    ] {
        assert_eq!(ran(&server, &format!("at={at}&to={to}&name=one")), format!("{}:adds", short(at)));
    }
    // Nor for the next request.
    assert_eq!(ran(&server, "nothing"), "");
}

#[test]
fn its_result_counts() {
    let server = site(Mpm::OneChild).start();
    for to in ["PythonTransHandler", "PythonAccessHandler", "PythonFixupHandler", "PythonHandler"] {
        let query = format!("at=PythonPostReadRequestHandler&to={to}&name=forbidden");
        assert_eq!(server.get(&format!("/x?{query}")).status, 403, "{to}");
    }
    server.forget_log();
    let response = server.get("/x?at=PythonPostReadRequestHandler&to=PythonFixupHandler&name=missing");
    assert_eq!(response.status, 500);
    let entries = server.log_lines("MP0401");
    assert_eq!(entries.len(), 1, "{entries:?}");
    for part in ["PythonFixupHandler 'add::missing' (req.add_handler()) in interpreter", "contains no 'missing'"] {
        assert!(entries[0].contains(part), "{part} in {entries:?}");
    }
}

#[test]
fn the_directory_is_where_its_module_is_and_names_its_interpreter() {
    let where_ = "
        import os
        from mod_python import apache
        def handler(req):
            req.write('%s %s %s' % (os.path.basename(os.path.dirname(__file__)), apache.interpreter, req.hlist.directory))
            return apache.OK
    ";
    let source = r#"
        import os
        from mod_python import apache
        def fixuphandler(req):
            root = req.document_root()
            given = {
                "plain": (root + "/elsewhere",),
                "slash": (root + "/elsewhere/",),
                "dots": (root + "/./nowhere/../elsewhere",),
                "bytes": ((root + "/elsewhere").encode(),),
                "none": (None,),
                "without": (),
            }
            name = req.uri.rpartition("/")[2]
            req.add_handler("PythonHandler", "there" if name in ("plain", "slash", "dots", "bytes") else "here", *given[name])
            return apache.OK
    "#;
    let server = Httpd::new(Mpm::OneChild)
        .file("lib/adding.py", source)
        .file("lib/here.py", where_)
        .file("elsewhere/there.py", where_)
        .config(
            r#"
            PythonInterpPerDirective On
            <Directory "${HTDOCS}/lib">
                SetHandler mod_python
                PythonFixupHandler adding
            </Directory>
            <Location /lib/main>
                PythonInterpreter main_interpreter
            </Location>
            "#,
        )
        .start();
    let answer = |path: &str| {
        let response = server.get(path);
        assert_eq!(response.status, 200, "{path}: {}", server.log());
        response.text().replace(server.root().join("htdocs").to_str().expect("UTF-8"), "HTDOCS")
    };
    for name in ["plain", "slash", "dots", "bytes"] {
        assert_eq!(answer(&format!("/lib/{name}")), "elsewhere HTDOCS/elsewhere/ HTDOCS/elsewhere/", "{name}");
    }
    // Without one it is in no section: the main interpreter, whose path has not got the folder.
    for name in ["none", "without"] {
        server.forget_log();
        assert_eq!(server.get(&format!("/lib/{name}")).status, 500);
        let entries = server.log_lines("MP0401");
        assert!(entries.len() == 1 && entries[0].contains("in interpreter 'main_interpreter'"), "{entries:?}");
        assert!(entries[0].contains("No module named 'here'"), "{entries:?}");
    }
    // The module that added it has brought its folder along there.
    assert_eq!(answer("/lib/main/without"), "lib main_interpreter None");
}

#[test]
fn a_subrequest_adds_to_itself() {
    let source = "
        from mod_python import apache
        def fixuphandler(req):
            if req.uri.endswith('.py'):
                req.add_handler('PythonHandler', 'sub::added')
                req.add_handler('PythonLogHandler', 'sub::never')
            return apache.OK
        def added(req):
            req.write('added to %s of %s' % (req.uri, req.main.uri))
            return apache.OK
        def never(req):
            req.log_error('NEVER', apache.APLOG_WARNING)
            return apache.OK
        def loghandler(req):
            req.log_error('LOGGED %s' % req.uri, apache.APLOG_WARNING)
            return apache.OK
    ";
    let server = with_module(Mpm::Worker, "sub", source)
        .config(
            "AddHandler mod_python .py\nAddOutputFilter INCLUDES .shtml\nPythonFixupHandler sub\nPythonLogHandler sub",
        )
        .file("part.py", "")
        .file("page.shtml", "[<!--#include virtual=\"/part.py\" -->]")
        .start();
    assert_eq!(server.get("/page.shtml").text(), "[added to /part.py of /page.shtml]\n", "{}", server.log());
    server.wait_for_log("LOGGED /page.shtml", 1);
    assert_eq!(server.log_count("NEVER"), 0);
}

#[test]
fn a_filter_in_the_midst_of_a_phase_adds_to_it() {
    let source = "
        from mod_python import apache
        def handler(req):
            req.write('content')
            req.flush()
            return apache.OK
        def outputfilter(filter):
            if not hasattr(filter.req, 'added'):
                filter.req.added = True
                filter.req.add_handler('PythonHandler', 'flows::more')
            filter.pass_on()
        def more(req):
            req.write(', more')
            return apache.OK
    ";
    let server = with_module(Mpm::Worker, "flows", source)
        .config(
            r#"
            PythonOutputFilter flows ADDING
            <Location /x>
                SetHandler mod_python
                PythonHandler flows
                SetOutputFilter ADDING
            </Location>
            "#,
        )
        .start();
    for _ in 0..2 {
        assert_eq!(server.get("/x").text(), "content, more", "{}", server.log());
    }
}

#[test]
fn wrong_arguments_are_refused_and_change_nothing() {
    crate::common::checks::passes(
        r#"
        def check(req):
            wrong = "PythonNoHandler", "pythonhandler", "Handler", "", "PythonConnectionHandler", "PythonInputFilter", "PythonCleanupHandler"
            for phase in wrong:
                raises(IndexError, req.add_handler, phase, "t::later", says="Invalid phase: " + phase + ":")
            for handler in "", "t::", "/srv/t.py", "a b", "t::later t::later", "t | .py":
                raises(ValueError, req.add_handler, "PythonLogHandler", handler, says="MP0203: PythonLogHandler")
            raises(ValueError, req.add_handler, "PythonLogHandler", "t\0", says="null")
            raises(ValueError, req.add_handler, "PythonLogHandler", b"t\xff", says="UTF-8")
            raises(ValueError, req.add_handler, "PythonLogHandler", "t", "/srv\0", says="null")
            for arguments in ((), ("PythonLogHandler",), ("PythonLogHandler", "t", "/", 1)):
                raises(TypeError, req.add_handler, *arguments, says="add_handler() takes at")
            for arguments in ((1, "t"), ("PythonLogHandler", None), ("PythonLogHandler", later), ("PythonLogHandler", "t", 1)):
                raises(TypeError, req.add_handler, *arguments, says="must be str, not")
            raises(TypeError, lambda: req.add_handler("PythonLogHandler", handler="t"))

        def later(req):
            raise AssertionError("nobody has added it")
        "#,
    );
}
