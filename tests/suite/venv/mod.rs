//! Virtual environments: `PythonInterpreterOptions NAME venv=` and `PythonHome`.

mod errors;
mod facts;
mod folders;
mod home;
mod tools;

use std::fs;

use crate::fixture::{Httpd, Mpm, Response, Server, for_each_lasting_mpm, not_tested};
use folders::{Folders, Venv, python};

/// An application that tells what it has.
const APPLICATION: &str = r#"
    import os
    import sys

    def version():
        try:
            import thing
            from importlib.metadata import version
        except ImportError:
            return "none"
        return "%s %s" % (thing.version, version("thing"))

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [("%d|%s|%s|%s" % (os.getpid(), version(), sys.prefix, environ["mod_python.interpreter"])).encode()]
"#;

/// A server with an application that each virtual host has in an interpreter of its own.
fn site(mpm: Mpm) -> Httpd {
    Httpd::new(mpm).file("site/app.py", APPLICATION).config("PythonApplication / app:application path=${HTDOCS}/site")
}

/// Whether there is a Python to make environments with; else the test is not done.
fn has_python() -> bool {
    let has = python().is_some();
    if !has {
        not_tested("there is no program of the Python that the module was built for: PYO3_PYTHON can name it");
    }
    has
}

/// What the application has told: the child, the version of `thing`, the prefix, the interpreter.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    pid: u32,
    thing: String,
    prefix: String,
    interpreter: String,
}

impl Told {
    #[track_caller]
    fn of(response: &Response) -> Told {
        let text = response.text();
        assert_eq!(response.status, 200, "{text}");
        let mut parts = text.split('|').map(str::to_owned);
        let mut next = || parts.next().expect("four parts");
        Told { pid: next().parse().expect("a number"), thing: next(), prefix: next(), interpreter: next() }
    }
}

#[track_caller]
fn told(server: &Server, host: &str) -> Told {
    Told::of(&server.request("GET", "/").host(host).send())
}

/// The hosts old.test and new.test, with two versions of a package.
fn two_versions(folders: &Folders, httpd: Httpd) -> (Httpd, Venv, Venv) {
    let old = folders.venv("old", &[]).with_package("thing", "1.0");
    let new = folders.venv("new", &[]).with_package("thing", "2.0");
    let httpd = httpd
        .config(format!("PythonInterpreterOptions old.test venv={}", old.folder()))
        .vhost("old.test", "")
        .vhost("new.test", format!("PythonInterpreterOptions new.test venv={}/", new.folder()))
        .vhost("plain.test", "");
    (httpd, old, new)
}

/// While one is made, another one's site is not to be put off.
#[test]
fn many_are_made_at_once() {
    if !has_python() {
        return;
    }
    const COUNT: usize = 12;
    let folders = Folders::new();
    let venv = folders.venv("one", &[]).with_package("thing", "1.0");
    let hosts: Vec<_> =
        (0..COUNT).map(|index| format!("{}{index}.test", ["plain", "venv", "venv"][index % 3])).collect();
    let mut httpd = site(Mpm::OneChild).threads(COUNT);
    for host in &hosts {
        let option = format!("PythonInterpreterOptions {host} venv={}", venv.folder());
        httpd = httpd.vhost(host, if host.starts_with("venv") { &option } else { "" });
    }
    for _ in 0..3 {
        let server = httpd.start();
        for response in server.parallel(2 * COUNT, |index| server.request("GET", "/").host(&hosts[index % COUNT])) {
            let told = Told::of(&response);
            assert_eq!(told.thing, if told.interpreter.starts_with("venv") { "1.0 1.0" } else { "none" }, "{told:?}");
        }
    }
}

#[test]
fn the_star_is_for_all_others_and_none_takes_one_out() {
    if !has_python() {
        return;
    }
    let folders = Folders::new();
    let shared = folders.venv("shared", &[]).with_package("thing", "1.0");
    let own = folders.venv("own", &[]).with_package("thing", "2.0");
    let server = site(Mpm::OneChild)
        .config(format!(
            "PythonInterpreterOptions * venv={}\nPythonInterpreterOptions own.test venv={}\nPythonInterpreterOptions plain.test venv=None",
            shared.folder(),
            own.folder()
        ))
        .vhost("a.test", "")
        .vhost("own.test", "")
        .vhost("plain.test", "")
        .vhost("main.test", "PythonInterpreter main_interpreter")
        .start();
    let things = ["a.test", "own.test", "plain.test", "main.test"].map(|host| told(&server, host).thing);
    assert_eq!(things, ["1.0 1.0", "2.0 2.0", "none", "1.0 1.0"]);
    assert_eq!(told(&server, "main.test").interpreter, "main_interpreter");
}

/// A release replaces the environment's folder by a link to another one: new children have it.
#[test]
fn a_link_is_followed_when_a_child_starts() {
    if !has_python() {
        return;
    }
    let folders = Folders::new();
    let (one, two) =
        (folders.venv("one", &[]).with_package("thing", "1.0"), folders.venv("two", &[]).with_package("thing", "2.0"));
    let current = folders.path("current");
    let link = |to: &Venv| {
        let _ = fs::remove_file(&current);
        std::os::unix::fs::symlink(&to.0, &current).expect("it is ours");
    };
    link(&one);
    let server =
        site(Mpm::Event).config(format!("PythonInterpreterOptions localhost venv={}", current.display())).start();
    assert_eq!(told(&server, "localhost").thing, "1.0 1.0");
    link(&two);
    server.graceful();
    let now = told(&server, "localhost");
    assert_eq!((now.thing.as_str(), now.prefix), ("2.0 2.0", current.display().to_string()));
}

for_each_lasting_mpm! {
    /// What no other server does: one process, two environments.
    fn two_versions_of_a_package_serve_from_one_child(mpm) {
        if !has_python() {
            return;
        }
        let folders = Folders::new();
        let (httpd, old, new) = two_versions(&folders, site(mpm).children(1));
        let server = httpd.start();
        let hosts = ["old.test", "new.test", "plain.test"];
        let answers: Vec<_> = (0..4)
            .flat_map(|_| server.parallel(12, |index| server.request("GET", "/").host(hosts[index % 3])))
            .map(|response| Told::of(&response))
            .collect();
        let children = server.child_pids();
        assert_eq!(children.len(), 1);
        for (index, told) in answers.iter().enumerate() {
            assert_eq!(told.interpreter, hosts[index % 3]);
            assert_eq!(told.pid, children[0], "one child serves all of them");
            match index % 3 {
                0 => assert_eq!((told.thing.as_str(), told.prefix.clone()), ("1.0 1.0", old.folder())),
                1 => assert_eq!((told.thing.as_str(), told.prefix.clone()), ("2.0 2.0", new.folder())),
                _ => assert_eq!((told.thing.as_str(), old.folder() == told.prefix), ("none", false)),
            }
        }
        assert_eq!(server.log_count("MP03"), server.log_count("MP0301"), "{}", server.log());
    }
}
