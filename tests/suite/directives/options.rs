//! `PythonInterpreterOptions` and `PythonAutoReload`: what they do to a running server.

use crate::common::who::{ask, site};
use crate::fixture::{Mpm, eventually, for_each_mpm, has_own_gil};

for_each_mpm! {
    fn a_gil_mode_is_that_of_the_name(mpm) {
        let own = has_own_gil();
        let mode = if own { "own" } else { "shared" };
        let server = site(mpm)
            .children(1)
            .config(format!("PythonHandler who\nPythonInterpreterOptions * gil={mode}\nPythonInterpreterOptions b.test gil=shared"))
            .vhost("a.test", "")
            .vhost("b.test", "")
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        for (host, name, expected) in [
            ("a.test", "a.test", mode),
            ("b.test", "b.test", "shared"),
            ("main.test", "main_interpreter", "shared"),
        ] {
            assert_eq!(ask(&server, host, "/x").interpreter, name);
            let made = server.log_lines(&format!("MP0301: interpreter '{name}'"));
            assert!(made.len() == 1 && made[0].contains(&format!("{expected} GIL")), "{made:?}");
        }
    }
}

#[test]
fn a_module_that_was_edited_is_loaded_again_unless_reload_is_off() {
    let module = |text: &str| format!("def handler(req):\n    req.write({text:?})\n    return 0\n");
    let server = site(Mpm::OneChild)
        .file("lib/edited.py", module("before"))
        .config("PythonHandler edited\nPythonAutoReload Off")
        .vhost("on.test", "PythonAutoReload On")
        .vhost("unset.test", "")
        .start();
    let text = |host: &str| server.request("GET", "/x").host(host).send().text();
    for host in ["localhost", "on.test", "unset.test"] {
        assert_eq!(text(host), "before");
    }
    server.write("lib/edited.py", module("after"));
    eventually("the edited module", || (text("on.test") == "after").then_some(()));
    assert_eq!((text("localhost").as_str(), text("unset.test").as_str()), ("before", "before"));
}
