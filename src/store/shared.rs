//! Memory that all processes of a store share: files of zeros that are mapped.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};

/// What can be in such memory.
///
/// # Safety
/// All zeros are a value of it, and it is only changed in ways that are right for several processes at once.
pub unsafe trait Shared: Sync {}

/// The memory of a file, mapped until this is dropped.
pub struct Mapped<T>(NonNull<T>);

// SAFETY: it gives nothing but shared references to what is `Sync`.
unsafe impl<T: Shared> Send for Mapped<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for Mapped<T> {}

impl<T: Shared> Mapped<T> {
    /// Maps a file, which is made long enough.
    ///
    /// # Errors
    /// The file cannot be written or mapped.
    pub fn of(mut file: &File) -> io::Result<Self> {
        // Written, not only made longer: a full disk would otherwise show itself as a signal. Several processes may do so at once: what they
        // write is what is there.
        if file.metadata()?.len() < size_of::<T>() as u64 {
            file.write_all(&vec![0; size_of::<T>()])?;
        }
        // SAFETY: a mapping of this size, of a file that has it; nobody makes it shorter.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<T>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        match NonNull::new(address.cast()) {
            Some(place) if address != libc::MAP_FAILED => Ok(Self(place)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl<T> Deref for Mapped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: mapped, from the start of a page: zeros, or what other processes made of them.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: mapped by `of`; nothing borrows from it any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<T>()) };
    }
}
