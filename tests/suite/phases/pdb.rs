//! PythonEnablePdb: handlers under Python's debugger where there is a terminal for it.

use std::fs;

use crate::fixture::{Httpd, Mpm, Server, wait_until};

/// A handler in which the debugger is asked for its arguments.
const HANDLER: &str = "
    from mod_python import apache
    def headerparserhandler(req):
        req.step = 'header parser'
        return apache.DECLINED
    def handler(req):
        answer = 'unchanged'
        req.content_type = 'text/plain'
        req.write(answer)
        return apache.OK
";

fn site(mpm: Mpm) -> Httpd {
    Httpd::new(mpm).handler("debugged", HANDLER)
}

/// What the debugger has said on httpd's standard output.
fn said(server: &Server) -> String {
    fs::read_to_string(server.root().join("stderr.log")).expect("the fixture has it")
}

fn runs_under_it(httpd: Httpd) {
    let server = httpd
        // To the line behind the one that is to be changed, and on.
        .input("next\nnext\nanswer = 'changed by hand'\ncontinue\ncontinue\n")
        .config("PythonEnablePdb On")
        .start();
    assert_eq!(server.get("/debugged").text(), "changed by hand", "{}", server.log());
    // Another request, and the end of the input.
    assert_eq!(server.get("/debugged").text(), "unchanged", "{}", server.log());
    wait_until("the debugger's words", || said(&server).contains("(Pdb) "));
    let said = said(&server);
    assert!(said.contains("debugged.py(") && said.contains("-> answer = 'unchanged'"), "{said}");
    server.forget_log();
    // Nothing is there to be read any more: the debugger gives up, and so does the request.
    assert_eq!(server.get("/debugged").status, 500);
    assert!(server.log_lines("MP0401")[0].contains("raised BdbQuit: "), "{}", server.log());
}

#[test]
fn with_one_process_a_handler_stops_at_its_first_line() {
    runs_under_it(site(Mpm::Prefork).one_process());
}

#[test]
fn a_threaded_httpd_of_one_process_too() {
    runs_under_it(site(Mpm::Event).one_process());
}

#[test]
fn one_process_can_be_said_in_another_way() {
    runs_under_it(site(Mpm::Prefork).one_process_by("-DONE_PROCESS"));
}

#[test]
fn off_leaves_it_out_and_each_phase_stops_where_it_is_on() {
    let server = site(Mpm::Prefork)
        .one_process()
        .input("continue\ncontinue\n")
        .config(
            r#"
            PythonEnablePdb On
            <Directory "${HTDOCS}/debugged">
                PythonHeaderParserHandler debugged
            </Directory>
            <Location /debugged/off>
                PythonEnablePdb Off
            </Location>
            "#,
        )
        .start();
    for _ in 0..2 {
        assert_eq!(server.get("/debugged/off").text(), "unchanged", "{}", server.log());
    }
    assert!(!said(&server).contains("(Pdb)"));
    assert_eq!(server.get("/debugged").text(), "unchanged", "{}", server.log());
    wait_until("both handlers to stop", || said(&server).matches("(Pdb) ").count() == 2);
    let said = said(&server);
    assert!(said.contains("-> req.step = 'header parser'") && said.contains("-> answer = 'unchanged'"), "{said}");
}

#[test]
fn without_one_process_it_does_nothing() {
    let server = site(Mpm::Event).input("quit\nquit\n").config("PythonEnablePdb On").start();
    for _ in 0..3 {
        assert_eq!(server.get("/debugged").text(), "unchanged", "{}", server.log());
    }
    assert!(!said(&server).contains("(Pdb)"));
    assert_eq!(server.log_count("MP04"), 0);
}
