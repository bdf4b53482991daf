//! Locks: one holder at a time, in order, and none is left over.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use super::{program, returned, run};
use crate::fixture::{Mpm, Server, for_each_lasting_mpm, for_each_mpm, wait_until};

const PROGRAM: &str = r#"
    import os, threading, time
    from mod_python import apache, store

    s = store.open()
    SCRATCH = os.path.join(apache.server_root(), "scratch")
    history = os.open(os.path.join(SCRATCH, "history"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def note(what):
        os.write(history, f"{what} {os.getpid()} {threading.get_ident()}-{apache.interpreter}\n".encode())

    def use(req):
        for _ in range(5):
            with s.lock("one", timeout=60):
                note("enter")
                time.sleep(0.001)
                note("leave")

    def hold(req):
        with s.lock("held"):
            open(os.path.join(SCRATCH, "holds"), "w").close()
            while not os.path.exists(os.path.join(SCRATCH, "release")):
                time.sleep(0.005)

    def take(req):
        try:
            with s.lock("held", timeout=float(req.args)):
                return "taken"
        except store.LockTimeout as error:
            assert isinstance(error, TimeoutError) and "'held'" in str(error)
            return "timeout"

    def raises(req):
        try:
            with s.lock("held", timeout=5):
                raise RuntimeError("inside")
        except RuntimeError:
            pass
        return take(req)

    def again(req):
        lock = s.lock("again", timeout=1)
        with lock:
            with s.lock("again", timeout=1):
                assert lock.locked()
                answers = []
                def other():
                    answers.append(s.lock("again", timeout=0).acquire())
                thread = threading.Thread(target=other)
                thread.start()
                thread.join()
                assert answers == [False]
            assert lock.locked()
        assert not lock.locked()
        try:
            lock.release()
        except RuntimeError as error:
            assert "does not have" in str(error)
        else:
            raise AssertionError("released twice")

    def lease(req):
        lock = s.lock("lease", ttl=0.05)
        lock.acquire()
        answers = []
        def other():
            with s.lock("lease", timeout=30):
                answers.append("taken")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert answers == ["taken"]
        try:
            lock.release()
        except store.LockLost:
            pass
        else:
            raise AssertionError("no LockLost")

    def order(req):
        # Who came first has it first.
        taken, started = [], []
        first = s.lock("order")
        first.acquire()
        def wait(n):
            lock = s.lock("order", timeout=60)
            with lock:
                taken.append(n)
        threads = []
        for n in range(8):
            thread = threading.Thread(target=wait, args=(n,))
            thread.start()
            threads.append(thread)
            while waiting("order") != n + 1:
                time.sleep(0.001)
        first.release()
        for thread in threads:
            thread.join()
        assert taken == list(range(8)), taken

    def waiting(key):
        from mod_python import _store
        (value,) = s._read([_store.name(b"l", key)])
        return 0 if value is None else len(value) // 24 - value[0]

    def bad(req):
        for timeout in (-1, float("nan"), 1e10):
            try:
                s.lock("a", timeout=timeout)
            except ValueError as error:
                assert "timeout" in str(error)
            else:
                raise AssertionError(timeout)
        for key in (1, None, "a" * 481):
            try:
                s.lock(key)
            except (TypeError, ValueError):
                pass
            else:
                raise AssertionError(key)

    def forks(req):
        # A process that was forked has none of its parent's locks, and its own end with it.
        lock = s.lock("forks")
        lock.acquire()
        child = os.fork()
        if not child:
            code = 1
            try:
                if not s.lock("forks", timeout=0).acquire() and s.lock("of the child", timeout=5).acquire():
                    code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        lock.release()
        with s.lock("of the child", timeout=30):
            pass
"#;

/// How long a request may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whoever has entered leaves before another one enters, or was killed. Returns how many have entered.
#[track_caller]
fn check_history(server: &Server, killed: &BTreeSet<u32>) -> usize {
    let history = fs::read_to_string(server.scratch().join("history")).expect("there is a history");
    let mut inside: Option<&str> = None;
    let mut count = 0;
    for line in history.lines() {
        let (what, who) = line.split_once(' ').expect("what and who");
        match what {
            "enter" => {
                if let Some(other) = inside {
                    let process: u32 = other.split(' ').next().expect("a process").parse().expect("a number");
                    assert!(killed.contains(&process), "{who} entered while {other} was inside");
                }
                inside = Some(who);
                count += 1;
            }
            _ => assert_eq!(inside.take(), Some(who), "{who} left"),
        }
    }
    count
}

for_each_mpm! {
    fn one_has_it_at_a_time(mpm) {
        let server = program(mpm, PROGRAM).vhost("a.test", "").vhost("b.test", "").start();
        let hosts = ["a.test", "b.test", "localhost"];
        // mpm_itk makes an interpreter for each of them.
        let request = |index: usize| server.request("GET", "/use").host(hosts[index % 3]).timeout(PATIENCE);
        for response in server.parallel(24, request) {
            assert_eq!(returned(&response, "use"), "ok");
        }
        assert_eq!(check_history(&server, &BTreeSet::new()), 24 * 5);
    }

    fn they_behave_as_documented(mpm) {
        let server = program(mpm, PROGRAM).start();
        for name in ["again", "lease", "order", "bad"] {
            assert_eq!(run(&server, name), "ok", "{name}");
        }
        assert_eq!(run(&server, "raises?0"), "taken");
    }
}

for_each_lasting_mpm! {
    /// The next one gets it soon, whether the holder's process was killed or ended.
    fn a_dead_process_has_no_lock(mpm) {
        let server = program(mpm, PROGRAM).children(2).start();
        server.expect_child_death();
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(server.request("GET", "/hold").try_send().is_err()));
            wait_until("the lock to be held", || server.scratch().join("holds").exists());
            let taken = |seconds: &str| run(&server, &format!("take?{seconds}"));
            assert_eq!(taken("0"), "timeout");
            assert_eq!(taken("0.2"), "timeout");
            for child in server.child_pids() {
                server.signal(child, libc::SIGKILL);
            }
        });
        wait_until("the children to be replaced", || server.request("GET", "/bad").try_send().is_ok());
        assert_eq!(run(&server, "take?30"), "taken");
    }
}

#[test]
fn one_has_it_at_a_time_whoever_is_killed() {
    let server = program(Mpm::Event, PROGRAM).children(4).vhost("a.test", "").vhost("b.test", "").start();
    server.expect_child_death();
    let mut killed = BTreeSet::new();
    for host in ["a.test", "b.test"] {
        let request = server.request("GET", "/use").host(host);
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..12)
                .map(|_| {
                    let request = &request;
                    scope.spawn(move || (0..10).filter(|_| request.try_send().is_ok()).count())
                })
                .collect();
            for _ in 0..4 {
                if let Some(child) = server.child_pids().last() {
                    server.signal(*child, libc::SIGKILL);
                    killed.insert(*child);
                    server.wait_for_exit(&[*child]);
                }
            }
            let answered: usize = clients.into_iter().map(|client| client.join().expect("no panic")).sum();
            assert!(answered > 0);
        });
    }
    assert!(check_history(&server, &killed) > 100);
}

#[test]
fn a_forked_process_has_no_lock_of_its_parent() {
    for mpm in [Mpm::Prefork, Mpm::Event] {
        let server = program(mpm, PROGRAM).config("PythonInterpreter main_interpreter").start();
        assert_eq!(run(&server, "forks"), "ok", "{mpm}");
    }
}
