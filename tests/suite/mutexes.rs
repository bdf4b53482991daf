//! The global mutexes: they hold across threads, interpreters and children, whatever the `Mutex` directive says.

use crate::fixture::{Httpd, Mpm, Server, for_each_lasting_mpm, for_each_mpm, has_own_gil};

/// Counts in a file, one step at a time under the lock of a key, slowly enough that others would come between.
const COUNT: &str = r#"
    import os
    import time
    import _apache
    from mod_python import apache

    PATH = os.path.join(apache.server_root(), 'scratch', 'count')

    def step():
        try:
            with open(PATH) as file:
                before = int(file.read())
        except FileNotFoundError:
            before = 0
        time.sleep(0.003)
        with open(PATH, 'w') as file:
            file.write(str(before + 1))

    def handler(req):
        for _ in range(5):
            _apache._global_lock(req.server, 'the count')
            try:
                step()
            finally:
                _apache._global_unlock(req.server, 'the count')
        req.write(f'{os.getpid()} {apache.interpreter}')
        return apache.OK
"#;

/// What one thread does to the mutexes; `free_for_another()` asks from outside.
const TRY: &str = r#"
    import threading
    import _apache
    from mod_python import apache

    def raises(kind, function, *arguments):
        try:
            function(*arguments)
        except kind as error:
            return str(error)
        raise AssertionError(f'{kind} was not raised')

    def free_for_another(server, key, *index):
        answers = []
        def ask():
            answers.append(_apache._global_trylock(server, key, *index))
            if answers[0]:
                _apache._global_unlock(server, key, *index)
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return answers[0]

    def count(server):
        for index in range(100):
            try:
                if _apache._global_trylock(server, None, index):
                    _apache._global_unlock(server, None, index)
            except ValueError:
                return index

    def handler(req):
        server = req.server
        lock, trylock, unlock = _apache._global_lock, _apache._global_trylock, _apache._global_unlock

        assert lock(server, 'key') is None
        assert not free_for_another(server, 'key') and not free_for_another(server, b'key')
        assert trylock(server, 'key') is False
        lock(server, 'key')
        assert unlock(server, 'key') is None
        assert not free_for_another(server, 'key')
        unlock(server, 'key')
        assert free_for_another(server, 'key')
        assert 'not hold' in raises(ValueError, unlock, server, 'key')
        assert trylock(server, 'key') is True
        unlock(server, 'key')

        total = count(server)
        for wrong in (total, -2, 2 ** 40):
            for function in (lock, trylock, unlock):
                assert 'out of range' in raises(ValueError, function, server, 'key', wrong)
        for wrong in (None, 'server', req):
            for function in (lock, trylock, unlock):
                assert 'server' in raises(TypeError, function, wrong, 'key')
        raises(TypeError, lock, server)

        # The first one is kept for those who ask for it by its number, unless there is no other.
        lock(server, None, 0)
        taken = [key for key in list(range(200)) + [f'{n:032x}' for n in range(200)] if not free_for_another(server, key)]
        assert len(taken) == (400 if total == 1 else 0), taken
        # A session's lock and the dbm file's are held together.
        lock(server, 'a session')
        unlock(server, 'a session')
        assert not free_for_another(server, None, 0)
        unlock(server, None, 0)
        assert free_for_another(server, None, 0)

        req.write(str(total))
        return apache.OK
"#;

/// Who answered, for as many requests at once as the shape takes.
#[track_caller]
fn count_at_once(server: &Server, hosts: &[&str]) -> Vec<String> {
    let requests = 12;
    let responses = server.parallel(requests, |i| server.request("GET", "/count").host(hosts[i % hosts.len()]));
    for response in &responses {
        assert_eq!(response.status, 200, "{}", server.log());
    }
    let counted = std::fs::read_to_string(server.scratch().join("count")).expect("the count");
    assert_eq!(counted, (5 * requests).to_string(), "{}", server.log());
    let mut who: Vec<_> = responses.iter().map(|response| response.text().to_owned()).collect();
    who.sort();
    who.dedup();
    who
}

for_each_lasting_mpm! {
    /// event ends a request on another thread than the one that served it.
    fn another_thread_can_release_it(mpm) {
        let source = r#"
            import threading
            import _apache
            from mod_python import apache

            def handler(req):
                for _ in range(5):
                    thread = threading.Thread(target=_apache._global_lock, args=(req.server, 'key'))
                    thread.start()
                    thread.join()
                    _apache._global_unlock(req.server, 'key')
                _apache._global_lock(req.server, 'key')
                _apache._global_unlock(req.server, 'key')
                req.write('all released')
                return apache.OK
        "#;
        let server = Httpd::new(mpm).children(2).handler("other", source).start();
        assert_eq!(server.get("/other").text(), "all released", "{}", server.log());
        assert_eq!(server.log_count("MP06"), 0, "{}", server.log());
    }
}

for_each_mpm! {
    fn steps_of_all_children_and_interpreters_come_one_after_the_other(mpm) {
        let server = Httpd::new(mpm).children(2).handler("count", COUNT).vhost("a.test", "").vhost("b.test", "").start();
        let who = count_at_once(&server, &["a.test", "b.test"]);
        assert!(who.len() > 1, "{who:?}");
        assert_eq!(server.log_count("MP06"), 0);
    }

    fn the_rules_of_locking_are_kept(mpm) {
        let server = Httpd::new(mpm).children(2).handler("try", TRY).start();
        let expected = if mpm == Mpm::Prefork { "2" } else { "8" };
        for _ in 0..3 {
            assert_eq!(server.get("/try").text(), expected, "{}", server.log());
        }
    }

    fn one_mutex_is_enough(mpm) {
        let server = Httpd::new(mpm)
            .children(2)
            .config("PythonOption mod_python.mutex_locks 1")
            .handler("try", TRY)
            .handler("count", COUNT)
            .start();
        assert_eq!(server.get("/try").text(), "1", "{}", server.log());
        count_at_once(&server, &["localhost"]);
    }

    fn a_child_that_ends_lets_go(mpm) {
        let source = r#"
            import os
            import _apache
            from mod_python import apache

            def handler(req):
                if req.uri.endswith('/die'):
                    _apache._global_lock(req.server, 'key')
                    os._exit(0)
                _apache._global_lock(req.server, 'key')
                _apache._global_unlock(req.server, 'key')
                req.write('got it')
                return apache.OK
        "#;
        let server = Httpd::new(mpm).children(2).handler("hold", source).start();
        server.expect_child_death();
        assert!(server.request("GET", "/hold/die").try_send().is_err());
        assert_eq!(server.get("/hold").text(), "got it", "{}", server.log());
    }
}

for_each_mpm! {
    /// Where Python has own GILs (3.12), nothing but the mutex keeps two interpreters of a child apart.
    fn interpreters_with_gils_of_their_own_wait_for_each_other(mpm) {
        // A single GIL for all leaves nothing to see.
        if !has_own_gil() {
            return;
        }
        let server = Httpd::new(mpm)
            .children(2)
            .config("PythonInterpreterOptions * gil=own")
            .handler("count", COUNT)
            .handler("try", TRY)
            .vhost("a.test", "")
            .vhost("b.test", "")
            .start();
        count_at_once(&server, &["a.test", "b.test"]);
        assert_eq!(server.get("/try").status, 200, "{}", server.log());
    }

    fn one_process_has_them_too(mpm) {
        let server = Httpd::new(mpm).one_process().handler("try", TRY).start();
        assert_eq!(server.get("/try").status, 200, "{}", server.log());
        assert_eq!(server.get("/try").status, 200, "{}", server.log());
    }
}

/// Each way to make a mutex that the directive has here.
#[test]
fn the_mutex_directive_decides() {
    for mpm in [Mpm::Prefork, Mpm::Event] {
        for how in
            ["file:${ROOT}/run", "fcntl:${ROOT}/run", "flock:${ROOT}/run", "sysvsem", "posixsem", "pthread", "default"]
        {
            let httpd = Httpd::new(mpm)
                .children(2)
                .config(format!("Mutex {how} python"))
                .handler("count", COUNT)
                .handler("try", TRY);
            if !httpd.configtest().accepted {
                assert!(how.starts_with("posix") || how.starts_with("pthread"), "Mutex {how} python");
                continue;
            }
            let server = httpd.start();
            count_at_once(&server, &["localhost"]);
            let expected = if mpm == Mpm::Prefork { "2" } else { "8" };
            assert_eq!(server.get("/try").text(), expected, "Mutex {how} python: {}", server.log());
        }
    }
}

#[test]
fn there_are_as_many_as_requests_at_once_up_to_the_limit() {
    for (children, option, expected) in [(1, "", "1"), (2, "", "2"), (9, "", "8"), (9, "9", "9"), (3, "nonsense", "3")]
    {
        let option = match option {
            "" => String::new(),
            count => format!("PythonOption mod_python.mutex_locks {count}"),
        };
        let server = Httpd::new(Mpm::Prefork).children(children).config(&option).handler("try", TRY).start();
        assert_eq!(server.get("/try").text(), expected, "{option}: {}", server.log());
    }
}
