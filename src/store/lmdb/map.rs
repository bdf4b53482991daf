//! The size of the map, and the map in which changes are made (MDB_WRITEMAP), which grows with its data.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use lmdb_master_sys as raw;

use super::super::allocation::{MapLock, length_of_map, lengthen_map, make_room_for_map};
use super::super::write_lock::WriteLock;
use super::{Code, Environment, checked};

/// Whether there is a map: it can be lost when it is to become longer, and nothing can be read or written then.
pub(super) enum Map {
    There,
    Lost,
}

impl Map {
    #[inline]
    pub fn check(&self) -> Result<(), Code> {
        match self {
            Self::There => Ok(()),
            Self::Lost => Err(Code(libc::ENOMEM)),
        }
    }
}

/// What processes that make changes in the map share.
pub(super) struct InMap {
    /// The file that `MapLock` is about.
    map_lock: PathBuf,
    pub write_lock: WriteLock,
    /// The length of this process's map in bytes. That of the file may be larger.
    length: AtomicUsize,
}

impl InMap {
    /// Gives the map its first room. LMDB is to open it before the lock is dropped.
    pub fn open(folder: &Path, size: usize) -> Result<(Self, MapLock), Code> {
        let map_lock = folder.join("map");
        let alone = MapLock::take(&map_lock)?;
        let write_lock = WriteLock::open(&folder.join("write"), &alone)?;
        let length = make_room_for_map(&folder.join("data.mdb"), size, &alone)?;
        Ok((Self { map_lock, write_lock, length: AtomicUsize::new(length) }, alone))
    }

    #[inline]
    pub fn length(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }
}

impl Environment {
    /// Takes on what another process has written behind the end of this one's map.
    pub(super) fn enlarge(&self) -> Result<(), Code> {
        // Not the size of the other one's map: it may have been enlarged to delete something, and this process would fill that room.
        self.resize(0)
    }

    /// Gives the map its size, or what is in use if that is larger, and so many bytes more. Waits for the transactions of this process.
    ///
    /// A map in which changes are made only takes on the length of its file: see `grow`.
    pub fn resize(&self, more: usize) -> Result<(), Code> {
        if let Some(in_map) = &self.in_map {
            return self.take_on(in_map, length_of_map).map(drop);
        }
        let mut map = self.map.write();
        let (used, _) = self.used(&map)?;
        self.set_length(&mut map, self.size.max(used).saturating_add(more))
    }

    /// Maps the file anew with another length, which a file in whose map changes are made has already.
    ///
    /// LMDB takes the old map away first, and nothing can be read any more if there is no address space for the new one: that is tried before.
    fn set_length(&self, map: &mut Map, length: usize) -> Result<(), Code> {
        try_address_space(length.saturating_sub(self.info(map)?.me_mapsize))?;
        // SAFETY: a live environment. No transaction of this process is open, since the map is this thread's; those that were reset see nothing.
        let set = checked(unsafe { raw::mdb_env_set_mapsize(self.env, length as _) });
        if set.is_err() {
            *map = Map::Lost;
        }
        set
    }

    /// How long the map is at the moment, in bytes, where changes are made in it.
    #[inline]
    pub fn length_of_map(&self) -> Option<usize> {
        self.in_map.as_ref().map(InMap::length)
    }

    /// Makes the map longer in which there was no room for a change when it had a length. False if it is as long as its size lets it be. Waits for
    /// the transactions of this process.
    ///
    /// # Errors
    /// The file system has no room.
    pub fn grow(&self, had: Option<usize>) -> Result<bool, Code> {
        let (Some(in_map), Some(had)) = (&self.in_map, had) else { return Ok(false) };
        let length = self.take_on(in_map, |file, alone| lengthen_map(file, had, self.size, alone))?;
        Ok(length > had)
    }

    /// Gives the map the length that `length` finds for its file.
    fn take_on(
        &self,
        in_map: &InMap,
        length: impl FnOnce(BorrowedFd<'_>, &MapLock) -> io::Result<usize>,
    ) -> Result<usize, Code> {
        // Not while transactions of this process wait.
        let alone = MapLock::take(&in_map.map_lock)?;
        let mut file = -1;
        // SAFETY: a live environment; its file is open as long as it is.
        let file = unsafe {
            checked(raw::mdb_env_get_fd(self.env, &mut file))?;
            BorrowedFd::borrow_raw(file)
        };
        let length = length(file, &alone)?;
        if length != in_map.length() {
            self.set_length(&mut self.map.write(), length)?;
            in_map.length.store(length, Ordering::Relaxed);
        }
        Ok(length)
    }
}

/// Whether this process can map so many bytes more.
fn try_address_space(bytes: usize) -> Result<(), Code> {
    if bytes == 0 {
        return Ok(());
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, which nobody can use, and which is taken away again.
    unsafe {
        let tried = libc::mmap(ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0);
        if tried == libc::MAP_FAILED {
            return Err(io::Error::last_os_error().into());
        }
        libc::munmap(tried, bytes);
    }
    Ok(())
}
