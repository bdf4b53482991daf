//! Words in memory that all processes of a store share, on which threads wait for a lock to be given back.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::folder::open_file;
use super::shared::{Mapped, Shared};

/// The words.
pub struct Wakeups(Mapped<Words>);

struct Words([AtomicU32; 1024]);

// SAFETY: words that are used as atomic ones only.
unsafe impl Shared for Words {}

impl Wakeups {
    /// # Errors
    /// The file cannot be made or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        Mapped::of(&open_file(path)?).map(Self)
    }

    /// The word of a lock. Locks can share one: a thread that is woken looks again.
    fn word(&self, name: &[u8]) -> &AtomicU32 {
        // FNV-1a: the same in all processes.
        let hash = name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let words = &self.0.0;
        &words[(hash ^ (hash >> 32)) as usize % words.len()]
    }

    /// What to give to `wait`, taken before one looks whether there is anything to wait for.
    pub fn ticket(&self, name: &[u8]) -> u32 {
        self.word(name).load(Ordering::Acquire)
    }

    /// Waits until the lock may be free, at most so long.
    pub fn wait(&self, name: &[u8], ticket: u32, most: Duration) {
        wait(self.word(name), ticket, most);
    }

    /// Wakes all that wait for the lock.
    pub fn wake(&self, name: &[u8]) {
        let word = self.word(name);
        word.fetch_add(1, Ordering::Release);
        wake(word);
    }
}

#[cfg(target_os = "linux")]
fn wait(word: &AtomicU32, ticket: u32, most: Duration) {
    let most = libc::timespec { tv_sec: most.as_secs() as _, tv_nsec: most.subsec_nanos() as _ };
    // SAFETY: a live word; the kernel compares it before it waits.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, ticket, &raw const most) };
}

#[cfg(target_os = "linux")]
fn wake(word: &AtomicU32) {
    // SAFETY: a live word.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}

#[cfg(not(target_os = "linux"))]
fn wait(word: &AtomicU32, ticket: u32, most: Duration) {
    const STEP: Duration = Duration::from_millis(2);
    let begun = std::time::Instant::now();
    while word.load(Ordering::Acquire) == ticket && begun.elapsed() < most {
        std::thread::sleep(STEP);
    }
}

#[cfg(not(target_os = "linux"))]
fn wake(_: &AtomicU32) {}
