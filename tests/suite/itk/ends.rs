//! The ends of such processes: exit functions, crashes, stops and restarts.

use std::thread;
use std::time::{Duration, Instant};

use super::{all_left, itk_tests, leaving, left, over_one_connection, two_users};
use crate::common::who::{Answer, ask, site};
use crate::fixture::{Mpm, Server, wait_until};

itk_tests! {
    fn exit_functions_run_in_the_process_in_which_they_were_registered() {
        let server = leaving(two_users(site(Mpm::Prefork)))
            .children(1)
            .config("PythonImport leaving::at_import www.test")
            .file("plain.txt", "as it is")
            .config("<Location /plain.txt>\n    SetHandler none\n</Location>")
            .start();
        let child = server.child_pids()[0];
        for host in ["www.test", "nobody.test", "www.test"] {
            let answer = ask(&server, host, "/x");
            server.wait_for_exit(&[answer.pid]);
            assert_eq!(left(&server, answer.pid).as_deref(), Some("second first "), "{host}");
        }
        let answers = over_one_connection(&server, &["www.test", "www.test"]);
        server.wait_for_exit(&[answers[0].pid]);
        assert_eq!(left(&server, answers[0].pid).as_deref(), Some("second first second first "));

        assert_eq!(server.get("/plain.txt").text(), "as it is\n");
        assert_eq!(left(&server, child), None);
        server.graceful();
        server.wait_for_exit(&[child]);
        assert_eq!(left(&server, child).as_deref(), Some("imported "));
        let files = std::fs::read_dir(server.scratch()).expect("the folder").count();
        assert_eq!(files, 5, "four connections and the child");
    }

    fn graceful_restarts_under_load_lose_no_request() {
        let server = site(Mpm::Prefork).children(2).config("PythonHandler who\nPythonImport who localhost").start();
        let tally = server.load(3, "/x").while_running(|| {
            for _ in 0..10 {
                let before = server.child_pids();
                server.graceful();
                // An old child may still answer what it has accepted.
                wait_until("a new child to answer", || !ask(&server, "localhost", "/x").is_from(&before));
            }
        });
        assert!(tally.failed.is_empty() && tally.not_connected == 0, "{tally:?}");
        assert!(tally.ok >= 10, "{tally:?}");
        assert_eq!(server.log_count(" MP01"), 0, "{}", server.log());
    }

    fn a_crash_costs_its_own_connection() {
        let server = site(Mpm::Prefork)
            .children(2)
            .file(
                "lib/dies.py",
                "
                import os, time
                from mod_python import apache
                from who import tell

                SCRATCH = os.path.join(apache.server_root(), 'scratch')

                def handler(req):
                    if req.uri == '/abort':
                        os.abort()
                    open(os.path.join(SCRATCH, 'begun'), 'w').close()
                    while not os.path.exists(os.path.join(SCRATCH, 'release')):
                        time.sleep(0.005)
                    return tell(req)
                ",
            )
            .config("PythonHandler who\n<Location /abort>\n    PythonHandler dies\n</Location>")
            .config("<Location /wait>\n    PythonHandler dies\n</Location>")
            .start();
        server.expect_child_death();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| Answer::of(&server.request("GET", "/wait").send()));
            wait_until("/wait to begin", || server.scratch().join("begun").exists());
            assert!(server.request("GET", "/abort").try_send().is_err());
            server.wait_for_log("child died with signal 6", 1);
            std::fs::write(server.scratch().join("release"), "").expect("we can write there");
            assert_eq!(waiting.join().expect("a response").interpreter, "localhost");
        });
        for _ in 0..4 {
            assert_eq!(ask(&server, "localhost", "/x").count, 1);
        }
    }

    fn it_stops_and_restarts_in_the_middle_of_handlers() {
        let server = leaving(two_users(site(Mpm::Prefork)))
            .file(
                "lib/slow.py",
                "
                import os, time
                from mod_python import apache
                import leaving
                def handler(req):
                    apache.register_cleanup(leaving.leave, 'slow')
                    open(os.path.join(apache.server_root(), 'scratch', 'slow'), 'w').close()
                    time.sleep(120)
                    return 0
                ",
            )
            .config("<Location /slow>\n    PythonHandler slow\n</Location>")
            .start();
        for end in [Server::restart, |server: &Server| _ = server.stop()] {
            let _ = std::fs::remove_file(server.scratch().join("slow"));
            thread::scope(|scope| {
                scope.spawn(|| assert!(server.request("GET", "/slow").host("www.test").try_send().is_err()));
                wait_until("/slow to begin", || server.scratch().join("slow").exists());
                let begun = Instant::now();
                end(&server);
                assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
            });
        }
        // Each process of a connection was in the middle of Python. httpd's parent does not wait for them.
        wait_until("both processes to say that they end", || server.log_count("MP0103") == 2);
        assert!(all_left(&server).iter().all(|left| !left.contains("slow")), "{:?}", all_left(&server));
    }

    /// What ends by itself is not ended a second time.
    fn exit_functions_go_on_when_httpd_is_restarted_meanwhile() {
        let server = leaving(two_users(site(Mpm::Prefork)))
            .file(
                "lib/last.py",
                "
                import os, time
                from mod_python import apache
                from leaving import leave
                from who import tell

                def leave_slowly(_):
                    leave('begun')
                    while not os.path.exists(os.path.join(apache.server_root(), 'scratch', 'release')):
                        time.sleep(0.005)
                    leave('done')

                def handler(req):
                    apache.register_cleanup(leave_slowly)
                    return tell(req)
                ",
            )
            .config("<Location /last>\n    PythonHandler last\n</Location>")
            .start();
        let answer = ask(&server, "www.test", "/last");
        wait_until("the exit function to begin", || left(&server, answer.pid).as_deref() == Some("begun "));
        server.signal(server.parent_pid(), libc::SIGHUP);
        wait_until("the child to end", || !server.alive(answer.parent));
        // As long as httpd waits before it ends children with SIGTERM, the process of the connection gets that too.
        server.signal(answer.pid, libc::SIGTERM);
        std::fs::write(server.scratch().join("release"), "").expect("we can write there");
        server.wait_for_exit(&[answer.pid]);
        assert_eq!(left(&server, answer.pid).as_deref(), Some("begun done "), "{}", server.log());
        assert_eq!(server.log_count("MP0104"), 0, "{}", server.log());
    }
}
