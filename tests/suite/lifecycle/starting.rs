//! Start: as a daemon's children, as one process, when Python is used and when it is not.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::common::who::{Answer, ask, site};
use crate::fixture::{
    Httpd, Mpm, Server, for_each_lasting_mpm, for_each_mpm, has_module, not_tested, python_version, wait_until,
};

for_each_mpm! {
    fn exit_functions_run_at_the_end_of_the_one_process(mpm) {
        let server = site(mpm)
            .one_process()
            .file(
                "lib/leaving.py",
                "
                import os
                from mod_python import apache
                from who import tell

                def leave(path):
                    open(path, 'w').close()

                apache.register_cleanup(leave, os.path.join(apache.server_root(), 'scratch', 'left'))

                def handler(req):
                    return tell(req)
                ",
            )
            .config("PythonHandler leaving")
            .start();
        ask(&server, "localhost", "/x");
        let took = server.stop_with(libc::SIGINT);
        assert!(took.as_secs() < 5, "{took:?}");
        assert!(server.scratch().join("left").exists(), "{}", server.log());
    }
}

for_each_lasting_mpm! {
    fn one_process_serves_by_itself(mpm) {
        let server = site(mpm)
            .one_process()
            .config("PythonHandler who\nPythonImport who imported")
            .vhost("a.test", "")
            .vhost("imported.test", "PythonInterpreter imported")
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        for (host, name) in
            [("localhost", "localhost"), ("a.test", "a.test"), ("imported.test", "imported"), ("main.test", "main_interpreter")]
        {
            for count in 1..=3 {
                let answer = ask(&server, host, "/x");
                assert_eq!((answer.pid, answer.interpreter.as_str(), answer.count), (server.parent_pid(), name, count));
            }
        }
        assert_eq!(server.log_count("MP0301"), 4);
        assert!(server.child_pids().is_empty());
        // As Ctrl-C does.
        let took = server.stop_with(libc::SIGINT);
        assert!(took.as_secs() < 5, "{took:?}");
    }

    /// P20: no directive has asked for Python when the child starts, then a .htaccess file does.
    fn python_starts_when_a_htaccess_file_asks_for_it(mpm) {
        let server = site(mpm).children(1).file("late/.htaccess", "PythonHandler who").file("plain.txt", "as it is").start();
        assert_eq!(server.get("/plain.txt").text(), "as it is\n");
        assert!(!runs_python(&server));

        // Several at once: it is started once.
        let count = if mpm.is_threaded() { 4 } else { 1 };
        let answers: Vec<Answer> =
            server.parallel(count, |_| server.request("GET", "/late/x")).iter().map(Answer::of).collect();
        assert!(answers.iter().all(|answer| answer.module == answers[0].module), "{answers:?}");
        assert!(runs_python(&server));
        assert_eq!(server.log_count("MP0301"), 1);
        assert_eq!(server.get("/plain.txt").text(), "as it is\n");
    }
}

for_each_mpm! {
    fn python_is_not_started_for_a_configuration_without_it(mpm) {
        let server = Httpd::new(mpm)
            .config("PythonOption a b\nPythonDebug On\nPythonInterpreter some\nPythonOptimize On")
            .config("PythonInterpreterOptions * gil=shared")
            .config("<Location /nothing>\n    SetHandler mod_python\n</Location>")
            .file("plain.txt", "as it is")
            .start();
        assert_eq!(server.get("/plain.txt").text(), "as it is\n");
        assert_eq!(server.get("/nothing").status, 404);
        assert!(!runs_python(&server));
        assert_eq!(server.log_count("MP0"), 0, "{}", server.log());
    }
}

/// Recursion ends in RecursionError, however little an administrator gives to threads.
const DEEP: &str = r#"
    import asyncio, copy, ctypes, datetime, decimal, email, json, pickle, re, sqlite3, ssl, urllib.request, xml.dom.minidom
    from who import tell

    def nested(depth):
        value = []
        for _ in range(depth):
            value = [value]
        return value

    def python():
        def down(n):
            return down(n + 1)
        down(0)

    def key_function():
        def down(n):
            return sorted([1], key=lambda _: down(n + 1))
        down(0)

    class Recursive:
        def __getattr__(self, name):
            return getattr(self, name + "x")
        def __repr__(self):
            return repr(self)

    WAYS = {
        "python": python,
        "key_function": key_function,
        "json": lambda: json.loads("[" * 100000),
        "dumps": lambda: json.dumps(nested(100000)),
        "pickle": lambda: pickle.dumps(nested(100000)),
        "copy": lambda: copy.deepcopy(nested(100000)),
        "repr": lambda: repr(nested(100000)),
        "equal": lambda: nested(100000) == nested(100000),
        "attribute": lambda: Recursive().x,
        "own_repr": lambda: repr(Recursive()),
    }

    def handler(req):
        for way in WAYS.values():
            try:
                way()
            except RecursionError:
                pass
        return tell(req)
"#;

/// P23: what httpd gives its threads may be less than Python needs.
#[test]
fn a_small_stack_is_made_larger() {
    for mpm in [Mpm::Worker, Mpm::Event] {
        for (directive, is_raised) in
            [("ThreadStackSize 131072", true), ("ThreadStackSize 8388608", false), ("", false)]
        {
            let server = site(mpm)
                .children(1)
                .config(format!(
                    "{directive}\nPythonHandler who\n<Location /deep>\n    PythonHandler deep\n</Location>"
                ))
                .file("lib/deep.py", DEEP)
                .start();
            let children = server.child_pids();
            for _ in 0..3 {
                ask(&server, "localhost", "/deep");
                assert_eq!(ask(&server, "localhost", "/x").interpreter, "localhost");
            }
            assert_eq!(server.child_pids(), children);
            let said = server.log_lines("MP0109: ");
            assert_eq!(said.len(), usize::from(is_raised), "{directive}: {said:?}");
            assert!(said.iter().all(|line| line.contains("not 131072:") && line.contains("[python:warn]")), "{said:?}");
        }
    }
}

/// Each request says so, and the rest of the server works.
#[test]
fn a_python_that_cannot_start_is_said() {
    for mpm in Mpm::ALL {
        let server = site(mpm)
            .children(1)
            .env("PYTHONHOME", "/no/such/folder")
            .config("PythonHandler who\nPythonImport who localhost")
            .config("<Location /plain.txt>\n    SetHandler none\n</Location>")
            .file("plain.txt", "as it is")
            .start();
        for _ in 0..2 {
            assert_eq!(server.get("/x").status, 500);
            assert_eq!(server.get("/plain.txt").text(), "as it is\n");
        }
        let said = server.log_lines("MP0101: ");
        assert_eq!(said.len(), 1, "{}", server.log());
        assert!(said[0].contains("/no/such/folder, from PYTHONHOME in httpd's environment"), "{said:?}");
        let said = server.log_lines("MP0402: ");
        assert!(said.len() == 2 && said[0].contains("PythonHandler 'who'"), "{said:?}");
    }
}

/// A folder with a sitecustomize, which Python imports at its start; removed on drop.
pub struct AtStart(PathBuf);

impl AtStart {
    pub fn new(name: &str, source: &str) -> AtStart {
        let folder = env::temp_dir().join(format!("mod_python-test-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("it is ours");
        fs::write(folder.join("sitecustomize.py"), source).expect("it is ours");
        AtStart(folder)
    }

    /// For PYTHONPATH.
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for AtStart {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("it is ours");
    }
}

/// What makes an interpreter fails: requests for it fail, until it is mended.
#[test]
fn an_interpreter_that_cannot_be_made_is_said_and_tried_again() {
    // `random` is one of the modules that making an interpreter looks into, if Python's start has loaded them (`_KNOWN_HOOKS`).
    let broken = AtStart::new(
        "broken",
        "
import os, sys

class Broken:
    def __getattr__(self, name):
        raise ImportError('not today') if os.path.exists(__file__) else AttributeError(name)

sys.modules['random'] = Broken()
",
    );
    let server = site(Mpm::Event)
        .children(1)
        .env("PYTHONPATH", &broken.0)
        .config("PythonHandler who\nPythonImport who imported")
        .vhost("main.test", "PythonInterpreter main_interpreter")
        .start();

    for host in ["localhost", "main.test"] {
        for _ in 0..2 {
            assert_eq!(server.request("GET", "/x").host(host).send().status, 500);
        }
        let name = if host == "localhost" { host } else { "main_interpreter" };
        let said = server.log_lines(&format!("MP0303: interpreter '{name}'"));
        assert!(said.len() == 1 && said[0].contains("ImportError: not today"), "tried once: {said:?}");
    }
    assert_eq!(server.log_count("MP0403: "), 5, "{}", server.log());
    assert!(server.log_lines("MP0403: ")[0].contains("PythonImport 'who'"), "{}", server.log());

    // The next try comes after ten seconds, the one after that later.
    let begun = Instant::now();
    let tried = || server.log_lines("MP0303: interpreter 'localhost' could not be set up");
    wait_until("a second try", || {
        assert_eq!(server.get("/x").status, 500);
        tried().len() == 2
    });
    assert!(begun.elapsed() > Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(tried()[0].contains("after 10 s.") && tried()[1].contains("after 20 s."), "{:?}", tried());
    assert_eq!(server.get("/x").status, 500);
    assert_eq!(tried().len(), 2);

    drop(broken);
    wait_until("the next try", || server.request("GET", "/x").host("main.test").send().status == 200);
    assert!(ask(&server, "main.test", "/x").count > 1);
}

/// It is made while a request waits, under mpm_itk for each connection.
#[test]
fn an_interpreter_loads_no_more_of_the_standard_library_than_python_itself() {
    let start = AtStart::new(
        "lean",
        "
import sys
if sys.version_info < (3, 13):
    import threading  # on purpose there, with all that it brings
sys.at_start = set(sys.modules)
",
    );
    let server = Httpd::new(Mpm::Event)
        .env("PYTHONPATH", &start.0)
        .handler(
            "lean",
            "
            import sys
            # Up to Python 3.11 one is kept from being loaded.
            loaded = {name for name, module in sys.modules.items() if module is not None}
            more = loaded - sys.at_start - set(sys.builtin_module_names)

            def handler(req):
                req.write(' '.join(sorted(name for name in more if name.partition('.')[0] != 'mod_python')))
                return 0
            ",
        )
        .config("<Location /main>\nPythonInterpreter main_interpreter\n</Location>")
        .config("AliasMatch ^/main ${HTDOCS}/lean")
        .start();
    // The main one first: for interpreters with GILs of their own it is given something to hold.
    for path in ["/main", "/lean"] {
        // Since 3.14 Python itself leaves `io` for later, which sys.stdout and sys.stderr need.
        let expected = if python_version() >= (3, 14) { "io lean" } else { "lean" };
        assert_eq!(server.get(path).text(), expected, "{path}");
    }
}

/// A module for tracing or coverage imports it from a .pth file, say.
#[test]
fn threads_are_told_of_where_threading_was_imported_at_the_start_of_python() {
    let start = AtStart::new("early", "import threading\n");
    let server = Httpd::new(Mpm::Event)
        .env("PYTHONPATH", &start.0)
        .handler(
            "fails",
            "
            import threading

            def fail():
                raise ValueError('in the thread')

            def handler(req):
                thread = threading.Thread(target=fail, name='mine')
                thread.start()
                thread.join()
                return 0
            ",
        )
        .start();
    assert_eq!(server.get("/fails").status, 200);
    assert!(server.wait_for_log("MP0701: ", 1)[0].contains("thread 'mine'"), "{}", server.log());
}

/// Whether a child has begun to run Python: then it has a thread state's worth of the standard library in memory.
fn runs_python(server: &Server) -> bool {
    // The unused library is mapped too, but nothing has been read into what it keeps for interpreters.
    const STARTED: u64 = 3000;
    let anonymous = |pid: u32| -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the child lives");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a kernel that counts");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let children = server.child_pids();
    let parent = anonymous(server.parent_pid());
    children.iter().any(|pid| anonymous(*pid) > parent + STARTED)
}

#[test]
fn the_modules_beside_it_are_not_disturbed() {
    let server = site(Mpm::Event)
        .config(
            r#"
            PythonHandler who
            ExtendedStatus On
            <Location /status>
                SetHandler server-status
            </Location>
            <Location /plain>
                SetHandler none
            </Location>
            "#,
        )
        .file("plain/page.html", "<!--#echo var=\"X\" -->")
        .start();
    for _ in 0..3 {
        assert_eq!(ask(&server, "localhost", "/x").interpreter, "localhost");
        let status = server.get("/status?auto");
        assert_eq!(status.status, 200);
        for part in ["ServerMPM: event", "BusyWorkers: ", "Scoreboard: "] {
            assert!(status.text().contains(part), "{part} in {}", status.text());
        }
        assert_eq!(server.get("/plain/page.html").text(), "<!--#echo var=\"X\" -->\n");
    }
}

/// Both would start Python in the children; where mod_wsgi does not, they go on side by side.
#[test]
fn mod_wsgi_beside_this_module_is_refused_unless_it_leaves_the_children_alone() {
    if !has_module("wsgi") {
        return not_tested("mod_wsgi is not installed (Debian: libapache2-mod-wsgi-py3)");
    }
    for mpm in Mpm::ALL {
        let beside = || site(mpm).children(1).module("wsgi").config("PythonHandler who\nMaxConnectionsPerChild 3");
        let said = beside().start_fails();
        assert!(said.contains("MP0108: mod_wsgi is loaded") && said.contains("WSGIRestrictEmbedded On"), "{said}");
        let said = beside().config("WSGIRestrictEmbedded Off").start_fails();
        assert!(said.contains("MP0108: "), "{said}");

        let server = beside().config("WSGIRestrictEmbedded On").start();
        for _ in 0..10 {
            assert_eq!(server.get("/x").status, 200, "{}", server.log());
        }
        server.stop();
        assert!(!server.log().contains("Fatal Python error"), "{}", server.log());
        // Where nothing of ours is to run, nobody is in the way.
        let server = site(mpm).module("wsgi").file("plain.txt", "as it is").start();
        assert_eq!(server.get("/plain.txt").text(), "as it is\n");
    }
}

for_each_mpm! {
    /// What the library calls of `_apache` believes nobody who calls it without need.
    fn private_functions_do_no_harm(mpm) {
        let server = site(mpm)
            .children(1)
            .config("PythonHandler harmless")
            .file(
                "lib/harmless.py",
                r#"
                import _apache, sys
                from who import tell

                def handler(req):
                    refused = 0
                    try:
                        _apache._forked_by_python()
                    except RuntimeError as error:
                        assert "nobody has forked" in str(error), error
                        refused += 1
                    extremes = (-1 << 70, -1, 0, 1 << 31, 1 << 70, "", "x\0", b"x", None, (), [], print, object(), 1.5)
                    names = [name for name in dir(_apache) if name.startswith("_") and not name.startswith("__")]
                    assert len(names) > 8, names
                    # Those wait for a lock that another request may have.
                    for name in sorted(set(names) - {"_global_lock", "_global_trylock", "_global_unlock"}):
                        function = getattr(_apache, name)
                        for one in extremes:
                            for given in ((), (one,), (one, one), (one, "x"), ("x", one), (one, one, one), (0, "x", one)):
                                try:
                                    function(*given)
                                except (TypeError, ValueError, LookupError, OverflowError, RuntimeError):
                                    pass
                    for one in extremes:
                        for name in "_global_lock", "_global_trylock", "_global_unlock":
                            for given in ((one,), (one, one), (one, one, one), (req.server, one, 1 << 40), (req.server, one, -5)):
                                try:
                                    getattr(_apache, name)(*given)
                                except (TypeError, ValueError, LookupError, OverflowError, RuntimeError):
                                    pass
                    return tell(req, refused=refused)
                "#,
            )
            .vhost("one.test", "")
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        let children = server.child_pids();
        for _ in 0..2 {
            for host in ["localhost", "one.test", "main.test"] {
                assert_eq!(ask(&server, host, "/x").fact("refused"), "1", "{host}");
            }
        }
        assert_eq!(server.child_pids(), children);
        assert_eq!(server.log_count("MP0102"), 0, "{}", server.log());
    }
}
