//! `writemap=on`: a store in memory whose changes are made in its map.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{limits, mapping, program, run};
use crate::fixture::{Httpd, Mpm, Server, can_mount, for_each_mpm, not_tested, wait_until};

/// A path in memory, which ends with this.
pub struct InMemory(PathBuf);

impl InMemory {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(Path::new("/dev/shm").join(format!("mod_python-test-{}-{number}", std::process::id())))
    }

    /// A store there.
    pub fn directive(&self, name: &str, options: &str) -> String {
        format!("PythonStore {name} {} writemap=on {options}", self.0.display())
    }

    /// Its data, which under mpm_itk each user has in a folder within.
    fn data(&self) -> PathBuf {
        let entries = fs::read_dir(&self.0).expect("it is there").filter_map(Result::ok);
        let folders = std::iter::once(self.0.clone()).chain(entries.map(|entry| entry.path()));
        let mut files = folders.map(|folder| folder.join("writemap/data.mdb"));
        files.find(|file| file.exists()).expect("it was opened")
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        // Not there if the test ended before httpd made it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

for_each_mpm! {
    fn it_is_a_store_as_any_other(mpm) {
        let memory = InMemory::new();
        let server = program(mpm, mapping::PROGRAM).config(memory.directive("default", "size=8M")).start();
        for name in mapping::CHECKS {
            assert_eq!(run(&server, name), "ok", "{name}");
        }
        assert!((2 << 20..=10 << 20).contains(&fs::metadata(memory.data()).expect("it is there").len()));
    }
}

#[test]
fn a_full_store_is_said_and_goes_on() {
    let memory = InMemory::new();
    let server = program(Mpm::Event, limits::PROGRAM).children(1).config(memory.directive("small", "size=2M")).start();
    for _ in 0..3 {
        assert_eq!(run(&server, "full"), "ok");
        assert_eq!(run(&server, "expired"), "ok");
    }
    // It has taken all of its room, and no more.
    let found = fs::metadata(memory.data()).expect("it is there");
    assert_eq!(found.len(), 3 << 20);
    assert_eq!(found.blocks() * 512, 3 << 20);
}

const FILLED: &str = r#"
    import os, threading
    from mod_python import store

    s = store.open("huge")

    def fill(req):
        said, count = None, 0
        while said is None:
            try:
                s[f"{os.getpid()} {threading.get_ident()} {count}"] = b"x" * 10_000
                count += 1
            except store.StoreFull as error:
                said = str(error)
        assert len(list(s.keys(f"{os.getpid()} {threading.get_ident()} "))) == count
        return said

    def expired(req):
        # What has expired makes room when there is none
        fill(req)
        s.clear()
        for n in range(300):
            s.set(f"old {n}", b"x" * 10_000, ttl=0.05)
        threading.Event().wait(0.06)
        for n in range(300):
            s[f"new {n}"] = b"y" * 10_000
        return len(s)

    def scattered(ttl):
        # Small entries in no order: to delete some is to write the pages of all
        count = 0
        try:
            while True:
                s.set(f"{count * 0x9e3779b97f4a7c15 % 2 ** 64:016x}", b"x" * 1000, ttl=ttl)
                count += 1
        except store.StoreFull:
            return count

    def scattered_expired(req):
        s.clear()
        count = scattered(2)
        while len(list(s.keys())):
            threading.Event().wait(0.05)
        for n in range(count // 2):
            s[f"new {n}"] = b"y" * 1000
        return len(s) == count // 2

    def scattered_deleted(req):
        s.clear()
        count = scattered(None)
        for n in range(count):
            s.delete(f"{n * 0x9e3779b97f4a7c15 % 2 ** 64:016x}")
        return len(s)

    def again(req):
        # Deleting takes room, too
        count = len(s)
        for key in list(s.keys()):
            del s[key]
        s["after"] = b"z" * 500_000
        return count, len(s), len(s["after"])

    def use(req):
        try:
            store.open("huge")["key"] = 1
        except store.StoreFull as error:
            return error
        return "there was room"

    def mapped(req):
        with open("/proc/self/maps") as maps:
            return sum("/huge/" in line for line in maps)
"#;

/// A site whose store has a file system of its own in memory. None where that cannot be.
fn in_small_memory(memory: &InMemory, bytes: usize) -> Option<Httpd> {
    if !can_mount() {
        not_tested("only root may mount a file system, and some containers' root may not");
        return None;
    }
    fs::create_dir(&memory.0).expect("we may");
    let directive = format!("PythonStore huge {}/huge writemap=on size=1T", memory.0.display());
    Some(program(Mpm::Event, FILLED).config(directive).small_memory(&memory.0, bytes))
}

impl InMemory {
    /// A path there, as httpd sees it.
    fn seen_by(&self, server: &Server, name: &str) -> PathBuf {
        Path::new(&format!("/proc/{}/root{}", server.parent_pid(), self.0.display())).join(name)
    }

    /// The length of the data, all of which has room.
    fn length_seen_by(&self, server: &Server) -> u64 {
        let file = fs::metadata(self.seen_by(server, "huge/writemap/data.mdb")).expect("it is there");
        assert_eq!(file.blocks() * 512, file.len());
        file.len()
    }
}

#[test]
fn where_memory_has_no_room_for_the_first_data_it_is_said() {
    const SMALL: usize = 4 << 20;
    let memory = InMemory::new();
    let Some(site) = in_small_memory(&memory, SMALL) else { return };
    let server = site.children(1).start();
    let other = memory.seen_by(&server, "other");
    fs::write(&other, vec![0; SMALL - (1 << 20)]).expect("there is room");
    let mut mapped = Vec::new();
    for _ in 0..3 {
        let said = run(&server, "use");
        assert!(said.contains("the file system of the store huge is full") && said.contains("/huge"), "{said}");
        mapped.push(run(&server, "mapped"));
    }
    // Each try leaves the process as it was.
    assert_eq!(mapped[1..], [&mapped[0][..]; 2]);
    fs::remove_file(&other).expect("it is there");
    assert_eq!(run(&server, "use"), "there was room");
    assert_eq!(memory.length_seen_by(&server), 2 << 20);
}

/// A file system that is full before the store is: whoever writes beyond what it has given would get a signal, and end.
#[test]
fn where_memory_has_no_more_room_it_is_said_and_goes_on() {
    const SMALL: u64 = 16 << 20;
    let memory = InMemory::new();
    let Some(site) = in_small_memory(&memory, SMALL as usize) else { return };
    let server = site.children(2).start();
    let children = server.child_pids();
    for round in 0..3 {
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| run(&server, "fill"))).collect();
            for one in all {
                let said = one.join().expect("it ends");
                assert!(said.contains("the file system of the store huge is full"), "{said}");
            }
        });
        // All but a twentieth, which is for others, and the store's other files.
        let length = memory.length_seen_by(&server);
        assert!((SMALL - (2 << 20)..=SMALL / 20 * 19).contains(&length), "{length}");
        let again = run(&server, "again");
        let count = again.strip_prefix('(').and_then(|rest| rest.split(',').next()?.parse::<u64>().ok());
        assert!(count.is_some_and(|count| count * 12_288 > length / 2), "{again}");
        assert!(again.ends_with(", 1, 500000)"), "{again}");
        if round == 0 {
            assert_eq!(run(&server, "expired"), "300");
            assert_eq!(run(&server, "scattered_expired"), "True");
            assert_eq!(run(&server, "scattered_deleted"), "0");
        }
    }
    assert_eq!(server.child_pids(), children);
}

for_each_mpm! {
    fn the_map_grows_with_the_data_in_all_children(mpm) {
        let memory = InMemory::new();
        let source = r#"
            import os
            from mod_python import store

            s = store.open()

            def write(req):
                for n in range(int(req.args)):
                    s[f"{os.getpid()} {n}"] = bytes([n % 256]) * 10_000
                return os.getpid()

            def small(req):
                # Each of them is made without waiting, if there is room in the map
                for n in range(30_000):
                    s[f"small {n}"] = b"x" * 100
                return len(list(s.keys("small "))), s.clear("small ")

            def read(req):
                return sum(s[key] == bytes([int(key.split()[1]) % 256]) * 10_000 for key in s)
        "#;
        let server = program(mpm, source).children(2).config(memory.directive("default", "size=64M")).start();
        let used = || {
            let file = fs::metadata(memory.data()).expect("it is there");
            assert_eq!(file.blocks() * 512, file.len(), "all of it has room");
            file.len()
        };
        // Opened by each child, as far as more than one can be met
        for _ in 0..8 {
            run(&server, "write?1");
        }
        assert_eq!(used(), 2 << 20);
        let mut written = 0;
        for _ in 0..8 {
            run(&server, "write?100");
            let found: u64 = run(&server, "read").parse().expect("a number");
            assert!(found >= written.max(100), "{found}");
            written = found;
        }
        assert_eq!(run(&server, "small"), "(30000, None)");
        let data = written * 12_288 + 30_000 * 150;
        assert!((data..data * 2 + (2 << 20)).contains(&used()), "{} for {data}", used());
    }
}

/// What the store could never hold does not make its file longer.
#[test]
fn what_is_larger_than_the_store_takes_no_memory() {
    let memory = InMemory::new();
    let source = r#"
        from mod_python import store

        def one(req):
            store.open("small")["key"] = b"x" * (9 << 20)

        def many(req):
            store.open("small").set_many({f"key{n}": b"x" * 1_000_000 for n in range(9)})

        def tried(req):
            said = []
            for work in (one, many):
                try:
                    work(req)
                except store.StoreFull:
                    said.append("full")
            return said
    "#;
    let server = program(Mpm::Event, source).children(1).config(memory.directive("small", "size=8M")).start();
    assert_eq!(run(&server, "tried"), "['full', 'full']");
    assert_eq!(fs::metadata(memory.data()).expect("it is there").len(), 2 << 20);
}

/// Where a process has no address space for a longer map, the old one stays.
#[test]
fn where_there_is_no_address_space_what_is_there_can_be_read() {
    let memory = InMemory::new();
    let source = r#"
        import resource
        from mod_python import store

        s = store.open("large")

        def tried(req):
            s["key"] = "value"
            with open("/proc/self/statm") as file:
                now = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (now + (20 << 20), resource.RLIM_INFINITY))
            value = b"x" * 100_000
            try:
                for n in range(2000):
                    s[f"{n}"] = value
            except store.StoreError as error:
                said = str(error)
            else:
                return "there was room"
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            before = len(s)
            s["more"] = value
            return "Cannot allocate memory" in said, s["key"], before == n + 1, len(s) - before
    "#;
    let server = program(Mpm::Event, source).children(1).config(memory.directive("large", "size=1G")).start();
    assert_eq!(run(&server, "tried"), "(True, 'value', True, 1)");
}

/// Where httpd's runtime directory is in memory, as on Debian, the map is written without being asked for.
#[test]
fn a_store_of_the_runtime_directory_in_memory_is_written_in_its_map() {
    let source = r#"
        from mod_python import store

        def use(req):
            store.open(req.args)["key"] = 1
            return store.open(req.args)["key"]
    "#;
    for (options, is_in_map) in [
        ("", true),
        ("size=4M", true),
        ("writemap=on", true),
        ("writemap=off", false),
        ("sync=1s", false),
        ("sync=off", false),
    ] {
        let memory = InMemory::new();
        fs::create_dir(&memory.0).expect("we may");
        let server =
            program(Mpm::Event, source).children(1).config(format!("DefaultRuntimeDir {}", memory.0.display()));
        let server = server.config(format!("PythonStore one {options}")).start();
        for (name, is_in_map) in [("one", is_in_map), ("default", true)] {
            assert_eq!(run(&server, &format!("use?{name}")), "1", "{}", server.log());
            let runs = fs::read_dir(&memory.0).expect("it is there").filter_map(Result::ok);
            let [folder] =
                &runs.map(|entry| entry.path().join(name)).filter(|path| path.is_dir()).collect::<Vec<_>>()[..]
            else {
                panic!("not one folder in {}", memory.0.display())
            };
            assert_eq!(
                (folder.join("writemap/data.mdb").exists(), folder.join("data.mdb").exists()),
                (is_in_map, !is_in_map),
                "{name} {options}"
            );
        }
    }
}

/// A process that is forked while another thread has the lock of the map does not keep it.
#[test]
fn a_forked_process_keeps_no_lock_of_the_map() {
    let memory = InMemory::new();
    let source = r#"
        import os, threading
        from mod_python import store

        s = store.open("small")

        def forked():
            child = os.fork()
            if child:
                return child
            code = 1
            try:
                # It opens the store for itself
                s.delete("key0")
                code = 0
            finally:
                os._exit(code)

        def fill(req):
            # Each change that finds no room takes the lock
            n = 0
            while True:
                try:
                    s[f"key{n}"] = b"x" * 10_000
                    n += 1
                except store.StoreFull:
                    break
            done = threading.Event()

            def meet_the_end():
                while not done.is_set():
                    try:
                        s["more"] = b"x" * 100_000
                    except store.StoreFull:
                        pass

            threads = [threading.Thread(target=meet_the_end) for _ in range(3)]
            for thread in threads:
                thread.start()
            try:
                children = [forked() for _ in range(30)]
                codes = {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}
            finally:
                done.set()
            for thread in threads:
                thread.join()
            return codes
    "#;
    let server = program(Mpm::Event, source).children(1).config(memory.directive("small", "size=1M"));
    let server = server.config("PythonInterpreter main_interpreter").start();
    assert_eq!(run(&server, "fill"), "{0}");
}

/// A thread that waits for a change of another process lets those of its interpreter run; what that process had is free when it is killed.
#[test]
fn a_change_of_another_process_is_waited_for_detached() {
    let memory = InMemory::new();
    let source = r#"
        import ctypes, glob, mmap, os, signal, threading, time
        from mod_python import store

        s = store.open("small")

        def hold(path, told):
            with open(path, "r+b") as file:
                memory = mmap.mmap(file.fileno(), 0)
            # Behind the word that says that it was made
            mutex = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + 8
            if ctypes.CDLL(None).pthread_mutex_lock(ctypes.c_void_p(mutex)) == 0:
                os.write(told, b".")
                signal.pause()

        def held(req):
            s["key"] = 0
            [path] = glob.glob(f"{req.args}/writemap/write")
            read, told = os.pipe()
            child = os.fork()
            if not child:
                try:
                    hold(path, told)
                finally:
                    os._exit(1)
            try:
                assert os.read(read, 1) == b"."
                began = threading.Event()

                def change():
                    began.set()
                    s["key"] = 1

                thread = threading.Thread(target=change)
                thread.start()
                began.wait()
                # It waits, each time after it could have gone on with the GIL
                waits = 0
                while waits < 20:
                    time.sleep(0.001)
                    with open(f"/proc/self/task/{thread.native_id}/stat") as file:
                        waits = waits + 1 if file.read().rpartition(")")[2].split()[0] == "S" else 0
                before = s["key"]
            finally:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            thread.join()
            return before, s["key"], s.incr("key")
    "#;
    let server = program(Mpm::Event, source).children(1).config(memory.directive("small", "size=2M"));
    let server = server.config("PythonInterpreter main_interpreter").start();
    let path = format!("held?{}", memory.0.display());
    assert_eq!(run(&server, &path), "(0, 1, 2)");
}

#[test]
fn a_folder_that_is_not_in_memory_stops_the_start() {
    let failed = Httpd::new(Mpm::Event).config("PythonStore a /proc/sys writemap=on").start_fails();
    assert!(failed.contains("MP0710") && failed.contains("it is on no tmpfs"), "{failed}");
}

const OF_ANOTHER_SIZE: &str = r#"
    import os, threading, time
    from mod_python import store

    s = store.open()

    def begin(req):
        s.clear()

    def stay(req):
        # In a child of the old configuration, until one of the new one has written
        mine = 0
        s["stays"] = os.getpid()
        end = time.monotonic() + 60
        while s.get("written") is None:
            assert time.monotonic() < end, "nobody has written"
            try:
                s[f"mine {mine % 50}"] = mine
            except store.StoreFull:
                # The other one has written more than this one's size
                pass
            mine += 1
            threading.Event().wait(0.001)
        for n in range(s["written"]):
            assert s[f"key {n}"] == b"x" * 50_000, n
        del s["key 0"], s["stays"]
        return len(s)

    def stays(req):
        return s.get("stays")

    def write(req):
        assert s["stays"] != os.getpid()
        s.clear("key ")
        count = int(req.args)
        for n in range(count):
            s[f"key {n}"] = b"x" * 50_000
        s["written"] = count
"#;

/// A change of the size, while children that have opened it with another one go on.
fn through_another_size(server: &Server, from: &str, to: &str, count: usize) {
    assert_eq!(run(server, "begin"), "ok");
    std::thread::scope(|scope| {
        let staying = scope.spawn(|| run(server, "stay"));
        wait_until("the request to begin", || run(server, "stays").parse::<u32>().is_ok());
        server.edit_config(|config| config.replace(from, to));
        server.graceful();
        assert_eq!(run(server, &format!("write?{count}")), "ok");
        let entries: usize = staying.join().expect("it ends").parse().expect("a number");
        assert!(entries > count, "{entries}");
    });
}

#[test]
fn another_size_harms_no_child_of_the_old_one() {
    let memory = InMemory::new();
    let server =
        program(Mpm::Event, OF_ANOTHER_SIZE).children(1).config(memory.directive("default", "size=2M")).start();
    let length = || fs::metadata(memory.data()).expect("it is there").len();
    // More than the old child has in its map.
    through_another_size(&server, "size=2M", "size=8M", 100);
    let grown = length();
    assert!((6 << 20..=10 << 20).contains(&grown), "{grown}");
    // It does not become shorter.
    through_another_size(&server, "size=8M", "size=1M", 10);
    assert_eq!(length(), grown);
}
