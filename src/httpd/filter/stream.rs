//! The data of a filter, from call to call: its input and its output.

use std::ptr;

use crate::ffi::httpd as raw;
use crate::httpd::brigade::Brigade;
use crate::httpd::{AprStatus, HttpStatus, Request, StreamError, field};

use super::{Asked, CHUNK, Direction, Filter};

/// How much a `read` without a size returns at most, and how much output is collected before it is passed on, in bytes.
pub const PIECE: usize = 1024 * 1024;

/// The result of `read`.
#[derive(Debug, PartialEq)]
pub enum Read {
    /// At least one byte.
    Data(Vec<u8>),
    /// Nothing at the moment.
    Nothing,
    /// The end of the stream.
    End,
}

/// The stream through one filter: what has not been read, and what was written and not passed on.
pub struct Stream {
    direction: Direction,
    /// It is a part of another filter's output, and does not end that.
    within: bool,
    unread: Brigade,
    written: Brigade,
    /// How much data is in `written`, in bytes, as far as that is known.
    waiting: usize,
    /// The end was read.
    ended: bool,
    /// The end was written: nothing can follow it.
    closed: bool,
    /// Something was read since `begin`.
    consumed: bool,
    /// The next filter was asked since `begin`, and had nothing.
    found_nothing: bool,
    /// Something was read, in any call.
    has_taken: bool,
    /// Something was written, in any call: data, the end, or a flush.
    has_given: bool,
    /// `read` has returned nothing, to make the filter return.
    paused: bool,
    /// The input could not be read.
    unreadable: bool,
    /// How an input filter was asked.
    asked: Option<Asked>,
}

impl Stream {
    pub fn new(direction: Direction, request: Request<'_>) -> Self {
        Self {
            direction,
            within: false,
            unread: Brigade::new(request),
            written: Brigade::new(request),
            waiting: 0,
            ended: false,
            closed: false,
            consumed: false,
            found_nothing: false,
            has_taken: false,
            has_given: false,
            paused: false,
            unreadable: false,
            asked: None,
        }
    }

    /// For a program that writes to another filter's output.
    pub fn within(output: Brigade, request: Request<'_>) -> Self {
        Self { written: output, within: true, ..Self::new(Direction::Output, request) }
    }

    pub fn direction(&self) -> Direction {
        self.direction
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the end was read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the program has read anything since `begin`.
    pub fn has_consumed(&self) -> bool {
        self.consumed
    }

    /// Whether the program has asked for more since `begin`, and there was nothing, not even the end: httpd's filters return that for
    /// a body that they have refused.
    pub fn has_found_nothing(&self) -> bool {
        self.found_nothing
    }

    /// Whether a response could not be read.
    pub fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// Another call of the filter's program begins.
    pub fn begin(&mut self, asked: Option<Asked>) {
        // A caller that asks for everything gets it at once.
        let takes_all = asked.is_some_and(|asked| asked.mode == raw::ap_input_mode_t_AP_MODE_EXHAUSTIVE);
        (self.consumed, self.found_nothing) = (false, false);
        (self.paused, self.asked) = (takes_all, asked.map(Asked::of_bytes));
    }

    /// Takes the buckets that an output filter was called with.
    pub fn receive(&mut self, brigade: Brigade) {
        self.unread.take_all(brigade);
    }

    /// Whether something is left to be read, the end included.
    pub fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Whether something was written that can be passed on.
    pub fn has_written(&self) -> bool {
        !self.written.is_empty()
    }

    /// Moves metadata buckets (errors, flushes) before the next data to the output. True if there was a flush, and what was written before it is
    /// to be passed on.
    ///
    /// A flush is dropped while the filter has read something and written nothing: there is nothing to pass on, and it would send the
    /// headers, which the filter may still set.
    pub fn forward_metadata(&mut self) -> bool {
        let mut flush = false;
        while let Some(bucket) = self.unread.first().filter(|bucket| bucket.is_metadata() && !bucket.is_end()) {
            if bucket.is_flush() && self.has_taken && !self.has_given {
                bucket.delete();
                continue;
            }
            flush |= bucket.is_flush();
            bucket.move_to(self.written);
        }
        flush
    }

    /// Reads at most `most` bytes, with `line` up to the end of a line; without a size, what there is, up to a megabyte. May block.
    ///
    /// It stops before every bucket that is not data. When it has some data of a body it does not wait for more, except for the end of a line.
    pub fn read(&mut self, filter: Filter<'_>, most: Option<usize>, line: bool) -> Result<Read, StreamError> {
        let limit = most.unwrap_or(PIECE);
        if self.ended {
            self.consumed = true;
            return Ok(Read::End);
        }
        // A program that copies until there is nothing would collect the whole body: it is made to return once.
        if self.direction == Direction::Input && self.waiting >= PIECE && !self.paused {
            self.paused = true;
            return Ok(Read::Nothing);
        }
        let mut data = Vec::new();
        while data.len() < limit {
            let Some(bucket) = self.unread.first() else {
                if !data.is_empty() && !line {
                    break;
                }
                match self.fetch(filter)? {
                    true => continue,
                    false => break,
                }
            };
            if bucket.is_metadata() {
                if !data.is_empty() || (self.direction == Direction::Output && bucket.is_flush()) {
                    break;
                }
                if bucket.is_end() {
                    bucket.delete();
                    (self.ended, self.consumed) = (true, true);
                    return Ok(Read::End);
                }
                bucket.move_to(self.written);
                continue;
            }
            (self.consumed, self.has_taken) = (true, true);
            let block = self.asked.map_or(raw::apr_read_type_e_APR_NONBLOCK_READ, |asked| asked.block);
            let mut taken = bucket.take(limit - data.len(), line, block, &mut data);
            // A response that comes slowly, for example from a CGI program: a read without a size returns what there is, and what was
            // written is sent before waiting for more.
            if self.direction == Direction::Output && taken == Err(AprStatus::AGAIN) {
                if most.is_none() && !line && !data.is_empty() {
                    break;
                }
                if self.has_written() {
                    self.flush(filter)?;
                }
                taken = bucket.take(limit - data.len(), line, raw::apr_read_type_e_APR_BLOCK_READ, &mut data);
            }
            match taken {
                Ok(true) => break,
                Ok(false) => {}
                Err(AprStatus::AGAIN) => break,
                Err(status) => {
                    self.unreadable = self.direction == Direction::Output;
                    return Err(failure(filter, status));
                }
            }
        }
        Ok(if data.is_empty() && limit > 0 { Read::Nothing } else { Read::Data(data) })
    }

    /// Asks the next input filter for more, as this one was asked; returns whether there is any.
    fn fetch(&mut self, filter: Filter<'_>) -> Result<bool, StreamError> {
        let Some(asked) = self.asked else { return Ok(false) };
        match filter.fetch(self.unread, asked) {
            AprStatus::SUCCESS => {
                self.found_nothing = self.unread.is_empty();
                Ok(!self.found_nothing)
            }
            AprStatus::AGAIN => Ok(false),
            status => Err(failure(filter, status)),
        }
    }

    /// Writes bytes; those of a response are passed on when there is a megabyte. May block.
    pub fn write(&mut self, filter: Filter<'_>, data: &[u8]) -> Result<(), StreamError> {
        if !data.is_empty() {
            self.written.append_large_copy(data).map_err(StreamError::Failed)?;
            self.waiting += data.len();
            self.has_given = true;
        }
        match self.direction == Direction::Output && self.waiting >= PIECE {
            true => self.pass_written(filter),
            false => Ok(()),
        }
    }

    /// Passes on what was written, with a flush for the next filters. May block.
    pub fn flush(&mut self, filter: Filter<'_>) -> Result<(), StreamError> {
        match self.direction {
            Direction::Input => Ok(()),
            Direction::Output => {
                self.has_given = true;
                self.written.append_flush();
                self.pass_written(filter)
            }
        }
    }

    /// Writes the end. May block.
    pub fn close(&mut self, filter: Filter<'_>) -> Result<(), StreamError> {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        if self.within {
            return Ok(());
        }
        self.written.append_end();
        match self.direction {
            Direction::Input => {
                self.leave_body(filter);
                Ok(())
            }
            Direction::Output => self.pass_written(filter),
        }
    }

    /// Discards the rest of a body: it must not be taken for the next request on the connection. If it has not arrived completely,
    /// the connection is closed after this request.
    fn leave_body(&mut self, filter: Filter<'_>) {
        let Some(request) = filter.request().filter(|_| !self.ended) else { return };
        let asked = Asked {
            mode: raw::ap_input_mode_t_AP_MODE_READBYTES,
            block: raw::apr_read_type_e_APR_NONBLOCK_READ,
            most: CHUNK,
        };
        let mut most = PIECE;
        self.ended = true;
        loop {
            while let Some(bucket) = self.unread.first() {
                if bucket.is_end() {
                    return self.unread.clear();
                }
                most = most.saturating_sub(bucket.length());
                bucket.delete();
            }
            // Asking for more would make a client that waits for `100 Continue` send it.
            let goes_on = most > 0 && field!(request, expecting_100) == 0;
            if !goes_on || filter.fetch(self.unread, asked) != AprStatus::SUCCESS || self.unread.is_empty() {
                return request.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
            }
        }
    }

    /// Passes on what was written, and then what was not read, unchanged. May block.
    pub fn pass_on(&mut self, filter: Filter<'_>) -> Result<(), StreamError> {
        self.consumed = true;
        if self.direction == Direction::Input && self.unread.is_empty() {
            self.fetch(filter)?;
        }
        self.forward_rest(filter)?;
        match self.direction {
            Direction::Input => Ok(()),
            Direction::Output => self.pass_written(filter),
        }
    }

    /// Moves what was not read to the output, unchanged.
    pub fn forward_rest(&mut self, filter: Filter<'_>) -> Result<(), StreamError> {
        self.has_given = true;
        // The buckets of a body are kept until they are asked for, after more of it has been read.
        if let (Direction::Input, Some(request)) = (self.direction, filter.request()) {
            self.unread.set_aside(request).map_err(|status| failure(filter, status))?;
        }
        while let Some(bucket) = self.unread.first() {
            let ends = bucket.is_end();
            match self.closed {
                true => bucket.delete(),
                false => bucket.move_to(self.written),
            }
            if ends {
                (self.ended, self.closed) = (true, true);
            }
        }
        Ok(())
    }

    /// Drops data that was not read, but not metadata; returns whether there was any data.
    pub fn drop_unread(&mut self) -> bool {
        let mut dropped = false;
        while let Some(bucket) = self.unread.first() {
            if bucket.is_end() {
                self.ended = true;
                bucket.delete();
            } else if bucket.is_metadata() && !self.closed {
                bucket.move_to(self.written);
            } else {
                dropped |= !bucket.is_metadata();
                bucket.delete();
            }
        }
        dropped
    }

    /// Passes on what was written to the next output filter. May block.
    pub fn pass_written(&mut self, filter: Filter<'_>) -> Result<(), StreamError> {
        if self.written.is_empty() {
            return Ok(());
        }
        self.waiting = 0;
        filter.pass(self.written).checked().map_err(|status| failure(filter, status))
    }

    /// Ends the stream of a program that has failed, so that the client notices: with an error page if the response has
    /// not begun, else by closing the connection.
    pub fn fail(&mut self, filter: Filter<'_>, request: Request<'_>, status: HttpStatus) {
        if self.direction == Direction::Input {
            self.leave_body(filter);
        }
        self.unread.clear();
        self.written.clear();
        (self.ended, self.closed, self.waiting) = (true, true, 0);
        if request.is_response_complete() {
            return;
        }
        let status = match request.is_response_started() {
            false => status,
            // For this error httpd's filters send no end of the response (http_filters.c, ap_http_chunk_filter).
            true => {
                request.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
                HttpStatus::BAD_GATEWAY
            }
        };
        self.written.append_error(status, request);
        match self.direction {
            Direction::Output => {
                filter.pass(self.written);
            }
            // SAFETY: the response's filters live with the request.
            Direction::Input => unsafe {
                raw::ap_pass_brigade(field!(request, output_filters), self.written.as_ptr());
                self.written.clear();
            },
        }
    }

    /// Whether enough was written to be returned: for a line, its end or as much as is returned of one; for everything, the
    /// end; otherwise any data.
    pub fn is_ready(&self, asked: Asked) -> bool {
        match asked.mode {
            raw::ap_input_mode_t_AP_MODE_GETLINE => self.written.has_line(CHUNK as usize),
            raw::ap_input_mode_t_AP_MODE_EXHAUSTIVE => false,
            _ => self.has_written(),
        }
    }

    /// Moves what was written to the brigade of the input filter's caller, as much as was asked for. May block.
    pub fn hand_over(&mut self, to: Brigade, asked: Asked) -> AprStatus {
        let counted = match asked.mode {
            raw::ap_input_mode_t_AP_MODE_GETLINE => {
                // SAFETY: both are live; a line is as long as httpd allows.
                let status =
                    unsafe { raw::apr_brigade_split_line(to.as_ptr(), self.written.as_ptr(), asked.block, CHUNK) };
                self.waiting = 0;
                return AprStatus(status);
            }
            raw::ap_input_mode_t_AP_MODE_EXHAUSTIVE => {
                to.take_all(self.written);
                self.waiting = 0;
                return AprStatus::SUCCESS;
            }
            raw::ap_input_mode_t_AP_MODE_SPECULATIVE => self.copy_front(to, asked.most),
            _ => self.move_front(to, asked.most),
        };
        counted.err().unwrap_or(AprStatus::SUCCESS)
    }

    /// The first bucket after `most` bytes of what was written; null if there are no more.
    fn partition(&self, most: raw::apr_off_t) -> Result<*mut raw::apr_bucket, AprStatus> {
        let mut behind = ptr::null_mut();
        // SAFETY: the brigade is live; it is split where the bytes end.
        match AprStatus(unsafe { raw::apr_brigade_partition(self.written.as_ptr(), most.max(0), &mut behind) }) {
            AprStatus::SUCCESS => Ok(behind),
            // Fewer than that: all of it.
            AprStatus::INCOMPLETE => Ok(ptr::null_mut()),
            status => Err(status),
        }
    }

    fn move_front(&mut self, to: Brigade, most: raw::apr_off_t) -> Result<(), AprStatus> {
        let behind = self.partition(most)?;
        while let Some(bucket) = self.written.first().filter(|bucket| bucket.as_ptr() != behind) {
            self.waiting = self.waiting.saturating_sub(bucket.length());
            bucket.move_to(to);
        }
        Ok(())
    }

    fn copy_front(&mut self, to: Brigade, most: raw::apr_off_t) -> Result<(), AprStatus> {
        let behind = self.partition(most)?;
        let mut next = self.written.first();
        while let Some(bucket) = next.filter(|bucket| bucket.as_ptr() != behind) {
            to.append(bucket.copy()?);
            next = self.written.after(bucket);
        }
        Ok(())
    }
}

fn failure(filter: Filter<'_>, status: AprStatus) -> StreamError {
    match filter.request() {
        Some(request) => request.connection().failure(status),
        None => StreamError::Failed(status),
    }
}
