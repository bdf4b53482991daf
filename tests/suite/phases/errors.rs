//! A handler that raises, in every phase.

use std::fmt::Write;

use super::{ASK_WHO, PHASES, with_module};
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm, wait_until};

/// Fails in the phase that the query names.
const BREAK: &str = r#"
    from mod_python import apache

    def passing(req):
        if req.phase == (req.args or "").partition("&")[0]:
            if req.args.endswith("&printed"):
                print("printed in %s" % req.phase)
            raise ValueError("broken in %s <&>" % req.phase)
        if req.phase == "PythonAuthenHandler":
            req.user = "somebody"
            return apache.OK
        if req.phase == "PythonHandler":
            req.write("content of " + req.uri)
            return apache.OK
        return apache.DECLINED
"#;

fn site(mpm: Mpm) -> Httpd {
    let mut lines = String::new();
    for phase in PHASES {
        writeln!(lines, "{phase} broken::passing").expect("a string takes all");
    }
    with_module(mpm, "broken", BREAK)
        .children(1)
        .config(lines)
        .config(ASK_WHO)
        .config("LogFormat \"%U%q %>s\" line\nCustomLog \"${ROOT}/access.log\" line")
        .config("<Location />\n    SetHandler mod_python\n</Location>")
}

fn is_after_response(phase: &str) -> bool {
    matches!(phase, "PythonLogHandler" | "PythonCleanupHandler")
}

fn access_log(server: &Server) -> String {
    std::fs::read_to_string(server.root().join("access.log")).expect("httpd's access log")
}

/// The one entry that tells of the failure.
#[track_caller]
fn failure(server: &Server, phase: &str) -> String {
    let entries = server.wait_for_log("MP0401", 1);
    assert_eq!(entries.len(), 1, "{}", server.log());
    assert_eq!(server.log_count("MP04"), 1, "{}", server.log());
    let place = format!("{phase} 'broken::passing' ({}/httpd.conf:", server.root().display());
    assert!(entries[0].contains(&place), "{place} in {entries:?}");
    let raised = format!("in interpreter 'localhost' raised ValueError: broken in {phase} <&>");
    assert!(entries[0].contains(&raised), "{raised} in {entries:?}");
    assert!(entries[0].contains("[client 127.0.0.1"), "{entries:?}");
    wait_until("the traceback", || server.log_count(&format!("{phase} broken::passing: ValueError")) == 1);
    entries[0].clone()
}

for_each_mpm! {
    fn the_client_gets_500_the_log_one_entry_and_the_child_lives(mpm) {
        let server = site(mpm).start();
        server.get("/first");
        let children = server.child_pids();
        for phase in PHASES {
            server.forget_log();
            let response = server.get(&format!("/x?{phase}"));
            match is_after_response(phase) {
                true => assert_eq!((response.status, response.text().as_str()), (200, "content of /x"), "{phase}"),
                false => {
                    assert_eq!(response.status, 500, "{phase}");
                    let text = response.text();
                    assert!(text.contains("Internal Server Error") && !text.contains("broken"), "{phase}: {text}");
                }
            }
            failure(&server, phase);
        }
        assert_eq!(server.get("/after").text(), "content of /after");
        assert_eq!(server.child_pids(), children);
    }

    fn httpd_logs_the_request_whatever_fails(mpm) {
        let server = site(mpm).start();
        for phase in PHASES {
            server.get(&format!("/logged?{phase}"));
            let status = if is_after_response(phase) { 200 } else { 500 };
            let line = format!("/logged?{phase} {status}\n");
            wait_until(&line, || access_log(&server).contains(&line));
        }
    }

    fn what_fails_behind_a_response_does_not_reach_the_client(mpm) {
        let server = site(mpm).config("PythonDebug On").start();
        let mut connection = server.raw();
        for phase in ["PythonLogHandler", "PythonCleanupHandler"] {
            for _ in 0..3 {
                let request = server.request("GET", format!("/kept?{phase}")).keep_alive();
                assert_eq!(connection.exchange(&request).text(), "content of /kept");
            }
        }
        connection.finish_sending();
        assert_eq!(connection.read_to_end(), b"");
        assert_eq!(server.wait_for_log("MP0401", 6).len(), 6);
    }
}

#[test]
fn with_debug_on_the_client_sees_the_traceback() {
    let server = site(Mpm::Worker).config("PythonDebug On").start();
    for phase in PHASES.into_iter().filter(|phase| !is_after_response(phase)) {
        server.forget_log();
        let mut connection = server.raw();
        let response = connection.exchange(&server.request("GET", format!("/x?{phase}")).keep_alive());
        assert_eq!(response.status, 500, "{phase}");
        assert_eq!(response.header("Content-Type"), Some("text/html"), "{phase}");
        let text = response.text();
        let begin = format!("\n<pre>\nMod_python error: \"{phase} broken::passing\"\n\nTraceback ");
        assert!(text.starts_with(&begin) && text.ends_with("\n</pre>\n"), "{phase}: {text}");
        assert!(text.contains(&format!("ValueError: broken in {phase} &lt;&amp;&gt;")), "{text}");
        assert!(!text.contains("<h1>"), "httpd's page is not added: {text}");
        failure(&server, phase);
        // As behind each 500, httpd closes the connection, and nothing else is on it.
        assert_eq!(connection.read_to_end(), b"", "{phase}");
        assert_eq!(server.get("/next").text(), "content of /next", "{phase}");
    }
}

#[test]
fn what_a_handler_printed_comes_before_its_failure() {
    let server = site(Mpm::Prefork).start();
    for phase in ["PythonTransHandler", "PythonCleanupHandler"] {
        server.forget_log();
        server.get(&format!("/x?{phase}&printed"));
        server.wait_for_log("MP0401", 1);
        let log = server.log();
        let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text} in {log}"));
        assert!(place(&format!("printed in {phase}")) < place("MP0401"), "{log}");
    }
}

#[test]
fn a_result_that_is_no_status_is_an_error_in_every_phase() {
    let source = "
        from mod_python import apache
        WRONG = {'none': None, 'true': True, 'text': 'OK', 'suspended': -3, 'seven': 7}
        def handler(req):
            phase, _, wrong = (req.args or '').partition('=')
            if req.phase == phase:
                return WRONG[wrong]
            if req.phase == 'PythonAuthenHandler':
                req.user = 'somebody'
                return apache.OK
            return apache.OK if req.phase == 'PythonHandler' else apache.DECLINED
    ";
    let lines: String = PHASES.iter().map(|phase| format!("{phase} wrong::handler\n")).collect();
    let server = with_module(Mpm::OneChild, "wrong", source)
        .config(lines)
        .config(ASK_WHO)
        .config("<Location />\n    SetHandler mod_python\n</Location>")
        .start();
    for phase in PHASES {
        for (wrong, why) in [
            ("none", "not NoneType"),
            ("true", "not bool"),
            ("text", "not str"),
            ("suspended", "-3, which is not a status"),
            ("seven", "7, which is not a status"),
        ] {
            server.forget_log();
            let response = server.get(&format!("/x?{phase}={wrong}"));
            assert_eq!(response.status, if is_after_response(phase) { 200 } else { 500 }, "{phase} {wrong}");
            let entries = server.wait_for_log("MP0401", 1);
            assert!(entries.len() == 1 && entries[0].contains(why), "{phase} {wrong}: {entries:?}");
        }
    }
}

#[test]
fn a_module_that_does_not_import_fails_where_it_is_needed() {
    const USER: &str = "def authenhandler(req):\n    req.user = 'somebody'\n    return 0\n";
    let phases = || PHASES.into_iter().filter(|phase| !is_after_response(phase));
    let server = phases()
        .enumerate()
        .fold(with_module(Mpm::OneChild, "user", USER).config(ASK_WHO), |httpd, (i, phase)| {
            let user = if phase == "PythonAuthenHandler" { "" } else { "PythonAuthenHandler user" };
            httpd.vhost(&format!("host{i}.test"), format!("{phase} no_such_module\n{user}\nSetHandler mod_python"))
        })
        .start();
    for (i, phase) in phases().enumerate() {
        server.forget_log();
        assert_eq!(server.request("GET", "/x").host(&format!("host{i}.test")).send().status, 500, "{phase}");
        let entries = server.log_lines("MP0401");
        assert_eq!(entries.len(), 1, "{phase}: {}", server.log());
        assert!(entries[0].contains(&format!("{phase} 'no_such_module' (")), "{entries:?}");
        assert!(entries[0].contains("No module named 'no_such_module'"), "{entries:?}");
    }
}
