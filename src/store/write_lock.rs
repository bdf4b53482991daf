//! The lock that comes before LMDB's own where a change is made in the map: unlike LMDB's, it can be tried without waiting.

use std::cell::UnsafeCell;
use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::allocation::MapLock;
use super::folder::open_file;
use super::shared::{Mapped, Shared};

/// What says that the mutex behind it is one, of this length.
const MADE: u64 = 0x6d70_7774_0000_0000 | size_of::<libc::pthread_mutex_t>() as u64;

#[repr(C)]
struct Place {
    made: AtomicU64,
    mutex: UnsafeCell<libc::pthread_mutex_t>,
}

// SAFETY: the mutex is only touched by the functions for one that processes share; it is made while `MapLock` is held, before `made` says so.
unsafe impl Shared for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

/// A mutex of all processes of a store. The system gives it back when a thread that has it ends, however that ends.
pub struct WriteLock(Mapped<Place>);

/// The lock is this thread's until this is dropped.
pub struct WriteGuard<'l> {
    lock: &'l WriteLock,
    thread: PhantomData<*mut ()>,
}

impl WriteLock {
    /// Opens the lock in a file, and makes it if it is not there.
    ///
    /// # Errors
    /// The file cannot be used, or the system has no such mutexes.
    pub fn open(path: &Path, _: &MapLock) -> io::Result<Self> {
        let place = Mapped::<Place>::of(&open_file(path)?)?;
        if place.made.load(Ordering::Acquire) != MADE {
            make(place.mutex.get())?;
            place.made.store(MADE, Ordering::Release);
        }
        Ok(Self(place))
    }

    /// Takes the lock if it is free: none if it is not.
    ///
    /// # Errors
    /// The mutex is damaged.
    pub fn try_take(&self) -> io::Result<Option<WriteGuard<'_>>> {
        // SAFETY: a mutex that was made.
        match unsafe { libc::pthread_mutex_trylock(self.0.mutex.get()) } {
            libc::EBUSY => Ok(None),
            outcome => self.taken(outcome).map(Some),
        }
    }

    /// Takes the lock. Blocks until it is free.
    ///
    /// Sleeps first, for a hundred small changes and then for more: whoever changes much then makes those in a row, and those that wait leave it
    /// the processor. If the lock went from core to core with each change, all of its data would, too, and each change would have to wake
    /// somebody.
    ///
    /// # Errors
    /// The mutex is damaged.
    pub fn take(&self) -> io::Result<WriteGuard<'_>> {
        const FIRST: Duration = Duration::from_micros(50);
        const LONGEST: Duration = Duration::from_micros(400);
        const NAPS: usize = 12;
        let mut nap = FIRST;
        for _ in 0..NAPS {
            match self.try_take()? {
                Some(guard) => return Ok(guard),
                None => thread::sleep(nap),
            }
            nap = (2 * nap).min(LONGEST);
        }
        // SAFETY: as above.
        self.taken(unsafe { libc::pthread_mutex_lock(self.0.mutex.get()) })
    }

    fn taken(&self, outcome: libc::c_int) -> io::Result<WriteGuard<'_>> {
        match outcome {
            0 => {}
            // The thread that had it has ended. It protects nothing of its own: LMDB looks after its data itself.
            libc::EOWNERDEAD => {
                let guard = WriteGuard { lock: self, thread: PhantomData };
                // SAFETY: this thread has it.
                return unsafe { make_consistent(self.0.mutex.get()) }.map(|()| guard);
            }
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        Ok(WriteGuard { lock: self, thread: PhantomData })
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread has it.
        unsafe { libc::pthread_mutex_unlock(self.lock.0.mutex.get()) };
    }
}

#[cfg(target_os = "linux")]
fn checked(code: libc::c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

#[cfg(target_os = "linux")]
unsafe fn make_consistent(mutex: *mut libc::pthread_mutex_t) -> io::Result<()> {
    // SAFETY: the caller's.
    checked(unsafe { libc::pthread_mutex_consistent(mutex) })
}

#[cfg(not(target_os = "linux"))]
unsafe fn make_consistent(_: *mut libc::pthread_mutex_t) -> io::Result<()> {
    Ok(())
}

/// Not every system has mutexes that end with their thread, and stores are in memory on Linux only: see `folder`.
#[cfg(not(target_os = "linux"))]
fn make(_: *mut libc::pthread_mutex_t) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOTSUP))
}

#[cfg(target_os = "linux")]
fn make(mutex: *mut libc::pthread_mutex_t) -> io::Result<()> {
    let mut attributes = std::mem::MaybeUninit::uninit();
    // SAFETY: the attributes are made by the first call; nobody else has the mutex yet.
    unsafe {
        checked(libc::pthread_mutexattr_init(attributes.as_mut_ptr()))?;
        let attributes = attributes.as_mut_ptr();
        checked(libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED))?;
        checked(libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST))?;
        checked(libc::pthread_mutex_init(mutex, attributes))?;
        checked(libc::pthread_mutexattr_destroy(attributes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_threads_and_free_when_that_ends() {
        let folder = std::env::temp_dir().join(format!("mod_python-write_lock-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("we may");
        let alone = MapLock::take(&folder.join("map")).expect("nobody has it");
        let open = || WriteLock::open(&folder.join("write"), &alone).expect("a file");
        let (lock, same) = (open(), open());
        let elsewhere = || thread::scope(|scope| scope.spawn(|| same.try_take().map(|guard| guard.is_some())).join());
        let is_free = || elsewhere().expect("it does not panic").expect("it is sound");
        let guard = lock.try_take().expect("it is sound").expect("nobody has it");
        assert!(!is_free());
        drop(guard);
        assert!(is_free());
        let ended = thread::scope(|scope| scope.spawn(|| lock.take().map(std::mem::forget)).join());
        ended.expect("it does not panic").expect("it is sound");
        for _ in 0..2 {
            drop(same.take().expect("it is sound again"));
        }
        std::fs::remove_dir_all(&folder).expect("we may");
    }
}
