//! Room for the files that LMDB writes by way of memory: a page of them for which the file system has no room would be SIGBUS.

use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Gives a part of a file room. Its length stays what it is with `FALLOC_FL_KEEP_SIZE`.
#[cfg(target_os = "linux")]
fn allocate(file: BorrowedFd<'_>, mode: c_int, part: Range<u64>) -> io::Result<()> {
    let length = part.end.saturating_sub(part.start);
    if length == 0 {
        return Ok(());
    }
    // SAFETY: an open file.
    repeated(|| unsafe { libc::fallocate(file.as_raw_fd(), mode, part.start as libc::off_t, length as libc::off_t) })
}

/// Does what a signal has interrupted again.
fn repeated(call: impl Fn() -> c_int) -> io::Result<()> {
    while call() != 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}

/// Makes the file of locks that LMDB's processes share, with room for all of it: LMDB only makes it long. To be called before LMDB has the
/// file open, whose locks would end with this one's close.
#[cfg(target_os = "linux")]
pub fn make_room_for_locks(path: &Path, readers: u32) -> io::Result<()> {
    // sizeof(MDB_reader), and more than sizeof(MDB_txninfo), in mdb.c.
    const READER: u64 = 64;
    const HEAD: u64 = 1024;
    let file = opened(path)?;
    let length = file.metadata()?.len().max(u64::from(readers) * READER + HEAD);
    match allocate(file.as_fd(), libc::FALLOC_FL_KEEP_SIZE, 0..length) {
        // Not every file system can.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(()),
        outcome => outcome,
    }
}

#[cfg(not(target_os = "linux"))]
pub fn make_room_for_locks(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

/// What a process has while it changes the length of a map in which changes are made, or takes it on: LMDB gives the file the length of its
/// own map, which must not be shorter than that of another process.
pub struct MapLock(File);

impl MapLock {
    /// Waits until no other process has it.
    pub fn take(path: &Path) -> io::Result<Self> {
        let file = opened(path)?;
        // SAFETY: an open file.
        repeated(|| unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) })?;
        Ok(Self(file))
    }
}

impl Drop for MapLock {
    fn drop(&mut self) {
        // Not only closed: a process that was forked meanwhile has the file open, too.
        // SAFETY: an open file.
        unsafe { libc::flock(self.0.as_raw_fd(), libc::LOCK_UN) };
    }
}

/// The length of the map: that of the file, or of one for data of a size, with the room that deleting and large changes need, which write
/// copies of their pages.
fn length_for(found: u64, size: usize) -> u64 {
    const LEAST: usize = 1 << 20;
    found.max(size.saturating_add((size / 4).max(LEAST)) as u64)
}

/// Gives the file of a map room for data of a size, before LMDB opens it; the length that the map has to have.
///
/// All that the file's length covers has room, whenever a process is killed: LMDB makes it longer after this.
///
/// # Errors
/// The file system has no such room. Nothing is changed then.
#[cfg(target_os = "linux")]
pub fn make_room_for_map(path: &Path, size: usize, _: &MapLock) -> io::Result<usize> {
    let file = opened(path)?;
    let found = file.metadata()?.len();
    let length = length_for(found, size);
    allocate(file.as_fd(), libc::FALLOC_FL_KEEP_SIZE, found..length)?;
    Ok(usize::try_from(length).unwrap_or(usize::MAX))
}

/// The same while LMDB has the file open.
#[cfg(target_os = "linux")]
pub fn lengthen_map(file: BorrowedFd<'_>, size: usize, _: &MapLock) -> io::Result<usize> {
    let file = File::from(file.try_clone_to_owned()?);
    let found = file.metadata()?.len();
    let length = length_for(found, size);
    allocate(file.as_fd(), 0, found..length)?;
    Ok(usize::try_from(length).unwrap_or(usize::MAX))
}

// File systems in memory are known on Linux only: see `folder`.
#[cfg(not(target_os = "linux"))]
pub fn make_room_for_map(_: &Path, _: usize, _: &MapLock) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub fn lengthen_map(_: BorrowedFd<'_>, _: usize, _: &MapLock) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
