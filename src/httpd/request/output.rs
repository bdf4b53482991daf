//! The response body, sent through the output filters.
//!
//! What is written is collected in a brigade. It is passed on when there is enough of it, by a flush, and when the
//! callback ends. A response that is complete by then gets its Content-Length from httpd.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;

use crate::ffi::httpd as raw;
use crate::httpd::{AprStatus, Brigade, Errno, Request, field};

/// How much is collected before it is passed on, in bytes.
const ENOUGH: u64 = 16 * 1024;

/// A file up to this size is read rather than given to the filters as a file, in bytes.
const SMALL: u64 = 32 * 1024;

/// Data of this size or larger is not copied, in bytes: `APR_BUCKET_BUFF_SIZE`.
const LARGE: usize = raw::APR_BUCKET_BUFF_SIZE as usize;

/// Why nothing more can be sent.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// The client has closed the connection.
    #[error("Client has closed the connection.")]
    Gone,
    /// A filter has returned an error. APR has no text for the negative ones, which are httpd's.
    #[error("an output filter of httpd refused the response{}", why(*.0))]
    Refused(AprStatus),
}

fn why(status: AprStatus) -> String {
    if status.0 > 0 { format!(": {status}") } else { String::new() }
}

/// Why a file was not sent, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FileError {
    #[error("the file cannot be read")]
    Unreadable(Errno),
    /// It became shorter while it was sent.
    #[error("the file was cut short while it was sent: {there} of {wanted} bytes were there")]
    CutShort { there: u64, wanted: u64 },
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The length of the body in the headers that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Announced {
    /// The headers have not been sent.
    #[default]
    NotYet,
    Nothing,
    Length(u64),
}

/// A response that is shorter than its Content-Length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TooShort {
    pub announced: u64,
    pub sent: u64,
}

/// The response body of a request on its way to the filters.
#[derive(Default)]
pub struct Output {
    /// What was written and not passed on yet.
    brigade: Option<Brigade>,
    /// How much that is, in bytes.
    held: u64,
    /// How much was written in all, in bytes.
    sent: u64,
    announced: Announced,
    /// The Content-Length, if more than that was written and `take_excess` has not been called.
    excess: Option<u64>,
    is_too_long: bool,
    /// The program may rely on it that something was sent: the response cannot be replaced any more.
    is_committed: bool,
    /// Some of the data that is held is to be sent soon.
    is_due: bool,
    /// The response is complete.
    is_ended: bool,
    /// It is complete because a filter has sent an error page instead.
    is_answered: bool,
}

impl Output {
    /// Notes that httpd has sent the whole response: what is written from now on is dropped.
    pub fn end(&mut self) {
        self.is_ended = true;
    }

    /// Whether a filter has refused the response, and sent an error page instead or closed the connection.
    pub fn was_answered(&self) -> bool {
        self.is_answered
    }

    /// Whether anything was written.
    pub fn has_sent(&self) -> bool {
        self.sent > 0
    }

    /// Whether what is written from now on is dropped: the response has its whole length, or its end, or none of a body.
    pub fn is_full(&mut self, request: Request<'_>) -> bool {
        let has_all = matches!(self.announced, Announced::Length(length) if self.sent >= length);
        has_all || self.has_ended(request) || (self.has_sent() && !request.has_response_body())
    }

    /// Whether the program may rely on it that some of the response was sent.
    pub fn is_committed(&self) -> bool {
        self.is_committed
    }

    /// Whether some of the data that is held is to be sent soon.
    pub fn is_due(&self) -> bool {
        self.is_due
    }

    /// Adds bytes. Few are copied, many are passed on. With `soon`, they are to be sent soon even if nothing follows. With `counted`, they
    /// are part of the body that Content-Length counts. May block.
    pub fn write(&mut self, request: Request<'_>, data: &[u8], soon: bool, counted: bool) -> Result<(), WriteError> {
        if self.has_ended(request) {
            return Ok(());
        }
        if request.connection().is_aborted() {
            return Err(WriteError::Gone);
        }
        let data = if counted { &data[..self.within_length(data.len() as u64) as usize] } else { data };
        if data.len() >= LARGE {
            // Passed on after what was held.
            self.sent += data.len() as u64;
            self.pass_with(request, |brigade| brigade.append_transient(data))?;
            self.is_committed = true;
            // httpd's core may hold it.
            self.is_due |= soon;
            return Ok(());
        }
        if !data.is_empty() {
            self.brigade(request).append_copy(data);
            self.held += data.len() as u64;
            self.sent += data.len() as u64;
        }
        self.is_committed |= soon;
        self.is_due |= soon && self.held > 0;
        if self.held >= ENOUGH { self.pass(request) } else { Ok(()) }
    }

    /// Adds a few bytes if that needs no call of httpd's filters; else returns false. Does not block.
    pub fn note_down(&mut self, request: Request<'_>, data: &[u8], soon: bool) -> bool {
        let length = data.len() as u64;
        let is_simple = !matches!(self.announced, Announced::Length(_))
            && self.held + length < ENOUGH
            && !self.has_ended(request)
            && !request.connection().is_aborted();
        if is_simple {
            if length > 0 {
                self.brigade(request).append_copy(data);
                self.held += length;
                self.sent += length;
            }
            self.is_committed |= soon;
            self.is_due |= soon && self.held > 0;
        }
        is_simple
    }

    /// For data that is written while another write is under way: it is passed on at once, and not counted.
    pub fn in_between() -> Self {
        Self { announced: Announced::Nothing, ..Self::default() }
    }

    /// The state for later callbacks, when this callback passes on what is held.
    pub fn rest(&self) -> Self {
        Self {
            brigade: None,
            held: 0,
            sent: self.sent,
            announced: self.announced,
            excess: None,
            is_too_long: self.is_too_long,
            is_committed: self.is_committed,
            is_due: false,
            is_ended: self.is_ended,
            is_answered: self.is_answered,
        }
    }

    /// Sends what was written, and what the filters hold. May block.
    pub fn flush(&mut self, request: Request<'_>) -> Result<(), WriteError> {
        self.is_due = false;
        self.is_committed = true;
        self.pass_with(request, Brigade::append_flush)
    }

    /// Passes what was written to the filters, which may hold it. May block.
    pub fn pass(&mut self, request: Request<'_>) -> Result<(), WriteError> {
        if self.held == 0 {
            return Ok(());
        }
        self.is_committed = true;
        self.pass_with(request, |_| {})
    }

    /// Passes the rest of a complete response to the filters, together with the end, so that httpd knows its length. May block.
    ///
    /// If there is no rest, httpd sends the end itself. It also does so if the client has asked for a range and the program has written
    /// data that was to be sent soon: httpd would cut the range out of a response that it gets in one piece.
    pub fn finish(&mut self, request: Request<'_>) -> Result<(), WriteError> {
        if self.held == 0 {
            return Ok(());
        }
        if std::mem::replace(&mut self.is_committed, true) && request.headers_in().value(c"Range").is_some() {
            return self.pass_with(request, |_| {});
        }
        self.pass_with(request, Brigade::append_end)
    }

    /// Drops what was written and not passed on.
    pub fn discard(&mut self) {
        if let Some(brigade) = self.brigade {
            brigade.clear();
        }
        self.sent -= self.held;
        (self.held, self.is_due) = (0, false);
    }

    /// Whether the response, to which nothing more is added, is shorter than its Content-Length.
    pub fn complete(&mut self, request: Request<'_>) -> Option<TooShort> {
        if self.has_ended(request) {
            return None;
        }
        if self.announced == Announced::NotYet {
            self.announce(request);
        }
        match self.announced {
            Announced::Length(announced) if self.sent < announced && !self.is_ended => {
                Some(TooShort { announced, sent: self.sent })
            }
            _ => None,
        }
    }

    /// Sends a part of a file, to its end if no length is given, with sendfile if EnableSendfile is on; returns the number of bytes. May block.
    ///
    /// # Errors
    /// The file cannot be read, or became shorter meanwhile. The errors of `write`.
    pub fn send_file(
        &mut self,
        request: Request<'_>,
        path: &CStr,
        offset: u64,
        length: Option<u64>,
    ) -> Result<u64, FileError> {
        let file = File::open(request, path).map_err(FileError::Unreadable)?;
        let left = file.size.saturating_sub(offset);
        let wanted = length.map_or(left, |length| length.min(left));
        if self.has_ended(request) {
            return Ok(wanted);
        }
        let length = self.within_length(wanted);
        if length <= SMALL {
            let data = file.read(offset, length as usize)?;
            let there = data.len() as u64;
            self.write(request, &data, false, true)?;
            return if there < length { Err(FileError::CutShort { there, wanted: length }) } else { Ok(length) };
        }
        self.is_due = false;
        self.is_committed = true;
        self.sent += length;
        let passed = self.pass_with(request, |brigade| {
            file.append_to(brigade, request, offset, length);
            // httpd's core would read what it holds later, when the file may have changed.
            brigade.append_flush();
        });
        // The file may become shorter at any time. httpd reports that as any other failure, or not at all.
        match file.size_now() {
            Some(size) if size < offset + length => {
                Err(FileError::CutShort { there: size.saturating_sub(offset), wanted: length })
            }
            _ => passed.map(|()| length).map_err(FileError::Write),
        }
    }

    /// Sends a file that a program has open from a position on, as much of it as the response's Content-Length says, which is set if it is
    /// not; how many bytes. `None` if the file is not to be found by its name. May block.
    ///
    /// # Errors
    /// As `send_file`.
    pub fn send_open_file(
        &mut self,
        request: Request<'_>,
        opened: &OpenFile<'_>,
        offset: u64,
    ) -> Result<Option<u64>, FileError> {
        // Opened anew, so that httpd may keep it as long as it needs it.
        let Some(size) = opened.size() else { return Ok(None) };
        let left = size.saturating_sub(offset);
        let length = match request.headers_out().value(c"Content-Length").and_then(number) {
            Some(length) => length.saturating_sub(self.sent).min(left),
            None if self.has_sent() => left,
            None => {
                request.set_content_length(left);
                left
            }
        };
        self.send_file(request, opened.path, offset, Some(length)).map(Some)
    }

    fn brigade(&mut self, request: Request<'_>) -> Brigade {
        *self.brigade.get_or_insert_with(|| Brigade::new(request))
    }

    fn pass_with(&mut self, request: Request<'_>, fill: impl FnOnce(Brigade)) -> Result<(), WriteError> {
        if self.has_ended(request) {
            return Ok(());
        }
        if self.announced == Announced::NotYet {
            self.announce(request);
        }
        self.held = 0;
        let brigade = self.brigade(request);
        fill(brigade);
        // SAFETY: filters and brigade live with the request.
        let status = unsafe { raw::ap_pass_brigade(field!(request, output_filters), brigade.as_ptr()) };
        brigade.clear();
        self.outcome(request, AprStatus(status).checked())
    }

    /// Notes the Content-Length of the headers, which are sent now; what is held is cut to it.
    fn announce(&mut self, request: Request<'_>) {
        self.announced = match announced_length(request) {
            None => Announced::Nothing,
            Some(length) => Announced::Length(length),
        };
        if let Announced::Length(length) = self.announced {
            if self.sent > length {
                let brigade = self.brigade(request);
                brigade.truncate(self.held.saturating_sub(self.sent - length));
                self.sent = length;
                self.exceed(length);
            }
        }
    }

    /// The number of bytes that fit into the announced length, at most `length`.
    fn within_length(&mut self, length: u64) -> u64 {
        let Announced::Length(announced) = self.announced else { return length };
        let room = announced.saturating_sub(self.sent);
        if length > room {
            self.exceed(announced);
        }
        length.min(room)
    }

    fn exceed(&mut self, announced: u64) {
        if !std::mem::replace(&mut self.is_too_long, true) {
            self.excess = Some(announced);
        }
    }

    /// The Content-Length of the response, if more than that was written, which was dropped. Returned once.
    pub fn take_excess(&mut self) -> Option<u64> {
        self.excess.take()
    }

    /// Whether the response is complete: data that is written now would be taken for the next response on the connection.
    fn has_ended(&mut self, request: Request<'_>) -> bool {
        // When a subrequest ends, httpd may note the end of the subrequest around it too, which goes on.
        self.is_ended = self.is_ended || (!request.is_subrequest() && request.is_response_complete());
        self.is_ended
    }

    fn outcome(&mut self, request: Request<'_>, passed: Result<(), AprStatus>) -> Result<(), WriteError> {
        if request.connection().is_aborted() {
            return Err(WriteError::Gone);
        }
        passed.map_err(|status| {
            // A filter that refuses may have sent an error page instead.
            self.is_ended = request.is_response_complete();
            self.is_answered = self.is_ended;
            WriteError::Refused(status)
        })
    }
}

/// The Content-Length that a response is about to have, if it has a body. Removes headers of the program that would make the client
/// misjudge where the response ends.
fn announced_length(request: Request<'_>) -> Option<u64> {
    if request.is_subrequest() {
        return None;
    }
    let (headers, errors) = (request.headers_out(), request.err_headers_out());
    if headers.value(c"Transfer-Encoding").is_some() {
        tracing::warn!(
            "MP0425: the header Transfer-Encoding of the response is dropped: httpd decides how the response is sent. Leave the header out, and do not write chunks"
        );
        headers.unset(c"Transfer-Encoding");
    }
    if !errors.is_empty() {
        // They would be sent in addition to those of `headers_out`.
        errors.unset(c"Transfer-Encoding");
        errors.unset(c"Content-Length");
    }
    let length = number(headers.value(c"Content-Length")?);
    if length.is_none() {
        headers.unset(c"Content-Length");
    }
    length.filter(|_| field!(request, header_only) == 0)
}

/// A number in decimal digits.
fn number(text: &[u8]) -> Option<u64> {
    let digit = |number: u64, byte: &u8| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    };
    text.iter().try_fold(0, digit).filter(|_| !text.is_empty())
}

/// A file that a program has open.
pub struct OpenFile<'p> {
    pub path: &'p CStr,
    pub descriptor: i32,
}

impl OpenFile<'_> {
    /// Its size, if it is a regular file, and the one that has that name.
    fn size(&self) -> Option<u64> {
        let (mut opened, mut named) = (MaybeUninit::<libc::stat>::zeroed(), MaybeUninit::<libc::stat>::zeroed());
        // SAFETY: the C library fills what it is given the address of; a C string.
        unsafe {
            let is_there = libc::fstat(self.descriptor, opened.as_mut_ptr()) == 0
                && libc::stat(self.path.as_ptr(), named.as_mut_ptr()) == 0;
            let (opened, named) = (opened.assume_init(), named.assume_init());
            let is_same = (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino);
            let is_regular = opened.st_mode & libc::S_IFMT == libc::S_IFREG;
            (is_there && is_same && is_regular).then(|| u64::try_from(opened.st_size).ok())?
        }
    }
}

/// A regular file, open in the request's pool. It is closed when dropped, unless a filter still holds a part of it; the pool does it then.
struct File {
    file: *mut raw::apr_file_t,
    size: u64,
    /// A second bucket of it, whose reference count tells whether a filter holds it.
    shared: std::cell::Cell<*mut raw::apr_bucket>,
}

impl File {
    /// # Errors
    /// It does not exist, cannot be read, or is not a regular file.
    fn open(request: Request<'_>, path: &CStr) -> Result<Self, Errno> {
        const WANTED: i32 = (raw::APR_FINFO_TYPE | raw::APR_FINFO_SIZE) as i32;
        let pool = request.pool().as_ptr();
        let mut found = MaybeUninit::<raw::apr_finfo_t>::zeroed();
        let mut file = ptr::null_mut();
        // SAFETY: the pool is the request's; APR fills in the values.
        unsafe {
            // Checked before it is opened: opening a FIFO waits for its other end.
            checked(raw::apr_stat(found.as_mut_ptr(), path.as_ptr(), WANTED, pool))?;
            match (*found.as_ptr()).filetype {
                raw::apr_filetype_e_APR_REG => {}
                raw::apr_filetype_e_APR_DIR => return Err(Errno(libc::EISDIR)),
                _ => return Err(Errno(libc::EINVAL)),
            }
            let flags = raw::APR_FOPEN_READ as i32 | raw::mp_shim_sendfile_flag(request.as_ptr());
            checked(raw::apr_file_open(&mut file, path.as_ptr(), flags, raw::APR_FPROT_OS_DEFAULT as i32, pool))?;
        }
        let mut this = Self { file, size: 0, shared: ptr::null_mut::<raw::apr_bucket>().into() };
        this.size = this.size_now().ok_or(Errno(libc::EIO))?;
        Ok(this)
    }

    /// Its size at the moment.
    fn size_now(&self) -> Option<u64> {
        let mut found = MaybeUninit::<raw::apr_finfo_t>::zeroed();
        // SAFETY: the file is open; APR fills in the values.
        unsafe {
            checked(raw::apr_file_info_get(found.as_mut_ptr(), raw::APR_FINFO_SIZE as i32, self.file)).ok()?;
            u64::try_from((*found.as_ptr()).size).ok()
        }
    }

    /// A part of it, or less if it has become shorter.
    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, FileError> {
        let mut data = vec![0; length];
        let mut there = 0;
        let mut place = offset as raw::apr_off_t;
        // SAFETY: the file is open; APR writes into the buffer of that size.
        let status = unsafe {
            match raw::apr_file_seek(self.file, raw::APR_SET as raw::apr_seek_where_t, &mut place) {
                0 => raw::apr_file_read_full(self.file, data.as_mut_ptr().cast(), length, &mut there),
                status => status,
            }
        };
        match AprStatus(status) {
            AprStatus::SUCCESS | AprStatus::EOF => {
                data.truncate(there);
                Ok(data)
            }
            status => Err(FileError::Unreadable(status.errno())),
        }
    }

    /// Appends a part of it to a brigade.
    ///
    /// It is never mapped into memory, whatever EnableMMAP says: reading a mapped file that became shorter raises SIGBUS.
    fn append_to(&self, brigade: Brigade, request: Request<'_>, offset: u64, length: u64) {
        let (offset, length) = (offset as raw::apr_off_t, length as raw::apr_off_t);
        let mut shared = ptr::null_mut();
        // SAFETY: the file lives in the request's pool, and the part lies within it.
        unsafe {
            let pool = request.pool().as_ptr();
            let bucket = raw::apr_brigade_insert_file(brigade.as_ptr(), self.file, offset, length, pool);
            raw::apr_bucket_file_enable_mmap(bucket, 0);
            raw::mp_shim_bucket_copy(bucket, &mut shared);
        }
        self.shared.set(shared);
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let shared = self.shared.get();
        // SAFETY: the bucket is this one's own; no other bucket holds the file when it is closed.
        unsafe {
            let is_held = !shared.is_null() && raw::mp_shim_bucket_file_references(shared) > 1;
            if !shared.is_null() {
                raw::mp_shim_bucket_destroy(shared);
            }
            if !is_held {
                raw::apr_file_close(self.file);
            }
        }
    }
}

fn checked(status: raw::apr_status_t) -> Result<(), Errno> {
    AprStatus(status).checked().map_err(AprStatus::errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_of_digits() {
        for (text, expected) in [("0", 0), ("13", 13), ("007", 7), ("18446744073709551615", u64::MAX)] {
            assert_eq!(number(text.as_bytes()), Some(expected));
        }
        for text in ["", "-1", "+1", " 1", "1 ", "1a", "18446744073709551616"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
