//! What a filter takes in and gives out, from call to call.

use std::ptr;

use crate::ffi::httpd as raw;
use crate::httpd::brigade::Brigade;
use crate::httpd::{Request, StreamError};

use super::{Asked, CHUNK, Direction, Filter};

/// How much is collected for one `read` without a size, and given out before it is passed on, in bytes.
pub const PIECE: usize = 1024 * 1024;

/// What `read` has found.
#[derive(Debug, PartialEq)]
pub enum Read {
    /// Some bytes, never none.
    Data(Vec<u8>),
    /// Nothing at the moment.
    Nothing,
    /// The end of the stream.
    End,
}

/// The stream through one filter: what has come and not been read, what was written and not passed on.
pub struct Stream {
    direction: Direction,
    /// It is a part of another filter's output, whose end is not its own.
    within: bool,
    unread: Brigade,
    written: Brigade,
    /// How much of `written` is data, in bytes, as far as that is counted.
    waiting: usize,
    /// The end has come, and was read.
    ended: bool,
    /// The end was given out: nothing goes behind it.
    closed: bool,
    /// Something was taken of what has come since `begin`.
    consumed: bool,
    /// `read` has said that there is nothing, to let the filter return.
    paused: bool,
    /// What comes could not be read.
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
            paused: false,
            unreadable: false,
            asked: None,
        }
    }

    /// For a program that writes in the midst of another filter's output.
    pub fn within(output: Brigade, request: Request<'_>) -> Self {
        Self { written: output, within: true, ..Self::new(Direction::Output, request) }
    }

    pub fn direction(&self) -> Direction {
        self.direction
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the end has come and was read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the program has taken anything of what has come since `begin`.
    pub fn has_consumed(&self) -> bool {
        self.consumed
    }

    /// Whether a response could not be read.
    pub fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// Another call of the filter's program begins.
    pub fn begin(&mut self, asked: Option<Asked>) {
        // Who has asked for everything gets it at once.
        let takes_all = asked.is_some_and(|asked| asked.mode == raw::ap_input_mode_t_AP_MODE_EXHAUSTIVE);
        (self.consumed, self.paused, self.asked) = (false, takes_all, asked.map(Asked::of_bytes));
    }

    /// Takes over what an output filter was called with.
    pub fn receive(&mut self, brigade: Brigade) {
        self.unread.take_all(brigade);
    }

    /// Whether something is left to be read, be it the end.
    pub fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Whether something is ready to be passed on.
    pub fn has_written(&self) -> bool {
        !self.written.is_empty()
    }

    /// Moves along what says something about the stream rather than being part of it, as far as it stands in front: errors,
    /// flushes. True if the data in front of a flush is to be passed on.
    pub fn forward_metadata(&mut self) -> bool {
        let mut flush = false;
        while let Some(bucket) = self.unread.first().filter(|bucket| bucket.is_metadata() && !bucket.is_end()) {
            flush |= bucket.is_flush();
            bucket.move_to(self.written);
        }
        flush
    }

    /// Reads at most `most` bytes, a line of them if `line`; without a size, what there is, up to a megabyte. May block.
    ///
    /// It stops in front of everything that is not data, and waits for no more of a body when it has some, unless for a line's end.
    pub fn read(&mut self, filter: Filter<'_>, most: Option<usize>, line: bool) -> Result<Read, StreamError> {
        let limit = most.unwrap_or(PIECE);
        if self.ended {
            self.consumed = true;
            return Ok(Read::End);
        }
        // A program that copies until there is nothing would collect the whole body: it is let go once.
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
            self.consumed = true;
            let block = self.asked.map_or(raw::apr_read_type_e_APR_NONBLOCK_READ, |asked| asked.block);
            let mut taken = bucket.take(limit - data.len(), line, block, &mut data);
            // A response that comes bit by bit, from a program say: whoever reads as it comes has what is there, and nobody waits
            // for the next bit with what was written before it.
            if self.direction == Direction::Output && taken.is_err_and(is_again) {
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
                Err(status) if is_again(status) => break,
                Err(status) => {
                    self.unreadable = self.direction == Direction::Output;
                    return Err(failure(filter, status));
                }
            }
        }
        Ok(if data.is_empty() && limit > 0 { Read::Nothing } else { Read::Data(data) })
    }

    /// Asks the next input filter for more, as this one was asked; whether there is any.
    fn fetch(&mut self, filter: Filter<'_>) -> Result<bool, StreamError> {
        let Some(asked) = self.asked else { return Ok(false) };
        match filter.fetch(self.unread, asked) {
            0 => Ok(!self.unread.is_empty()),
            status if is_again(status) => Ok(false),
            status => Err(failure(filter, status)),
        }
    }

    /// Gives out bytes; of a response, passes them on when they are many. May block.
    pub fn write(&mut self, filter: Filter<'_>, data: &[u8]) -> Result<(), StreamError> {
        if !data.is_empty() {
            self.written.append_copy(data);
            self.waiting += data.len();
        }
        match self.direction == Direction::Output && self.waiting >= PIECE {
            true => self.pass_written(filter),
            false => Ok(()),
        }
    }

    /// Passes on what was written, and has the filters behind do the same. May block.
    pub fn flush(&mut self, filter: Filter<'_>) -> Result<(), StreamError> {
        match self.direction {
            Direction::Input => Ok(()),
            Direction::Output => {
                self.written.append_flush();
                self.pass_written(filter)
            }
        }
    }

    /// Gives out the end. May block.
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

    /// Leaves the rest of a body unread: it must not be taken for the next request on the connection. What has come is dropped;
    /// if that is not all, the connection ends with this request.
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
            // To ask for more would have a client that waits for `100 Continue` send it.
            let goes_on = most > 0 && request.fields().expecting_100 == 0;
            if !goes_on || filter.fetch(self.unread, asked) != 0 || self.unread.is_empty() {
                return request.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
            }
        }
    }

    /// Passes on what was written and then, as it is, what was not read. May block.
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

    /// Moves along what was not read, as it is.
    pub fn forward_rest(&mut self, filter: Filter<'_>) -> Result<(), StreamError> {
        // What is kept of a body may be asked for when more of it has come.
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

    /// Drops what was not read, but not what says something about the stream; whether there was any data.
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
        match filter.pass(self.written) {
            0 => Ok(()),
            status => Err(failure(filter, status)),
        }
    }

    /// Ends a stream whose program has failed, so that the client can tell: an error page in the place of a response that has
    /// not begun, else a connection that breaks off.
    pub fn fail(&mut self, filter: Filter<'_>, request: Request<'_>, status: i32) {
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
            // What httpd's filters take for a response broken off (http_filters.c, ap_http_chunk_filter).
            true => {
                request.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
                raw::HTTP_BAD_GATEWAY as i32
            }
        };
        self.written.append_error(status, request);
        match self.direction {
            Direction::Output => {
                filter.pass(self.written);
            }
            // SAFETY: the response's filters live with the request.
            Direction::Input => unsafe {
                raw::ap_pass_brigade(request.fields().output_filters, self.written.as_ptr());
                self.written.clear();
            },
        }
    }

    /// Whether enough was written to be handed out: something; a line, or as much as is handed out of one; or all, which only
    /// the end makes it.
    pub fn is_ready(&self, asked: Asked) -> bool {
        match asked.mode {
            raw::ap_input_mode_t_AP_MODE_GETLINE => self.written.has_line(CHUNK as usize),
            raw::ap_input_mode_t_AP_MODE_EXHAUSTIVE => false,
            _ => self.has_written(),
        }
    }

    /// Hands out what was written to whoever has asked an input filter, as much as that takes. May block.
    pub fn hand_over(&mut self, to: Brigade, asked: Asked) -> i32 {
        let counted = match asked.mode {
            raw::ap_input_mode_t_AP_MODE_GETLINE => {
                // SAFETY: both are live; a line is as long as httpd allows.
                let status =
                    unsafe { raw::apr_brigade_split_line(to.as_ptr(), self.written.as_ptr(), asked.block, CHUNK) };
                self.waiting = 0;
                return status;
            }
            raw::ap_input_mode_t_AP_MODE_EXHAUSTIVE => {
                to.take_all(self.written);
                self.waiting = 0;
                return 0;
            }
            raw::ap_input_mode_t_AP_MODE_SPECULATIVE => self.copy_front(to, asked.most),
            _ => self.move_front(to, asked.most),
        };
        counted.err().unwrap_or(0)
    }

    /// The first bucket behind `most` bytes of what was written; null if there are no more.
    fn partition(&self, most: raw::apr_off_t) -> Result<*mut raw::apr_bucket, i32> {
        let mut behind = ptr::null_mut();
        // SAFETY: the brigade is live; it is split where the bytes end.
        match unsafe { raw::apr_brigade_partition(self.written.as_ptr(), most.max(0), &mut behind) } {
            0 => Ok(behind),
            // Fewer than that: all of it.
            status if status as u32 == raw::APR_INCOMPLETE => Ok(ptr::null_mut()),
            status => Err(status),
        }
    }

    fn move_front(&mut self, to: Brigade, most: raw::apr_off_t) -> Result<(), i32> {
        let behind = self.partition(most)?;
        while let Some(bucket) = self.written.first().filter(|bucket| bucket.as_ptr() != behind) {
            self.waiting = self.waiting.saturating_sub(bucket.length());
            bucket.move_to(to);
        }
        Ok(())
    }

    fn copy_front(&mut self, to: Brigade, most: raw::apr_off_t) -> Result<(), i32> {
        let behind = self.partition(most)?;
        let mut next = self.written.first();
        while let Some(bucket) = next.filter(|bucket| bucket.as_ptr() != behind) {
            to.append(bucket.copy()?);
            next = self.written.after(bucket);
        }
        Ok(())
    }
}

fn is_again(status: i32) -> bool {
    status == libc::EAGAIN
}

fn failure(filter: Filter<'_>, status: i32) -> StreamError {
    match filter.request() {
        Some(request) => request.connection().failure(status),
        None => StreamError { status, gone: false },
    }
}
