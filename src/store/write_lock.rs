//! The lock that comes before LMDB's own where a change is made in the map: unlike LMDB's, it can be tried without waiting.

use std::cell::UnsafeCell;
use std::hint;
use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::allocation::MapLock;
use super::folder::open_file;
use super::shared::{Shared, mapped};

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
pub struct WriteLock(&'static Place);

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
        let place: &Place = mapped(&open_file(path)?)?;
        if place.made.load(Ordering::Acquire) != MADE {
            make(place.mutex.get())?;
            place.made.store(MADE, Ordering::Release);
        }
        Ok(Self(place))
    }

    /// Takes the lock if it is free now, or will be in a moment: none if it is not.
    ///
    /// # Errors
    /// The mutex is damaged.
    pub fn try_take(&self) -> io::Result<Option<WriteGuard<'_>>> {
        /// About as long as a small change takes.
        const TRIES: usize = 50;
        for _ in 0..TRIES {
            // SAFETY: a mutex that was made.
            match unsafe { libc::pthread_mutex_trylock(self.0.mutex.get()) } {
                libc::EBUSY => hint::spin_loop(),
                outcome => return self.taken(outcome).map(Some),
            }
        }
        Ok(None)
    }

    /// Takes the lock. Blocks until it is free.
    ///
    /// # Errors
    /// The mutex is damaged.
    pub fn take(&self) -> io::Result<WriteGuard<'_>> {
        match self.try_take()? {
            Some(guard) => Ok(guard),
            // SAFETY: as above.
            None => self.taken(unsafe { libc::pthread_mutex_lock(self.0.mutex.get()) }),
        }
    }

    fn taken(&self, outcome: libc::c_int) -> io::Result<WriteGuard<'_>> {
        match outcome {
            0 => {}
            // The thread that had it has ended. It protects nothing of its own: LMDB looks after its data itself.
            // SAFETY: this thread has it.
            libc::EOWNERDEAD => checked(unsafe { libc::pthread_mutex_consistent(self.0.mutex.get()) })?,
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

fn checked(code: libc::c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

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
        let elsewhere =
            || std::thread::scope(|scope| scope.spawn(|| same.try_take().map(|guard| guard.is_some())).join());
        let is_free = || elsewhere().expect("it does not panic").expect("it is sound");
        let guard = lock.try_take().expect("it is sound").expect("nobody has it");
        assert!(!is_free());
        drop(guard);
        assert!(is_free());
        let ended = std::thread::scope(|scope| scope.spawn(|| lock.take().map(std::mem::forget)).join());
        ended.expect("it does not panic").expect("it is sound");
        for _ in 0..2 {
            drop(same.take().expect("it is sound again"));
        }
        std::fs::remove_dir_all(&folder).expect("we may");
    }
}
