//! A store that is a cache of httpd's.

use super::redis_server::RedisServer;
use super::{program, returned, run};
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm, has_own_gil};

const PROGRAM: &str = r#"
    import os
    import time
    from mod_python import apache, store

    def pid(req):
        return os.getpid()

    def put(req):
        key, value = req.args.split("=")
        store.open("c")[key] = value
        return os.getpid()

    def get(req):
        return f"{os.getpid()} {store.open('c').get(req.args)}"

    def delete(req):
        return store.open("c").delete(req.args)

    def mapping(req):
        c = store.open("c")
        value = {"a": [1, 2.5, None, b"x"], "b": True}
        c["key"] = value
        assert c["key"] == value and "key" in c and bool(c)
        c["key"] = "another"
        assert c["key"] == "another"
        assert c.delete("key") is True and c.delete("key") is False
        assert "key" not in c and c.get("key", 5) == 5
        try:
            c["key"]
        except KeyError as error:
            assert error.args == ("key",)
        else:
            assert False
        c.update({"x": 1, "y": 2}, z=3)
        assert c.get_many(["x", "y", "z", "nothing"]) == {"x": 1, "y": 2, "z": 3}
        del c["x"]
        c["é" * 240] = "the longest key"
        assert c["é" * 240] == "the longest key"
        for wrong, error in (("k" * 481, ValueError), (5, TypeError)):
            try:
                c[wrong] = 1
            except error:
                pass
            else:
                assert False, wrong
        try:
            c["key"] = object()
        except TypeError:
            pass
        else:
            assert False

    def expires(req):
        c = store.open("c")
        c.set("long", 1, ttl=1e9)
        before = time.monotonic()
        c.set("short", 1, ttl=0.3)
        while "short" in c:
            assert time.monotonic() - before < 60
        took = time.monotonic() - before
        assert 0.2 < took, took
        assert c["long"] == 1

    def too_large(req):
        c = store.open("c")
        for size in (20_000_000 // 2, 600_000):
            c["key"] = "small"
            c["key"] = b"x" * size
            assert "key" not in c, "neither the old value nor the new one"
        c["key"] = "small"
        assert c["key"] == "small"

    def fill(req):
        c = store.open("c")
        for number in range(5000):
            c[f"k{number}"] = "x" * 500
        there = [number for number in range(5000) if f"k{number}" in c]
        assert 0 < len(there) < 5000, len(there)
        assert there[-1] == 4999
        assert all(c.get(f"k{number}", "x" * 500) == "x" * 500 for number in there)

    def refused(req):
        c = store.open("c")
        calls = [
            lambda: c.incr("n"), lambda: c.decr("n"), lambda: c.add("n", 1), lambda: c.replace("n", 1, 2), lambda: c.pop("n"),
            lambda: c.pop("n", None), lambda: c.touch("n"), lambda: c.expire("n", 5), lambda: c.ttl("n"), lambda: c.transaction(),
            lambda: c.lock("n"), lambda: c.rate("n", 1, 1), lambda: c.once("n", 1), lambda: c.cached(5), lambda: c.clear(),
            lambda: c.keys(), lambda: c.values(), lambda: c.items(), lambda: list(c), lambda: len(c),
        ]
        said = []
        views = [c] if c._others_can_write else [c, store.pickled(c)]
        for c in views:
            c["n"] = 1
            for call in calls:
                try:
                    call()
                except store.StoreError as error:
                    said.append(str(error))
                else:
                    assert False, call.__code__.co_names
            assert c["n"] == 1
        assert all("which has no " in text and "PythonStore c" in text for text in said), said
        return said[0]

    def pickles(req):
        p = store.pickled(store.open("c"))
        p["key"] = complex(1, 2)
        assert p["key"] == complex(1, 2) and "key" not in store.open("c")
        assert p.delete("key") and not p.delete("key")

    def session(req):
        from mod_python import Session
        kind = type(Session.Session(req, lock=0)).__name__
        said = []
        for lock in (0, 1):
            try:
                Session.StoreSession(req, lock=lock, store="c").save()
            except Session.SessionError as error:
                said.append(str(error))
        return f"{kind}: {said}"

    def hammer(req):
        c = store.open("c")
        for number in range(300):
            key = f"h{number % 7}"
            c[key] = f"{key}:{os.getpid()}:{number}"
            value = c.get(key)
            assert value is None or value.startswith(f"{key}:"), value
"#;

fn site(mpm: Mpm, location: &str) -> Httpd {
    let provider = location.split(':').nth(1).expect("one is named");
    program(mpm, PROGRAM).module(&format!("socache_{provider}")).config(format!("PythonStore c {location}"))
}

for_each_mpm! {
    fn it_is_a_mapping_that_may_forget(mpm) {
        for location in ["socache:shmcb", "socache:dbm"] {
            let server = site(mpm, location).start();
            for name in ["mapping", "expires", "hammer"] {
                assert_eq!(run(&server, name), "ok", "{location}");
            }
        }
    }
}

/// Also while threads and children get in each other's way.
#[test]
fn no_entry_is_that_of_another_key() {
    for mpm in [Mpm::Prefork, Mpm::Event] {
        for location in ["socache:shmcb", "socache:dbm"] {
            let server = site(mpm, location).children(3).start();
            for response in server.parallel(8, |_| server.request("GET", "/hammer")) {
                assert_eq!(returned(&response, "hammer"), "ok", "{mpm} {location}");
            }
        }
    }
}

#[test]
fn one_process_has_it_too() {
    let server = site(Mpm::Event, "socache:shmcb").one_process().start();
    assert_eq!(run(&server, "mapping"), "ok");
}

#[test]
fn what_does_not_fit_is_not_kept() {
    let server = site(Mpm::Event, "socache:shmcb").start();
    for name in ["too_large", "fill"] {
        assert_eq!(run(&server, name), "ok");
    }
    let server = site(Mpm::Event, "socache:dbm").start();
    assert_eq!(run(&server, "too_large"), "ok");
}

#[test]
fn what_needs_promises_is_refused() {
    let server = site(Mpm::Event, "socache:shmcb").start();
    assert_eq!(
        run(&server, "refused"),
        "the store 'c' is a cache of httpd's (socache:shmcb), which has no incr(): it gets, sets and deletes. For the rest write 'PythonStore c' without a location, with a folder, or with a Redis server"
    );
    assert_eq!(run(&server, "pickles"), "ok");
    let server = site(Mpm::Event, "socache:dbm").start();
    assert!(run(&server, "refused").contains("(socache:dbm)"));
}

/// They would end at any time.
#[test]
fn sessions_are_not_kept_there() {
    let server = site(Mpm::Event, "socache:shmcb").config("PythonStore default socache:shmcb").start();
    let said = run(&server, "session");
    assert!(!said.starts_with("StoreSession"), "{said}");
    assert_eq!(said.matches("MP0519: ").count(), 2, "{said}");
    assert!(said.contains("has no lock()") && said.contains("has no transaction()"), "{said}");
}

/// Asks until each of so many children has answered what is expected.
#[track_caller]
fn seen_by(server: &Server, children: usize, value: &str) {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10_000 {
        let answer = run(server, "get?key");
        let (pid, found) = answer.split_once(' ').expect("a pid and a value");
        assert_eq!(found, value);
        seen.insert(pid.to_owned());
        if seen.len() >= children {
            return;
        }
    }
    panic!("only {seen:?} have answered");
}

#[test]
fn all_children_see_it() {
    for location in ["socache:shmcb", "socache:dbm"] {
        let server = site(Mpm::Prefork, location).children(3).start();
        run(&server, "put?key=value");
        seen_by(&server, 2, "value");
        // What is deleted in one is gone in all
        assert_eq!(run(&server, "delete?key"), "True");
        seen_by(&server, 2, "None");
    }
}

#[test]
fn all_interpreters_and_hosts_see_it() {
    let own = if has_own_gil() { "PythonInterpreterOptions own gil=own" } else { "" };
    let server = site(Mpm::Event, "socache:shmcb")
        .vhost("own.test", format!("PythonInterpreter own\n{own}"))
        .vhost("other.test", "PythonStore c socache:shmcb:${SCRATCH}/other(100000)")
        .start();
    let ask = |host: &str, path: &str| returned(&server.request("GET", path).host(host).send(), path);
    run(&server, "put?key=value");
    assert!(ask("own.test", "/get?key").ends_with(" value"));
    ask("own.test", "/put?key=changed");
    assert!(run(&server, "get?key").ends_with(" changed"));
    assert!(ask("other.test", "/get?key").ends_with(" None"), "that is another cache");
    assert_eq!(ask("own.test", "/hammer"), "ok");
}

#[test]
fn a_graceful_restart_may_empty_it() {
    for location in ["socache:shmcb", "socache:dbm"] {
        let server = site(Mpm::Event, location).start();
        for _ in 0..3 {
            run(&server, "put?key=value");
            assert!(run(&server, "get?key").ends_with(" value"));
            server.graceful();
            assert!(run(&server, "get?key").ends_with(" None"), "{location}");
            assert_eq!(run(&server, "mapping"), "ok");
        }
    }
}

/// Providers that clean up at the end of a child would do so for all.
#[test]
fn the_end_of_a_child_harms_nothing() {
    for location in ["socache:shmcb", "socache:dbm"] {
        let server = site(Mpm::Prefork, location).children(2).config("MaxConnectionsPerChild 1").start();
        let mut child = run(&server, "put?key=value");
        for _ in 0..3 {
            server.wait_for_exit(&[child.parse().expect("a pid")]);
            let answer = run(&server, "get?key");
            let (next, value) = answer.split_once(' ').expect("a pid and a value");
            assert_eq!(value, "value", "{location}");
            child = next.to_owned();
        }
    }
}

#[test]
fn a_child_that_is_killed_harms_nothing() {
    for location in ["socache:shmcb", "socache:dbm"] {
        let server = site(Mpm::Event, location).children(1).start();
        run(&server, "put?key=value");
        let old = server.child_pids();
        server.expect_child_death();
        for child in &old {
            server.signal(*child, libc::SIGKILL);
        }
        server.wait_for_exit(&old);
        assert!(run(&server, "get?key").ends_with(" value"), "{location}");
    }
}

#[test]
fn it_can_be_on_a_server() {
    let Some(mut redis) = RedisServer::start() else { return };
    let location = redis.location().replace("redis://", "socache:redis:");
    let server = site(Mpm::Event, &location).start();
    for name in ["mapping", "expires", "hammer"] {
        assert_eq!(run(&server, name), "ok");
    }
    assert!(run(&server, "refused").contains(&location));
    run(&server, "put?key=value");
    server.graceful();
    assert!(run(&server, "get?key").ends_with(" value"), "the tag stays the same");
    // A server that is away is a cache that has forgotten
    redis.kill();
    assert!(run(&server, "get?key").ends_with(" None"));
    run(&server, "put?key=another");
    assert!(run(&server, "get?key").ends_with(" None"));
}

#[test]
fn what_is_wrong_stops_the_start() {
    let missing = program(Mpm::Event, PROGRAM).config("PythonStore c socache:shmcb").start_fails();
    let line = missing.lines().find(|line| line.contains("MP0712: ")).unwrap_or_else(|| panic!("{missing}"));
    for part in [
        "PythonStore c (",
        "httpd.conf:",
        "no cache provider 'shmcb'",
        "LoadModule socache_shmcb_module",
        "a2enmod socache_shmcb",
    ] {
        assert!(line.contains(part), "{line}");
    }
    for (location, said) in [
        ("socache:shmcb:/tmp/x(12)", "size has to be >= 8192 bytes"),
        ("socache:shmcb:/tmp/x(8192", "no closing parenthesis"),
        ("socache:dbm:/no/such/folder/file", "cannot start it"),
    ] {
        let output = site(Mpm::Event, location).start_fails();
        assert!(output.contains("MP0712: PythonStore c (") && output.contains(said), "{location}: {output}");
    }
    for (arguments, said) in [
        ("c socache:", "names no provider"),
        ("c socache:a/b", "names no provider"),
        ("c socache:shmcb size=64M", "a cache of httpd's has no options"),
    ] {
        let test = Httpd::new(Mpm::Event).config(format!("PythonStore {arguments}")).configtest();
        assert!(!test.accepted && test.output.contains("MP0255: ") && test.output.contains(said), "{}", test.output);
    }
}
