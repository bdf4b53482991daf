//! What is true where each connection has a process of its own: mpm_itk on top of prefork.
//!
//! Built with the feature `itk-tests` only, for a run with `MOD_PYTHON_TEST_MODEL=itk`: without mpm_itk none of this is true.

mod connections;
mod ends;
mod store;

use std::time::Duration;

use crate::common::who::Answer;
use crate::fixture::{Httpd, Server};

/// How long a process may go on when its connection is closed.
const SOON: Duration = Duration::from_secs(5);

/// How long a process may try whether it can use Python.
const PROBE: Duration = Duration::from_secs(3);

/// Tests that fail without mpm_itk, and say why.
macro_rules! itk_tests {
    ($($(#[$attribute:meta])* fn $name:ident() $body:block)+) => {$(
        #[test]
        $(#[$attribute])*
        fn $name() {
            assert!(crate::fixture::is_itk_run(), "set MOD_PYTHON_TEST_MODEL=itk: without mpm_itk this is not true");
            $body
        }
    )+};
}

/// Two virtual hosts beside localhost, each with a user.
fn two_users(site: Httpd) -> Httpd {
    site.vhost("www.test", "AssignUserID www-data www-data").vhost("nobody.test", "AssignUserID nobody nogroup")
}

/// Several requests over one connection.
fn over_one_connection(server: &Server, hosts: &[&str]) -> Vec<Answer> {
    let mut connection = server.raw();
    hosts
        .iter()
        .map(|host| Answer::of(&connection.exchange(&server.request("GET", "/x").host(host).keep_alive())))
        .collect()
}

/// A handler that notes in the scratch folder what its exit functions do, and a module that does so for `PythonImport`.
fn leaving(site: Httpd) -> Httpd {
    site.file(
        "lib/leaving.py",
        "
        import os
        from mod_python import apache
        from who import tell

        def leave(word):
            with open(os.path.join(apache.server_root(), 'scratch', 'left-%d' % os.getpid()), 'a') as left:
                left.write(word + ' ')

        def at_import():
            apache.register_cleanup(leave, 'imported')

        def handler(req):
            apache.register_cleanup(leave, 'first')
            req.server.register_cleanup(req, leave, 'second')
            return tell(req)
        ",
    )
    .config("PythonHandler leaving")
}

/// What the exit functions of a process have noted.
fn left(server: &Server, pid: u32) -> Option<String> {
    std::fs::read_to_string(server.scratch().join(format!("left-{pid}"))).ok()
}

/// The same of all processes.
fn all_left(server: &Server) -> Vec<String> {
    let files = std::fs::read_dir(server.scratch()).expect("the folder").flatten();
    let noted = files.filter(|file| file.file_name().to_string_lossy().starts_with("left-"));
    noted.map(|file| std::fs::read_to_string(file.path()).expect("a file")).collect()
}

use itk_tests;
