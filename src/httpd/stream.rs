//! The bytes of a connection: what the client sends and gets, past all that knows of requests.

use crate::ffi::httpd as raw;

use super::{Brigade, Connection, OwnedPool};

/// How much is asked of the input filters at once, in bytes: httpd's `HUGE_STRING_LEN`.
const CHUNK: usize = 8192;

/// Why filters, or a connection, cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamError {
    /// APR's status, or one of httpd's own below zero.
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
        let brigade = Brigade::within(own.pool(), self);
        let block = raw::apr_read_type_e_APR_BLOCK_READ;
        let most = most.min(i64::MAX as usize) as raw::apr_off_t;
        // SAFETY: the connection is live and this thread's, as is the brigade.
        let status = unsafe { raw::ap_get_brigade(self.fields().input_filters, brigade.as_ptr(), mode, block, most) };
        let taken = match status as u32 {
            0 => brigade.take_data(data),
            raw::APR_EOF => Ok(true),
            _ => Err(status),
        };
        // Its buckets live longer than its pool.
        brigade.clear();
        match taken {
            Ok(ended) => Ok(if ended { Flow::End } else { Flow::More }),
            Err(status) => Err(self.failure(status)),
        }
    }

    /// Sends bytes through the output filters, and on to the client. Blocks until they are gone.
    pub fn write(self, data: &[u8]) -> Result<(), StreamError> {
        let own = OwnedPool::new();
        let brigade = Brigade::within(own.pool(), self);
        brigade.append_transient(data);
        brigade.append_flush();
        // SAFETY: the connection is live and this thread's, as is the brigade.
        let status = unsafe { raw::ap_pass_brigade(self.fields().output_filters, brigade.as_ptr()) };
        brigade.clear();
        match status == 0 && !self.is_aborted() {
            true => Ok(()),
            false => Err(self.failure(status)),
        }
    }

    pub(super) fn failure(self, status: i32) -> StreamError {
        StreamError { status, gone: self.is_gone(status) }
    }
}
