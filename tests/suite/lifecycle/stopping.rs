//! P21: stop within httpd's own time, whatever Python is doing.

use std::thread;
use std::time::{Duration, Instant};

use super::{busy, release, wait_for_begin};
use crate::common::who::{Answer, ask, site};
use crate::fixture::{Httpd, Mpm, Server, for_each_lasting_mpm, for_each_mpm, wait_until};

/// How long httpd may take when nothing is under way.
const SOON: Duration = Duration::from_secs(5);

/// How long httpd takes until it kills a child with a thread that does not end: in ten seconds and a bit.
fn with_busy_threads(mpm: Mpm) -> Duration {
    if mpm.is_threaded() { Duration::from_secs(13) } else { SOON }
}

fn stops_while(mpm: Mpm, names: &[&str]) {
    let server = busy(mpm).children(if mpm.is_threaded() { 1 } else { names.len() }).start();
    thread::scope(|scope| {
        for name in names {
            let request = server.request("GET", format!("/{name}")).timeout(Duration::from_secs(60));
            scope.spawn(move || assert!(request.try_send().is_err(), "a handler that does not end has no response"));
            wait_for_begin(&server, name);
        }
        let children = server.child_pids();
        let took = server.stop();
        assert!(took < with_busy_threads(mpm), "{took:?}");
        assert!(!children.iter().any(|pid| server.alive(*pid)));
    });
}

for_each_mpm! {
    fn with_handlers_that_sleep_and_spin(mpm) {
        // The rest of a line that was printed belongs to a request that is gone when a prefork child is stopped in it.
        stops_while(mpm, &["sleep", "spin", "prints"]);
    }

    fn with_a_handler_that_keeps_the_lock(mpm) {
        stops_while(mpm, &["stuck"]);
    }

    /// The exit functions of libraries must not run under the feet of threads that are in them: OpenSSL frees all it has.
    fn threads_inside_extension_modules_do_not_crash_an_ending_child(mpm) {
        let server = site(mpm)
            .children(2)
            .file(
                "lib/inside.py",
                "
                import hashlib, sqlite3, ssl, threading
                from who import tell

                def work():
                    # For the fixture, which waits for httpd's threads to be asleep and not for these.
                    open('/proc/thread-self/comm', 'w').write('busy')
                    data = b'x' * 100000
                    while True:
                        hashlib.sha3_256(data).hexdigest()
                        ssl.create_default_context()
                        database = sqlite3.connect(':memory:')
                        database.execute('create table t (a)')
                        database.close()

                for _ in range(3):
                    threading.Thread(target=work, daemon=True).start()

                def handler(req):
                    return tell(req)
                ",
            )
            .config("PythonHandler inside")
            .start();
        for end in [Server::graceful, Server::restart, Server::graceful, Server::restart] {
            let old = ask(&server, "localhost", "/x").pid;
            end(&server);
            server.wait_for_exit(&[old]);
        }
        ask(&server, "localhost", "/x");
        let took = server.stop();
        assert!(took < SOON, "{took:?}");
        // The fixture fails the test if a child crashed.
    }
}

for_each_lasting_mpm! {
    /// Where a connection has a process of its own, `itk::threads_left_behind_hold_no_connection_up` says the same.
    fn threads_left_running_hold_nothing_up(mpm) {
        let server = with_threads(mpm).start();
        // Each interpreter made and each import waits for the GIL many times: on a machine that is busy that takes its time.
        let ask = |host: &str| {
            let request = server.request("GET", "/x").host(host).timeout(Duration::from_secs(60));
            Answer::of(&request.send())
        };
        for host in ["localhost", "main.test"] {
            ask(host);
        }
        let children = server.child_pids();

        // They run, and requests are served beside them.
        let ticks = || ask("localhost").fact("ticks").parse::<u64>().expect("a number");
        let first = ticks();
        wait_until("the threads to run", || ticks() > first);

        let begun = Instant::now();
        server.graceful();
        server.wait_for_exit(&children);
        let took = begun.elapsed();
        assert!(took < SOON, "a graceful restart took {took:?}");

        for host in ["localhost", "main.test"] {
            ask(host);
        }
        let took = server.stop();
        assert!(took < SOON, "a stop took {took:?}");
    }
}

for_each_lasting_mpm! {
    /// A call in the background that keeps the interpreter's lock: no thread of httpd's can attach any more.
    fn a_lock_that_is_kept_in_the_background_does_not_keep_an_old_child(mpm) {
        let server = site(mpm)
            .children(1)
            .file(
                "lib/keeps.py",
                "
                import ctypes, os, shlex, threading, time
                from mod_python import apache
                from who import tell

                SCRATCH = os.path.join(apache.server_root(), 'scratch')

                def keep():
                    while not os.path.exists(os.path.join(SCRATCH, 'release')):
                        time.sleep(0.005)
                    # Told by what runs while the lock is kept: before the call it could still be lost to another thread.
                    command = 'touch %s; exec sleep 120' % shlex.quote(os.path.join(SCRATCH, 'keeps'))
                    ctypes.PyDLL(None).system(command.encode())

                threading.Thread(target=keep, daemon=True).start()

                def handler(req):
                    return tell(req)
                ",
            )
            .config("PythonHandler keeps")
            .start();
        let old = ask(&server, "localhost", "/x").pid;
        release(&server);
        wait_for_begin(&server, "keeps");

        let begun = Instant::now();
        server.signal(server.parent_pid(), libc::SIGUSR1);
        server.wait_for_exit(&[old]);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(8), "{took:?}");
        let said = server.wait_for_log("MP0104", 1);
        assert!(said[0].contains("'localhost'"), "{said:?}");
    }
}

for_each_mpm! {
    fn a_graceful_stop_finishes_what_is_under_way(mpm) {
        let server = busy(mpm).children(2).start();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| Answer::of(&server.request("GET", "/wait").send()));
            wait_for_begin(&server, "wait");
            let stopping = scope.spawn(|| server.stop_with(libc::SIGWINCH));
            wait_until("httpd to take no more connections", || server.request("GET", "/x").try_send().is_err());
            release(&server);
            assert_eq!(waiting.join().expect("a response").interpreter, "localhost");
            let took = stopping.join().expect("httpd stops");
            assert!(took < with_busy_threads(mpm), "{took:?}");
        });
    }
}

/// Threads of all kinds, that never end, in two interpreters.
fn with_threads(mpm: Mpm) -> Httpd {
    site(mpm)
        .children(1)
        .file(
            "lib/threads.py",
            r#"
            import queue
            import ctypes
            import threading
            import time
            from concurrent.futures import ThreadPoolExecutor
            from who import tell

            ticks = 0
            # As a computation would, it keeps the GIL, without heating the machine for the tests beside this one.
            compute = ctypes.PyDLL(None).usleep

            def spin():
                global ticks
                while True:
                    ticks += 1
                    compute(1000)

            def start(target, *args, daemon):
                threading.Thread(target=target, args=args, daemon=daemon).start()

            for daemon in (True, False):
                start(spin, daemon=daemon)
                start(time.sleep, 120, daemon=daemon)
                start(queue.Queue().get, daemon=daemon)
            threading.Timer(120, spin).start()
            pool = ThreadPoolExecutor(2)
            pool.submit(time.sleep, 120)

            def handler(req):
                return tell(req, ticks=ticks)
            "#,
        )
        .config("PythonHandler threads")
        .vhost("main.test", "PythonInterpreter main_interpreter")
}

/// A prefork child is ended by a signal, in the middle of whatever it does.
#[test]
fn a_prefork_child_can_be_stopped_anywhere() {
    let server = site(Mpm::Prefork)
        .children(4)
        .file(
            "lib/works.py",
            "
            import hashlib, json
            from who import tell
            def handler(req):
                for n in range(2000):
                    hashlib.sha256(json.dumps({'n': list(range(n % 50))}).encode()).hexdigest()
                    if n % 100 == 0:
                        req.write(' ' * 1000)
                return tell(req)
            ",
        )
        .config("PythonHandler works")
        .start();
    let tally = server.load(2, "/x").while_running(|| {
        for _ in 0..6 {
            assert!(ask(&server, "localhost", "/x").count > 0);
            server.restart_in_the_midst();
        }
    });
    assert!(tally.ok > 0, "{tally:?}");
    // The fixture fails the test if a child crashed; one that hung was killed.
    assert_eq!(server.log_count("still did not exit"), 0, "{}", server.log());
}

/// httpd would end the child in the signal's handler, and the request with it.
#[test]
fn a_prefork_child_that_is_stopped_finishes_a_short_request() {
    let server = site(Mpm::Prefork)
        .children(1)
        .file(
            "lib/stopped.py",
            "
            import os, signal, threading
            from mod_python import apache

            def by_process(number):
                os.kill(os.getpid(), number)

            def by_another_thread(number):
                def kill():
                    signal.pthread_kill(threading.get_ident(), number)
                thread = threading.Thread(target=kill)
                thread.start()
                thread.join()

            def handler(req):
                apache.register_cleanup(lambda _: print('an exit function'))
                number, way = req.args.split('-')
                globals()[way](getattr(signal, number))
                for n in range(100):
                    req.write('%099d ' % n)
                return apache.OK
            ",
        )
        .config("PythonHandler stopped")
        .start();
    for (ended, way) in ["SIGTERM-by_process", "SIGHUP-by_process", "SIGTERM-by_another_thread"].into_iter().enumerate()
    {
        let response = server.request("GET", format!("/x?{way}")).send();
        assert_eq!(response.status, 200, "{way}");
        let expected: String = (0..100).map(|n| format!("{n:099} ")).collect();
        assert_eq!(response.text(), expected, "{way}");
        assert_eq!(server.wait_for_log("an exit function", ended + 1).len(), ended + 1, "{way}");
    }
}

/// A process that a handler has forked, while a stop waits in the one that forked it, can be stopped too.
#[test]
fn a_process_that_is_forked_while_a_stop_waits_can_be_stopped() {
    let server = site(Mpm::Prefork)
        .children(1)
        .file(
            "lib/forks.py",
            "
            import os, signal
            from mod_python import apache

            def handler(req):
                os.kill(os.getpid(), signal.SIGTERM)
                process = os.fork()
                if not process:
                    os.kill(os.getpid(), signal.SIGTERM)
                    while True:
                        signal.pause()
                req.write(str(process))
                return apache.OK
            ",
        )
        .config("PythonHandler forks\nPythonInterpreter main_interpreter")
        .start();
    let response = server.get("/x");
    assert_eq!(response.status, 200);
    server.wait_for_exit(&[response.text().parse().expect("a process")]);
}
