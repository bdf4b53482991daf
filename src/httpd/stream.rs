//! The bytes of a connection: what the client sends and gets, past all that knows of requests.

use std::ptr;

use crate::ffi::httpd as raw;

use super::{Connection, OwnedPool};

/// How much is asked of the input filters at once, in bytes: httpd's `HUGE_STRING_LEN`.
const CHUNK: usize = 8192;

/// Why a connection cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamError {
    /// APR's status.
    pub status: i32,
    /// The client is gone.
    pub gone: bool,
}

/// How much is to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// What is there; something, if need be after waiting for it.
    Available,
    /// The same, at most that many bytes.
    UpTo(usize),
    /// Everything until the client has nothing more to say.
    All,
}

/// Whether more can come.
#[derive(PartialEq)]
enum Flow {
    More,
    End,
}

impl Connection<'_> {
    /// Reads from the input filters; `None` at the end. Blocks until there is something.
    pub fn read(self, amount: Amount) -> Result<Option<Vec<u8>>, StreamError> {
        let mut data = Vec::new();
        let most = match amount {
            Amount::UpTo(most) => most.max(1),
            Amount::Available | Amount::All => CHUNK,
        };
        while data.is_empty() || amount == Amount::All {
            if self.fetch(raw::ap_input_mode_t_AP_MODE_READBYTES, most, &mut data)? == Flow::End {
                break;
            }
        }
        Ok((!data.is_empty()).then_some(data))
    }

    /// Reads a line with its end, or as much of it as `most` bytes; `None` at the end. Blocks until there is one.
    pub fn read_line(self, most: Option<usize>) -> Result<Option<Vec<u8>>, StreamError> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") && most.is_none_or(|most| line.len() < most) {
            let flow = match most {
                None => self.fetch(raw::ap_input_mode_t_AP_MODE_GETLINE, 0, &mut line)?,
                Some(most) => self.fetch_within_line(most - line.len(), &mut line)?,
            };
            if flow == Flow::End {
                break;
            }
        }
        Ok((!line.is_empty()).then_some(line))
    }

    /// Takes at most `most` bytes of a line: what follows in it stays with the filters.
    fn fetch_within_line(self, most: usize, line: &mut Vec<u8>) -> Result<Flow, StreamError> {
        let mut ahead = Vec::new();
        if self.fetch(raw::ap_input_mode_t_AP_MODE_SPECULATIVE, most.min(CHUNK), &mut ahead)? == Flow::End {
            return Ok(Flow::End);
        }
        ahead.truncate(most);
        let count = ahead.iter().position(|byte| *byte == b'\n').map_or(ahead.len(), |end| end + 1);
        match count {
            0 => Ok(Flow::More),
            _ => self.fetch(raw::ap_input_mode_t_AP_MODE_READBYTES, count, line),
        }
    }

    /// Asks the input filters once and appends what they give.
    fn fetch(self, mode: raw::ap_input_mode_t, most: usize, data: &mut Vec<u8>) -> Result<Flow, StreamError> {
        let own = OwnedPool::new();
        let block = raw::apr_read_type_e_APR_BLOCK_READ;
        // SAFETY: the connection is live and this thread's; the brigade ends before its pool, and a bucket's data is used
        // before the bucket goes.
        unsafe {
            let brigade = raw::apr_brigade_create(own.pool().as_ptr(), self.fields().bucket_alloc);
            let most = most.min(i64::MAX as usize) as raw::apr_off_t;
            let status = raw::ap_get_brigade(self.fields().input_filters, brigade, mode, block, most);
            let mut outcome = match status as u32 {
                0 => Ok(Flow::More),
                raw::APR_EOF => Ok(Flow::End),
                _ => Err(self.failure(status)),
            };
            while outcome.as_ref().is_ok_and(|flow| *flow == Flow::More) && raw::mp_shim_brigade_empty(brigade) == 0 {
                let bucket = raw::mp_shim_brigade_first(brigade);
                if raw::mp_shim_bucket_is_eos(bucket) != 0 {
                    outcome = Ok(Flow::End);
                } else if raw::mp_shim_bucket_is_metadata(bucket) == 0 {
                    let (mut bytes, mut length) = (ptr::null(), 0);
                    match raw::mp_shim_bucket_read(bucket, &mut bytes, &mut length, block) {
                        0 if length > 0 => data.extend_from_slice(std::slice::from_raw_parts(bytes.cast(), length)),
                        0 => {}
                        status => outcome = Err(self.failure(status)),
                    }
                }
                raw::mp_shim_bucket_delete(bucket);
            }
            raw::apr_brigade_destroy(brigade);
            outcome
        }
    }

    /// Sends bytes through the output filters, and on to the client. Blocks until they are gone.
    pub fn write(self, data: &[u8]) -> Result<(), StreamError> {
        let own = OwnedPool::new();
        // SAFETY: the connection is live and this thread's; a filter that keeps a transient bucket copies its bytes.
        let status = unsafe {
            let allocator = self.fields().bucket_alloc;
            let brigade = raw::apr_brigade_create(own.pool().as_ptr(), allocator);
            let bucket = raw::apr_bucket_transient_create(data.as_ptr().cast(), data.len(), allocator);
            raw::mp_shim_brigade_append(brigade, bucket);
            raw::mp_shim_brigade_append(brigade, raw::apr_bucket_flush_create(allocator));
            let status = raw::ap_pass_brigade(self.fields().output_filters, brigade);
            raw::apr_brigade_destroy(brigade);
            status
        };
        match status == 0 && !self.is_aborted() {
            true => Ok(()),
            false => Err(self.failure(status)),
        }
    }

    fn failure(self, status: i32) -> StreamError {
        StreamError { status, gone: self.is_gone(status) }
    }
}
