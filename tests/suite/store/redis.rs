//! A store on a Redis or Valkey server, from all threads, interpreters and children.

use std::time::Duration;

use super::redis_server::RedisServer;
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm, has_own_gil};
use crate::frameworks::venv::Venv;

/// How long a request may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// `/s?WHAT=ARGUMENT`
const SITE: &str = r#"
    import os
    import time

    from mod_python import _store_redis, _store_redis_leases, apache, store

    # A child that was killed keeps nobody waiting for long.
    _store_redis.LEASE = _store_redis_leases.LEASE = 1.0

    def handler(req):
        what, _, argument = req.args.partition('=')
        answer = globals()[what](store.open('far'), argument)
        req.write(str(answer))
        return apache.OK

    def incr(s, times):
        for _ in range(int(times)):
            last = s.incr('n')
        return f"{os.getpid()} {last}"

    def locked(s, times):
        for _ in range(int(times)):
            with s.lock('l'):
                # A read and a write: two that have the lock would lose an update, and see each other
                assert s.add('inside', os.getpid())
                s['m'] = s.get('m', 0) + 1
                del s['inside']
        return os.getpid()

    def get(s, key):
        return s.get(key)

    def die(s, _):
        s.lock('l').acquire()
        os._exit(0)

    def take(s, _):
        with s.lock('l', timeout=60):
            return 'taken'
"#;

fn site(mpm: Mpm, venv: &Venv, location: &str, gil: &str) -> Httpd {
    Httpd::new(mpm).handler("s", SITE).config(format!(
        "PythonInterpreterOptions * gil={gil} venv={}\nPythonStore far {location} prefix=test: timeout=5",
        venv.root().display()
    ))
}

#[track_caller]
fn ask(server: &Server, what: &str) -> String {
    let response = server.get(&format!("/s?{what}"));
    assert_eq!(response.status, 200, "{what}: {}", server.log());
    response.text()
}

/// So many requests at once, over two virtual hosts: the children that have answered.
#[track_caller]
fn all_at_once(server: &Server, requests: usize, what: &str) -> usize {
    // Each interpreter imports redis-py first, all at the same time.
    let request =
        |i: usize| server.request("GET", format!("/s?{what}")).host(["a.test", "b.test"][i % 2]).timeout(PATIENCE);
    let responses = server.parallel(requests, request);
    let mut children: Vec<String> = responses
        .iter()
        .map(|response| {
            assert_eq!(response.status, 200, "{}", server.log());
            response.text().split(' ').next().unwrap_or_default().to_owned()
        })
        .collect();
    children.sort();
    children.dedup();
    children.len()
}

for_each_mpm! {
    fn no_update_is_lost(mpm) {
        let (Some(redis), Some(venv)) = (RedisServer::start(), Venv::with_redis()) else { return };
        for location in [redis.location(), redis.unix_location()] {
            let server = site(mpm, venv, &location, "shared").children(2).threads(6).vhost("a.test", "").vhost("b.test", "").start();
            let before: usize = ask(&server, "get=n").parse().unwrap_or(0);
            let children = all_at_once(&server, 12, "incr=100");
            assert!(children > 1 || mpm == Mpm::OneChild);
            assert_eq!(ask(&server, "get=n"), (before + 12 * 100).to_string());
        }
    }

    fn one_has_the_lock(mpm) {
        let (Some(redis), Some(venv)) = (RedisServer::start(), Venv::with_redis()) else { return };
        let server = site(mpm, venv, &redis.unix_location(), "shared").children(2).threads(6).vhost("a.test", "").vhost("b.test", "").start();
        all_at_once(&server, 12, "locked=20");
        assert_eq!(ask(&server, "get=m"), "240");
    }

    fn a_lock_ends_with_its_child(mpm) {
        let (Some(redis), Some(venv)) = (RedisServer::start(), Venv::with_redis()) else { return };
        let server = site(mpm, venv, &redis.location(), "shared").children(2).start();
        server.expect_child_death();
        assert!(server.request("GET", "/s?die").try_send().is_err());
        assert_eq!(ask(&server, "take"), "taken");
    }
}

#[test]
fn interpreters_with_gils_of_their_own_have_it_in_common() {
    if !has_own_gil() {
        return;
    }
    let (Some(redis), Some(venv)) = (RedisServer::start(), Venv::with_redis()) else { return };
    let server = site(Mpm::Event, venv, &redis.unix_location(), "own")
        .children(2)
        .threads(6)
        .vhost("a.test", "")
        .vhost("b.test", "")
        .start();
    all_at_once(&server, 12, "incr=50");
    all_at_once(&server, 12, "locked=10");
    assert_eq!((ask(&server, "get=n"), ask(&server, "get=m")), ("600".into(), "120".into()));
}

#[test]
fn a_server_that_is_away_is_said_and_comes_back() {
    let (Some(mut redis), Some(venv)) = (RedisServer::start(), Venv::with_redis()) else { return };
    let server = site(Mpm::Event, venv, &redis.location(), "shared").children(1).start();
    ask(&server, "incr=3");
    redis.kill();
    assert_eq!(server.get("/s?incr=1").status, 500);
    server.wait_for_log("raised StoreUnavailable: the server of the store 'far' (redis://127.0.0.1:", 1);
    server.wait_for_log("cannot be reached: ", 1);
    redis.start_again();
    assert!(ask(&server, "incr=1").ends_with(" 1"));
}

#[test]
fn the_password_is_in_no_message() {
    let (Some(redis), Some(venv)) = (RedisServer::start(), Venv::with_redis()) else { return };
    let location = redis.location().replace("redis://", "redis://nobody:hush-hush@");
    let server = site(Mpm::Event, venv, &location, "shared").children(1).start();
    let response = server.get("/s?incr=1");
    assert_eq!(response.status, 500);
    server.wait_for_log("does not accept the user or the password of PythonStore", 1);
    assert!(!server.log().contains("hush-hush") && !response.text().contains("hush-hush"));
}
