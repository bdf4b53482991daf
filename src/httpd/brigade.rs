//! Brigades and the buckets in them.

use std::ptr::{self, NonNull};

use crate::ffi::httpd as raw;

use super::{Connection, Pool, Request};

/// A list of buckets that lives with its request.
#[derive(Clone, Copy)]
pub struct Brigade(NonNull<raw::apr_bucket_brigade>);

impl Brigade {
    pub(super) fn new(request: Request<'_>) -> Self {
        Self::within(request.pool(), request.connection())
    }

    /// One for the filters of a connection, which goes with `pool`.
    pub(super) fn within(pool: Pool<'_>, connection: Connection<'_>) -> Self {
        // SAFETY: the pool is live, the allocator lives with the connection; APR aborts when memory runs out.
        unsafe {
            let allocator = connection.fields().bucket_alloc;
            Self(NonNull::new_unchecked(raw::apr_brigade_create(pool.as_ptr(), allocator)))
        }
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

    /// Has all buckets hold their own data, for as long as the request: those of mod_ssl, say, are good until it is asked again.
    pub(super) fn set_aside(self, request: Request<'_>) -> Result<(), i32> {
        let mut next = self.first();
        while let Some(bucket) = next {
            bucket.set_aside(request)?;
            next = self.after(bucket);
        }
        Ok(())
    }

    /// The bucket behind one of this brigade's.
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

    /// Takes the bytes off it, up to the end of the stream; whether that is there. May block.
    ///
    /// # Errors
    /// APR's status, of a bucket that cannot be read.
    pub(super) fn take_data(self, data: &mut Vec<u8>) -> Result<bool, i32> {
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

    /// Whether the end of the stream is the last of its buckets.
    pub fn is_ending(self) -> bool {
        // SAFETY: the brigade is live.
        unsafe { raw::mp_shim_brigade_is_ending(self.as_ptr()) != 0 }
    }

    pub(super) fn append(self, bucket: *mut raw::apr_bucket) {
        // SAFETY: the brigade takes the bucket over.
        unsafe { raw::mp_shim_brigade_append(self.as_ptr(), bucket) }
    }

    fn allocator(self) -> *mut raw::apr_bucket_alloc_t {
        // SAFETY: the brigade is live.
        unsafe { self.0.as_ref().bucket_alloc }
    }

    pub fn append_end(self) {
        // SAFETY: the allocator lives with the brigade.
        self.append(unsafe { raw::apr_bucket_eos_create(self.allocator()) });
    }

    /// Appends bytes that live until the brigade has been passed on: a filter that keeps them copies them.
    pub(super) fn append_transient(self, data: &[u8]) {
        // SAFETY: the allocator lives with the brigade.
        self.append(unsafe { raw::apr_bucket_transient_create(data.as_ptr().cast(), data.len(), self.allocator()) });
    }

    pub(super) fn append_flush(self) {
        // SAFETY: the allocator lives with the brigade.
        self.append(unsafe { raw::apr_bucket_flush_create(self.allocator()) });
    }

    /// Appends an error that httpd's own filters answer with, and the end.
    pub(super) fn append_error(self, status: i32, request: Request<'_>) {
        // SAFETY: pool and allocator live with the request and its connection.
        self.append(unsafe {
            raw::ap_bucket_error_create(status, ptr::null(), request.pool().as_ptr(), self.allocator())
        });
        self.append_end();
    }

    /// Appends a copy of these bytes, to a bucket that has room if there is one: a program may write byte by byte.
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

    /// How many bytes it has; as many as can be if that is not known.
    pub(super) fn length(self) -> usize {
        // SAFETY: live.
        unsafe { self.0.as_ref().length }
    }

    fn set_aside(self, request: Request<'_>) -> Result<(), i32> {
        // SAFETY: live, and the pool is the request's.
        match unsafe { raw::mp_shim_bucket_setaside(self.as_ptr(), request.pool().as_ptr()) } {
            // One whose data is not read yet cannot be, and need not.
            0 => Ok(()),
            status if status == raw::APR_ENOTIMPL as i32 => Ok(()),
            status => Err(status),
        }
    }

    /// Whether the end of a line is in what is there of its data, and how much that is.
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
    pub(super) fn copy(self) -> Result<*mut raw::apr_bucket, i32> {
        let mut copy = ptr::null_mut();
        // SAFETY: live.
        match unsafe { raw::mp_shim_bucket_copy(self.as_ptr(), &mut copy) } {
            0 => Ok(copy),
            status => Err(status),
        }
    }

    pub(super) fn delete(self) {
        // SAFETY: live, and not used any more.
        unsafe { raw::mp_shim_bucket_delete(self.as_ptr()) }
    }

    /// Moves it to the end of another brigade.
    pub(super) fn move_to(self, brigade: Brigade) {
        // SAFETY: live, in a brigade.
        unsafe { raw::mp_shim_bucket_move(self.as_ptr(), brigade.as_ptr()) }
    }

    /// Takes at most `most` bytes off it into `data`; up to a line's end, if it is to stop there, and whether it has.
    /// A bucket of which nothing is left goes.
    pub(super) fn take(
        self,
        most: usize,
        line: bool,
        block: raw::apr_read_type_e,
        data: &mut Vec<u8>,
    ) -> Result<bool, i32> {
        // SAFETY: live; the bytes are used before the bucket changes, and it is split within its length.
        unsafe {
            let (mut bytes, mut length) = (ptr::null(), 0);
            match raw::mp_shim_bucket_read(self.as_ptr(), &mut bytes, &mut length, block) {
                0 => {}
                status => return Err(status),
            }
            let bytes: &[u8] = match length {
                0 => &[],
                _ => std::slice::from_raw_parts(bytes.cast(), length),
            };
            let within = &bytes[..length.min(most)];
            let newline = if line { within.iter().position(|byte| *byte == b'\n') } else { None };
            let count = newline.map_or(within.len(), |at| at + 1);
            data.extend_from_slice(&within[..count]);
            if count < length {
                match raw::mp_shim_bucket_split(self.as_ptr(), count) {
                    0 => {}
                    status => return Err(status),
                }
            }
            self.delete();
            Ok(newline.is_some())
        }
    }
}
