//! What APR says of files.

use std::ffi::CStr;
use std::marker::PhantomData;

use crate::ffi::httpd as raw;

use super::Pool;

/// A file's properties. Names in them live in the pool.
pub struct FileInfo<'p>(raw::apr_finfo_t, PhantomData<&'p ()>);

impl<'p> FileInfo<'p> {
    /// What is `wanted` (`APR_FINFO_*`) of a file, as far as the system has it. A file that does not exist has the type
    /// `APR_NOFILE`. May block.
    ///
    /// # Errors
    /// The status, an `errno`, for any other reason.
    pub fn of(path: &'p CStr, wanted: i32, pool: Pool<'p>) -> Result<Self, i32> {
        // SAFETY: plain data, for which all-zero is `APR_NOFILE`.
        let mut info: raw::apr_finfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: path and pool live as long as the result.
        match unsafe { raw::apr_stat(&mut info, path.as_ptr(), wanted, pool.as_ptr()) } as u32 {
            0 | raw::APR_INCOMPLETE | raw::APR_ENOENT => Ok(Self(info, PhantomData)),
            status => Err(status as i32),
        }
    }

    /// APR's record.
    pub fn fields(&self) -> &raw::apr_finfo_t {
        &self.0
    }
}
