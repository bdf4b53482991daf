//! Which processes are alive: each locks a byte of a file, at a place that is its name. The system gives it back when the process ends, however
//! it ends, and a process that is forked does not have it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::process::fork;

use super::folder::open_file;

/// The length of a token, in bytes: the process's name, and a number within it.
pub const TOKEN: usize = 16;

/// A name for this process that no other one has, on any machine.
fn process_name() -> u64 {
    /// The name, and `fork::generation() + 1` of the process that it is of, put together so that both change at once.
    static NAME: parking_lot::Mutex<(usize, u64)> = parking_lot::Mutex::new((0, 0));
    let generation = fork::generation() + 1;
    let mut name = NAME.lock();
    if name.0 != generation {
        *name = (generation, random());
    }
    name.1
}

/// A random number that fits a place in a file.
fn random() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: a buffer of this length. The system's generator is ready long before httpd starts.
    unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) };
    u64::from_ne_bytes(bytes) >> 2 | 1
}

/// A token that no other call gives, in this process or in another one.
pub fn token() -> [u8; TOKEN] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut token = [0; TOKEN];
    token[..8].copy_from_slice(&process_name().to_be_bytes());
    token[8..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    token
}

/// The file in which the processes of a store show that they are alive. Never closed: that would give the byte back.
pub struct Presence(std::mem::ManuallyDrop<File>);

impl Presence {
    /// Opens the file, and shows that this process is alive.
    ///
    /// # Errors
    /// It cannot be opened or locked.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = open_file(path)?;
        let mut lock = byte(process_name());
        // SAFETY: an open file and a complete structure.
        match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw mut lock) } {
            0 => Ok(Self(std::mem::ManuallyDrop::new(file))),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Whether the process of a token is alive; also if that cannot be found out.
    pub fn is_alive(&self, token: &[u8; TOKEN]) -> bool {
        let mut name = [0; 8];
        name.copy_from_slice(&token[..8]);
        let name = u64::from_be_bytes(name);
        if name == process_name() {
            return true;
        }
        let mut lock = byte(name);
        // SAFETY: an open file and a complete structure, which is filled in.
        let asked = unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_GETLK, &raw mut lock) };
        asked != 0 || lock.l_type != libc::F_UNLCK as libc::c_short
    }
}

/// The lock of one process.
fn byte(name: u64) -> libc::flock {
    // SAFETY: a plain structure of numbers.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = name as libc::off_t;
    lock.l_len = 1;
    lock
}
