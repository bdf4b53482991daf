//! Sessions in a store, under every process model.

use super::redis_server::RedisServer;
use crate::fixture::{Httpd, Mpm, Response, Server, for_each_mpm};
use crate::frameworks::venv::Venv;

const SITE: &str = r#"
    import os

    from mod_python import Session, apache

    def handler(req):
        what, _, argument = req.args.partition('=')
        if what == 'die':
            Session.Session(req)
            os._exit(0)
        for _ in range(int(argument)):
            session = Session.Session(req)
            session['n'] = session.get('n', 0) + 1
            session.save()
            session.unlock()
        req.write(f"{type(session).__name__} {session['n']}")
        return apache.OK
"#;

const REQUESTS: usize = 12;

fn cookie(response: &Response) -> String {
    let sent = response.header("Set-Cookie").unwrap_or_else(|| panic!("no cookie: {}", response.status));
    sent.split(';').next().unwrap_or_default().to_owned()
}

/// Counts in one session by many requests at once.
#[track_caller]
fn adds_up(server: &Server) {
    let begun = server.get("/s?count=1");
    assert_eq!((begun.status, begun.text()), (200, "StoreSession 1".to_owned()), "{}", server.log());
    let cookie = cookie(&begun);
    let count = |times: usize| server.request("GET", format!("/s?count={times}")).header("Cookie", &cookie);
    for response in server.parallel(REQUESTS, |_| count(10)) {
        assert_eq!(response.status, 200, "{}", server.log());
    }
    assert_eq!(count(1).send().text(), format!("StoreSession {}", REQUESTS * 10 + 2), "{}", server.log());
    assert_eq!(server.log_count("MP05"), 0, "{}", server.log());
    // Its lock ends with the child, and the session goes on.
    server.expect_child_death();
    assert!(server.request("GET", "/s?die").header("Cookie", &cookie).try_send().is_err());
    let after = server
        .request("GET", "/s?count=1")
        .header("Cookie", &cookie)
        .timeout(std::time::Duration::from_secs(60))
        .send();
    assert_eq!(after.text(), format!("StoreSession {}", REQUESTS * 10 + 3), "{}", server.log());
}

for_each_mpm! {
    fn no_update_is_lost_on_this_machine(mpm) {
        let server = Httpd::new(mpm)
            .handler("s", SITE)
            .config("PythonOption mod_python.session.session_type StoreSession")
            .children(4)
            .threads(6)
            .start();
        adds_up(&server);
    }

    fn no_update_is_lost_on_a_server(mpm) {
        let (Some(redis), Some(venv)) = (RedisServer::start(), Venv::with_redis()) else { return };
        let server = Httpd::new(mpm)
            .handler("s", SITE)
            .config(format!(
                "PythonInterpreterOptions * venv={}\nPythonStore far {}\nPythonOption mod_python.session.store far\n\
                 PythonOption mod_python.session.key 0123456789abcdef0123456789abcdef",
                venv.root().display(),
                redis.unix_location()
            ))
            .children(4)
            .threads(6)
            .start();
        adds_up(&server);
    }
}

/// Where others can write to the store, a key is needed that they do not have.
#[test]
fn a_server_needs_a_key() {
    let (Some(redis), Some(venv)) = (RedisServer::start(), Venv::with_redis()) else { return };
    let server = Httpd::new(Mpm::Event)
        .handler("s", SITE)
        .config(format!(
            "PythonInterpreterOptions * venv={}\nPythonStore default {}",
            venv.root().display(),
            redis.location()
        ))
        .start();
    assert_eq!(server.get("/s?count=1").status, 500);
    server.wait_for_log("SessionError: MP0518: others can write to the store 'default'", 1);
}
