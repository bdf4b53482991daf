//! Brigades and the buckets in them.

use std::ptr::{self, NonNull};

use crate::ffi::httpd as raw;

use super::{AprStatus, Connection, HttpStatus, Pool, Request, field};

/// A list of buckets that lives with its request.
#[derive(Clone, Copy)]
pub struct Brigade(NonNull<raw::apr_bucket_brigade>);

impl Brigade {
    pub(super) fn new(request: Request<'_>) -> Self {
        Self::within(request.pool(), request.connection())
    }

    /// A brigade for the filters of a connection, which lives as long as `pool`.
    pub(super) fn within(pool: Pool<'_>, connection: Connection<'_>) -> Self {
        let allocator = field!(connection, bucket_alloc);
        // SAFETY: the pool is live, the allocator lives with the connection; APR aborts when memory runs out.
        Self(unsafe { NonNull::new_unchecked(raw::apr_brigade_create(pool.as_ptr(), allocator)) })
    }

    /// # Safety
    /// `brigade` is live for as long as this and what is copied from it.
    pub unsafe fn from_raw(brigade: *mut raw::apr_bucket_brigade) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { NonNull::new_unchecked(brigade) })
    }

    pub fn as_ptr(self) -> *mut raw::apr_bucket_brigade {
        self.0.as_ptr()
    }

    pub fn is_empty(self) -> bool {
        self.first().is_none()
    }

    pub(super) fn first(self) -> Option<Bucket> {
        // SAFETY: the brigade is live.
        unsafe {
            match raw::mp_shim_brigade_empty(self.as_ptr()) {
                0 => NonNull::new(raw::mp_shim_brigade_first(self.as_ptr())).map(Bucket),
                _ => None,
            }
        }
    }

    /// Puts all buckets of `other` at the end.
    pub fn take_all(self, other: Self) {
        // SAFETY: both are live and not the same.
        unsafe { raw::mp_shim_brigade_concat(self.as_ptr(), other.as_ptr()) }
    }

    /// Makes the data of all buckets live as long as the request: that of mod_ssl's buckets, for example, is valid only until mod_ssl is asked again.
    pub(super) fn set_aside(self, request: Request<'_>) -> Result<(), AprStatus> {
        let mut next = self.first();
        while let Some(bucket) = next {
            bucket.set_aside(request)?;
            next = self.after(bucket);
        }
        Ok(())
    }

    /// The bucket after one of this brigade.
    pub(super) fn after(self, bucket: Bucket) -> Option<Bucket> {
        // SAFETY: both are live, the bucket in the brigade.
        NonNull::new(unsafe { raw::mp_shim_bucket_next(self.as_ptr(), bucket.as_ptr()) }).map(Bucket)
    }

    /// Whether it has the end of a line, or as many bytes as `most`.
    pub(super) fn has_line(self, most: usize) -> bool {
        let mut passed = 0;
        let mut next = self.first();
        while let Some(bucket) = next {
            let (has_end, length) = bucket.line();
            passed += length;
            if has_end || passed >= most {
                return true;
            }
            next = self.after(bucket);
        }
        false
    }

    /// Moves its bytes to `data`, up to the end of the stream; returns whether the end is there. May block.
    ///
    /// # Errors
    /// APR's status: a bucket cannot be read, or there is no memory.
    pub(super) fn take_data(self, data: &mut Vec<u8>) -> Result<bool, AprStatus> {
        while let Some(bucket) = self.first() {
            if bucket.is_end() {
                return Ok(true);
            }
            match bucket.is_metadata() {
                true => bucket.delete(),
                false => _ = bucket.take(usize::MAX, false, raw::apr_read_type_e_APR_BLOCK_READ, data)?,
            }
        }
        Ok(false)
    }

    pub fn clear(self) {
        // SAFETY: the brigade is live.
        unsafe { raw::apr_brigade_cleanup(self.as_ptr().cast()) };
    }

    /// Whether its last bucket is the end of the stream.
    pub fn is_ending(self) -> bool {
        // SAFETY: the brigade is live.
        unsafe { raw::mp_shim_brigade_is_ending(self.as_ptr()) != 0 }
    }

    pub(super) fn append(self, bucket: *mut raw::apr_bucket) {
        // SAFETY: the brigade takes the bucket over.
        unsafe { raw::mp_shim_brigade_append(self.as_ptr(), bucket) }
    }

    fn allocator(self) -> *mut raw::apr_bucket_alloc_t {
        field!(self, bucket_alloc)
    }

    /// Drops everything after the first `length` bytes.
    pub(super) fn truncate(self, length: u64) {
        let mut behind = ptr::null_mut();
        // SAFETY: the brigade is live; the buckets after the place where it is split are removed.
        unsafe {
            if raw::apr_brigade_partition(self.as_ptr(), length as raw::apr_off_t, &mut behind) != 0 {
                return;
            }
        }
        while let Some(bucket) = NonNull::new(behind).map(Bucket) {
            // SAFETY: the brigade is live, the bucket in it or its sentinel.
            behind = unsafe {
                if raw::mp_shim_is_sentinel(self.as_ptr(), bucket.as_ptr()) != 0 {
                    return;
                }
                raw::mp_shim_bucket_next(self.as_ptr(), bucket.as_ptr())
            };
            bucket.delete();
        }
    }

    /// The status of the first error bucket, which httpd's filters send as an error page; `None` if there is none.
    pub(super) fn error(self) -> Option<HttpStatus> {
        let mut next = self.first();
        while let Some(bucket) = next {
            // SAFETY: live.
            match unsafe { raw::mp_shim_bucket_error(bucket.as_ptr()) } {
                0 => next = self.after(bucket),
                status => return Some(HttpStatus(status)),
            }
        }
        None
    }

    pub fn append_end(self) {
        // SAFETY: the allocator lives with the brigade.
        self.append(unsafe { raw::apr_bucket_eos_create(self.allocator()) });
    }

    /// Appends bytes without copying them; they must live until the brigade has been passed on. A filter that keeps them copies them.
    pub(super) fn append_transient(self, data: &[u8]) {
        // SAFETY: the allocator lives with the brigade.
        self.append(unsafe { raw::apr_bucket_transient_create(data.as_ptr().cast(), data.len(), self.allocator()) });
    }

    pub(super) fn append_flush(self) {
        // SAFETY: the allocator lives with the brigade.
        self.append(unsafe { raw::apr_bucket_flush_create(self.allocator()) });
    }

    /// Appends an error bucket, for which httpd's filters send an error page, and the end.
    pub(super) fn append_error(self, status: HttpStatus, request: Request<'_>) {
        // SAFETY: pool and allocator live with the request and its connection.
        self.append(unsafe {
            raw::ap_bucket_error_create(status.0, ptr::null(), request.pool().as_ptr(), self.allocator())
        });
        self.append_end();
    }

    /// Appends a copy of any number of bytes.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn append_large_copy(self, data: &[u8]) -> Result<(), AprStatus> {
        if data.len() < raw::APR_BUCKET_BUFF_SIZE as usize {
            self.append_copy(data);
            return Ok(());
        }
        // SAFETY: a fresh block of that size, which the bucket frees; the allocator lives with the brigade.
        unsafe {
            let block = libc::malloc(data.len());
            if block.is_null() {
                return Err(AprStatus::NO_MEMORY);
            }
            ptr::copy_nonoverlapping(data.as_ptr(), block.cast::<u8>(), data.len());
            let (block, free) = (block.cast_const().cast(), Some(libc::free as unsafe extern "C" fn(_)));
            self.append(raw::apr_bucket_heap_create(block, data.len(), free, self.allocator()));
        }
        Ok(())
    }

    /// Appends a copy of less than `APR_BUCKET_BUFF_SIZE` bytes, to the last bucket if that has room: a program may write byte by byte.
    pub(super) fn append_copy(self, data: &[u8]) {
        // SAFETY: the brigade is live, and the bytes are copied.
        unsafe { raw::mp_shim_brigade_write(self.as_ptr(), data.as_ptr().cast(), data.len()) }
    }
}

/// A bucket of a live brigade.
#[derive(Clone, Copy)]
pub(super) struct Bucket(NonNull<raw::apr_bucket>);

impl Bucket {
    pub(super) fn as_ptr(self) -> *mut raw::apr_bucket {
        self.0.as_ptr()
    }

    pub(super) fn is_end(self) -> bool {
        // SAFETY: live.
        unsafe { raw::mp_shim_bucket_is_eos(self.as_ptr()) != 0 }
    }

    pub(super) fn is_flush(self) -> bool {
        // SAFETY: live.
        unsafe { raw::mp_shim_bucket_is_flush(self.as_ptr()) != 0 }
    }

    pub(super) fn is_metadata(self) -> bool {
        // SAFETY: live.
        unsafe { raw::mp_shim_bucket_is_metadata(self.as_ptr()) != 0 }
    }

    /// Its length in bytes; `usize::MAX` if that is not known.
    pub(super) fn length(self) -> usize {
        field!(self, length)
    }

    fn set_aside(self, request: Request<'_>) -> Result<(), AprStatus> {
        // SAFETY: live, and the pool is the request's.
        match AprStatus(unsafe { raw::mp_shim_bucket_setaside(self.as_ptr(), request.pool().as_ptr()) }) {
            // Not possible for a bucket whose data is not read yet, and not needed.
            AprStatus::SUCCESS | AprStatus::NOT_IMPLEMENTED => Ok(()),
            status => Err(status),
        }
    }

    /// Whether the data that can be read without waiting contains the end of a line, and its length.
    fn line(self) -> (bool, usize) {
        // SAFETY: live; the bytes are used before the bucket changes.
        unsafe {
            let (mut bytes, mut length) = (ptr::null(), 0);
            let status = raw::mp_shim_bucket_read(
                self.as_ptr(),
                &mut bytes,
                &mut length,
                raw::apr_read_type_e_APR_NONBLOCK_READ,
            );
            match (status, length) {
                (0, 1..) => (std::slice::from_raw_parts(bytes.cast::<u8>(), length).contains(&b'\n'), length),
                _ => (false, 0),
            }
        }
    }

    /// A second bucket with the same data.
    pub(super) fn copy(self) -> Result<*mut raw::apr_bucket, AprStatus> {
        let mut copy = ptr::null_mut();
        // SAFETY: live.
        AprStatus(unsafe { raw::mp_shim_bucket_copy(self.as_ptr(), &mut copy) }).checked().map(|()| copy)
    }

    pub(super) fn delete(self) {
        // SAFETY: live, and not used afterwards.
        unsafe { raw::mp_shim_bucket_delete(self.as_ptr()) }
    }

    /// Moves it to the end of another brigade.
    pub(super) fn move_to(self, brigade: Brigade) {
        // SAFETY: live, in a brigade.
        unsafe { raw::mp_shim_bucket_move(self.as_ptr(), brigade.as_ptr()) }
    }

    /// Moves at most `most` bytes to `data`; with `line`, up to the end of a line. Returns whether a line has ended. An empty
    /// bucket is deleted.
    ///
    /// # Errors
    /// APR's status: the data cannot be read, or there is no memory.
    pub(super) fn take(
        self,
        most: usize,
        line: bool,
        block: raw::apr_read_type_e,
        data: &mut Vec<u8>,
    ) -> Result<bool, AprStatus> {
        let (mut bytes, mut length) = (ptr::null(), 0);
        // SAFETY: live.
        AprStatus(unsafe { raw::mp_shim_bucket_read(self.as_ptr(), &mut bytes, &mut length, block) }).checked()?;
        let bytes: &[u8] = match length {
            0 => &[],
            // SAFETY: the bytes are valid until the bucket changes, below.
            _ => unsafe { std::slice::from_raw_parts(bytes.cast(), length) },
        };
        let within = &bytes[..length.min(most)];
        let newline = if line { within.iter().position(|byte| *byte == b'\n') } else { None };
        let count = newline.map_or(within.len(), |at| at + 1);
        data.try_reserve(count).map_err(|_| AprStatus::NO_MEMORY)?;
        data.extend_from_slice(&within[..count]);
        if count < length {
            // SAFETY: live, and split within its length.
            AprStatus(unsafe { raw::mp_shim_bucket_split(self.as_ptr(), count) }).checked()?;
        }
        self.delete();
        Ok(newline.is_some())
    }
}
