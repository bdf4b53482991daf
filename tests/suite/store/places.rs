//! Folders that are not as they have to be, when a child opens the store.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::{program, run};
use crate::fixture::{Httpd, Mpm, Server};

const PROGRAM: &str = r#"
    import os
    from mod_python import apache, store

    def use(req):
        try:
            store.open("s")["key"] = 1
            return store.open("s")["key"]
        except store.StoreError as error:
            return f"{type(error).__name__}: {error}"

    def fork(req):
        s = store.open("s")
        s["n"] = 0
        child = os.fork()
        if not child:
            code = 1
            try:
                for _ in range(100):
                    s.incr("n")
                assert s["n"] >= 100
                code = 0
            finally:
                os._exit(code)
        for _ in range(100):
            s.incr("n")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        return s["n"]
"#;

fn site(mpm: Mpm) -> Httpd {
    program(mpm, PROGRAM).config("PythonStore s ${SCRATCH}/s sync=off")
}

fn folder(server: &Server) -> std::path::PathBuf {
    server.scratch().join("s")
}

/// Makes the folder with a store in it, and changes it before a new child opens it.
#[track_caller]
fn used_after(change: impl FnOnce(&std::path::Path)) -> String {
    let server = site(Mpm::Event).children(1).start();
    assert_eq!(run(&server, "use"), "1");
    let old = server.child_pids();
    server.expect_child_death();
    for child in &old {
        server.signal(*child, libc::SIGKILL);
    }
    server.wait_for_exit(&old);
    change(&folder(&server));
    run(&server, "use")
}

#[test]
fn what_is_in_a_folder_outlives_children_and_httpd() {
    let server = site(Mpm::Event).start();
    assert_eq!(run(&server, "use"), "1");
    server.restart();
    assert_eq!(run(&server, "use"), "1");
}

#[test]
fn a_damaged_file_is_said() {
    let said = used_after(|folder| fs::write(folder.join("data.mdb"), vec![b'x'; 100_000]).expect("we may"));
    assert!(said.starts_with("StoreError: the store s ") && said.contains("another version"), "{said}");
    assert!(said.contains("stop httpd and move the folder away"), "{said}");
}

#[test]
fn a_file_that_is_no_folder_any_more_is_said() {
    let said = used_after(|folder| {
        fs::remove_dir_all(folder).expect("we may");
        fs::write(folder, "").expect("we may");
    });
    assert!(said.starts_with("StoreError: the store s cannot be used") && said.contains("it is no folder"), "{said}");
}

#[test]
fn a_folder_that_is_gone_is_said() {
    let said = used_after(|folder| fs::remove_dir_all(folder).expect("we may"));
    assert!(said.starts_with("StoreError: ") && said.contains("it cannot be entered"), "{said}");
}

#[test]
fn a_folder_that_others_can_write_is_refused() {
    let said = used_after(|folder| fs::set_permissions(folder, Permissions::from_mode(0o770)).expect("we may"));
    assert!(said.starts_with("StoreError: ") && said.contains("others can write there"), "{said}");
    assert!(said.contains("chmod go-w"), "{said}");
}

#[test]
fn a_process_that_is_forked_uses_it_too() {
    for mpm in [Mpm::Prefork, Mpm::Event] {
        let server = site(mpm).config("PythonInterpreter main_interpreter").start();
        assert_eq!(run(&server, "fork"), "200", "{mpm}");
    }
}
