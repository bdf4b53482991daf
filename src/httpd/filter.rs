//! Filters: what one takes in and gives out, from call to call.

use std::ffi::CString;
use std::ptr::{self, NonNull};

use crate::ffi::httpd as raw;

use super::{Request, bytes_at};

/// How much is collected for one `read` without a size, and given out before it is passed on, in bytes.
pub const PIECE: usize = 1024 * 1024;

/// The longest piece of a line that is handed over at once, in bytes: httpd's `HUGE_STRING_LEN`.
const LINE: raw::apr_off_t = 8192;

/// Which way a filter's data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A request's body, from the client.
    Input,
    /// A response, to the client.
    Output,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// Adds a filter that httpd knows to a request; whether it knows one of that name.
pub fn add_filter(request: Request<'_>, direction: Direction, name: &str) -> bool {
    add(request, direction, name, ptr::null_mut())
}

/// The same, with a context of its own.
///
/// # Safety
/// The filter's function takes `context` for what it is, and it lives as long as the request.
pub unsafe fn add_filter_with<T>(request: Request<'_>, direction: Direction, name: &str, context: *mut T) -> bool {
    add(request, direction, name, context.cast())
}

fn add(request: Request<'_>, direction: Direction, name: &str, context: *mut std::ffi::c_void) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    let (request, connection) = (request.as_ptr(), request.connection().as_ptr());
    // SAFETY: the request is live; httpd looks the name up without regard to case, and copies what it keeps.
    unsafe {
        let known = match direction {
            Direction::Input => raw::ap_get_input_filter_handle(name.as_ptr()),
            Direction::Output => raw::ap_get_output_filter_handle(name.as_ptr()),
        };
        if known.is_null() {
            return false;
        }
        match direction {
            Direction::Input => raw::ap_add_input_filter_handle(known, context, request, connection),
            Direction::Output => raw::ap_add_output_filter_handle(known, context, request, connection),
        };
    }
    true
}

/// Why a filter cannot read or pass on: APR's status, or one of httpd's own below zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilterError {
    pub status: i32,
    /// The client is gone.
    pub gone: bool,
}

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

/// How httpd asks an input filter.
#[derive(Clone, Copy)]
pub struct Asked {
    pub mode: raw::ap_input_mode_t,
    pub block: raw::apr_read_type_e,
    pub most: raw::apr_off_t,
}

/// A list of buckets that lives with its request.
#[derive(Clone, Copy)]
pub struct Brigade(NonNull<raw::apr_bucket_brigade>);

impl Brigade {
    fn new(request: Request<'_>) -> Self {
        // SAFETY: pool and allocator live with the request and its connection; APR aborts when memory runs out.
        unsafe {
            let allocator = request.connection().fields().bucket_alloc;
            Self(NonNull::new_unchecked(raw::apr_brigade_create(request.pool().as_ptr(), allocator)))
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

    fn first(self) -> Option<Bucket> {
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

    pub fn clear(self) {
        // SAFETY: the brigade is live.
        unsafe { raw::apr_brigade_cleanup(self.as_ptr().cast()) };
    }

    fn append(self, bucket: *mut raw::apr_bucket) {
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

    fn append_flush(self) {
        // SAFETY: the allocator lives with the brigade.
        self.append(unsafe { raw::apr_bucket_flush_create(self.allocator()) });
    }

    /// Appends an error that httpd's own filters answer with, and the end.
    fn append_error(self, status: i32, request: Request<'_>) {
        // SAFETY: pool and allocator live with the request and its connection.
        self.append(unsafe {
            raw::ap_bucket_error_create(status, ptr::null(), request.pool().as_ptr(), self.allocator())
        });
        self.append_end();
    }

    fn append_copy(self, data: &[u8]) {
        // SAFETY: the bytes are copied.
        self.append(unsafe { raw::apr_bucket_heap_create(data.as_ptr().cast(), data.len(), None, self.allocator()) });
    }
}

/// A bucket of a live brigade.
#[derive(Clone, Copy)]
struct Bucket(NonNull<raw::apr_bucket>);

impl Bucket {
    fn as_ptr(self) -> *mut raw::apr_bucket {
        self.0.as_ptr()
    }

    fn is_end(self) -> bool {
        // SAFETY: live.
        unsafe { raw::mp_shim_bucket_is_eos(self.as_ptr()) != 0 }
    }

    fn is_flush(self) -> bool {
        // SAFETY: live.
        unsafe { raw::mp_shim_bucket_is_flush(self.as_ptr()) != 0 }
    }

    fn is_metadata(self) -> bool {
        // SAFETY: live.
        unsafe { raw::mp_shim_bucket_is_metadata(self.as_ptr()) != 0 }
    }

    fn delete(self) {
        // SAFETY: live, and not used any more.
        unsafe { raw::mp_shim_bucket_delete(self.as_ptr()) }
    }

    /// Moves it to the end of another brigade.
    fn move_to(self, brigade: Brigade) {
        // SAFETY: live, in a brigade.
        unsafe { raw::mp_shim_bucket_move(self.as_ptr(), brigade.as_ptr()) }
    }

    /// Takes at most `most` bytes off it into `data`; up to a line's end, if it is to stop there, and whether it has.
    /// A bucket of which nothing is left goes.
    fn take(self, most: usize, line: bool, block: raw::apr_read_type_e, data: &mut Vec<u8>) -> Result<bool, i32> {
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
            let newline = within.iter().position(|byte| line && *byte == b'\n');
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

/// One filter in the way of a request, during a call of httpd's.
#[derive(Clone, Copy)]
pub struct Filter<'f>(&'f raw::ap_filter_t);

impl<'f> Filter<'f> {
    /// # Safety
    /// `filter` is live during `'f`, in the way of a live request, and used by this thread only.
    pub unsafe fn from_raw(filter: *mut raw::ap_filter_t) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { &*filter })
    }

    /// The request; none for a filter of a connection.
    pub fn request(self) -> Option<Request<'f>> {
        // SAFETY: null or live.
        (!self.0.r.is_null()).then(|| unsafe { Request::from_raw(self.0.r) })
    }

    /// The name under which httpd knows it, in lower case.
    pub fn name(self) -> &'f [u8] {
        // SAFETY: the record lives with its registration.
        unsafe { bytes_at((*self.0.frec).name) }.unwrap_or_default()
    }

    pub fn context<T>(self) -> *mut T {
        self.0.ctx.cast()
    }

    /// # Safety
    /// The context lives as long as the filter.
    pub unsafe fn set_context<T>(self, context: *mut T) {
        // SAFETY: this thread's, during the call; nothing borrows the field.
        unsafe { (*ptr::from_ref(self.0).cast_mut()).ctx = context.cast() }
    }

    /// Passes buckets on to the next output filter, which takes them all. May block.
    pub fn pass(self, brigade: Brigade) -> i32 {
        // SAFETY: both are live.
        unsafe {
            let status = raw::ap_pass_brigade(self.0.next, brigade.as_ptr());
            raw::apr_brigade_cleanup(brigade.as_ptr().cast());
            status
        }
    }

    /// Asks the next input filter for more. May block.
    pub fn fetch(self, brigade: Brigade, asked: Asked) -> i32 {
        // SAFETY: both are live.
        unsafe { raw::ap_get_brigade(self.0.next, brigade.as_ptr(), asked.mode, asked.block, asked.most) }
    }
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

    /// Another call of the filter's program begins.
    pub fn begin(&mut self, asked: Option<Asked>) {
        (self.consumed, self.paused, self.asked) = (false, false, asked);
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
    /// It stops in front of everything that is not data.
    pub fn read(&mut self, filter: Filter<'_>, most: Option<usize>, line: bool) -> Result<Read, FilterError> {
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
            let block = self.asked.map_or(raw::apr_read_type_e_APR_BLOCK_READ, |asked| asked.block);
            match bucket.take(limit - data.len(), line, block, &mut data) {
                Ok(true) => break,
                Ok(false) => {}
                Err(status) if is_again(status) => break,
                Err(status) => return Err(failure(filter, status)),
            }
        }
        Ok(if data.is_empty() && limit > 0 { Read::Nothing } else { Read::Data(data) })
    }

    /// Asks the next input filter for more, as this one was asked; whether there is any.
    fn fetch(&mut self, filter: Filter<'_>) -> Result<bool, FilterError> {
        let Some(asked) = self.asked else { return Ok(false) };
        match filter.fetch(self.unread, asked) {
            0 => Ok(!self.unread.is_empty()),
            status if is_again(status) => Ok(false),
            status => Err(failure(filter, status)),
        }
    }

    /// Gives out bytes; of a response, passes them on when they are many. May block.
    pub fn write(&mut self, filter: Filter<'_>, data: &[u8]) -> Result<(), FilterError> {
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
    pub fn flush(&mut self, filter: Filter<'_>) -> Result<(), FilterError> {
        match self.direction {
            Direction::Input => Ok(()),
            Direction::Output => {
                self.written.append_flush();
                self.pass_written(filter)
            }
        }
    }

    /// Gives out the end. May block.
    pub fn close(&mut self, filter: Filter<'_>) -> Result<(), FilterError> {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        if self.within {
            return Ok(());
        }
        self.written.append_end();
        match self.direction {
            Direction::Input => Ok(()),
            Direction::Output => self.pass_written(filter),
        }
    }

    /// Passes on what was written and then, as it is, what was not read. May block.
    pub fn pass_on(&mut self, filter: Filter<'_>) -> Result<(), FilterError> {
        self.consumed = true;
        if self.direction == Direction::Input && self.unread.is_empty() {
            self.fetch(filter)?;
        }
        self.forward_rest();
        match self.direction {
            Direction::Input => Ok(()),
            Direction::Output => self.pass_written(filter),
        }
    }

    /// Moves along what was not read, as it is.
    pub fn forward_rest(&mut self) {
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
    pub fn pass_written(&mut self, filter: Filter<'_>) -> Result<(), FilterError> {
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

    /// Hands out what was written to whoever has asked an input filter, as much as that takes. May block.
    pub fn hand_over(&mut self, to: Brigade, asked: Asked) -> i32 {
        let counted = match asked.mode {
            raw::ap_input_mode_t_AP_MODE_GETLINE => {
                // SAFETY: both are live; a line is as long as httpd allows.
                let status =
                    unsafe { raw::apr_brigade_split_line(to.as_ptr(), self.written.as_ptr(), asked.block, LINE) };
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
            // SAFETY: live.
            self.waiting = self.waiting.saturating_sub(unsafe { (*bucket.as_ptr()).length });
            bucket.move_to(to);
        }
        Ok(())
    }

    fn copy_front(&mut self, to: Brigade, most: raw::apr_off_t) -> Result<(), i32> {
        let behind = self.partition(most)?;
        let mut next = self.written.first().map_or(ptr::null_mut(), Bucket::as_ptr);
        while !next.is_null() && next != behind {
            let mut copy = ptr::null_mut();
            // SAFETY: live, in the brigade; heap and metadata buckets can be copied.
            unsafe {
                match raw::mp_shim_bucket_copy(next, &mut copy) {
                    0 => to.append(copy),
                    status => return Err(status),
                }
                next = raw::mp_shim_bucket_next(self.written.as_ptr(), next);
            }
        }
        Ok(())
    }
}

fn is_again(status: i32) -> bool {
    status == libc::EAGAIN
}

fn failure(filter: Filter<'_>, status: i32) -> FilterError {
    let gone = filter.request().is_some_and(|request| request.connection().is_gone(status));
    FilterError { status, gone }
}
