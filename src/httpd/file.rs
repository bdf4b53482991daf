//! File information from APR.

use std::ffi::CStr;
use std::marker::PhantomData;

use crate::ffi::httpd as raw;

use super::{AprStatus, Errno, Pool};

/// A file's properties. Names in them live in the pool.
pub struct FileInfo<'p>(raw::apr_finfo_t, PhantomData<&'p ()>);

impl<'p> FileInfo<'p> {
    /// The properties of a file that are `wanted` (`APR_FINFO_*`), as far as the system has them. A file that does not exist has the type
    /// `APR_NOFILE`. May block.
    ///
    /// # Errors
    /// Any other error of the system.
    pub fn of(path: &'p CStr, wanted: i32, pool: Pool<'p>) -> Result<Self, Errno> {
        // SAFETY: plain data, for which all-zero is `APR_NOFILE`.
        let mut info: raw::apr_finfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: path and pool live as long as the result.
        match AprStatus(unsafe { raw::apr_stat(&mut info, path.as_ptr(), wanted, pool.as_ptr()) }) {
            AprStatus::SUCCESS | AprStatus::INCOMPLETE | AprStatus::NO_ENTRY => Ok(Self(info, PhantomData)),
            status => Err(status.errno()),
        }
    }

    /// APR's record.
    pub fn record(&self) -> &raw::apr_finfo_t {
        &self.0
    }
}
