//! numpy and lxml: most of their callbacks take the GIL by GILState, and each can be loaded by one interpreter of a process.
//!
//! What the Python of the module has is tested, and said if that is nothing. `MOD_PYTHON_TEST_VENV=folder` names a virtual environment to
//! take them from; one that is not there is made, with both from PyPI.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::Command;

use super::{CALLBACKS, CLIENTS, HOSTS, ask_hosts, six_hosts};
use crate::common::who::{Answer, ask};
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm, is_itk_run, not_tested, python_version};

const PACKAGES: &str = include_str!("packages.py");
const NAMES: [&str; 2] = ["numpy", "lxml"];

/// Serves with what uses them.
fn packages(mpm: Mpm) -> Httpd {
    let site = six_hosts(mpm, "packages").file("lib/packages.py", PACKAGES).file("lib/callbacks.py", CALLBACKS);
    match virtual_environment() {
        Some(folder) => site.config(format!("PythonPath \"['${{HTDOCS}}/lib', '{folder}'] + sys.path\"")),
        None => site,
    }
}

/// The folder of packages of the one that MOD_PYTHON_TEST_VENV names, made if need be.
fn virtual_environment() -> Option<String> {
    let root = env::var("MOD_PYTHON_TEST_VENV").ok().filter(|root| !root.is_empty())?;
    let (major, minor) = python_version();
    let name = format!("python{major}.{minor}");
    let python = env::var("PYO3_PYTHON").unwrap_or_else(|_| name.clone());
    let run = |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()), "{program} {arguments:?}");
    };
    if !Path::new(&root).exists() {
        run(&python, &["-m", "venv", &root]);
        run(&format!("{root}/bin/pip"), &["install", "--quiet", "numpy", "lxml"]);
    }
    let folder = format!("{root}/lib/{name}/site-packages");
    assert!(Path::new(&folder).exists(), "{root} is not a virtual environment of {name}");
    Some(folder)
}

/// One host after the other first: to import numpy takes a second or more of a busy machine, and a client waits ten.
fn ask_after_imports(server: &Server, hosts: &[&str]) -> Vec<Answer> {
    hosts.iter().for_each(|host| drop(ask(server, host, "/x")));
    ask_hosts(server, hosts, 2)
}

for_each_mpm! {
    /// All virtual hosts in one interpreter, which is not the main one.
    fn they_work_in_one_interpreter(mpm) {
        let server = packages(mpm)
            .config("PythonInterpreterOptions * gil=shared\nPythonInterpreter one")
            .start();
        let answers = ask_after_imports(&server, &HOSTS[..5]);
        for name in NAMES {
            let found: BTreeSet<_> = answers.iter().map(|answer| answer.fact(name)).collect();
            if found.contains("missing") {
                not_tested(&format!("there is no {name} for this Python"));
            } else {
                assert_eq!(found, BTreeSet::from(["here"]), "{name}");
            }
        }
        assert_eq!(answers.len(), 10 * if mpm.is_threaded() { CLIENTS } else { 1 });
    }

    /// The first one to load them has them; the others are told so, and nothing hangs.
    fn another_interpreter_is_refused(mpm) {
        let server = packages(mpm).config("PythonInterpreterOptions * gil=shared").start();
        let answers = ask_after_imports(&server, &HOSTS);
        for name in NAMES {
            let having = |what| {
                answers.iter().filter(|answer| answer.fact(name) == what).map(|answer| &*answer.interpreter).collect()
            };
            let (here, refused): (BTreeSet<_>, BTreeSet<_>) = (having("here"), having("refused"));
            if !having("missing").is_empty() {
                not_tested(&format!("there is no {name} for this Python"));
            } else if !is_itk_run() {
                assert!(here.len() == 1 || name == "numpy", "{name} in {here:?}");
                assert_eq!(here.len() + refused.len(), HOSTS.len(), "{name}: {refused:?}");
            }
        }
    }
}
