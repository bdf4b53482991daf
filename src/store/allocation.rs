//! Room for the files that LMDB writes by way of memory: a page of them for which the file system has no room would be SIGBUS.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Gives a file room for its first bytes.
#[cfg(target_os = "linux")]
fn allocate(file: &File, mode: libc::c_int, length: u64) -> io::Result<()> {
    loop {
        // SAFETY: an open file.
        if unsafe { libc::fallocate(file.as_raw_fd(), mode, 0, length as libc::off_t) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Makes the file of locks that LMDB's processes share, with room for all of it: LMDB only makes it long. To be called before LMDB has the
/// file open, whose locks would end with this one's close.
pub fn make_room_for_locks(path: &Path, readers: u32) -> io::Result<()> {
    // sizeof(MDB_reader), and more than sizeof(MDB_txninfo), in mdb.c.
    const READER: u64 = 64;
    const HEAD: u64 = 1024;
    let file = opened(path)?;
    let length = file.metadata()?.len().max(u64::from(readers) * READER + HEAD);
    #[cfg(target_os = "linux")]
    return allocate(&file, libc::FALLOC_FL_KEEP_SIZE, length).or_else(|error| match error.raw_os_error() {
        // Not every file system can.
        Some(libc::EOPNOTSUPP) => Ok(()),
        _ => Err(error),
    });
    #[cfg(not(target_os = "linux"))]
    return Ok(drop(length));
}

/// The file of a map in which changes are made. All of it has room, and it never becomes shorter.
pub struct MapFile {
    data: PathBuf,
    lock: PathBuf,
}

/// A file of a map whose length no other process changes.
pub struct Locked<'m> {
    file: &'m MapFile,
    /// Its length, 0 if it was not there.
    before: u64,
    /// The lock ends when it is closed.
    _lock: File,
}

impl MapFile {
    /// Of the environment in a folder.
    pub fn new(folder: &Path) -> Self {
        Self { data: folder.join("data.mdb"), lock: folder.join("map") }
    }

    /// Waits until no other process changes the length.
    pub fn lock(&self) -> io::Result<Locked<'_>> {
        let lock = opened(&self.lock)?;
        loop {
            // SAFETY: an open file.
            if unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) } == 0 {
                let before = match self.data.metadata() {
                    Ok(found) => found.len(),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                    Err(error) => return Err(error),
                };
                return Ok(Locked { file: self, before, _lock: lock });
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

impl Locked<'_> {
    /// The length of the map: that of the file, or of one that holds data of a size, with the room that deleting and large changes need,
    /// which write copies of their pages.
    pub fn length(&self, size: usize) -> usize {
        const LEAST: usize = 1 << 20;
        let length = usize::try_from(self.before).unwrap_or(usize::MAX);
        length.max(size.saturating_add((size / 4).max(LEAST)))
    }

    /// Makes the file as long as it was, of which no process has mapped more.
    pub fn undo(&self) -> io::Result<()> {
        opened(&self.file.data)?.set_len(self.before)
    }

    /// Gives the file room for a length.
    ///
    /// # Errors
    /// The file system has not as much. Nothing is changed then.
    pub fn allocate(&self, length: usize) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        return allocate(&opened(&self.file.data)?, 0, length as u64);
        // Its file systems in memory are not known: see `folder`.
        #[cfg(not(target_os = "linux"))]
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)).map(|()| drop(length));
    }
}
