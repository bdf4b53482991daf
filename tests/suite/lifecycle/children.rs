//! Children that come and go: recycled, killed, replaced.

use std::thread;

use super::{busy, wait_for_begin};
use crate::common::who::{Answer, ask, distinct, site};
use crate::fixture::{Mpm, for_each_lasting_mpm, for_each_mpm, wait_until};

for_each_mpm! {
    fn recycled_children_fail_no_request(mpm) {
        let server = site(mpm).children(2).config("PythonHandler who\nMaxConnectionsPerChild 5").vhost("a.test", "").start();
        let first = server.child_pids();
        let mut answers = Vec::new();
        for _ in 0..8 {
            let responses = server.parallel(4, |i| server.request("GET", "/x").host(["localhost", "a.test"][i % 2]));
            answers.extend(responses.iter().map(Answer::of));
        }
        let pids = distinct(&answers, |answer| answer.pid);
        assert!(pids.len() > first.len(), "they were recycled: {pids:?}");
        assert_eq!(server.log_count("MP01"), 0, "{}", server.log());
        let living = server.child_pids();
        let ended: Vec<u32> = pids.into_iter().filter(|pid| !living.contains(pid)).collect();
        server.wait_for_exit(&ended);
    }

    fn a_killed_child_is_replaced(mpm) {
        let server = site(mpm).children(2).config("PythonHandler who").start();
        server.expect_child_death();
        for _ in 0..3 {
            let answer = ask(&server, "localhost", "/x");
            let killed = server.child_pids().into_iter().filter(|pid| answer.is_from(&[*pid])).collect::<Vec<_>>();
            server.signal(killed[0], libc::SIGKILL);
            server.wait_for_exit(&killed);
            wait_until("another child to answer", || {
                server.request("GET", "/x").try_send().is_ok_and(|response| !Answer::of(&response).is_from(&killed))
            });
        }
        assert_eq!(server.log_count("exit signal Segmentation fault"), 0);
    }
}

for_each_lasting_mpm! {
    fn exit_functions_run_however_a_child_ends(mpm) {
        let server = site(mpm)
            .children(1)
            .file(
                "lib/leaving.py",
                "
                import os
                from mod_python import apache
                from who import tell

                def leave(word):
                    with open(os.path.join(apache.server_root(), 'scratch', 'left'), 'a') as left:
                        left.write('%s %s %d\\n' % (word, apache.interpreter, os.getpid()))

                apache.register_cleanup(leave, 'first')
                apache.register_cleanup(leave, 'second')

                def handler(req):
                    return tell(req)
                ",
            )
            .config("PythonHandler leaving")
            .vhost("a.test", "")
            .start();
        let left = |pid: u32| {
            let text = std::fs::read_to_string(server.scratch().join("left")).unwrap_or_default();
            let mut lines: Vec<_> =
                text.lines().filter_map(|line| line.strip_suffix(&format!(" {pid}"))).map(String::from).collect();
            // In each interpreter the last one first; which interpreter comes first is nobody's business.
            lines.sort_by_key(|line| line.split(' ').nth(1).map(String::from));
            lines
        };
        let expected = ["second a.test", "first a.test", "second localhost", "first localhost"];
        let serve = || {
            let pid = ask(&server, "localhost", "/x").pid;
            assert_eq!(ask(&server, "a.test", "/x").pid, pid);
            pid
        };

        let by_graceful = serve();
        server.graceful();
        server.wait_for_exit(&[by_graceful]);
        assert_eq!(left(by_graceful), expected, "graceful");

        let by_restart = serve();
        server.restart();
        server.wait_for_exit(&[by_restart]);
        assert_eq!(left(by_restart), expected, "restart");

        let by_stop = serve();
        server.stop();
        assert_eq!(left(by_stop), expected, "stop");
    }
}

/// Python was interrupted at an arbitrary place: nothing more runs in it.
#[test]
fn a_prefork_child_that_is_stopped_in_a_handler_runs_no_exit_functions() {
    let server = busy(Mpm::Prefork)
        .children(1)
        .file(
            "lib/leaving.py",
            "
            from mod_python import apache
            import busy
            apache.register_cleanup(lambda _: print('an exit function'))
            sleep = busy.sleep
            ",
        )
        .config("<Location /leaving>\n    PythonHandler leaving::sleep\n</Location>")
        .start();
    thread::scope(|scope| {
        scope.spawn(|| assert!(server.request("GET", "/leaving").try_send().is_err()));
        wait_for_begin(&server, "sleep");
        server.restart();
    });
    assert_eq!(ask(&server, "localhost", "/x").count, 1);
    assert_eq!(server.wait_for_log("MP0103", 1).len(), 1);
    assert_eq!(server.log_count("an exit function"), 0);
}

#[test]
fn a_child_that_calls_exit_ends_alone() {
    let server = site(Mpm::Prefork)
        .children(2)
        .file("lib/leaves.py", "import os\ndef handler(req):\n    os._exit(0)\n")
        .config("PythonHandler who\n<Location /leave>\n    PythonHandler leaves\n</Location>")
        .start();
    for _ in 0..2 {
        assert!(server.request("GET", "/leave").try_send().is_err());
        assert_eq!(ask(&server, "localhost", "/x").interpreter, "localhost");
    }
    server.wait_for_children(2);
}
