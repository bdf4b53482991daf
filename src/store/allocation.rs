//! Room for the files that LMDB writes by way of memory: a page of them for which the file system has no room would be SIGBUS.

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use super::folder::open_file;

/// Gives a part of a file room. Its length stays what it is with `keep_length`.
#[cfg(target_os = "linux")]
fn allocate(file: &File, part: Range<u64>, keep_length: bool) -> io::Result<()> {
    let length = part.end.saturating_sub(part.start);
    if length == 0 {
        return Ok(());
    }
    let mode = if keep_length { libc::FALLOC_FL_KEEP_SIZE } else { 0 };
    // SAFETY: an open file.
    repeated(|| unsafe { libc::fallocate(file.as_raw_fd(), mode, part.start as libc::off_t, length as libc::off_t) })
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: Range<u64>, _: bool) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
}

/// Does what a signal has interrupted again.
fn repeated(mut call: impl FnMut() -> c_int) -> io::Result<()> {
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
pub fn make_room_for_locks(path: &Path, readers: u32) -> io::Result<()> {
    // sizeof(MDB_reader), and more than sizeof(MDB_txninfo), in mdb.c.
    const READER: u64 = 64;
    const HEAD: u64 = 1024;
    let file = open_file(path)?;
    let length = file.metadata()?.len().max(u64::from(readers) * READER + HEAD);
    match allocate(&file, 0..length, true) {
        // Not every file system can.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(()),
        outcome => outcome,
    }
}

/// What a process has while it changes the length of a map in which changes are made, or takes it on: LMDB gives the file the length of its
/// own map, which must not be shorter than that of another process.
pub struct MapLock(File);

impl MapLock {
    /// Waits until no other process has it.
    pub fn take(path: &Path) -> io::Result<Self> {
        let file = open_file(path)?;
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

/// How long the file of a map is at first, in bytes, and by how much it grows at least.
const FIRST: usize = 2 << 20;
const STEP: usize = 1 << 20;

/// What is kept of a map for deleting and for large changes, which write copies of their pages.
const LEAST_KEPT: usize = 1 << 20;

/// How many bytes the file system of a file has for it. A twentieth of all is left to others: the runtime directory is also the system's.
fn room(file: &File) -> io::Result<usize> {
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: an open file; the structure is filled in on success.
    let found = unsafe {
        repeated(|| libc::fstatvfs(file.as_raw_fd(), found.as_mut_ptr()))?;
        found.assume_init()
    };
    // Zero: a tmpfs without a limit.
    if found.f_blocks == 0 {
        return Ok(usize::MAX);
    }
    let blocks = (found.f_bavail as usize).saturating_sub(found.f_blocks as usize / 20);
    Ok(blocks.saturating_mul(found.f_frsize as usize))
}

/// How much data a map of a length takes.
pub fn data_in(length: usize) -> usize {
    length.saturating_sub((length / 5).max(LEAST_KEPT))
}

/// The length of a map that takes data of a size.
fn length_for(size: usize) -> usize {
    size.saturating_add((size / 4).max(LEAST_KEPT))
}

/// Gives the file of a map room, before LMDB opens it; the length that the map has to have.
///
/// All that the file's length covers has room, whenever a process is killed: LMDB makes it longer after this.
///
/// # Errors
/// The file system has no such room. Nothing is changed then.
pub fn make_room_for_map(path: &Path, size: usize, _: &MapLock) -> io::Result<usize> {
    let file = open_file(path)?;
    let found = length_of(&file)?;
    let length = found.max(FIRST.min(length_for(size)));
    if length - found > room(&file)? {
        return Err(io::Error::from_raw_os_error(libc::ENOSPC));
    }
    allocate(&file, found as u64..length as u64, true)?;
    Ok(length)
}

/// The length of the file of a map, which LMDB has open.
pub fn length_of_map(file: BorrowedFd<'_>, _: &MapLock) -> io::Result<usize> {
    length_of(&File::from(file.try_clone_to_owned()?))
}

/// Makes the file longer if it still has a length, by half or by what the file system has, but not beyond what data of a size takes, and gives
/// that room; its length.
///
/// # Errors
/// The file system has no such room. Nothing is changed then.
pub fn lengthen_map(file: BorrowedFd<'_>, had: usize, size: usize, _: &MapLock) -> io::Result<usize> {
    let file = File::from(file.try_clone_to_owned()?);
    let found = length_of(&file)?;
    // Whole megabytes, which are whole pages.
    let wanted = (found + (found / 2).max(STEP)).next_multiple_of(STEP).min(length_for(size));
    // Another thread or process may have made it longer meanwhile.
    if found > had || found >= wanted {
        return Ok(found);
    }
    // Asked for only if it is there: the system gives page after page until there is none, and others would have none for a moment.
    let room = room(&file)?;
    let length = if wanted - found <= room { wanted } else { found + room / STEP * STEP };
    if length == found {
        return Err(io::Error::from_raw_os_error(libc::ENOSPC));
    }
    allocate(&file, found as u64..length as u64, false)?;
    Ok(length)
}

fn length_of(file: &File) -> io::Result<usize> {
    Ok(usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_takes_data_of_its_size() {
        for size in [1 << 20, 3 << 20, 4 << 20, 5 << 20, 256 << 20, 1 << 40] {
            assert_eq!(data_in(length_for(size)), size, "{size}");
        }
        assert!(data_in(FIRST) >= 1 << 20);
    }
}
