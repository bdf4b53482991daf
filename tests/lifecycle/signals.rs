//! httpd's signals stay httpd's.

use std::collections::BTreeMap;
use std::fs;

use crate::fixture::{Httpd, Mpm, Server, for_each_mpm};
use crate::who::{ask, site};

/// What a process ignores, catches and blocks, by the kernel's masks.
fn dispositions(pid: u32) -> BTreeMap<String, String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let masks = status.lines().filter_map(|line| line.split_once(":\t"));
    masks
        .filter(|(name, _)| ["SigBlk", "SigIgn", "SigCgt"].contains(name))
        .map(|(name, mask)| (name.to_owned(), mask.to_owned()))
        .collect()
}

fn of_all(server: &Server) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    (dispositions(server.parent_pid()), dispositions(server.child_pids()[0]))
}

for_each_mpm! {
    /// P12: mod_python took SIGINT over, and left SIGPIPE ignored.
    fn they_are_as_without_the_module(mpm) {
        let without = Httpd::new(mpm).children(1).without_python().file("x", "").start();
        without.get("/x");
        let with = site(mpm)
            .children(1)
            .config("PythonHandler signals\nPythonImport signals main_interpreter")
            .file(
                "lib/signals.py",
                "
                import subprocess, threading, asyncio
                from who import tell
                def handler(req):
                    subprocess.run(['true'], check=True)
                    asyncio.run(asyncio.sleep(0))
                    return tell(req)
                ",
            )
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        for host in ["localhost", "main.test", "localhost", "main.test"] {
            ask(&with, host, "/x");
        }
        assert_eq!(of_all(&with), of_all(&without));
    }
}

/// httpd ignores SIGPIPE; what a handler starts does not.
#[test]
fn a_program_does_not_inherit_what_httpd_ignores() {
    let site = site(Mpm::Worker)
        .children(1)
        .config("PythonHandler programs")
        .file(
            "lib/programs.py",
            "
            import subprocess
            from who import tell
            def handler(req):
                status = subprocess.run(['cat', '/proc/self/status'], capture_output=True, text=True, check=True).stdout
                masks = dict(line.split(':\\t') for line in status.splitlines() if line.startswith('Sig'))
                return tell(req, ignored=masks['SigIgn'])
            ",
        )
        .start();
    let answer = ask(&site, "localhost", "/x");
    let ignored = u64::from_str_radix(answer.fact("ignored"), 16).expect("a mask");
    assert_eq!(ignored & (1 << (libc::SIGPIPE - 1)), 0, "{ignored:x}");
}
