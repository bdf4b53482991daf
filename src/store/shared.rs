//! Memory that all processes of a store share: files of zeros that are mapped.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::ptr;

/// What can be in such memory.
///
/// # Safety
/// All zeros are a value of it, and it is only changed in ways that are right for several processes at once.
pub unsafe trait Shared: Sync {}

/// The memory of a file, which is made long enough. It stays mapped for as long as the process lives.
///
/// # Errors
/// The file cannot be written or mapped.
pub fn mapped<T: Shared>(mut file: &File) -> io::Result<&'static T> {
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
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above, and the start of a page; never unmapped; zeros, or what other processes made of them.
    Ok(unsafe { &*address.cast() })
}
