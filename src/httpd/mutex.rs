//! Global mutexes, made by httpd's own `Mutex` directive: they hold across threads and processes.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::ffi::httpd as raw;

use super::{Pool, Server};

/// The name for `Mutex … python`.
const TYPE: &CStr = c"python";

/// A global mutex, and who in this process holds it.
struct GlobalMutex {
    mutex: *mut raw::apr_global_mutex_t,
    /// The thread that holds it; 0 when none of this process does.
    holder: AtomicU64,
    /// How many times that thread has locked it.
    depth: AtomicU32,
}

/// The global mutexes of one configuration.
///
/// A thread that locks one again gets it, since the wait would have no end: keys can share a mutex. It is released with the
/// last unlocking.
pub struct GlobalMutexes(Vec<GlobalMutex>);

/// A number for this thread that no other of this process ever has.
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
    /// Makes the type known to the `Mutex` directive. To be called before the configuration is read.
    pub fn register_type(pool: Pool<'_>) {
        // SAFETY: the pool is the configuration's; the name is static.
        unsafe {
            raw::ap_mutex_register(pool.as_ptr(), TYPE.as_ptr(), ptr::null(), raw::apr_lockmech_e_APR_LOCK_DEFAULT, 0)
        };
    }

    /// Makes `count` mutexes that live in `pool`; httpd has logged why when one fails, and the status is returned.
    pub fn create(count: usize, server: Server<'_>, pool: Pool<'_>) -> (Self, Option<i32>) {
        let mut made = Vec::with_capacity(count);
        for index in 0..count {
            let mut mutex = ptr::null_mut();
            let instance = pool.c_string(index.to_string().as_bytes());
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
                Self::give_back(&mut made);
                return (Self(made), Some(status));
            }
            made.push(GlobalMutex { mutex, holder: AtomicU64::new(0), depth: AtomicU32::new(0) });
        }
        (Self(made), None)
    }

    /// Leaves the system, which has no more of them, two for others.
    fn give_back(made: &mut Vec<GlobalMutex>) {
        for _ in 0..made.len().saturating_sub(2).min(2) {
            if let Some(last) = made.pop() {
                // SAFETY: just made, and used by nobody.
                unsafe { raw::apr_global_mutex_destroy(last.mutex) };
            }
        }
    }

    /// Opens the mutexes again in a child, for as long as its pool lives.
    pub fn open_in_child(&mut self, pool: Pool<'_>) -> Result<(), i32> {
        for mutex in &mut self.0 {
            // SAFETY: the mutex was made before the fork; the file name is its own.
            let status = unsafe {
                let file = raw::apr_global_mutex_lockfile(mutex.mutex);
                raw::apr_global_mutex_child_init(&mut mutex.mutex, file, pool.as_ptr())
            };
            if status != 0 {
                return Err(status);
            }
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for the mutex, unless this thread holds it already. Blocks: release the interpreter before.
    pub fn lock(&self, index: usize) -> Result<(), i32> {
        let one = &self.0[index];
        let me = this_thread();
        if one.holder.load(Ordering::Acquire) == me {
            one.depth.fetch_add(1, Ordering::AcqRel);
            return Ok(());
        }
        // SAFETY: a live mutex.
        checked(unsafe { raw::apr_global_mutex_lock(one.mutex) }).map(|()| one.taken_by(me))
    }

    /// Whether the mutex was free and is now held.
    pub fn try_lock(&self, index: usize) -> Result<bool, i32> {
        let one = &self.0[index];
        let me = this_thread();
        if one.holder.load(Ordering::Acquire) == me {
            return Ok(false);
        }
        // SAFETY: a live mutex.
        match unsafe { raw::apr_global_mutex_trylock(one.mutex) } {
            0 => {
                one.taken_by(me);
                Ok(true)
            }
            status if status == raw::APR_EBUSY as i32 => Ok(false),
            status => Err(status),
        }
    }

    /// Releases the mutex; `false` if no thread of this process holds it.
    pub fn unlock(&self, index: usize) -> Result<bool, i32> {
        let one = &self.0[index];
        let less = |depth: u32| depth.checked_sub(1);
        match one.depth.fetch_update(Ordering::AcqRel, Ordering::Acquire, less) {
            Err(_) => return Ok(false),
            Ok(depth) if depth > 1 => return Ok(true),
            Ok(_) => {}
        }
        let holder = one.holder.swap(0, Ordering::AcqRel);
        // SAFETY: a live mutex, which this process holds.
        let released = checked(unsafe { raw::apr_global_mutex_unlock(one.mutex) });
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

fn checked(status: i32) -> Result<(), i32> {
    if status == 0 { Ok(()) } else { Err(status) }
}
