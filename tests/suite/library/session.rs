//! `mod_python.Session` under every process model: nothing that was saved is lost, no request waits for ever.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::checks::{passed, sharing};
use crate::fixture::{Httpd, Mpm, Request, Response, Server, for_each_lasting_mpm, for_each_mpm, has_own_gil};

/// What a session is asked to do: `/s?WHAT`.
const SITE: &str = r#"
    import os
    import threading

    from mod_python import Cookie, Session, apache

    def add(session, count=1):
        session['n'] = session.get('n', 0) + count
        session.save()

    def handler(req):
        what, _, argument = (req.args or 'show').partition('=')
        return globals()[what](req, argument)

    def show(req, _):
        session = Session.Session(req)
        req.write(f"{session.is_new()} {session.get('n')} {type(session).__name__} {session.timeout()}")
        return apache.OK

    def save(req, count):
        session = Session.Session(req)
        add(session, int(count))
        req.write(str(session['n']))
        return apache.OK

    def count(req, times):
        for _ in range(int(times)):
            session = Session.Session(req)
            assert not session.is_new()
            add(session)
            session.unlock()
        req.write(f"{os.getpid()} ")
        return apache.OK

    def keep(req, size):
        req.session = Session.Session(req)
        add(req.session)
        req.register_cleanup(look, (req, threading.get_ident()))
        req.write(b'x' * (int(size) << 10))
        return apache.OK

    def look(data):
        req, thread = data
        req.log_error('not on this thread' if threading.get_ident() != thread else 'on this thread')

    def again(req, _):
        session = Session.Session(req)
        add(session)
        Session.Session(req)

    def fail(req, _):
        req.session = Session.Session(req)
        raise RuntimeError('on purpose')

    def redirect(req, _):
        session = Session.Session(req)
        add(session)
        req.internal_redirect('/s?save=1')
        session.load()
        add(session)
        return apache.OK

    def login(req, more):
        session = Session.Session(req)
        if more:
            Cookie.add_cookie(req, 'other', '1')
        old = session.id()
        session['user'] = 'eve'
        assert session.regenerate() == session.id() != old
        req.write(old)
        return apache.OK

    def logout(req, _):
        session = Session.Session(req)
        session.invalidate()
        return apache.OK

    def die(req, _):
        Session.Session(req)
        os._exit(0)

    def busy(req, _):
        Session.CLEANUP_CHANCE = 1
        return count(req, '5')
"#;

const FILE: &str = "FileSession";
const DBM: &str = "DbmSession";
const MEMORY: &str = "MemorySession";

fn site(mpm: Mpm, kind: &str) -> Httpd {
    Httpd::new(mpm).handler("s", SITE).config(format!(
        "PythonOption mod_python.session.session_type {kind}\n\
         PythonOption mod_python.session.database_directory ${{SCRATCH}}\n"
    ))
}

/// The cookie that a response sets.
fn cookie(response: &Response) -> String {
    cookie_of(response.header("Set-Cookie").unwrap_or_else(|| panic!("no cookie: {}", response.status)))
}

/// A cookie without its attributes, as a client returns it.
fn cookie_of(sent: &str) -> String {
    sent.split(';').next().unwrap_or_default().to_owned()
}

fn with(server: &Server, what: &str, cookie: &str) -> Request {
    server.request("GET", format!("/s?{what}")).header("Cookie", cookie)
}

/// What the session of a cookie answers.
#[track_caller]
fn ask(server: &Server, what: &str, cookie: &str) -> String {
    let response = with(server, what, cookie).send();
    assert_eq!(response.status, 200, "{what}: {}", server.log());
    response.text()
}

/// The cookie of a new session in which n is 0.
#[track_caller]
fn begin(server: &Server) -> String {
    let response = server.get("/s?save=0");
    assert_eq!(response.status, 200, "{}", server.log());
    assert_eq!(response.header("Cache-Control"), Some("no-cache=\"set-cookie\""));
    cookie(&response)
}

/// How often each request adds one; the issue of lost updates is looked into with more.
fn times() -> usize {
    std::env::var("MOD_PYTHON_SESSION_COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(20)
}

/// Adds up in one session, by as many requests at once as there are threads.
#[track_caller]
fn adds_up(server: &Server, requests: usize, hosts: &[&str]) -> usize {
    let cookie = begin(server);
    let each = times();
    let responses = server.parallel(requests, |i| {
        let timeout = std::time::Duration::from_secs(600);
        with(server, &format!("count={each}"), &cookie).host(hosts[i % hosts.len()]).timeout(timeout)
    });
    for response in &responses {
        assert_eq!(response.status, 200, "{}", server.log());
        assert_eq!(response.header("Set-Cookie"), None);
    }
    assert_eq!(ask(server, "save=0", &cookie), (each * requests).to_string(), "{}", server.log());
    assert_eq!(server.log_count("MP05"), 0, "{}", server.log());
    let mut children: Vec<_> = responses.iter().map(|response| response.text()).collect();
    children.sort();
    children.dedup();
    children.len()
}

#[track_caller]
fn goes_on(mpm: Mpm, kind: &str) {
    let server = site(mpm, kind).start();
    let cookie = begin(&server);
    assert_eq!(cookie.len(), "pysid=".len() + 32, "{cookie}");
    assert_eq!(ask(&server, "save=2", &cookie), "2");
    assert_eq!(ask(&server, "show", &cookie), format!("False 2 {kind} 1800"));
    assert_eq!(ask(&server, "show", "pysid=0123456789abcdef0123456789abcdef"), format!("True None {kind} 1800"));
    assert_eq!(server.get("/s").text(), format!("True None {kind} 1800"));
    assert_eq!(with(&server, "logout", &cookie).send().status, 200);
    assert_eq!(ask(&server, "show", &cookie), format!("True None {kind} 1800"));
    assert_eq!(server.log_count("MP05"), 0, "{}", server.log());
}

for_each_lasting_mpm! {
    fn a_session_in_memory_goes_on(mpm) {
        goes_on(mpm, MEMORY);
    }

    fn no_update_is_lost_in_memory(mpm) {
        let server = site(mpm, MEMORY).children(1).threads(12).start();
        adds_up(&server, 12, &["localhost"]);
    }
}

for_each_mpm! {
    fn a_session_goes_on(mpm) {
        goes_on(mpm, FILE);
        goes_on(mpm, DBM);
    }

    fn no_update_is_lost_in_files(mpm) {
        let server = site(mpm, FILE).children(4).threads(12).start();
        let children = adds_up(&server, 48, &["localhost"]);
        assert!(children > 1 || mpm == Mpm::OneChild);
    }

    fn no_update_is_lost_in_a_dbm_file(mpm) {
        let server = site(mpm, DBM).children(4).threads(12).start();
        let children = adds_up(&server, 48, &["localhost"]);
        assert!(children > 1 || mpm == Mpm::OneChild);
    }

    fn virtual_hosts_have_sessions_in_common(mpm) {
        for kind in [FILE, DBM] {
            let server = site(mpm, kind).children(2).threads(4).vhost("a.test", "").vhost("b.test", "").start();
            adds_up(&server, 8, &["a.test", "b.test", "localhost"]);
        }
    }

    fn cleaning_up_meanwhile_loses_nothing(mpm) {
        for kind in [FILE, DBM] {
            let server = site(mpm, kind).children(2).threads(4).start();
            let cookie = begin(&server);
            for response in server.parallel(8, |_| with(&server, "busy", &cookie)) {
                assert_eq!(response.status, 200, "{}", server.log());
            }
            assert_eq!(ask(&server, "save=0", &cookie), "40", "{}", server.log());
            assert_eq!(server.log_count("MP05"), 0, "{}", server.log());
        }
    }

    /// The next request of the client would wait for ever otherwise.
    fn the_lock_goes_with_the_request(mpm) {
        let server = site(mpm, FILE).children(2).start();
        let cookie = begin(&server);
        assert_eq!(with(&server, "fail", &cookie).send().status, 500);
        server.wait_for_log("on purpose", 1);
        assert_eq!(ask(&server, "save=1", &cookie), "1");
        server.expect_child_death();
        assert!(with(&server, "die", &cookie).try_send().is_err());
        assert_eq!(ask(&server, "save=1", &cookie), "2");
        assert_eq!(server.log_count("MP06"), 0, "{}", server.log());
    }

    /// event sends the rest of a response on other threads than the one that ran the handler.
    fn the_lock_goes_with_a_request_that_ends_on_another_thread(mpm) {
        let server = site(mpm, FILE).children(2).threads(4).config("SendBufferSize 4096").start();
        let cookie = begin(&server);
        // Somewhere in between, the handler returns before the client has all, which does not read yet
        let sizes = 4..=20;
        for (round, size) in sizes.clone().map(|size| size * 16).enumerate() {
            let mut slow = server.raw();
            slow.send(with(&server, &format!("keep={size}"), &cookie).to_bytes());
            server.wait_until_asleep();
            assert_eq!(slow.response().body.len(), size << 10);
            assert_eq!(ask(&server, "show", &cookie), format!("False {} {FILE} 1800", round + 1), "{}", server.log());
        }
        let ended = server.wait_for_log("on this thread", sizes.count());
        assert!(!mpm.is_event() || ended.iter().any(|line| line.contains("not on this")), "{}", server.log());
        assert_eq!(server.log_count("MP06"), 0, "{}", server.log());
    }

    fn a_request_does_not_wait_for_itself(mpm) {
        let server = site(mpm, FILE).start();
        let cookie = begin(&server);
        assert_eq!(with(&server, "again", &cookie).send().status, 500);
        server.wait_for_log("SessionError: MP0515: this request has opened the session already", 1);
        assert!(!server.log().contains(cookie.trim_start_matches("pysid=")), "{}", server.log());
        assert_eq!(ask(&server, "save=1", &cookie), "2");
    }

    fn a_redirected_request_has_the_session_too(mpm) {
        let server = site(mpm, FILE).start();
        let cookie = begin(&server);
        assert_eq!(ask(&server, "redirect", &cookie), "2");
        assert_eq!(ask(&server, "save=1", &cookie), "4");
    }

    fn a_page_and_its_includes_have_the_session(mpm) {
        let page = "<!--#include virtual=\"/s?save=1\" --> <!--#include virtual=\"/s?save=2\" -->";
        let server = site(mpm, FILE).file("page.shtml", page).config("AddOutputFilter INCLUDES .shtml").start();
        let cookie = begin(&server);
        let response = server.request("GET", "/page.shtml").header("Cookie", &cookie).send();
        assert_eq!(response.text().trim_end(), "1 3", "{}", server.log());
        assert_eq!(ask(&server, "save=0", &cookie), "3");
    }

    fn a_login_gets_another_id(mpm) {
        for kind in [FILE, DBM] {
            let server = site(mpm, kind).children(2).start();
            let before = begin(&server);
            ask(&server, "save=7", &before);
            let response = with(&server, "login", &before).send();
            let after = cookie(&response);
            assert_eq!((response.text(), after != before), (before.trim_start_matches("pysid=").to_owned(), true));
            assert_eq!(ask(&server, "save=1", &after), "8");
            assert_eq!(ask(&server, "show", &before), format!("True None {kind} 1800"));
            // A session that begins with the login has one cookie; others of the response stay
            let response = server.get("/s?login=with");
            let sent = response.headers.all("Set-Cookie");
            assert_eq!((sent.len(), sent[0], sent[1].starts_with("pysid=")), (2, "other=1", true), "{sent:?}");
            assert_eq!(ask(&server, "save=1", &cookie_of(sent[1])), "1");
        }
    }

    fn sessions_survive_a_restart(mpm) {
        for kind in [FILE, DBM] {
            let server = site(mpm, kind).children(2).start();
            let cookie = begin(&server);
            ask(&server, "save=7", &cookie);
            server.restart();
            assert_eq!(ask(&server, "save=1", &cookie), "8", "{}", server.log());
        }
    }

    /// What another user of the machine has prepared is refused, with what to do in the log and nothing on the page.
    fn a_folder_that_others_can_write_to_is_refused(mpm) {
        for kind in [FILE, DBM] {
            let server = site(mpm, kind).start();
            let cookie = begin(&server);
            let folder = server.scratch().join("mp_sess");
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("our own folder");
            let response = with(&server, "show", &cookie).send();
            assert_eq!((response.status, response.text().contains("mp_sess")), (500, false));
            server.wait_for_log("mp_sess can be written by others (its mode is 0777), so what is in it cannot be trusted: set PythonOption", 1);
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("our own folder");
            assert_eq!(ask(&server, "save=1", &cookie), "1");
        }
    }
}

/// Where the directive says nothing, the number of processes decides.
#[test]
fn the_kind_that_is_chosen_follows_the_process_model() {
    for (mpm, children, kind) in
        [(Mpm::Prefork, 1, DBM), (Mpm::Worker, 1, MEMORY), (Mpm::Event, 2, DBM), (Mpm::OneChild, 1, MEMORY)]
    {
        let server = Httpd::new(mpm)
            .children(children)
            .handler("s", SITE)
            .config("PythonOption mod_python.session.database_directory ${SCRATCH}")
            .start();
        assert_eq!(server.get("/s").text(), format!("True None {kind} 1800"), "{mpm}: {}", server.log());
    }
}

#[test]
fn interpreters_with_gils_of_their_own_have_sessions_in_common() {
    if !has_own_gil() {
        return;
    }
    for kind in [FILE, DBM] {
        let server = site(Mpm::Event, kind)
            .children(2)
            .threads(6)
            .config("PythonInterpreterOptions * gil=own")
            .vhost("a.test", "")
            .vhost("b.test", "")
            .start();
        adds_up(&server, 12, &["a.test", "b.test"]);
    }
}

#[test]
fn each_interpreter_has_sessions_in_memory_of_its_own() {
    let server = site(Mpm::OneChild, MEMORY).vhost("a.test", "").vhost("b.test", "").start();
    let response = with(&server, "save=5", "").host("a.test").send();
    let cookie = cookie(&response);
    assert_eq!(with(&server, "save=1", &cookie).host("a.test").send().text(), "6");
    assert_eq!(with(&server, "save=1", &cookie).host("b.test").send().text(), "1");
}

/// The records that lie there are somebody else's: nothing in them is run.
#[test]
fn what_lies_in_the_folder_is_not_run() {
    let server = site(Mpm::Event, FILE).start();
    let cookie = begin(&server);
    let sid = cookie.trim_start_matches("pysid=");
    let path = server.scratch().join("mp_sess").join(&sid[..2]).join(sid);
    let whole = fs::read(&path).expect("a session's file");
    let touched = server.scratch().join("touched");
    // A pickle that makes a file when it is loaded
    let bomb = format!("cposix\nmkdir\n(V{}\ntR.", touched.display()).into_bytes();
    let mut changed = whole.clone();
    *changed.last_mut().expect("not empty") ^= 1;
    for forged in [&b""[..], &whole[..whole.len() / 2], &changed, &bomb, &[&whole[..48], &bomb].concat()] {
        fs::write(&path, forged).expect("a file of the test's");
        assert_eq!(ask(&server, "show", &cookie), format!("True None {FILE} 1800"));
    }
    assert_eq!(server.log_count("MP0512"), 5, "{}", server.log());
    assert!(!touched.exists() && !server.log().contains(sid), "{}", server.log());
    fs::write(&path, &whole).expect("a file of the test's");
    assert_eq!(ask(&server, "save=1", &cookie), "1");
}

#[test]
fn what_cannot_be_stored_is_an_error() {
    let server = site(Mpm::Event, FILE).start();
    let cookie = begin(&server);
    let folder = server.scratch().join("mp_sess").join(&cookie["pysid=".len()..][..2]);
    if fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).is_err() {
        return;
    }
    assert_eq!(ask(&server, "show", &cookie), format!("False 0 {FILE} 1800"));
    let response = with(&server, "save=1", &cookie).send();
    assert_eq!(response.status, 500, "{}", response.text());
    server.wait_for_log("/mp_sess: Permission denied", 1);
    assert!(server.log_count("SessionError: MP0511: a session could not be stored in ") > 0, "{}", server.log());
    assert!(!server.log().contains(&cookie["pysid=".len()..]), "{}", server.log());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("our own folder");
    assert_eq!(ask(&server, "save=1", &cookie), "1");
}

#[test]
fn names_of_the_module() {
    let (server, path) = sharing(
        Mpm::Event,
        r#"
        import os
        import time
        from mod_python import Session

        def check(req):
            assert (Session.COOKIE_NAME, Session.DFT_TIMEOUT, Session.DFT_LOCK, Session.CLEANUP_CHANCE) == ('pysid', 1800, True, 1000)
            assert (Session.DFT_FAST_CLEANUP, Session.DFT_VERIFY_CLEANUP) == (True, True)
            assert (Session.DFT_GRACE_PERIOD, Session.DFT_CLEANUP_TIME_LIMIT) == (240, 2)
            for kind in (Session.FileSession, Session.DbmSession, Session.MemorySession, Session.StoreSession):
                assert issubclass(kind, Session.BaseSession)
            assert issubclass(Session.SessionError, Exception)

            before = time.time()
            session = Session.MemorySession(req)
            session.init_lock()
            assert session.is_new() and len(session.id()) == 32 and session.timeout() == 1800
            assert before <= session.created() <= session.last_accessed() <= time.time()
            assert str(session.make_cookie()).startswith(f"pysid={session.id()}; path=/")
            session['x'] = 1
            session.set_timeout(5)
            session.save()
            session['x'] = 2
            assert session.load() == 1 and session['x'] == 1
            first = session.id()
            assert session.regenerate() != first
            session.cleanup()
            session.unlock()
            session.lock()
            Session.unlock_session_cleanup(session)
            session.delete()
            session.invalidate()
            raises(Session.SessionError, session.regenerate, says="open another one")
            kept = {'a': {'_accessed': 0, '_timeout': 1}, 'b': {'_accessed': time.time(), '_timeout': 9}}
            Session.mem_cleanup(kept)
            assert list(kept) == ['b']
            # They log what goes wrong, and raise nothing: they run when a request is over
            Session.dbm_cleanup(None)
            Session.filesession_cleanup(None)

            bare = Session.BaseSession.__new__(Session.BaseSession)
            for method, arguments in ((bare.do_load, ()), (bare.do_save, ({},)), (bare.do_delete, ())):
                raises(NotImplementedError, method, *arguments, says="BaseSession has no")
            assert bare.do_cleanup() is None
        "#,
    );
    passed(&server, &server.get(&path));
    assert_eq!(server.log_count("MP0516: the sessions cannot be cleaned up"), 2, "{}", server.log());
}
