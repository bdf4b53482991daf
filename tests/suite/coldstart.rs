//! P1: many threads that touch an interpreter for the first time, all at once.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::thread;

use crate::common::who::{Answer, ask, distinct, site};
use crate::fixture::{Httpd, Mpm, Server, has_own_gil, wait_until};
use crate::lifecycle::AtStart;

const THREADS: usize = 12;
const HOSTS: [&str; 2] = ["a.test", "b.test"];

fn cold(mpm: Mpm) -> Httpd {
    site(mpm)
        .children(1)
        .threads(THREADS)
        .file(
            "lib/slow.py",
            // An import that takes a moment: others meet the module while it is being executed.
            "
            import os
            import time
            from mod_python import apache
            from who import tell

            with open(os.path.join(apache.server_root(), 'scratch', 'imports'), 'a') as imports:
                imports.write('%d %s\\n' % (os.getpid(), apache.interpreter))
            time.sleep(0.02)

            def handler(req):
                return tell(req)
            ",
        )
        .config("PythonHandler slow")
        .vhost(HOSTS[0], "")
        .vhost(HOSTS[1], "")
}

#[track_caller]
fn one_cold_start(server: &Server) {
    server.forget_log();
    let responses = server.parallel(THREADS, |i| server.request("GET", "/x").host(HOSTS[i % 2]));
    let answers: Vec<Answer> = responses.iter().map(Answer::of).collect();

    let pids = distinct(&answers, |answer| answer.pid);
    assert_eq!(pids.len(), 1, "one child");
    let imports = std::fs::read_to_string(server.scratch().join("imports")).expect("something was imported");
    for host in HOSTS {
        let of_host: Vec<Answer> = answers.iter().filter(|answer| answer.interpreter == host).cloned().collect();
        assert_eq!(of_host.len(), THREADS / 2);
        assert_eq!(distinct(&of_host, |answer| answer.module.clone()).len(), 1, "one copy of the module: {of_host:?}");
        let counts: BTreeSet<u64> = distinct(&of_host, |answer| answer.count);
        assert!(counts.into_iter().eq(1..=(THREADS / 2) as u64), "{of_host:?}");
        assert_eq!(server.log_count(&format!("MP0301: interpreter '{host}'")), 1, "{}", server.log());
        let import = format!("{} {host}", answers[0].pid);
        assert_eq!(imports.lines().filter(|line| **line == import).count(), 1, "one import: {imports}");
    }
    assert_eq!(server.log_count("MP0301"), 2, "{}", server.log());
}

fn twenty_cold_starts(site: &Httpd) {
    let server = site.start();
    for start in 0..20 {
        if start > 0 {
            server.restart();
        }
        one_cold_start(&server);
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}

#[test]
fn twelve_threads_make_each_interpreter_once_worker() {
    twenty_cold_starts(&cold(Mpm::Worker));
}

#[test]
fn twelve_threads_make_each_interpreter_once_event() {
    twenty_cold_starts(&cold(Mpm::Event));
}

#[test]
fn twelve_threads_make_each_interpreter_with_a_gil_of_its_own_once_worker() {
    if has_own_gil() {
        twenty_cold_starts(&cold(Mpm::Worker).config("PythonInterpreterOptions * gil=own"));
    }
}

#[test]
fn twelve_threads_make_each_interpreter_with_a_gil_of_its_own_once_event() {
    if has_own_gil() {
        twenty_cold_starts(&cold(Mpm::Event).config("PythonInterpreterOptions * gil=own"));
    }
}

/// Python itself has not been started when they come: a .htaccess file is the first to ask for it.
#[test]
fn twelve_threads_start_python_once() {
    let site = cold(Mpm::Event).file("late/.htaccess", "PythonHandler slow").start();
    site.edit_config(|text| text.replace("PythonHandler slow\n", ""));
    for _ in 0..5 {
        site.restart();
        site.forget_log();
        let responses = site.parallel(THREADS, |i| site.request("GET", "/late/x").host(HOSTS[i % 2]));
        let answers: Vec<Answer> = responses.iter().map(Answer::of).collect();
        assert_eq!(distinct(&answers, |answer| answer.module.clone()).len(), 2, "{answers:?}");
        assert_eq!(site.log_count("MP0301"), 2, "{}", site.log());
    }
}

/// P36: a lock around imports made one slow import block the interpreters of everybody else.
#[test]
fn a_slow_import_holds_up_nobody_elses_interpreter() {
    for mpm in Mpm::THREADED {
        let server = site(mpm)
            .children(1)
            .file(
                "lib/endless.py",
                "
                import os
                import time
                from mod_python import apache
                from who import tell

                SCRATCH = os.path.join(apache.server_root(), 'scratch')
                open(os.path.join(SCRATCH, 'importing'), 'w').close()
                deadline = time.monotonic() + 60
                while not os.path.exists(os.path.join(SCRATCH, 'release')) and time.monotonic() < deadline:
                    time.sleep(0.005)

                def handler(req):
                    return tell(req)
                ",
            )
            .config("PythonHandler who")
            .vhost("slow.test", "PythonHandler endless")
            .vhost("made-later.test", "")
            .start();
        ask(&server, "localhost", "/x");
        thread::scope(|scope| {
            let slow = scope.spawn(|| ask(&server, "slow.test", "/x"));
            wait_until("the import to begin", || server.scratch().join("importing").exists());
            assert_eq!(ask(&server, "localhost", "/x").count, 2, "one that was there before");
            assert_eq!(ask(&server, "made-later.test", "/x").count, 1, "one that is made meanwhile");
            std::fs::write(server.scratch().join("release"), "").expect("we can write there");
            assert_eq!(slow.join().expect("a response").count, 1);
        });
    }
}

/// A handler waits for others of the same interpreter and child: they must be under way at the same moment.
#[test]
fn handlers_overlap_where_the_mpm_has_threads() {
    const TOGETHER: usize = 6;
    for mpm in Mpm::THREADED {
        let server = site(mpm)
            .children(1)
            .threads(TOGETHER)
            .file(
                "lib/together.py",
                format!(
                    "
                    import threading
                    from who import tell
                    barrier = threading.Barrier({TOGETHER})
                    def handler(req):
                        barrier.wait(10)
                        return tell(req)
                    "
                ),
            )
            .config("PythonHandler together")
            .start();
        for _ in 0..3 {
            let responses = server.parallel(TOGETHER, |_| server.request("GET", "/x"));
            let answers: Vec<Answer> = responses.iter().map(Answer::of).collect();
            assert_eq!(distinct(&answers, |answer| answer.thread).len(), TOGETHER);
            assert_eq!(distinct(&answers, |answer| answer.module.clone()).len(), 1);
        }
    }
}

/// Two that CPython makes at the same moment crash, above all with GILs of their own. `site` runs in the midst of it.
#[test]
fn interpreters_are_made_one_at_a_time() {
    let start = AtStart::new(
        "making",
        "
import os, time
folder = os.path.dirname(__file__)
making = os.path.join(folder, 'making-%d' % os.getpid())
try:
    os.mkdir(making)
except FileExistsError:
    open(os.path.join(folder, 'overlap'), 'w').close()
else:
    open(os.path.join(folder, 'made'), 'a').write('.')
    time.sleep(0.05)
    os.rmdir(making)
",
    );
    fs::set_permissions(start.folder(), Permissions::from_mode(0o777)).expect("it is ours");
    const NAMES: usize = 6;
    for mpm in Mpm::THREADED {
        for gil in ["shared", "own"].into_iter().filter(|gil| *gil == "shared" || has_own_gil()) {
            let _ = fs::remove_file(start.folder().join("made"));
            let server = (0..NAMES)
                .fold(cold(mpm).env("PYTHONPATH", start.folder()), |site, number| {
                    site.config(format!("<Location /{number}>\nPythonInterpreter i{number}\n</Location>"))
                })
                .config(format!("PythonInterpreterOptions * gil={gil}"))
                .start();
            let responses = server.parallel(THREADS, |i| server.request("GET", format!("/{}", i % NAMES)));
            assert_eq!(
                distinct(&responses.iter().map(Answer::of).collect::<Vec<_>>(), |it| it.module.clone()).len(),
                NAMES
            );
            assert!(!start.folder().join("overlap").exists(), "{mpm} {gil}: {}", server.log());
            // And the main one.
            let made = fs::read_to_string(start.folder().join("made")).expect("some were made");
            assert_eq!(made.len(), NAMES + 1, "{mpm} {gil}");
        }
    }
}
