//! The process of a connection: its user, its interpreters, its threads and locks.

use std::time::{Duration, Instant};

use super::{PROBE, SOON, itk_tests, leaving, left, over_one_connection, two_users};
use crate::common::who::{self, Answer, ask, distinct, site};
use crate::fixture::{Httpd, Mpm, has_own_gil, python_version, wait_until};

itk_tests! {
    fn phases_before_the_directory_is_known_have_the_rights_of_the_child() {
        let server = two_users(site(Mpm::Prefork))
            .file(
                "lib/rights.py",
                "
                import os, pwd
                from mod_python import apache
                def rights(req):
                    capabilities = [line.split()[1] for line in open('/proc/self/status') if line.startswith('CapEff')]
                    may = 'more' if int(capabilities[0], 16) else 'no more'
                    text = '%s as %s, %s' % (req.phase[6:-7], pwd.getpwuid(os.geteuid()).pw_name, may)
                    req.log_error('RIGHTS of ' + text, apache.APLOG_WARNING)
                    return apache.DECLINED if req.phase != 'PythonHandler' else apache.OK
                ",
            )
            .config(
                "PythonPostReadRequestHandler rights::rights\nPythonTransHandler rights::rights\n\
                 PythonHeaderParserHandler rights::rights\nPythonHandler rights::rights\n\
                 PythonLogHandler rights::rights\nPythonCleanupHandler rights::rights\n",
            )
            .start();
        assert_eq!(server.request("GET", "/x").host("nobody.test").send().status, 200);
        let entries = server.wait_for_log("RIGHTS of ", 6);
        let rights: Vec<_> = entries.iter().filter_map(|entry| entry.split("RIGHTS of ").nth(1)).collect();
        assert_eq!(
            rights,
            [
                "PostReadRequest as www-data, more",
                "Trans as www-data, more",
                "HeaderParser as nobody, no more",
                " as nobody, no more",
                "Log as nobody, no more",
                "Cleanup as nobody, no more",
            ]
        );
    }

    fn handlers_run_as_the_user_of_their_virtual_host() {
        let server = two_users(site(Mpm::Prefork))
            .file(
                "lib/user.py",
                "
                import os, pwd, threading
                from who import tell
                imported = threading.main_thread()
                def handler(req):
                    def name():
                        names.append(pwd.getpwuid(os.geteuid()).pw_name)
                    names = []
                    name()
                    thread = threading.Thread(target=name)
                    thread.start()
                    thread.join()
                    capabilities = [line.split()[1] for line in open('/proc/self/status') if line.startswith('CapEff')]
                    return tell(req, users=' '.join(names), capabilities=int(capabilities[0], 16))
                ",
            )
            .config("PythonHandler user")
            .start();
        for _ in 0..3 {
            for (host, user) in [("www.test", "www-data"), ("nobody.test", "nobody")] {
                let answer = ask(&server, host, "/x");
                assert_eq!((answer.interpreter.as_str(), answer.fact("capabilities")), (host, "0"));
                assert_eq!(answer.fact("users"), format!("{user} {user}"));
            }
        }
    }

    fn each_connection_has_a_process_and_interpreters_of_its_own() {
        let server = site(Mpm::Prefork).children(2).config("PythonHandler who").vhost("a.test", "").start();
        let children = server.child_pids();
        let mut answers: Vec<Answer> = (0..6).map(|i| ask(&server, ["localhost", "a.test"][i % 2], "/x")).collect();
        answers.extend(server.parallel(2, |_| server.request("GET", "/x")).iter().map(Answer::of));
        assert_eq!(distinct(&answers, |answer| answer.pid).len(), answers.len());
        assert_eq!(distinct(&answers, |answer| answer.module.clone()).len(), answers.len());
        assert!(answers.iter().all(|answer| answer.count == 1 && children.contains(&answer.parent)), "{answers:?}");
        server.wait_for_exit(&answers.iter().map(|answer| answer.pid).collect::<Vec<_>>());
        assert_eq!(server.child_pids(), children, "the children only wait, and go on");
    }

    fn requests_of_a_connection_share_its_process() {
        let server = site(Mpm::Prefork).children(1).config("PythonHandler who").vhost("a.test", "").start();
        let answers = over_one_connection(&server, &["localhost", "a.test", "localhost", "localhost", "a.test"]);
        assert_eq!(distinct(&answers, |answer| answer.pid).len(), 1);
        assert_eq!(answers.iter().map(|answer| answer.count).collect::<Vec<_>>(), [1, 1, 2, 3, 2]);
        server.wait_for_exit(&[answers[0].pid]);
    }

    /// It saves each connection the start of Python and the imports.
    fn imports_run_in_the_child_and_are_there_for_its_connections() {
        for own_gil in [false, true] {
            if own_gil && !has_own_gil() {
                continue;
            }
            let server = two_users(site(Mpm::Prefork))
                .children(1)
                .file(
                    "lib/ready.py",
                    "
                    import logging, os, random, threading
                    from who import tell

                    importer = os.getpid()
                    user = os.geteuid()
                    told = []
                    os.register_at_fork(after_in_child=lambda: told.append(os.getpid()))
                    random.random()

                    def handler(req):
                        return tell(req, importer=importer, importing_user=user, random=random.random(), told=told == [os.getpid()],
                                    main=threading.main_thread() is threading.current_thread())
                    ",
                )
                .config("PythonHandler ready\nPythonImport ready shared\nPythonInterpreter shared")
                .config(if own_gil { "PythonInterpreterOptions * gil=own" } else { "" })
                .start();
            let child = server.child_pids();
            let mut answers: Vec<Answer> = ["www.test", "nobody.test", "www.test", "nobody.test"].map(|host| ask(&server, host, "/x")).into();
            answers.extend(over_one_connection(&server, &["localhost", "localhost"]));
            for answer in &answers {
                assert_eq!(answer.fact("importer"), child[0].to_string(), "{answer:?}");
                assert_ne!(answer.fact("importing_user"), "0");
                assert_eq!((answer.fact("told"), answer.fact("main")), ("True", "True"), "the hooks after a fork have run once");
            }
            assert_eq!(distinct(&answers, |answer| answer.module.clone()).len(), 1);
            assert_eq!(distinct(&answers, |answer| answer.fact("random").to_owned()).len(), answers.len());
            assert_eq!(answers.iter().map(|answer| answer.count).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 2]);
            assert_eq!(server.log_count("MP0301"), 1, "{}", server.log());
        }
    }

    /// No directive has asked for Python when the child starts.
    fn python_can_start_in_the_process_of_a_connection() {
        let server = leaving(Httpd::new(Mpm::Prefork).file("lib/who.py", who::WHO))
            .children(1)
            .config("PythonPath \"['${HTDOCS}/lib'] + sys.path\"")
            .file("late/.htaccess", "SetHandler mod_python\nPythonHandler leaving")
            .start();
        for _ in 0..2 {
            let answer = ask(&server, "localhost", "/late/x");
            assert!(answer.is_from(&server.child_pids()) && answer.count == 1, "{answer:?}");
            server.wait_for_exit(&[answer.pid]);
            assert_eq!(left(&server, answer.pid).as_deref(), Some("second first "));
        }
    }

    fn threads_left_behind_hold_no_connection_up() {
        let server = site(Mpm::Prefork)
            .children(2)
            .file(
                "lib/threads.py",
                "
                import hashlib, queue, sqlite3, ssl, threading, time
                from concurrent.futures import ThreadPoolExecutor
                from who import tell

                def spin():
                    while True:
                        pass

                def inside():
                    data = b'x' * 100000
                    while True:
                        hashlib.sha3_256(data).hexdigest()
                        ssl.create_default_context()
                        sqlite3.connect(':memory:').execute('create table t (a)')

                def handler(req):
                    for target in (spin, inside, inside, queue.Queue().get, lambda: time.sleep(120)):
                        for daemon in (True, False):
                            threading.Thread(target=target, daemon=daemon).start()
                    ThreadPoolExecutor(2).submit(time.sleep, 120)
                    return tell(req)
                ",
            )
            .config("PythonHandler threads")
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .vhost("imported.test", "PythonInterpreter imported")
            .config("PythonImport threads imported")
            .start();
        for host in ["localhost", "main.test", "imported.test", "localhost"] {
            let answer = ask(&server, host, "/x");
            let begun = Instant::now();
            server.wait_for_exit(&[answer.pid]);
            assert!(begun.elapsed() < SOON, "{host}: {:?}", begun.elapsed());
        }
        // None kept a GIL for the whole time that it may take. The fixture fails the test if one of them crashed.
        assert_eq!(server.log_count("MP0104"), 0, "{}", server.log());
    }

    fn a_lock_kept_by_a_thread_left_behind_costs_a_bounded_time() {
        let server = site(Mpm::Prefork)
            .children(1)
            .file(
                "lib/keeps.py",
                "
                import ctypes, os, sys, threading, time
                from mod_python import apache
                from who import tell

                SCRATCH = os.path.join(apache.server_root(), 'scratch')

                def keep():
                    while not os.path.exists(os.path.join(SCRATCH, 'release')):
                        time.sleep(0.005)
                    library = ctypes.PyDLL(None)
                    # From here on nobody else gets the lock.
                    sys.setswitchinterval(60)
                    library.creat(os.path.join(SCRATCH, 'keeps').encode(), 0o644)
                    library.sleep(120)

                def handler(req):
                    threading.Thread(target=keep, daemon=True).start()
                    return tell(req)
                ",
            )
            .config("PythonHandler keeps")
            .start();
        let mut connection = server.raw();
        let answer = Answer::of(&connection.exchange(&server.request("GET", "/x").keep_alive()));
        std::fs::write(server.scratch().join("release"), "").expect("we can write there");
        wait_until("the thread to keep the lock", || server.scratch().join("keeps").exists());
        drop(connection);
        let begun = Instant::now();
        server.wait_for_exit(&[answer.pid]);
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        assert_eq!(server.log_count("MP0104"), 1, "{}", server.log());
    }

    /// Whatever the users: what a child has opened, its connections have too. With sysvsem the system asks for the user each time.
    fn global_mutexes_exclude_connections_of_each_other() {
        for how in ["default", "file:${ROOT}/run", "flock:${ROOT}/run", "posixsem", "pthread", "sysvsem"] {
            let httpd = two_users(site(Mpm::Prefork))
                .children(4)
                .file(
                    "lib/steps.py",
                    "
                    import os, time
                    import _apache
                    from mod_python import apache
                    from who import tell

                    PATH = os.path.join(apache.server_root(), 'scratch', 'count')

                    def handler(req):
                        for _ in range(5):
                            _apache._global_lock(req.server, 'the count')
                            try:
                                before = int(open(PATH).read())
                                time.sleep(0.003)
                                open(PATH, 'w').write(str(before + 1))
                            finally:
                                _apache._global_unlock(req.server, 'the count')
                        return tell(req)
                    ",
                )
                .config(format!("PythonHandler steps\nPythonImport steps nobody.test\nMutex {how} python"));
            if !httpd.configtest().accepted {
                assert!(how.starts_with("posix") || how.starts_with("pthread"), "Mutex {how} python");
                continue;
            }
            let server = httpd.start();
            let count = server.scratch().join("count");
            std::fs::write(&count, "0").expect("we can write there");
            let anyone = std::os::unix::fs::PermissionsExt::from_mode(0o666);
            std::fs::set_permissions(&count, anyone).expect("it is ours");
            let hosts = if how == "sysvsem" { ["www.test"; 2] } else { ["www.test", "nobody.test"] };
            let answers: Vec<Answer> =
                server.parallel(8, |i| server.request("GET", "/x").host(hosts[i % 2])).iter().map(Answer::of).collect();
            assert_eq!(distinct(&answers, |answer| answer.pid).len(), 8);
            let counted = std::fs::read_to_string(&count).expect("the count");
            assert_eq!(counted, "40", "Mutex {how} python: {}", server.log());
        }
    }

    /// What a thread of the child holds at the fork, it holds in the connection's process for ever.
    fn threads_of_the_child_are_not_in_its_connections() {
        let with_thread = |work: &str| {
            site(Mpm::Prefork)
                .children(1)
                .file(
                    "lib/started.py",
                    format!(
                        "
                        import ctypes, threading, queue
                        from who import tell

                        # As a computation would: the GIL is kept, and given away for a moment between two calls.
                        compute = ctypes.PyDLL(None).usleep

                        def spin():
                            while True:
                                compute(5000)

                        started = threading.Thread(target={work}, daemon=True, name='of the import')
                        started.start()

                        def handler(req):
                            return tell(req, threads=[thread.name for thread in threading.enumerate()], alive=started.is_alive())
                        "
                    ),
                )
                .config("PythonHandler started\nPythonImport started localhost\nErrorDocument 500 /again")
                .start()
        };
        let server = with_thread("queue.Queue().get");
        for _ in 0..5 {
            let answer = ask(&server, "localhost", "/x");
            assert!(!answer.fact("threads").contains("of the import"));
            // Since 3.13 only CPython itself can say that a thread has ended.
            assert_eq!(answer.fact("alive"), if python_version() >= (3, 13) { "True" } else { "False" });
        }
        assert_eq!(server.log_count("MP0107") + server.log_count("MP0708"), 0, "{}", server.log());

        // It has the GIL at nearly any moment, for which it need not heat the machine; seldom a fork meets it between two turns.
        let server = with_thread("spin");
        let mut refused = 0;
        wait_until("a connection that cannot use Python", || {
            let begun = Instant::now();
            let status = server.get("/x").status;
            assert!(begun.elapsed() < 2 * PROBE, "{status} after {:?}: the second handler does not try again", begun.elapsed());
            assert!([200, 500].contains(&status), "{status}");
            refused += usize::from(status == 500);
            refused == 2
        });
        // The handler and that of the error document.
        assert_eq!((server.log_count("MP0107: "), server.log_count("MP0402: ")), (refused, 2 * refused), "{}", server.log());
    }

    /// The one process of `httpd -X` forks too.
    fn one_process_forks_for_each_connection() {
        let server = leaving(two_users(site(Mpm::Prefork))).one_process().config("PythonImport leaving localhost").start();
        for host in ["localhost", "www.test", "localhost"] {
            let answer = ask(&server, host, "/x");
            assert_eq!((answer.parent, answer.count), (server.parent_pid(), 1));
            server.wait_for_exit(&[answer.pid]);
            assert_eq!(left(&server, answer.pid).as_deref(), Some("second first "), "{host}: {}", server.log());
        }
        let took = server.stop_with(libc::SIGINT);
        assert!(took < SOON, "{took:?}");
    }
}
