//! The response body, sent through the output filters.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;

use crate::ffi::httpd as raw;

use super::{Brigade, Request};

/// Why nothing more can be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WriteError {
    /// The client went away.
    Gone,
    /// A filter refused what it got: APR's status, unless httpd keeps it to itself.
    Refused(Option<i32>),
}

/// Why a file was not sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FileError {
    /// It cannot be read: an errno.
    Unreadable(i32),
    Write(WriteError),
}

/// The way of a request's response: one brigade, used again by each write.
#[derive(Default)]
pub struct Output {
    brigade: Option<Brigade>,
    /// The response is complete.
    ended: bool,
    /// It is, because a filter has sent an error page in its place.
    answered: bool,
}

impl Output {
    /// Notes that httpd has sent the whole response: what is written from now on would follow its end, and is dropped.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether a filter has refused the response and sent an error page in its place, or broken it off.
    pub fn was_answered(&self) -> bool {
        self.answered
    }

    /// Sends bytes, at once with `flush`, else when httpd has enough of them. May block.
    pub fn write(&mut self, request: Request<'_>, data: &[u8], flush: bool) -> Result<(), WriteError> {
        if !flush && !self.has_ended(request) {
            return self.buffer(request, data);
        }
        self.pass(request, |brigade| {
            brigade.append_transient(data);
            brigade.append_flush();
        })
    }

    /// Sends what the filters hold. May block.
    pub fn flush(&mut self, request: Request<'_>) -> Result<(), WriteError> {
        self.pass(request, Brigade::append_flush)
    }

    /// Sends a part of a file, up to its end without a length, as EnableSendfile and EnableMMAP have it; how many bytes of it.
    /// May block.
    pub fn send_file(
        &mut self,
        request: Request<'_>,
        path: &CStr,
        offset: u64,
        length: Option<u64>,
    ) -> Result<u64, FileError> {
        let (file, size) = open(request, path).map_err(FileError::Unreadable)?;
        let left = size.saturating_sub(offset);
        let length = length.map_or(left, |length| length.min(left));
        let mut shared = ptr::null_mut();
        let passed = match length {
            0 => Ok(()),
            _ => self.pass(request, |brigade| {
                // SAFETY: the file lives in the request's pool, and the part lies within it.
                unsafe {
                    let (offset, length) = (offset as raw::apr_off_t, length as raw::apr_off_t);
                    let pool = request.pool().as_ptr();
                    let bucket = raw::apr_brigade_insert_file(brigade.as_ptr(), file, offset, length, pool);
                    if raw::mp_shim_mmap_enabled(request.as_ptr()) == 0 {
                        raw::apr_bucket_file_enable_mmap(bucket, 0);
                    }
                    raw::mp_shim_bucket_copy(bucket, &mut shared);
                }
            }),
        };
        // SAFETY: the file is closed unless a filter still holds a part of it; the request's pool closes it then.
        unsafe {
            let held = !shared.is_null() && raw::mp_shim_bucket_file_references(shared) > 1;
            if !shared.is_null() {
                raw::mp_shim_bucket_destroy(shared);
            }
            if !held {
                raw::apr_file_close(file);
            }
        }
        passed.map(|()| length).map_err(FileError::Write)
    }

    fn pass(&mut self, request: Request<'_>, fill: impl FnOnce(Brigade)) -> Result<(), WriteError> {
        if self.has_ended(request) {
            return Ok(());
        }
        let brigade = *self.brigade.get_or_insert_with(|| Brigade::new(request));
        fill(brigade);
        // SAFETY: filters and brigade live with the request.
        let status = unsafe { raw::ap_pass_brigade(request.fields().output_filters, brigade.as_ptr()) };
        brigade.clear();
        self.outcome(request, if status == 0 { Ok(()) } else { Err(Some(status)) })
    }

    /// Whether the response is complete: what were written now would be taken for the next response on the connection.
    fn has_ended(&mut self, request: Request<'_>) -> bool {
        self.ended = self.ended || request.is_response_complete();
        self.ended
    }

    /// Gives bytes to httpd to collect.
    fn buffer(&mut self, request: Request<'_>, mut data: &[u8]) -> Result<(), WriteError> {
        while !data.is_empty() {
            let count = data.len().min(i32::MAX as usize);
            // SAFETY: the bytes are alive for the call, which copies what it keeps.
            let written = unsafe { raw::ap_rwrite(data.as_ptr().cast(), count as i32, request.as_ptr()) };
            // A failure is a mere -1.
            self.outcome(request, if written >= 0 { Ok(()) } else { Err(None) })?;
            data = &data[count..];
        }
        Ok(())
    }

    fn outcome(&mut self, request: Request<'_>, passed: Result<(), Option<i32>>) -> Result<(), WriteError> {
        if request.connection().is_aborted() {
            return Err(WriteError::Gone);
        }
        passed.map_err(|status| {
            // A filter that refuses may have sent an error page instead.
            self.ended = request.is_response_complete();
            self.answered = self.ended;
            WriteError::Refused(status)
        })
    }
}

/// Opens a regular file in the request's pool; the file and its size, or an errno.
fn open(request: Request<'_>, path: &CStr) -> Result<(*mut raw::apr_file_t, u64), i32> {
    const WANTED: i32 = (raw::APR_FINFO_TYPE | raw::APR_FINFO_SIZE) as i32;
    let pool = request.pool().as_ptr();
    let mut found = MaybeUninit::<raw::apr_finfo_t>::zeroed();
    let mut file = ptr::null_mut();
    // SAFETY: the pool is the request's; APR fills what it is given the address of.
    unsafe {
        // Asked before it is opened: opening a FIFO waits for its other end.
        checked(raw::apr_stat(found.as_mut_ptr(), path.as_ptr(), WANTED, pool))?;
        match (*found.as_ptr()).filetype {
            raw::apr_filetype_e_APR_REG => {}
            raw::apr_filetype_e_APR_DIR => return Err(libc::EISDIR),
            _ => return Err(libc::EINVAL),
        }
        let flags = raw::APR_FOPEN_READ as i32 | raw::mp_shim_sendfile_flag(request.as_ptr());
        checked(raw::apr_file_open(&mut file, path.as_ptr(), flags, raw::APR_FPROT_OS_DEFAULT as i32, pool))?;
        checked(raw::apr_file_info_get(found.as_mut_ptr(), raw::APR_FINFO_SIZE as i32, file))?;
        Ok((file, (*found.as_ptr()).size as u64))
    }
}

/// The errno in an APR status; APR's own statuses are told as a general failure.
fn checked(status: i32) -> Result<(), i32> {
    match status {
        0 => Ok(()),
        status if status < raw::APR_OS_START_ERROR as i32 => Err(status),
        _ => Err(libc::EIO),
    }
}
