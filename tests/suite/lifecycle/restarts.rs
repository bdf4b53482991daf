//! Graceful and hard restarts.

use std::thread;

use super::{busy, release, wait_for_begin};
use crate::common::who::{Answer, ask, site};
use crate::fixture::{Httpd, Mpm, Server, eventually, for_each_mpm, load_python};

fn rename(server: &Server, from: &str, to: &str) {
    server.edit_config(|text| text.replace(&format!("PythonInterpreter {from}"), &format!("PythonInterpreter {to}")));
}

for_each_mpm! {
    fn the_new_configuration_counts_after_either_restart(mpm) {
        let server = site(mpm).children(2).config("PythonHandler who\nPythonInterpreter first").start();
        let first = ask(&server, "localhost", "/x");
        assert_eq!(first.interpreter, "first");

        rename(&server, "first", "second");
        server.graceful();
        let second = ask(&server, "localhost", "/x");
        assert_eq!((second.interpreter.as_str(), second.count), ("second", 1));

        rename(&server, "second", "third");
        server.restart();
        let third = ask(&server, "localhost", "/x");
        assert_eq!((third.interpreter.as_str(), third.count), ("third", 1));

        assert_ne!(first.module, second.module);
        assert_ne!(second.module, third.module);
        server.wait_for_exit(&[first.pid, second.pid]);
    }

    /// P18: a module that a graceful restart loads for the first time sees only one pass of the configuration.
    fn a_graceful_restart_can_be_the_first_to_load_it(mpm) {
        let server = Httpd::new(mpm)
            .children(2)
            .without_python()
            .file("lib/who.py", crate::common::who::WHO)
            .file("plain.txt", "as it is")
            .start();
        assert_eq!(server.get("/plain.txt").text(), "as it is\n");
        let before = server.child_pids();

        let plain = std::fs::read_to_string(server.root().join("httpd.conf")).expect("it is there");
        server.edit_config(|text| {
            text + &load_python()
                + "LogLevel python:info\nPythonPath \"['${HTDOCS}/lib'] + sys.path\"\nPythonImport who imported\n"
                + "<Location /who>\n    SetHandler mod_python\n    PythonHandler who\n</Location>\n"
        });
        server.graceful();
        let answer = ask(&server, "localhost", "/who");
        assert_eq!((answer.interpreter.as_str(), answer.count), ("localhost", 1));
        assert!(!answer.is_from(&before));
        assert!(server.log_count("MP0301: interpreter 'imported'") >= 1);
        assert_eq!(server.get("/plain.txt").text(), "as it is\n");

        // And it can go again, and come back.
        server.edit_config(|_| plain.clone());
        server.graceful();
        assert_eq!(server.get("/who").status, 404);
        server.edit_config(|text| {
            text + &load_python()
                + "PythonPath \"['${HTDOCS}/lib'] + sys.path\"\n<Location /who>\n    SetHandler mod_python\n    PythonHandler who\n</Location>\n"
        });
        server.graceful();
        assert_eq!(ask(&server, "localhost", "/who").count, 1);
    }

    fn a_request_in_progress_is_finished_by_its_own_child(mpm) {
        let server = busy(mpm).children(2).start();
        // With one child at most, the new one cannot come before the old one has gone.
        let together = mpm != Mpm::OneChild;
        let before = server.child_pids();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| Answer::of(&server.request("GET", "/wait").send()));
            wait_for_begin(&server, "wait");
            if together {
                server.graceful();
                let fresh = ask(&server, "localhost", "/x");
                assert!(!fresh.is_from(&before), "new children answer meanwhile");
            } else {
                server.signal(server.parent_pid(), libc::SIGUSR1);
            }
            release(&server);
            let answer = waiting.join().expect("a response");
            assert!(answer.is_from(&before));
            server.wait_for_exit(&before);
        });
        assert!(!ask(&server, "localhost", "/x").is_from(&before));
    }

    /// P19: the library stays mapped and thread-locals end cleanly, however often the module is loaded again.
    fn twenty_graceful_restarts_fail_no_request(mpm) {
        // A single child is replaced once a second at most.
        let times = if mpm == Mpm::OneChild { 5 } else { 20 };
        let server = site(mpm).children(2).config("PythonHandler who").vhost("a.test", "").start();
        let mut pids = vec![ask(&server, "localhost", "/x").pid];
        let tally = server.load(2, "/x").while_running(|| {
            for _ in 0..times {
                server.graceful();
                // An old child may still answer what it has accepted.
                pids.push(eventually("a new child", || {
                    let pid = ask(&server, "a.test", "/x").pid;
                    (!pids.contains(&pid)).then_some(pid)
                }));
            }
        });
        assert!(tally.failed.is_empty() && tally.not_connected == 0, "{tally:?}");
        assert!(tally.ok >= times, "{tally:?}");
        pids.sort_unstable();
        pids.dedup();
        assert_eq!(pids.len(), times + 1, "each restart brings other children");
        let living = server.child_pids();
        pids.retain(|pid| !living.contains(pid));
        server.wait_for_exit(&pids);
        assert_eq!(server.log_count(" MP01"), 0, "{}", server.log());
    }

    fn hard_restarts_bring_it_back_each_time(mpm) {
        let server = site(mpm).children(1).config("PythonHandler who").start();
        for _ in 0..5 {
            assert_eq!(ask(&server, "localhost", "/x").count, 1);
            server.restart();
        }
    }
}
