//! `PythonImport` and `PythonOptimize`: what is done when a child starts.

use std::fs;

use crate::fixture::{Httpd, Mpm, Server, for_each_mpm};

/// Modules that note each import and call in a file: `trace` of the scratch folder.
fn traced(mpm: Mpm) -> Httpd {
    let module = |text: &str| {
        format!(
            "
            import os
            from mod_python import apache

            def note(what):
                with open(os.path.join(apache.server_root(), 'scratch', 'trace'), 'a') as trace:
                    trace.write('%s in %s of %d\\n' % (what, apache.interpreter, os.getpid()))

            note(__name__)
            {text}
            "
        )
    };
    Httpd::new(mpm)
        .file("lib/first.py", module("def function():\n                note('function')"))
        .file(
            "lib/second.py",
            module("class Class:\n                def method(self):\n                    note('method')\n            instance = Class()"),
        )
        .file("lib/third.py", module(""))
        .file("lib/package/__init__.py", module(""))
        .file("lib/package/inner.py", module(""))
        .file("lib/broken.py", "1 / 0")
        .file("lib/here.py", "import sys\ndef handler(req):\n    req.write(str([n for n in ('first', 'second', 'third', 'broken') if n in sys.modules]))\n    return 0\n")
        .config(
            r#"
            PythonPath "['${HTDOCS}/lib'] + sys.path"
            <Location /here>
                SetHandler mod_python
                PythonHandler here
            </Location>
            "#,
        )
}

/// What one child noted, without its process id.
fn trace(server: &Server, pid: u32) -> Vec<String> {
    let text = fs::read_to_string(server.scratch().join("trace")).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_suffix(&format!(" of {pid}"))).map(String::from).collect()
}

for_each_mpm! {
    fn imports_run_in_file_order_in_every_child_before_it_serves(mpm) {
        let server = traced(mpm)
            .children(2)
            .config(
                "
                PythonImport third localhost
                PythonImport first::function localhost
                PythonImport second::instance.method other
                PythonImport first::function localhost
                ",
            )
            .vhost("a.test", "PythonImport third a.test\nPythonImport package.inner a.test")
            .vhost("b.test", "PythonImport second main_interpreter")
            .start();
        let expected = [
            "third in localhost",
            "first in localhost",
            "function in localhost",
            "second in other",
            "method in other",
            // Imported once, called as often as it is said.
            "function in localhost",
            "third in a.test",
            "package in a.test",
            "package.inner in a.test",
            "second in main_interpreter",
        ];
        for _ in 0..2 {
            // A request is served by a child whose imports are done.
            assert_eq!(server.get("/here").text(), "['first', 'third']");
            for pid in server.child_pids() {
                crate::fixture::wait_until("the child's imports", || trace(&server, pid).len() >= expected.len());
                assert_eq!(trace(&server, pid), expected);
            }
            server.graceful();
        }
        assert!(trace(&server, server.parent_pid()).is_empty(), "no user code runs in the parent");
    }

    fn an_import_that_fails_is_logged_and_the_child_goes_on(mpm) {
        let server = traced(mpm)
            .children(1)
            .config(
                "
                PythonImport no_such_module localhost
                PythonImport broken localhost
                PythonImport first::no_such_function localhost
                PythonImport second::Class.method localhost
                PythonImport third localhost
                ",
            )
            .start();
        assert_eq!(server.get("/here").text(), "['first', 'second', 'third']");
        let failed = server.log_lines("MP0408: ");
        assert_eq!(failed.len(), 4, "{failed:?}");
        for (line, parts) in failed.iter().zip([
            ["PythonImport 'no_such_module' (", "/httpd.conf:", "ModuleNotFoundError: No module named 'no_such_module'"],
            ["PythonImport 'broken' (", "interpreter 'localhost'", "ZeroDivisionError"],
            ["PythonImport 'first::no_such_function' (", "AttributeError", "no_such_function"],
            ["PythonImport 'second::Class.method' (", "TypeError", "self"],
        ]) {
            assert!(parts.iter().all(|part| line.contains(part)), "{parts:?} in {line}");
        }
        let traceback = server.log_lines("PythonImport broken: ");
        assert!(traceback.iter().any(|line| line.contains("1 / 0")), "the traceback shows its line: {traceback:?}");
        assert!(failed.iter().all(|line| line.contains(":error]")), "{failed:?}");
    }
}

#[test]
fn an_import_uses_the_path_and_debug_of_its_server() {
    let server = traced(Mpm::OneChild)
        .file("more/extra.py", "")
        .config("PythonImport extra localhost")
        .config("<Directory ${HTDOCS}>\n    PythonPath \"['${HTDOCS}/more'] + sys.path\"\n</Directory>")
        .vhost("a.test", "PythonPath \"['${HTDOCS}/more'] + sys.path\"\nPythonDebug On\nPythonImport extra a.test")
        .start();
    assert_eq!(server.get("/here").status, 200);
    let failed = server.log_lines("MP0408: ");
    assert_eq!(failed.len(), 1, "a section's path does not count: {failed:?}");
    assert!(failed[0].contains("interpreter 'localhost'"), "{failed:?}");
    assert_eq!(server.log_lines("MP0702: importing module 'extra'").len(), 1, "with PythonDebug On it is logged");
}

#[test]
fn an_import_that_exits_or_stops_at_nothing_is_only_a_failed_one() {
    let server = traced(Mpm::Prefork)
        .children(1)
        .file("lib/exits.py", "raise SystemExit(3)")
        .file("lib/interrupts.py", "raise KeyboardInterrupt")
        .file("lib/recurses.py", "def f():\n    f()\nf()")
        .config("PythonImport exits localhost\nPythonImport interrupts localhost\nPythonImport recurses localhost")
        .start();
    assert_eq!(server.get("/here").text(), "[]");
    let failed = server.log_lines("MP0408: ");
    for (line, error) in failed.iter().zip(["SystemExit", "KeyboardInterrupt", "RecursionError"]) {
        assert!(line.contains(error), "{line}");
    }
    assert_eq!(failed.len(), 3);
}

/// What `python -OO` is about, in a handler.
const OPTIMIZED: &str = "
    import sys

    def documented():
        'A docstring.'

    def handler(req):
        asserts = False
        try:
            assert False
        except AssertionError:
            asserts = True
        req.write('%d %s %s %s' % (sys.flags.optimize, __debug__, documented.__doc__, asserts))
        return 0
";

#[test]
fn optimize_holds_for_every_interpreter_wherever_it_is_on() {
    let optimized = || Httpd::new(Mpm::Prefork).children(1).handler("optimized", OPTIMIZED).vhost("a.test", "");
    for (site, expected) in [
        (optimized(), "0 True A docstring. True"),
        (optimized().config("PythonOptimize Off"), "0 True A docstring. True"),
        (optimized().config("PythonOptimize On"), "2 False None False"),
        (optimized().vhost("b.test", "PythonOptimize On"), "2 False None False"),
        (optimized().config("PythonOptimize On").vhost("b.test", "PythonOptimize Off"), "2 False None False"),
    ] {
        let server = site.start();
        for host in ["localhost", "a.test"] {
            assert_eq!(server.request("GET", "/optimized").host(host).send().text(), expected, "{host}");
        }
    }
}
