//! Reading and writing a connection, without the filters of a request.

use crate::ffi::httpd as raw;

use crate::httpd::{AprStatus, Brigade, OwnedPool, field};

use super::Connection;

/// How much is asked of the input filters at once, in bytes: httpd's `HUGE_STRING_LEN`.
const CHUNK: usize = 8192;

/// Why reading or writing a filter or a connection has failed.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum StreamError {
    #[error("Client has closed the connection.")]
    Gone(AprStatus),
    #[error("{0}")]
    Failed(AprStatus),
}

impl StreamError {
    /// The status that the filter, or the connection, has returned.
    pub fn status(self) -> AprStatus {
        match self {
            Self::Gone(status) | Self::Failed(status) => status,
        }
    }
}

/// How much to read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// What there is; waits until there is something.
    Available,
    /// The same, at most that many bytes.
    UpTo(usize),
    /// Everything until the client closes its side.
    All,
}

/// Whether more data can follow.
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

    /// Reads at most `most` bytes of a line: the rest of it stays in the filters.
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

    /// Asks the input filters once and appends the data.
    fn fetch(self, mode: raw::ap_input_mode_t, most: usize, data: &mut Vec<u8>) -> Result<Flow, StreamError> {
        let own = OwnedPool::new();
        let brigade = Brigade::within(own.pool(), self);
        let block = raw::apr_read_type_e_APR_BLOCK_READ;
        let most = most.min(i64::MAX as usize) as raw::apr_off_t;
        // SAFETY: the connection is live and this thread's, as is the brigade.
        let status = unsafe { raw::ap_get_brigade(field!(self, input_filters), brigade.as_ptr(), mode, block, most) };
        let taken = match AprStatus(status) {
            AprStatus::SUCCESS => brigade.take_data(data),
            AprStatus::EOF => Ok(true),
            status => Err(status),
        };
        // Its buckets would outlive its pool.
        brigade.clear();
        match taken {
            Ok(ended) => Ok(if ended { Flow::End } else { Flow::More }),
            Err(status) => Err(self.failure(status)),
        }
    }

    /// Sends bytes through the output filters to the client. Blocks until they are sent.
    pub fn write(self, data: &[u8]) -> Result<(), StreamError> {
        let own = OwnedPool::new();
        let brigade = Brigade::within(own.pool(), self);
        brigade.append_transient(data);
        brigade.append_flush();
        // SAFETY: the connection is live and this thread's, as is the brigade.
        let status = AprStatus(unsafe { raw::ap_pass_brigade(field!(self, output_filters), brigade.as_ptr()) });
        brigade.clear();
        match status == AprStatus::SUCCESS && !self.is_aborted() {
            true => Ok(()),
            false => Err(self.failure(status)),
        }
    }

    pub(in crate::httpd) fn failure(self, status: AprStatus) -> StreamError {
        if self.is_gone(status) { StreamError::Gone(status) } else { StreamError::Failed(status) }
    }
}
