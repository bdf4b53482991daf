//! What each interpreter has for itself: environment, arguments, path, modules.

use crate::common::who::site;
use crate::fixture::{Httpd, Mpm, Server};

/// The environment through a handler: `/get/NAME`, `/set/NAME/VALUE`, `/del/NAME`, `/program/NAME`.
fn environments() -> Httpd {
    site(Mpm::OneChild)
        .file(
            "lib/environment.py",
            r#"
            import os
            import subprocess
            import sys

            def handler(req):
                what, name, *value = req.uri.strip("/").split("/")
                if what == "set":
                    os.environ[name] = value[0]
                elif what == "del":
                    del os.environ[name]
                if what == "program":
                    script = "import os; print(os.environ.get(%r))" % name
                    shown = subprocess.run([sys.executable, "-c", script], env=dict(os.environ), check=True,
                                           capture_output=True, text=True).stdout.strip()
                else:
                    shown = os.environ.get(name)
                    both = os.environb.get(name.encode())
                    assert shown == (both and os.fsdecode(both)) == os.getenv(name)
                req.write(str(shown))
                return 0
            "#,
        )
        .config("PythonHandler environment")
        .env("FROM_OUTSIDE", "httpd's own")
        .env("TO_BE_DELETED", "still there")
        .vhost("a.test", "")
        .vhost("b.test", "")
        .vhost("main.test", "PythonInterpreter main_interpreter")
}

#[track_caller]
fn told(server: &Server, host: &str, path: &str) -> String {
    let response = server.request("GET", path).host(host).send();
    assert_eq!(response.status, 200, "{}", response.text());
    response.text()
}

/// P11: a write reached the interpreters that were made later, so that an application ran with another one's settings.
#[test]
fn what_one_writes_to_its_environment_no_other_sees() {
    let server = environments().start();
    for host in ["a.test", "main.test"] {
        assert_eq!(told(&server, host, "/set/SETTINGS/mine"), "mine");
        told(&server, host, "/set/FROM_OUTSIDE/changed");
        told(&server, host, "/del/TO_BE_DELETED");
        assert_eq!(told(&server, host, "/get/TO_BE_DELETED"), "None");
    }

    // Made later than those writes.
    assert_eq!(told(&server, "b.test", "/get/SETTINGS"), "None");
    assert_eq!(told(&server, "b.test", "/get/FROM_OUTSIDE"), "httpd's own");
    assert_eq!(told(&server, "b.test", "/get/TO_BE_DELETED"), "still there");

    told(&server, "b.test", "/set/SETTINGS/other");
    assert_eq!(told(&server, "a.test", "/get/SETTINGS"), "mine", "a write lasts, and only in its own interpreter");
    assert_eq!(told(&server, "a.test", "/program/SETTINGS"), "mine", "and is what a program is given");
    assert_eq!(told(&server, "b.test", "/program/SETTINGS"), "other");
}

#[test]
fn the_environment_is_that_of_httpd_without_setenv() {
    let server = environments().config("SetEnv FROM_SETENV yes\nPassEnv FROM_OUTSIDE\nUnsetEnv TO_BE_DELETED").start();
    assert_eq!(told(&server, "a.test", "/get/FROM_SETENV"), "None");
    assert_eq!(told(&server, "a.test", "/get/FROM_OUTSIDE"), "httpd's own");
    assert_eq!(told(&server, "a.test", "/get/TO_BE_DELETED"), "still there");
    assert_eq!(told(&server, "a.test", "/get/LANG"), "C.UTF-8");
}

#[test]
fn arguments_path_and_modules_are_its_own() {
    let server = site(Mpm::OneChild)
        .file(
            "lib/globals.py",
            r#"
            import json
            import sys

            def handler(req):
                seen = [sys.argv, "/mine" in sys.path, "mine" in sys.modules, hasattr(json, "mine"), hasattr(sys, "mine")]
                req.write(repr(seen))
                sys.argv.append("mine")
                sys.path.append("/mine")
                sys.modules["mine"] = json
                json.mine = sys.mine = True
                return 0
            "#,
        )
        .config("PythonHandler globals")
        .vhost("a.test", "")
        .vhost("b.test", "")
        .vhost("main.test", "PythonInterpreter main_interpreter")
        .start();
    for host in ["a.test", "b.test", "main.test"] {
        assert_eq!(told(&server, host, "/x"), "[['mod_python'], False, False, False, False]", "{host}");
        assert_eq!(told(&server, host, "/x"), "[['mod_python', 'mine'], True, True, True, True]", "{host}");
    }
}
