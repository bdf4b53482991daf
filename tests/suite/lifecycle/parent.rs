//! The parent: no Python, no threads, no growth.

use std::collections::BTreeSet;
use std::fs;

use crate::common::who::{ask, site};
use crate::fixture::{Mpm, Server, for_each_mpm};

for_each_mpm! {
    fn it_runs_no_user_code(mpm) {
        let server = site(mpm)
            .children(2)
            .file(
                "lib/traces.py",
                "
                import os
                from mod_python import apache
                from who import tell

                def trace(what):
                    with open(os.path.join(apache.server_root(), 'scratch', 'trace'), 'a') as file:
                        file.write('%s %d %d\\n' % (what, os.getpid(), os.getuid()))

                trace('import')

                def called():
                    trace('call')

                def handler(req):
                    trace('request')
                    return tell(req)
                ",
            )
            .config("PythonHandler traces\nPythonImport traces::called main_interpreter\nPythonImport traces localhost")
            .start();
        for restart in [Server::graceful, Server::graceful, Server::restart] {
            ask(&server, "localhost", "/x");
            restart(&server);
        }
        ask(&server, "localhost", "/x");

        let trace = fs::read_to_string(server.scratch().join("trace")).expect("something ran");
        let facts: BTreeSet<Vec<&str>> = trace.lines().map(|line| line.split(' ').collect()).collect();
        let kinds: BTreeSet<&str> = facts.iter().map(|fact| fact[0]).collect();
        assert_eq!(kinds, BTreeSet::from(["call", "import", "request"]));
        let parent = server.parent_pid().to_string();
        assert!(facts.iter().all(|fact| fact[1] != parent), "{trace}");
        // SAFETY: geteuid takes no arguments and cannot fail.
        if unsafe { libc::geteuid() } == 0 {
            assert!(facts.iter().all(|fact| fact[2] != "0"), "and none of it as root: {trace}");
        }
        let threads = fs::read_dir(format!("/proc/{parent}/task")).expect("httpd runs").count();
        assert_eq!(threads, 1, "the parent has no threads");
    }
}

/// P19: what httpd unloads and loads at each restart stays where it is, since thread-local destructors point into it.
#[test]
fn the_module_is_mapped_once_and_stays() {
    let server = site(Mpm::Worker)
        .children(1)
        // A child tells of itself: httpd has changed its user, after which the system shows it to few.
        .file("lib/maps.py", "def handler(req):\n    req.write(open('/proc/self/maps').read())\n    return 0\n")
        .config("PythonHandler maps")
        .start();
    let ours = |maps: &str| -> BTreeSet<String> {
        let is_ours = |line: &&str| line.contains("mod_python") || line.contains("libpython");
        maps.lines().filter(is_ours).map(String::from).collect()
    };
    let start = |lines: &BTreeSet<String>| lines.first().and_then(|line| line.split('-').next().map(String::from));
    let parent = || {
        let maps = fs::read_to_string(format!("/proc/{}/maps", server.parent_pid())).expect("the parent lives");
        ours(&maps)
    };
    let before = parent();
    assert!(!before.is_empty());
    for _ in 0..3 {
        server.graceful();
        assert_eq!(start(&ours(&server.get("/x").text())), start(&before));
    }
    assert_eq!(parent(), before);
}

/// mod_python's, which ran Python, grew by 1.3 MB at each graceful restart.
#[test]
fn it_does_not_grow_from_restart_to_restart() {
    let server = site(Mpm::Prefork)
        .children(1)
        .config(
            "PythonHandler who\nPythonImport who localhost\nPythonOption a b\nPythonInterpreterOptions x gil=shared",
        )
        .start();
    let mut sizes = Vec::new();
    for _ in 0..30 {
        server.graceful();
        ask(&server, "localhost", "/x");
        sizes.push(server.resident_kib(server.parent_pid()));
    }
    // Loading the module anew touches what the first loads did not.
    let growth = sizes[29].saturating_sub(sizes[4]);
    assert!(growth < 256, "KiB after each restart: {sizes:?}");
}
