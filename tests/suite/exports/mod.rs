//! The optional functions, called by another module of httpd.

mod build;

use crate::fixture::{Httpd, Mpm, Server, for_each_lasting_mpm, for_each_mpm, has_own_gil};
use build::caller;

/// A server with the calling module, whose handler has /caller.
fn calling(mpm: Mpm) -> Httpd {
    Httpd::new(mpm)
        .config(format!("LoadModule caller_module \"{}\"", caller().display()))
        .config("<Location /caller>\n    SetHandler caller\n</Location>")
}

/// What the steps have given, a line each.
#[track_caller]
fn call(server: &Server, steps: &[&str]) -> Vec<String> {
    let response = server.get(&format!("/caller?{}", query(steps)));
    assert_eq!(response.status, 200, "{}", server.log());
    response.text().lines().map(String::from).collect()
}

/// What mod_python has to say, but for the interpreters that it has made.
fn complaints(server: &Server) -> usize {
    server.log_count("MP0") - server.log_count("MP0301")
}

/// Steps as a query string.
fn query(steps: &[&str]) -> String {
    let text = steps.join("|");
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'=' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

for_each_mpm! {
    fn objects_are_those_of_handlers(mpm) {
        let server = calling(mpm)
            .file("lib/marks.py", r#"
                from mod_python import apache

                def fixuphandler(req):
                    req.mark = "marked"
                    req.server.mark = req.server
                    req.known = req
                    return apache.OK

                def loghandler(req):
                    req.log_error(f"after: {req.left} {req is req.known}", apache.APLOG_NOTICE)
                    return apache.OK
            "#)
            .config("PythonPath \"['${HTDOCS}/lib'] + sys.path\"\nPythonFixupHandler marks\nPythonLogHandler marks")
            .start();
        let given = call(&server, &[
            "acquire=localhost",
            "objects",
            "run=out = req.mark, req is again, req is req.known, server is req.server is server.mark, type(conn).__name__",
            "run=from mod_python import apache; out = apache.interpreter, req.uri, conn.client_ip, server.server_hostname",
            "run=req.left = 'left'; req.headers_out['X-From'] = 'C'; out = req.phase",
            "release",
        ]);
        assert_eq!(given, [
            "acquired",
            "objects",
            "('marked', True, True, True, 'mp_conn')",
            "('localhost', '/caller', '127.0.0.1', 'localhost')",
            "None",
            "released",
        ]);
        assert_eq!(server.wait_for_log("after: left True", 1).len(), 1);
        assert_eq!(complaints(&server), 0, "{}", server.log());
    }

    fn they_nest(mpm) {
        let server = calling(mpm).shared();
        let name = "run=from mod_python import apache; out = apache.interpreter";
        let given = call(&server, &[
            "acquire=one", name, "acquire=two", name, "acquire=two", name, "acquire=", name,
            "objects", "run=out = req.interpreter", "release", name, "release", "release", name,
            "objects", "run=out = req.interpreter", "release",
        ]);
        let shown: Vec<&str> = given.iter().map(String::as_str).filter(|line| !line.starts_with("acq")).collect();
        assert_eq!(shown, [
            "one", "two", "two", "main_interpreter", "objects", "main_interpreter", "released", "two", "released",
            "released", "one", "objects", "one", "released",
        ]);
        assert_eq!(complaints(&server), 0, "{}", server.log());
    }

    fn a_hook_of_the_connection_can_serve_it(mpm) {
        let server = calling(mpm)
            .config(concat!(
                "CallerConnection line = conn.readline(); ",
                "out = 'pass' if line is None else conn.write(b'you said ' + line) or ",
                "(conn.client_addr[0], conn.base_server is server, server.port)",
            ))
            .start();
        for text in ["one\n", "two\n"] {
            let mut connection = server.raw();
            connection.send(text).finish_sending();
            assert_eq!(connection.read_to_end(), format!("you said {text}").as_bytes());
        }
        assert!(server.wait_for_log("caller: ('127.0.0.1', True, ", 2).len() == 2);
        assert_eq!(complaints(&server), 0, "{}", server.log());
    }

    fn out_of_order_calls_are_told(mpm) {
        let server = calling(mpm).shared();
        assert_eq!(call(&server, &["objects"]), ["NULL NULL NULL NULL objects"]);
        let told = server.log_lines("MP0419");
        let functions = ["request", "request", "server", "connection"];
        assert_eq!(told.len(), functions.len());
        for (entry, function) in told.iter().zip(functions) {
            let sentence = format!("a module has called mp_get_{function}_object() on a thread that holds no interpreter: it gets NULL.");
            assert!(entry.contains(&sentence), "{entry}");
        }
        server.forget_log();
        assert_eq!(call(&server, &["release", "acquire=x", "release", "release"]), ["released", "acquired", "released", "released"]);
        assert_eq!(server.log_count("MP0419: a module has called mp_release_interpreter() on a thread that holds no interpreter: nothing was released"), 2);
        server.forget_log();
        // Another thread does not release what this one holds
        let given = call(&server, &["acquire=x", "run=out = 1", "thread", "run=out = 2", "release"]);
        assert_eq!(given.last().map(String::as_str), Some("released"));
        assert!(given.contains(&"2".to_owned()), "{given:?}");
        assert_eq!(server.log_count("MP0419"), 1, "{}", server.log());
    }
}

for_each_lasting_mpm! {
    fn objects_go_out_of_use_with_the_release(mpm) {
        let server = calling(mpm).children(1).start();
        let given = call(&server, &[
            "acquire=localhost", "objects", "run=import sys; sys.kept = req, conn, server, req.headers_in", "release",
            "acquire=localhost", "run=import sys; out = sys.kept[0].uri", "run=out = sys.kept[1].client_ip",
            "run=out = sys.kept[3]['Host']", "run=out = sys.kept[2].server_hostname",
            // Lent again, it is the same object, and usable
            "objects", "run=out = sys.kept[0] is req, sys.kept[0].uri", "release",
        ]);
        for line in &given[5..8] {
            assert!(line.starts_with("RuntimeError(") && line.contains("is no longer valid"), "{given:?}");
        }
        assert_eq!(given[8..], ["localhost", "objects", "(True, '/caller')", "released"]);
        // And after the request
        let later = call(&server, &["acquire=localhost", "objects", "run=import sys; out = sys.kept[0].uri", "release"]);
        assert!(later[2].starts_with("RuntimeError("), "{later:?}");
        assert_eq!(complaints(&server), 0, "{}", server.log());
    }

    fn threads_call_at_once(mpm) {
        let gil = if has_own_gil() { "own" } else { "shared" };
        let server = calling(mpm).config(format!("PythonInterpreterOptions * gil={gil}")).start();
        let steps = |i: usize| query(&[
            &format!("acquire=interpreter{}", i % 3),
            "objects",
            "run=import threading; mine = threading.get_ident(), req.args; out = [req.uri for _ in range(200)][-1]",
            &format!("acquire=interpreter{}", (i + 1) % 3),
            "run=out = sum(range(2000))",
            "release",
            "run=out = mine == (threading.get_ident(), req.args), conn.client_ip, conn.id >= 0",
            "release",
        ]);
        for _ in 0..4 {
            for response in server.parallel(16, |i| server.request("GET", format!("/caller?{}", steps(i)))) {
                let text = response.text();
                let expected = "acquired\nobjects\n/caller\nacquired\n1999000\nreleased\n(True, '127.0.0.1', True)\nreleased\n";
                assert_eq!(text, expected);
            }
        }
        assert_eq!(complaints(&server), 0, "{}", server.log());
    }
}

#[test]
fn handlers_run_below_a_thread_that_its_module_has_detached() {
    let server = calling(Mpm::Worker)
        .handler(
            "part",
            "def handler(req):\n    req.write('<%s %s>' % (req.interpreter, req.main.uri))\n    return 0\n",
        )
        .start();
    for name in ["localhost", "other", ""] {
        let given =
            call(&server, &[&format!("acquire={name}"), "run=x = 1", "detached=/part", "run=out = x", "release"]);
        assert_eq!(given, ["acquired", "", "<localhost /caller>", "detached 0", "1", "released"], "{name}");
    }
}

#[test]
fn in_the_parent_there_is_no_python() {
    let server = calling(Mpm::Event).config("CallerInParent On").start();
    assert_eq!(server.log_count("caller: NULL in the parent"), 1, "{}", server.log());
    assert_eq!(server.log_count("MP0419: a module has called mp_acquire_interpreter() in httpd's parent process"), 1);
    assert_eq!(call(&server, &["acquire=localhost", "run=out = 1", "release"]), ["acquired", "1", "released"]);
}
