//! Included files: read, with what tells later whether they have changed.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use super::parser::LoadError;

/// A file when it was read.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    pub mtime_ns: i64,
    pub size: u64,
}

/// Reads a file.
///
/// # Errors
/// Why that is not possible.
pub fn read(name: &[u8]) -> Result<(Vec<u8>, State), LoadError> {
    let read = || -> io::Result<(Vec<u8>, Metadata)> {
        let mut file = fs::File::open(OsStr::from_bytes(name))?;
        // Before it is read: what is written meanwhile is a change
        let about = file.metadata()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((bytes, about))
    };
    let (bytes, about) = read().map_err(|error| LoadError(error.raw_os_error().unwrap_or(libc::EIO)))?;
    let mtime_ns = about.mtime().wrapping_mul(1_000_000_000).wrapping_add(about.mtime_nsec());
    Ok((bytes, State { mtime_ns, size: about.size() }))
}
