//! LMDB, made safe: one environment for each process and folder, read and write transactions as closures.
//!
//! An environment belongs to the process that has opened it, and is never closed: closing its files would drop the process's locks on them
//! (lmdb.h, "Caveats").

mod map;
mod transaction;

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::io;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::time::{Duration, Instant};

use lmdb_master_sys as raw;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use super::allocation::{data_in, make_room_for_locks};
use map::{InMap, Map};

pub use transaction::{Reading, View, Writing};

/// An error of LMDB's or of the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub c_int);

impl Code {
    pub const MAP_FULL: Self = Self(raw::MDB_MAP_FULL);
    pub const READERS_FULL: Self = Self(raw::MDB_READERS_FULL);
    pub const NO_SPACE: Self = Self(libc::ENOSPC);
    pub const QUOTA: Self = Self(libc::EDQUOT);
    const MAP_RESIZED: Self = Self(raw::MDB_MAP_RESIZED);

    /// Whether the files are not those of a sound environment.
    pub fn is_damage(self) -> bool {
        const OF_DAMAGE: [c_int; 5] =
            [raw::MDB_CORRUPTED, raw::MDB_PANIC, raw::MDB_PAGE_NOTFOUND, raw::MDB_PROBLEM, raw::MDB_BAD_TXN];
        OF_DAMAGE.contains(&self.0)
    }

    /// Whether the files are of another version of LMDB, or none of LMDB's.
    pub fn is_other_version(self) -> bool {
        [raw::MDB_VERSION_MISMATCH, raw::MDB_INVALID, raw::MDB_INCOMPATIBLE].contains(&self.0)
    }
}

impl From<io::Error> for Code {
    fn from(error: io::Error) -> Self {
        // As the system says it, else what LMDB would meet.
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // SAFETY: a static text for LMDB's own codes; for those of the system see `strerror`, of which a copy is made at once.
        let text = unsafe { CStr::from_ptr(raw::mdb_strerror(self.0)) };
        f.write_str(&text.to_string_lossy())
    }
}

fn checked(code: c_int) -> Result<(), Code> {
    match code {
        0 => Ok(()),
        code => Err(Code(code)),
    }
}

/// How an environment is opened.
pub struct Options {
    /// The largest size of the data, in bytes.
    pub size: usize,
    /// How many threads of all processes can read at once.
    pub readers: u32,
    /// Whether a commit waits for the disk.
    pub syncs: bool,
    /// Whether changes are made in the map itself, without calls of the system. For a folder in memory that no process uses without this.
    pub writes_map: bool,
}

/// The tables of an environment.
#[derive(Clone, Copy)]
pub enum Table {
    /// LMDB's unnamed table, which also has one entry for each of the named ones: a change to those writes pages of this one as well, so it
    /// is the place for what changes most.
    Entries,
    Others,
    Times,
}

impl Table {
    const COUNT: usize = 3;
    /// Those with names. No entry begins like them: see `entries::Namespace`.
    const NAMED: [(Self, &'static CStr); 2] = [(Self::Others, c"others"), (Self::Times, c"times")];
}

/// An environment that is open in this process.
pub struct Environment {
    env: *mut raw::MDB_env,
    tables: [raw::MDB_dbi; Table::COUNT],
    /// Read transactions that nobody uses at the moment: each keeps its place in the table of readers.
    idle: Mutex<Vec<Reader>>,
    /// Held for writing while the map is changed, when no transaction may be open in this process, and for reading while it is looked at. It is
    /// fair: many short transactions do not keep a change of the map waiting. So it must not be held twice by one thread.
    map: RwLock<Map>,
    /// The largest size of the data, in bytes.
    size: usize,
    /// Where changes are made in the map.
    in_map: Option<InMap>,
}

/// A read transaction that was reset.
struct Reader(*mut raw::MDB_txn);

// SAFETY: with MDB_NOTLS a read transaction belongs to no thread.
unsafe impl Send for Reader {}
// SAFETY: LMDB's environments are made for several threads; the pointer does not change.
unsafe impl Send for Environment {}
// SAFETY: as above.
unsafe impl Sync for Environment {}

impl Environment {
    /// Opens the environment in a folder, and creates it if there is none. The caller is the first in this process to do so.
    pub fn open(folder: &Path, options: &Options) -> Result<Self, Code> {
        make_room_for_locks(&folder.join("lock.mdb"), options.readers)?;
        let path = CString::new(folder.as_os_str().as_bytes()).map_err(|_| Code(libc::EINVAL))?;
        let (in_map, alone) = options.writes_map.then(|| InMap::open(folder, options.size)).transpose()?.unzip();
        let size = in_map.as_ref().map_or(options.size, InMap::length);
        let mut env = ptr::null_mut();
        // SAFETY: `env` is filled in, and closed again if it cannot be opened, as LMDB demands.
        unsafe {
            checked(raw::mdb_env_create(&mut env))?;
            let opened = (|| {
                checked(raw::mdb_env_set_maxdbs(env, Table::NAMED.len() as raw::MDB_dbi))?;
                checked(raw::mdb_env_set_mapsize(env, size as _))?;
                checked(raw::mdb_env_set_maxreaders(env, options.readers))?;
                let sync = if options.syncs { 0 } else { raw::MDB_NOSYNC };
                let map = if options.writes_map { raw::MDB_WRITEMAP } else { 0 };
                let flags = raw::MDB_NOTLS | raw::MDB_NORDAHEAD | sync | map;
                checked(raw::mdb_env_open(env, path.as_ptr(), flags, 0o600))
            })();
            if let Err(code) = opened {
                raw::mdb_env_close(env);
                return Err(code);
            }
        }
        drop(alone);
        let mut this = Self {
            env,
            tables: [0; Table::COUNT],
            idle: Mutex::default(),
            map: RwLock::new(Map::There),
            size: options.size,
            in_map,
        };
        this.free_readers();
        let mut tables = this.tables;
        let opened = this.write(|write| {
            let mut open = |table: Table, name: *const c_char, flags: c_uint| {
                // SAFETY: a live write transaction; the handles live as long as the environment once this is committed.
                checked(unsafe { raw::mdb_dbi_open(write.view.txn, name, flags, &mut tables[table as usize]) })
            };
            open(Table::Entries, ptr::null(), 0)?;
            Table::NAMED.iter().try_for_each(|(table, name)| open(*table, name.as_ptr(), raw::MDB_CREATE as c_uint))
        });
        if let Err(code) = opened {
            // SAFETY: no transaction is open, and nothing else knows it.
            unsafe { raw::mdb_env_close(env) };
            return Err(code);
        }
        this.tables = tables;
        Ok(this)
    }

    /// Keeps the map from being changed. Not while this thread holds it already.
    #[inline]
    fn hold_map(&self) -> Result<RwLockReadGuard<'_, Map>, Code> {
        let map = self.map.read();
        map.check()?;
        Ok(map)
    }

    /// Runs `work` with a view of one moment.
    ///
    /// It must not block, since a view keeps what it shows from being reused. It must not be nested: the inner one could wait for the outer one.
    pub fn read<T, E: From<Code>>(&self, work: impl FnOnce(&Reading<'_>) -> Result<T, E>) -> Result<T, E> {
        loop {
            let map = self.hold_map()?;
            match self.begin_reading() {
                Ok(reading) => return work(&reading),
                Err(Code::MAP_RESIZED) => {
                    drop(map);
                    self.enlarge()?;
                }
                Err(code) => return Err(code.into()),
            }
        }
    }

    fn begin_reading(&self) -> Result<Reading<'_>, Code> {
        // Not locked while the transaction begins.
        let idle = self.idle.lock().pop();
        if let Some(Reader(txn)) = idle {
            // SAFETY: a read transaction of this environment that was reset, now used by this thread alone.
            match checked(unsafe { raw::mdb_txn_renew(txn) }) {
                Ok(()) => return Ok(self.reading(txn)),
                Err(code) => {
                    // SAFETY: as above; it is not used again.
                    unsafe { raw::mdb_txn_abort(txn) };
                    if code == Code::MAP_RESIZED {
                        return Err(code);
                    }
                }
            }
        }
        let begin = || {
            let mut txn = ptr::null_mut();
            // SAFETY: a live environment; `txn` is filled in.
            checked(unsafe { raw::mdb_txn_begin(self.env, ptr::null_mut(), raw::MDB_RDONLY, &mut txn) }).map(|()| txn)
        };
        let begun = begin().or_else(|code| match code {
            Code::READERS_FULL => {
                self.free_readers();
                begin()
            }
            code => Err(code),
        });
        begun.map(|txn| self.reading(txn))
    }

    fn reading(&self, txn: *mut raw::MDB_txn) -> Reading<'_> {
        Reading { view: View { txn, tables: &self.tables, thread: PhantomData }, environment: self }
    }

    /// Runs `work` while no other thread or process changes anything; what it has changed is there at once afterwards, or not at all if it
    /// gives an error. Blocks until it is this thread's turn.
    pub fn write<T, E: From<Code>>(&self, work: impl FnOnce(&mut Writing<'_>) -> Result<T, E>) -> Result<T, E> {
        let _alone = self.in_map.as_ref().map(|in_map| in_map.write_lock.take()).transpose().map_err(Code::from)?;
        loop {
            let map = self.hold_map()?;
            match self.begin_writing() {
                Ok(writing) => return writing.finish(work),
                Err(Code::MAP_RESIZED) => {
                    drop(map);
                    self.enlarge()?;
                }
                Err(code) => return Err(code.into()),
            }
        }
    }

    /// The same only if nothing has to be waited for, neither other threads nor the disk: none if there is.
    pub fn write_at_once<T, E: From<Code>>(
        &self,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let Some(in_map) = &self.in_map else { return Ok(None) };
        let Some(_alone) = in_map.write_lock.try_take().map_err(Code::from)? else { return Ok(None) };
        let Some(map) = self.map.try_read() else { return Ok(None) };
        map.check()?;
        match self.begin_writing() {
            Ok(writing) => writing.finish(work).map(Some),
            Err(Code::MAP_RESIZED) => Ok(None),
            Err(code) => Err(code.into()),
        }
    }

    fn begin_writing(&self) -> Result<Writing<'_>, Code> {
        let mut txn = ptr::null_mut();
        // SAFETY: a live environment; `txn` is filled in.
        checked(unsafe { raw::mdb_txn_begin(self.env, ptr::null_mut(), 0, &mut txn) })?;
        let view = View { txn, tables: &self.tables, thread: PhantomData };
        let limit = self.in_map.as_ref().map(|in_map| self.size.min(data_in(in_map.length())));
        Ok(Writing { view, limit, is_ended: false })
    }

    /// How many bytes are in use, those of free pages too, and how many a page has.
    fn used(&self, map: &Map) -> Result<(usize, usize), Code> {
        let last = self.info(map)?.me_last_pgno;
        let mut stat = std::mem::MaybeUninit::<raw::MDB_stat>::uninit();
        // SAFETY: a live environment; the structure is filled in on success.
        unsafe {
            checked(raw::mdb_env_stat(self.env, stat.as_mut_ptr()))?;
            let page = stat.assume_init().ms_psize as usize;
            Ok(((last + 1).saturating_mul(page), page))
        }
    }

    fn info(&self, map: &Map) -> Result<raw::MDB_envinfo, Code> {
        map.check()?;
        let mut info = std::mem::MaybeUninit::uninit();
        // SAFETY: a live environment; the structure is filled in on success.
        unsafe { checked(raw::mdb_env_info(self.env, info.as_mut_ptr())).map(|()| info.assume_init()) }
    }

    /// Whether something can be added. What deleting has taken beyond the size must be free first, or it would take more each time.
    pub fn has_room(&self) -> Result<bool, Code> {
        /// For the copies of pages that deleting makes.
        const KEPT: usize = 16;
        if self.in_map.is_some() {
            // See `Writing::has_room`.
            return Ok(true);
        }
        // The map is not held any more when it is read below.
        let (used, page) = self.used(&*self.hold_map()?)?;
        if used <= self.size {
            return Ok(true);
        }
        let wanted = (used - self.size).div_ceil(page) + KEPT;
        self.read(|view| view.has_free_pages(wanted))
    }

    /// Writes what was committed to the disk. Blocks.
    pub fn sync(&self) -> Result<(), Code> {
        let _map = self.hold_map()?;
        // SAFETY: a live environment.
        checked(unsafe { raw::mdb_env_sync(self.env, 1) })
    }

    /// Waits until no view shows what was before this moment: pages that were freed since are not used again before. False if there was
    /// nothing to wait for, or it was too long.
    pub fn wait_for_readers(&self, until: Instant) -> Result<bool, Code> {
        const LOOK: Duration = Duration::from_millis(1);
        self.free_readers();
        let now = self.info(&*self.hold_map()?)?.me_last_txnid;
        let mut has_waited = false;
        while self.oldest_view()?.is_some_and(|oldest| oldest < now) {
            if Instant::now() >= until {
                return Ok(false);
            }
            std::thread::sleep(LOOK);
            has_waited = true;
        }
        Ok(has_waited)
    }

    /// The number of the change that the oldest view of all processes shows.
    fn oldest_view(&self) -> Result<Option<usize>, Code> {
        /// Gets the lines of LMDB's list: process, thread and number, which is '-' for a reader that shows nothing.
        unsafe extern "C" fn line(text: *const c_char, oldest: *mut c_void) -> c_int {
            // SAFETY: a text, and what is passed below.
            let (text, oldest) = unsafe { (CStr::from_ptr(text), &mut *oldest.cast::<Option<usize>>()) };
            let number = text.to_str().ok().and_then(|text| text.split_whitespace().nth(2)?.parse().ok());
            *oldest = [*oldest, number].into_iter().flatten().min();
            0
        }
        let mut oldest: Option<usize> = None;
        // SAFETY: a live environment; `line` is called with the last one, and does not panic.
        match unsafe { raw::mdb_reader_list(self.env, Some(line), (&raw mut oldest).cast()) } {
            code if code < 0 => Err(Code(code)),
            _ => Ok(oldest),
        }
    }

    /// Frees the places of readers whose processes have ended.
    pub fn free_readers(&self) {
        let mut dead = 0;
        // SAFETY: a live environment.
        unsafe { raw::mdb_reader_check(self.env, &mut dead) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    /// A new environment, and its folder.
    fn opened(name: &str, size: usize, writes_map: bool) -> (Environment, PathBuf) {
        let name = format!("mod_python-lmdb-{name}-{writes_map}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("we may");
        let options = Options { size, readers: 32, syncs: false, writes_map };
        (Environment::open(&folder, &options).expect("it is new"), folder)
    }

    #[test]
    fn a_change_in_the_map_is_made_at_once_unless_another_one_is_being_made() {
        for writes_map in [true, false] {
            let (environment, folder) = opened("at_once", 1 << 20, writes_map);
            let at_once = || environment.write_at_once(|writing| writing.put(Table::Entries, b"ekey", b"value"));
            let done = writes_map.then_some(());
            assert_eq!(at_once(), Ok(done));
            environment
                .write(|_| {
                    std::thread::scope(|scope| {
                        assert_eq!(scope.spawn(at_once).join().expect("it does not panic"), Ok(None));
                    });
                    Ok::<_, Code>(())
                })
                .expect("there is room");
            assert_eq!(at_once(), Ok(done));
            std::fs::remove_dir_all(&folder).expect("we may");
        }
    }

    /// Another thread that looks at the map meanwhile would look at nothing, and end the process.
    #[test]
    fn the_map_is_changed_while_others_look_at_it() {
        for writes_map in [true, false] {
            let (environment, folder) = opened("looked", 64 << 20, writes_map);
            let is_done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_done.load(Ordering::Relaxed) {
                        environment.wait_for_readers(Instant::now()).expect("LMDB has its list");
                        environment.has_room().expect("it can be read");
                        environment.sync().expect("it can be written");
                    }
                });
                for _ in 0..200 {
                    match environment.length_of_map() {
                        Some(length) => _ = environment.grow(Some(length)).expect("there is room"),
                        None => {
                            environment.resize(4 << 20).and_then(|()| environment.resize(0)).expect("there is room")
                        }
                    }
                }
                is_done.store(true, Ordering::Relaxed);
            });
            std::fs::remove_dir_all(&folder).expect("we may");
        }
    }

    #[test]
    fn many_readers_do_not_keep_the_map_from_growing() {
        let (environment, folder) = opened("read", 256 << 20, true);
        environment.write(|writing| writing.put(Table::Entries, b"ekey", &[7; 60_000])).expect("there is room");
        let is_done = AtomicBool::new(false);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    // The end, so that a defect is a failure
                    while !is_done.load(Ordering::Relaxed) && begun.elapsed() < Duration::from_secs(120) {
                        let read =
                            |view: &Reading<'_>| Ok::<_, Code>(view.get(Table::Entries, b"ekey")?.map(<[u8]>::to_vec));
                        assert_eq!(environment.read(read), Ok(Some(vec![7; 60_000])));
                    }
                });
            }
            while environment.grow(environment.length_of_map()).expect("there is room") {}
            is_done.store(true, Ordering::Relaxed);
        });
        assert!(begun.elapsed() < Duration::from_secs(120));
        assert_eq!(environment.length_of_map(), Some(320 << 20));
        std::fs::remove_dir_all(&folder).expect("we may");
    }

    #[test]
    fn what_an_old_view_shows_is_waited_for() {
        let (environment, folder) = opened("views", 1 << 20, false);
        let change = || environment.write(|writing| writing.put(Table::Entries, b"ekey", &[0; 20_000]));
        let soon = || Instant::now() + Duration::from_secs(60);
        std::thread::scope(|scope| {
            let (begun, has_begun) = mpsc::channel();
            let (end, ends) = mpsc::channel();
            let environment = &environment;
            scope.spawn(move || {
                environment.read(|_| {
                    begun.send(()).expect("it is waited for");
                    ends.recv().map_err(|_| Code(libc::EIO))
                })
            });
            has_begun.recv().expect("it begins");
            let full = (0..1000).find_map(|_| change().err());
            assert_eq!(full, Some(Code::MAP_FULL));
            assert_eq!(environment.wait_for_readers(Instant::now()), Ok(false));
            assert_eq!(change(), Err(Code::MAP_FULL));
            let waiting = scope.spawn(|| environment.wait_for_readers(soon()));
            end.send(()).expect("it waits");
            waiting.join().expect("it does not panic").expect("LMDB has its list");
        });
        for _ in 0..1000 {
            assert_eq!(change(), Ok(()));
        }
        // Nobody reads.
        assert_eq!(environment.wait_for_readers(soon()), Ok(false));
        std::fs::remove_dir_all(&folder).expect("we may");
    }
}
