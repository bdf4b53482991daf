//! No room, and other limits: nothing is half-written, and the store goes on.

use super::{program, run};
use crate::fixture::{Httpd, Mpm};

pub(super) const PROGRAM: &str = r#"
    import os, threading
    from mod_python import store

    s = store.open("small")

    def full(req):
        s.clear()
        s["before"] = 1
        count = 0
        try:
            while True:
                s[f"key{count}"] = b"x" * 10_000
                count += 1
        except store.StoreFull as error:
            assert "the store small" in str(error) and "2 MB" in str(error) and "size=" in str(error), str(error)
        assert count > 20, count
        for work in (lambda: s.update({"a": b"y" * 10_000, "b": b"y" * 10_000, "c": b"y" * 500_000}), lambda: s.__setitem__("a", b"x" * 1_900_000)):
            try:
                work()
            except store.StoreFull:
                pass
            else:
                raise AssertionError("there was room")
        assert "a" not in s and "b" not in s and s["before"] == 1 and len(s) == count + 1
        s.clear("key")
        s["after"] = b"z" * 100_000
        assert len(s) == 2 and len(s["after"]) == 100_000
        s.clear()

    def expired(req):
        # What has expired makes room when there is none.
        s.clear()
        try:
            n = 0
            while True:
                s.set(f"key{n}", b"x" * 10_000, ttl=0.05)
                n += 1
                if n == 2000:
                    break
        except store.StoreFull:
            pass
        threading.Event().wait(0.06)
        for n in range(50):
            s[f"new{n}"] = b"y" * 10_000
        assert len(list(s.keys("new"))) == 50
        s.clear()

    def readers(req):
        # More threads than readers=: places of those that have read are used again.
        errors = []
        def work():
            try:
                for _ in range(50):
                    s.get("key")
            except Exception as error:
                errors.append(error)
        threads = [threading.Thread(target=work) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors

    def iterate(req):
        # Entries come and go while they are iterated over: those that stay come once.
        s.clear()
        s.set_many({f"stay{n:04}": n for n in range(1000)})
        seen = []
        for n, key in enumerate(s):
            seen.append(key)
            s[f"a{n}"] = n
            if n % 2:
                s.delete(f"a{n}")
            if n > 5000:
                break
        stays = [key for key in seen if key.startswith("stay")]
        assert sorted(stays) == [f"stay{n:04}" for n in range(1000)] and len(set(seen)) == len(seen)
        s.clear()
"#;

fn site() -> Httpd {
    program(Mpm::Event, PROGRAM).children(1).config("PythonStore small size=2M readers=8")
}

#[test]
fn a_full_store_is_said_and_goes_on() {
    let server = site().start();
    for _ in 0..2 {
        assert_eq!(run(&server, "full"), "ok");
        assert_eq!(run(&server, "expired"), "ok");
    }
}

#[test]
fn places_of_readers_are_used_again() {
    let server = site().start();
    for name in ["readers", "iterate"] {
        assert_eq!(run(&server, name), "ok", "{name}");
    }
    // Children that were killed leave none.
    server.expect_child_death();
    for _ in 0..12 {
        let old = server.child_pids();
        for child in &old {
            server.signal(*child, libc::SIGKILL);
        }
        server.wait_for_exit(&old);
        assert_eq!(run(&server, "readers"), "ok");
    }
}

/// A file system of its own, which is full before the store is.
#[test]
fn a_full_disk_is_said_and_goes_on() {
    let server = program(
        Mpm::Event,
        r#"
        import os, resource
        from mod_python import store

        def fill(req):
            # As a full disk, and only for this process: files that are longer cannot be written.
            s = store.open("big")
            s["before"] = 1
            import signal
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXFSZ])
            size = os.path.getsize(req.args + "/data.mdb")
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, resource.RLIM_INFINITY))
            try:
                for n in range(1000):
                    s[f"key{n}"] = b"x" * 10_000
            except store.StoreError as error:
                said = str(error)
            else:
                raise AssertionError("there was room")
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert s["before"] == 1 and len(s) == n + 1, (len(s), n)
            s["after"] = 2
            assert s["after"] == 2
            return said
        "#,
    )
    .config("PythonStore big ${SCRATCH}/big size=1G sync=off")
    .start();
    let said = run(&server, &format!("fill?{}", server.scratch().join("big").display()));
    assert!(said.contains("the store big"), "{said}");
}
