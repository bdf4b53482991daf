//! Nothing is lost and nothing is done by half: many threads, interpreters and children at once, under restarts and kills.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::writemap::InMemory;
use super::{program, run};
use crate::fixture::{Httpd, Mpm, Server, SetOnDrop, for_each_mpm, has_own_gil, wait_until};

/// How much is done: with `MOD_PYTHON_TEST_FULL` in the environment, what takes minutes.
fn scale(usual: usize, full: usize) -> usize {
    if std::env::var_os("MOD_PYTHON_TEST_FULL").is_some() { full } else { usual }
}

const PROGRAM: &str = r#"
    from mod_python import store

    s = store.open()

    def add(req):
        for _ in range(20):
            s.incr("incr")
        s.transaction().run(by_transaction)
        with s.lock("counter", timeout=60):
            s["lock"] = s.get("lock", 0) + 1

    def by_transaction(t):
        t["transaction"] = t.get("transaction", 0) + 1
        t["twice"] = t.get("twice", 0) + 2

    def sums(req):
        return "incr={incr} transaction={transaction} twice={twice} lock={lock}".format(**s.get_many(["incr", "transaction", "twice", "lock"]))
"#;

/// Two interpreters, as `a.test` and `b.test`; with own GILs where Python has them and `own` is asked for.
fn two_interpreters(mpm: Mpm, own: bool) -> Httpd {
    let site = program(mpm, PROGRAM).vhost("a.test", "").vhost("b.test", "");
    let site = if mpm.is_threaded() { site.children(4).threads(12) } else { site.children(8) };
    if own { site.config("PythonInterpreterOptions * gil=own") } else { site }
}

/// What the program has counted, in the order of `sums`.
fn sums(server: &Server) -> [usize; 4] {
    let text = run(server, "sums");
    let numbers: Vec<usize> =
        text.split(' ').map(|part| part.split_once('=').expect("name=number").1.parse().expect("a number")).collect();
    numbers.try_into().expect("four numbers")
}

/// Sends `count` requests to each of two hosts by `clients` clients each; returns how many were answered, and how many were not.
fn add(server: &Server, clients: usize, count: usize) -> (usize, usize) {
    let (answered, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..2 * clients {
            let request = server.request("GET", "/add").host(["a.test", "b.test"][client % 2]);
            let (answered, failed) = (&answered, &failed);
            scope.spawn(move || {
                for _ in 0..count {
                    let counter = match request.try_send() {
                        Ok(response) if response.status == 200 => answered,
                        Ok(response) => panic!("{}", response.text()),
                        Err(_) => failed,
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    (answered.into_inner(), failed.into_inner())
}

for_each_mpm! {
    fn the_sum_is_exact(mpm) {
        for own in if has_own_gil() { &[false, true][..] } else { &[false] } {
            // Of a size that pages which old views show could fill.
            sums_are_exact(two_interpreters(mpm, *own).config("PythonStore default size=2M"));
        }
    }

    fn the_sum_is_exact_in_a_written_map(mpm) {
        let memory = InMemory::new();
        sums_are_exact(two_interpreters(mpm, has_own_gil()).config(memory.directive("default", "size=2M")));
    }
}

fn sums_are_exact(site: Httpd) {
    let server = site.start();
    let (answered, failed) = add(&server, 12, scale(20, 210));
    assert_eq!(failed, 0);
    assert_eq!(sums(&server), [20 * answered, answered, 2 * answered, answered]);
}

/// Each of the requests that were cut is counted as a whole, or not at all, in each of the ways to count.
fn counts_through(mpm: Mpm, config: &str) {
    let (graceful, kills) = (scale(3, 20), scale(8, 50));
    let server = two_interpreters(mpm, has_own_gil()).config(config).start();
    server.expect_child_death();
    let done = AtomicBool::new(false);
    let (answered, failed) = std::thread::scope(|scope| {
        let adding = scope.spawn(|| {
            let mut all = (0, 0);
            while !done.load(Ordering::Relaxed) {
                let more = add(&server, 12, 5);
                all = (all.0 + more.0, all.1 + more.1);
            }
            all
        });
        // Also when this panics.
        let end = SetOnDrop(&done);
        // In this order: event counts its children once a second, and tells only so many of a graceful restart.
        for _ in 0..graceful {
            server.graceful();
        }
        for _ in 0..kills {
            let Some(child) = server.child_pids().first().copied() else { continue };
            server.signal(child, libc::SIGKILL);
            server.wait_for_exit(&[child]);
        }
        drop(end);
        adding.join().expect("the clients do not panic")
    });
    let [incr, transaction, twice, lock] = sums(&server);
    assert_eq!(twice, 2 * transaction, "a transaction is whole or not at all");
    for (name, sum, each) in [("incr", incr, 20), ("transaction", transaction, 1), ("lock", lock, 1)] {
        assert!(
            (each * answered..=each * (answered + failed)).contains(&sum),
            "{name}: {sum} of {answered} and {failed}"
        );
    }
    assert!(answered > 0);
    // No lock was left over.
    wait_until("another request to be counted", || add(&server, 1, 1).0 == 2);
}

#[test]
fn nothing_is_lost_by_graceful_restarts_and_kills_under_event() {
    counts_through(Mpm::Event, "");
}

#[test]
fn nothing_is_lost_by_graceful_restarts_and_kills_under_prefork() {
    counts_through(Mpm::Prefork, "");
}

#[test]
fn nothing_is_lost_in_a_written_map_either() {
    for mpm in [Mpm::Event, Mpm::Prefork] {
        let memory = InMemory::new();
        counts_through(mpm, &memory.directive("default", "size=2M"));
    }
}
