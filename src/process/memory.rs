//! Allocations whose size a client or a program chooses: if there is no memory, that is an error, and does not abort the process.

use std::collections::TryReserveError;
use std::ffi::CString;
use std::ptr;

/// There is not enough memory.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("there is not enough memory")]
pub struct NoMemory;

impl From<TryReserveError> for NoMemory {
    fn from(_: TryReserveError) -> Self {
        Self
    }
}

/// Whether the system can map that many bytes at once. An allocator may have free memory besides.
pub fn can_be_mapped(size: usize) -> bool {
    let (readable, private) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a mapping of its own, which nothing uses.
    unsafe {
        let mapped = libc::mmap(ptr::null_mut(), size, readable, private, -1, 0);
        mapped != libc::MAP_FAILED && libc::munmap(mapped, size) == 0
    }
}

/// A copy with room for `more` bytes after it.
fn with_room(bytes: &[u8], more: usize) -> Result<Vec<u8>, NoMemory> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len() + more)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// A copy.
pub fn copy(bytes: &[u8]) -> Result<Vec<u8>, NoMemory> {
    with_room(bytes, 0)
}

/// A copy without spare room.
pub fn boxed(bytes: &[u8]) -> Result<Box<[u8]>, NoMemory> {
    copy(bytes).map(Vec::into_boxed_slice)
}

/// A copy of a text.
pub fn text(text: &str) -> Result<String, NoMemory> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())?;
    copy.push_str(text);
    Ok(copy)
}

/// A copy as a C string; `None` if the bytes have a NUL.
pub fn c_string(bytes: &[u8]) -> Result<Option<CString>, NoMemory> {
    // With room for the NUL, so that it is not copied once more.
    with_room(bytes, 1).map(|copy| CString::new(copy).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_the_same() {
        assert_eq!(copy(b"a\0b"), Ok(b"a\0b".to_vec()));
        assert_eq!(boxed(b"").as_deref(), Ok(&b""[..]));
        assert_eq!(text("é").as_deref(), Ok("é"));
        assert_eq!(c_string(b"ab"), Ok(Some(c"ab".to_owned())));
        assert_eq!(c_string(b"a\0b"), Ok(None));
    }

    #[test]
    fn too_much_cannot_be_mapped() {
        assert!(can_be_mapped(1 << 20));
        assert!(!can_be_mapped(usize::MAX >> 1));
    }
}
