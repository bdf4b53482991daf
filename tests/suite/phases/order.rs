//! Each phase has its time and its name, and the request is one object through all of them.

use std::fmt::Write;

use super::{ASK_WHO, PHASES, with_module};
use crate::fixture::{Mpm, Server, for_each_mpm};

/// A function for each phase, called as it is by default: notes the phase, and what is known by then.
const TRAIL: &str = r#"
    from mod_python import apache

    STATUS = {"PythonTransHandler": apache.DECLINED, "PythonTypeHandler": apache.DECLINED}

    def passing(phase):
        def handler(req):
            assert req.phase == phase, req.phase
            known = (("f", req.filename), ("u", req.user), ("t", req.content_type))
            step = phase[6:-7] + ":" + "".join(letter for letter, value in known if value)
            if not hasattr(req, "trail"):
                req.trail, req.me, req.facts = [], req, req.__dict__
            assert req.me is req and req.__dict__ is req.facts
            req.trail.append(step)
            if phase == "PythonAuthenHandler":
                req.user = "somebody"
            if phase == "PythonHandler":
                req.write(" ".join(req.trail))
            if phase in ("PythonLogHandler", "PythonCleanupHandler"):
                req.log_error("TRAIL of %s: %s" % (req.uri, " ".join(req.trail)), apache.APLOG_WARNING)
            return STATUS.get(phase, apache.OK)
        return handler

    for name in PHASES:
        globals()[name[6:].lower()] = passing(name)
"#;

/// A server whose every phase is `trail`'s, in one list for all requests.
fn site(mpm: Mpm) -> crate::fixture::Httpd {
    let source = format!("PHASES = {PHASES:?}\n{}", unindented(TRAIL));
    let mut lines = String::new();
    for phase in PHASES {
        writeln!(lines, "{phase} trail").expect("a string takes all");
    }
    with_module(mpm, "trail", &source)
        .config(lines)
        .config(ASK_WHO)
        .config("<Location /there>\n    SetHandler mod_python\n</Location>")
        .file("there/file.txt", "")
}

fn unindented(text: &str) -> String {
    text.lines().map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned() + "\n").collect()
}

const UNTIL_CONTENT: &str =
    "Init: PostReadRequest: Trans: HeaderParser:f Access:f Authen:f Authz:fu Type:fu Fixup:fut :fut";

#[track_caller]
fn trails(server: &Server, uri: &str, count: usize) -> Vec<String> {
    let entries = server.wait_for_log(&format!("TRAIL of {uri}: "), count);
    entries.iter().filter_map(|entry| entry.split("TRAIL of ").nth(1)).map(str::to_owned).collect()
}

for_each_mpm! {
    fn each_phase_runs_at_its_time_with_the_same_request(mpm) {
        let server = site(mpm).start();
        let response = server.get("/there/file.txt");
        assert_eq!((response.status, response.text()), (200, UNTIL_CONTENT.to_owned()), "{}", server.log());
        let uri = "/there/file.txt";
        assert_eq!(
            trails(&server, uri, 2),
            [
                format!("{uri}: {UNTIL_CONTENT} Log:fut"),
                format!("{uri}: {UNTIL_CONTENT} Log:fut Cleanup:fut"),
            ]
        );
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }

    fn each_request_of_a_connection_has_a_trail_of_its_own(mpm) {
        let server = site(mpm).children(1).start();
        let mut connection = server.raw();
        for i in 0..5 {
            let uri = format!("/there/{i}.txt");
            let response = connection.exchange(&server.request("GET", &uri).keep_alive());
            assert_eq!((response.status, response.text()), (200, UNTIL_CONTENT.to_owned()), "{}", server.log());
            assert_eq!(trails(&server, &uri, 2).len(), 2);
        }
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
}

#[test]
fn what_another_module_answers_passes_through_the_phases_too() {
    let server = site(Mpm::OneChild).file("file.txt", "as it is").start();
    let response = server.get("/file.txt");
    assert_eq!((response.status, response.text().as_str()), (200, "as it is\n"), "{}", server.log());
    let expected = UNTIL_CONTENT.strip_suffix(" :fut").expect("the content phase");
    assert_eq!(trails(&server, "/file.txt", 2)[1], format!("/file.txt: {expected} Log:fut Cleanup:fut"));
}

#[test]
fn requests_for_no_file_pass_through() {
    let server = site(Mpm::OneChild).start();
    for (method, target, uri, status) in
        [("OPTIONS", "*", "*", 200), ("TRACE", "/traced", "/traced", 200), ("GET", "/a%2f", "/a/", 404)]
    {
        assert_eq!(server.request(method, target).send().status, status, "{method} {target}");
        assert_eq!(trails(&server, uri, 2).len(), 2, "{method} {target}");
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}

#[test]
fn a_request_that_httpd_refuses_is_logged_and_cleaned_up() {
    let server = site(Mpm::OneChild).start();
    let refused = server.request("GET", "/no-host").header("Host", "a b").send();
    assert_eq!(refused.status, 400);
    // None of the phases before has run for it.
    let trails = trails(&server, "/no-host", 2);
    assert_eq!(trails, ["/no-host: Log:t", "/no-host: Log:t Cleanup:t"]);
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}

for_each_mpm! {
    fn a_thread_of_one_phase_may_use_the_request_while_others_run(mpm) {
        let source = r#"
            import threading
            import time

            from mod_python import apache

            def follow(req, seen, over):
                # It never sleeps, and is no thread of httpd's.
                open("/proc/thread-self/comm", "w").write("follow")
                while not over.is_set():
                    try:
                        seen.append(req.uri)
                    except RuntimeError:
                        # Between two phases nobody has it.
                        pass
                try:
                    req.uri
                except RuntimeError as error:
                    apache.log_error("OVER %s" % error, apache.APLOG_WARNING)

            def accesshandler(req):
                req.seen, req.over = [], threading.Event()
                req.thread = threading.Thread(target=follow, args=(req, req.seen, req.over))
                req.thread.start()
                return apache.OK

            def saw(req):
                count = len(req.seen)
                while len(req.seen) == count:
                    time.sleep(0.001)

            def fixuphandler(req):
                saw(req)
                return apache.OK

            def handler(req):
                saw(req)
                req.write("content")
                apache.last = req.over, req.thread
                return apache.OK

            def over(req):
                event, thread = apache.last
                event.set()
                thread.join()
                req.write("over")
                return apache.OK
        "#;
        let server = with_module(mpm, "threads", source)
            .children(1)
            .config(
                r#"
                <Location /x>
                    SetHandler mod_python
                    PythonAccessHandler threads
                    PythonFixupHandler threads
                    PythonHandler threads
                </Location>
                <Location /over>
                    SetHandler mod_python
                    PythonHandler threads::over
                </Location>
                "#,
            )
            .start();
        let mut connection = server.raw();
        for turn in 1..=3 {
            assert_eq!(connection.exchange(&server.request("GET", "/x").keep_alive()).text(), "content", "{}", server.log());
            assert_eq!(connection.exchange(&server.request("GET", "/over").keep_alive()).text(), "over");
            assert_eq!(server.wait_for_log("OVER the request is no longer valid", turn).len(), turn);
        }
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
}
