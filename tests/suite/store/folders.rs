//! What the processes of a store share in its folder.

use std::fs;
use std::os::unix::fs::symlink;

use super::{program, run};
use crate::fixture::{Httpd, Mpm, Server};

const PROGRAM: &str = r#"
    import os
    from mod_python import apache, store

    def open_files():
        links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        files = [os.readlink(link) for link in links if os.path.lexists(link)]
        return [file for file in files if os.path.basename(os.path.dirname(file)) == "a"]

    def write(req):
        store.open("a")["key"] = 1

    def both(req):
        a, b = store.open("a"), store.open("b")
        a["key"] = 2
        assert b["key"] == 2
        files = open_files()
        return [sum(os.path.basename(file) == name for file in files) for name in ("data.mdb", "lock.mdb", "processes")]

    def of_another_version(req):
        store.open("a")._commit([], [(b"v", b"another", None)])

    def refused(req):
        try:
            store.open("a")["key"] = 1
        except store.StoreError:
            return len(open_files())
        raise AssertionError("it was opened")

    def moments_of_others(req):
        # As in a file that something else has written
        s = store.open("a")
        for moment in (b"\0" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7):
            s._commit([], [(b"rkey", moment, None)])
            assert s.rate("key", 1, 1)
            s._commit([], [(b"rkey", moment, None)])
            assert s.rate("key", 1, 1e9)

    def shared_memory(req):
        store.open("a")["key"] = 1
        sparse = []
        for name in ("lock.mdb", "wakeups"):
            found = os.stat(f"{req.args}/{name}")
            if found.st_blocks * 512 < found.st_size:
                sparse.append(name)
        return sparse

    def fill(s, mark):
        # To the last page
        for size in (10_000, 1000, 10):
            n = 0
            try:
                while True:
                    s[f"{mark} {size} {n}"] = b"x" * size
                    n += 1
            except store.StoreFull:
                pass

    def fill_and_delete(s, mark):
        fill(s, mark)
        for key in list(s)[::20]:
            del s[key]

    def full_again_and_again(req):
        s = store.open("small")
        s["before"] = 1
        sizes = []
        for turn in range(8):
            child = os.fork()
            if not child:
                code = 1
                try:
                    fill_and_delete(s, f"child {turn}")
                    code = 0
                except store.StoreError as error:
                    apache.log_error(f"in the child: {error}")
                finally:
                    os._exit(code)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            fill_and_delete(s, f"parent {turn}")
            sizes.append(os.path.getsize(f"{req.args}/data.mdb") >> 10)
        return sizes
"#;

fn site() -> Httpd {
    program(Mpm::Event, PROGRAM).children(1).config("PythonStore a ${SCRATCH}/a\nPythonStore b ${SCRATCH}/b")
}

#[track_caller]
fn end_children(server: &Server) {
    let old = server.child_pids();
    server.expect_child_death();
    for child in &old {
        server.signal(*child, libc::SIGKILL);
    }
    server.wait_for_exit(&old);
}

/// LMDB's environments are opened once in a process, or each would undo the other's locks.
#[test]
fn a_folder_that_has_two_names_is_opened_once() {
    let server = site().start();
    assert_eq!(run(&server, "write"), "ok");
    end_children(&server);
    let (a, b) = (server.scratch().join("a"), server.scratch().join("b"));
    fs::remove_dir(&b).expect("nothing is in it yet");
    symlink(&a, &b).expect("we may");
    // LMDB has one file open twice.
    assert_eq!(run(&server, "both"), "[2, 1, 1]");
}

#[test]
fn a_store_that_cannot_be_opened_costs_no_files() {
    let damaged = site().start();
    assert_eq!(run(&damaged, "write"), "ok");
    end_children(&damaged);
    fs::write(damaged.scratch().join("a/data.mdb"), vec![b'x'; 100_000]).expect("we may");
    let of_another_version = site().start();
    assert_eq!(run(&of_another_version, "of_another_version"), "ok");
    end_children(&of_another_version);
    for server in [damaged, of_another_version] {
        let first = run(&server, "refused");
        for _ in 0..5 {
            assert_eq!(run(&server, "refused"), first);
        }
    }
}

#[test]
fn moments_that_cannot_be_are_no_reason_to_wait() {
    let server = site().start();
    assert_eq!(run(&server, "moments_of_others"), "ok");
}

/// What is written in shared memory would otherwise be a signal, and the child's end, on a full disk.
#[test]
fn shared_memory_has_its_place_on_the_disk() {
    let server = site().start();
    assert_eq!(run(&server, &format!("shared_memory?{}", server.scratch().join("a").display())), "[]");
}

/// Room for deleting is there in each process, and is not what others fill.
#[test]
fn a_full_store_keeps_its_size_whichever_process_fills_it() {
    let server = program(Mpm::Prefork, PROGRAM)
        .children(1)
        .config("PythonStore small ${SCRATCH}/small size=2M sync=off\nPythonInterpreter main_interpreter")
        .start();
    let sizes = run(&server, &format!("full_again_and_again?{}", server.scratch().join("small").display()));
    let sizes: Vec<u32> =
        sizes.trim_matches(['[', ']']).split(", ").map(|size| size.parse().expect("a number")).collect();
    // Deleting needs room once, not each time.
    assert!(sizes[7] < 2200 && sizes[7] == sizes[3], "{sizes:?} kB");
}
