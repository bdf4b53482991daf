//! Several handlers of one phase: which results have the next one run, and what the others mean.

use std::fmt::Write;

use super::{ASK_WHO, PHASES, with_module};
use crate::fixture::{Httpd, Mpm, Response, Server};

/// `first` returns in the phase `phase=` of the query what `status=` says; `second` follows it, or not.
const STACK: &str = r#"
    from urllib.parse import parse_qs
    from mod_python import apache

    GOES_ON = {"PythonHandler": apache.OK, "PythonCleanupHandler": apache.OK}

    def wanted(req):
        query = parse_qs(req.args or "")
        phase = query.get("phase", [""])[0]
        return req.phase == phase, query

    def ended(number):
        apache.log_error("END %s" % number, apache.APLOG_WARNING)

    def first(req):
        is_it, query = wanted(req)
        if req.phase == "PythonCleanupHandler":
            # What is registered here runs behind the rest of the list.
            req.register_cleanup(ended, query["number"][0])
        if is_it:
            req.log_error("FIRST of %s" % query["number"][0], apache.APLOG_WARNING)
            if req.phase == "PythonAuthenHandler":
                req.user = "somebody"
            return int(query["status"][0])
        return GOES_ON.get(req.phase, apache.DECLINED)

    def second(req):
        is_it, query = wanted(req)
        if is_it:
            req.log_error("SECOND of %s" % query["number"][0], apache.APLOG_WARNING)
            if req.phase == "PythonHandler":
                req.write("content")
            return GOES_ON.get(req.phase, apache.DECLINED)
        if req.phase == "PythonAuthenHandler":
            req.user = "somebody"
            return apache.OK
        if req.phase == "PythonAuthzHandler":
            return apache.OK
        if req.phase == "PythonHandler":
            req.write("content")
        return GOES_ON.get(req.phase, apache.DECLINED)
"#;

const OK: i32 = 0;
const DECLINED: i32 = -1;
const DONE: i32 = -2;
const FORBIDDEN: i32 = 403;

fn site() -> Httpd {
    let mut lines = String::new();
    for phase in PHASES {
        writeln!(lines, "{phase} stack::first\n{phase} stack::second").expect("a string takes all");
    }
    with_module(Mpm::OneChild, "stack", STACK)
        .config(lines)
        .config(ASK_WHO)
        .config("<Location />\n    SetHandler mod_python\n</Location>")
}

/// The response when `phase` has `status`, and whether the second handler ran.
#[track_caller]
fn ask(server: &Server, number: usize, phase: &str, status: i32) -> (Response, bool) {
    let response = server.get(&format!("/file?number={number}&phase={phase}&status={status}"));
    server.wait_for_log(&format!("END {number}"), 1);
    assert_eq!(server.log_count(&format!("FIRST of {number}")), 1, "{phase} {status}: {}", server.log());
    let second = server.log_count(&format!("SECOND of {number}"));
    assert!(second <= 1);
    (response, second == 1)
}

#[test]
fn each_phase_goes_on_after_its_own_results() {
    let server = site().start();
    let mut number = 1000;
    for phase in PHASES {
        let expected: &[i32] = match phase {
            "PythonTransHandler" | "PythonAuthenHandler" | "PythonAuthzHandler" | "PythonTypeHandler" => &[DECLINED],
            "PythonHandler" | "PythonCleanupHandler" => &[OK],
            _ => &[OK, DECLINED],
        };
        for status in [OK, DECLINED, DONE, FORBIDDEN, 500] {
            number += 1;
            let (_, goes_on) = ask(&server, number, phase, status);
            assert_eq!(goes_on, expected.contains(&status), "{phase} {status}");
        }
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}

#[test]
fn what_ends_a_phase_is_the_answer() {
    let server = site().start();
    let mut number = 1000;
    let mut answer = |phase: &str, status| {
        number += 1;
        let (response, _) = ask(&server, number, phase, status);
        (response.status, response.text())
    };
    for phase in PHASES {
        let is_after = matches!(phase, "PythonLogHandler" | "PythonCleanupHandler");
        let (status, text) = answer(phase, FORBIDDEN);
        match is_after {
            true => assert_eq!((status, text.as_str()), (200, "content"), "{phase}"),
            false => assert!(status == 403 && text.contains("403 Forbidden"), "{phase}: {status} {text}"),
        }
        let (status, text) = answer(phase, DONE);
        assert_eq!((status, text.as_str()), (200, if is_after { "content" } else { "" }), "{phase}");
        // The ones that decide alone: what they accept needs nobody else.
        let (status, text) = answer(phase, OK);
        assert_eq!((status, text.as_str()), (200, "content"), "{phase}");
    }
    // What nobody decides, httpd's own modules do: they have no user of that name.
    assert_eq!(answer("PythonAuthenHandler", DECLINED).0, 401);
    // The user is there, and any valid one may pass.
    assert_eq!(answer("PythonAuthzHandler", DECLINED).0, 200);
    assert_eq!(answer("PythonTransHandler", DECLINED), (200, "content".to_owned()));
}
