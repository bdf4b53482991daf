//! Global mutexes, configured by httpd's `Mutex` directive. They exclude threads and processes.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::ffi::httpd as raw;

use super::{AprStatus, Pool, Server, is_loaded};

/// The name for `Mutex … python`.
const TYPE: &CStr = c"python";

/// A global mutex, and the thread of this process that holds it.
struct GlobalMutex {
    mutex: *mut raw::apr_global_mutex_t,
    /// The thread that holds it; 0 when none of this process does.
    holder: AtomicU64,
    /// How many times that thread has locked it.
    depth: AtomicU32,
}

/// The global mutexes of one configuration.
///
/// A thread can lock a mutex again, since keys can share one; it would wait for ever otherwise. The last unlocking releases
/// it.
pub struct GlobalMutexes {
    mutexes: Vec<GlobalMutex>,
    /// The process that made them.
    maker: u32,
}

/// A number for this thread; no other thread of this process ever gets the same.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

// SAFETY: APR's global mutexes are made to be used by several threads.
unsafe impl Send for GlobalMutexes {}
// SAFETY: as above.
unsafe impl Sync for GlobalMutexes {}

impl GlobalMutexes {
    /// Registers the type for the `Mutex` directive. To be called before the configuration is read.
    ///
    /// Where the directive says nothing it is flock: event ends a request on another thread than the one that served it, which
    /// cannot release a mutex of the kind pthread, the default of most systems. With fcntl, processes that wait for each other by
    /// different threads are taken for a deadlock. Under mpm_itk it is the default: what serves a connection is forked from a child that has
    /// the same file open, so a lock of flock would stay when it dies.
    pub fn register_type(pool: Pool<'_>) {
        let mechanism = match raw::APR_HAS_FLOCK_SERIALIZE != 0 && !is_loaded(c"mpm_itk.c") {
            true => raw::apr_lockmech_e_APR_LOCK_FLOCK,
            false => raw::apr_lockmech_e_APR_LOCK_DEFAULT,
        };
        // SAFETY: the pool is the configuration's; the name is static.
        unsafe { raw::ap_mutex_register(pool.as_ptr(), TYPE.as_ptr(), ptr::null(), mechanism, 0) };
    }

    /// Creates `count` mutexes that live in `pool`; `kind` sets them apart from others. If one fails, httpd logs why, and its status is returned with those before it.
    pub fn create(count: usize, kind: &str, server: Server<'_>, pool: Pool<'_>) -> (Self, Option<AprStatus>) {
        let mut made = Vec::with_capacity(count);
        for index in 0..count {
            let mut mutex = ptr::null_mut();
            let instance = pool.c_string(format!("{kind}{index}").as_bytes());
            // SAFETY: the pool and the server are the configuration's, the name is static.
            let status = unsafe {
                raw::ap_global_mutex_create(
                    &mut mutex,
                    ptr::null_mut(),
                    TYPE.as_ptr(),
                    instance.as_ptr(),
                    server.as_ptr(),
                    pool.as_ptr(),
                    0,
                )
            };
            if status != 0 {
                Self::leave_some(&mut made);
                return (Self::new(made), Some(AprStatus(status)));
            }
            made.push(GlobalMutex { mutex, holder: AtomicU64::new(0), depth: AtomicU32::new(0) });
        }
        (Self::new(made), None)
    }

    fn new(mutexes: Vec<GlobalMutex>) -> Self {
        Self { mutexes, maker: std::process::id() }
    }

    /// Destroys two of them: the system has no more, and other programs may need some.
    fn leave_some(made: &mut Vec<GlobalMutex>) {
        for _ in 0..made.len().saturating_sub(2).min(2) {
            if let Some(last) = made.pop() {
                // SAFETY: just created, and not used.
                unsafe { raw::apr_global_mutex_destroy(last.mutex) };
            }
        }
    }

    /// Opens the mutexes again in a child, for as long as its pool lives.
    pub fn open_in_child(&mut self, pool: Pool<'_>) -> Result<(), AprStatus> {
        // A single process has them open already. APR would put what it opens again in their place, and the child's pool ends before theirs.
        if self.maker == std::process::id() {
            return Ok(());
        }
        for mutex in &mut self.mutexes {
            // SAFETY: the mutex was made before the fork; the file name is its own.
            let status = unsafe {
                let file = raw::apr_global_mutex_lockfile(mutex.mutex);
                raw::apr_global_mutex_child_init(&mut mutex.mutex, file, pool.as_ptr())
            };
            if status != 0 {
                return Err(AprStatus(status));
            }
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.mutexes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.mutexes.is_empty()
    }

    /// Waits for the mutex, unless this thread holds it already. Blocks: release the interpreter before.
    pub fn lock(&self, index: usize) -> Result<(), AprStatus> {
        let one = &self.mutexes[index];
        let me = this_thread();
        if one.holder.load(Ordering::Acquire) == me {
            one.depth.fetch_add(1, Ordering::AcqRel);
            return Ok(());
        }
        // SAFETY: a live mutex.
        AprStatus(unsafe { raw::apr_global_mutex_lock(one.mutex) }).checked().map(|()| one.taken_by(me))
    }

    /// Whether the mutex was free and is now held.
    pub fn try_lock(&self, index: usize) -> Result<bool, AprStatus> {
        let one = &self.mutexes[index];
        let me = this_thread();
        if one.holder.load(Ordering::Acquire) == me {
            return Ok(false);
        }
        // SAFETY: a live mutex.
        match AprStatus(unsafe { raw::apr_global_mutex_trylock(one.mutex) }) {
            AprStatus::SUCCESS => {
                one.taken_by(me);
                Ok(true)
            }
            AprStatus::BUSY => Ok(false),
            status => Err(status),
        }
    }

    /// Releases the mutex; `false` if no thread of this process holds it.
    pub fn unlock(&self, index: usize) -> Result<bool, AprStatus> {
        let one = &self.mutexes[index];
        let less = |depth: u32| depth.checked_sub(1);
        match one.depth.fetch_update(Ordering::AcqRel, Ordering::Acquire, less) {
            Err(_) => return Ok(false),
            Ok(depth) if depth > 1 => return Ok(true),
            Ok(_) => {}
        }
        let holder = one.holder.swap(0, Ordering::AcqRel);
        // SAFETY: a live mutex, which this process holds.
        let released = AprStatus(unsafe { raw::apr_global_mutex_unlock(one.mutex) }).checked();
        if released.is_err() {
            one.taken_by(holder);
        }
        released.map(|()| true)
    }
}

impl GlobalMutex {
    fn taken_by(&self, thread: u64) {
        self.depth.store(1, Ordering::Release);
        self.holder.store(thread, Ordering::Release);
    }
}
