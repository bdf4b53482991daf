//! The error log: `tracing` events, with the request or server that the thread is serving.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::fmt::Write;
use std::ptr;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use crate::ffi::httpd as raw;
use crate::process::blocking;
use crate::process::turn::{self, Taken, Turn};

use super::Server;

/// httpd's log levels, numbered as syslog's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub i32);

impl Level {
    pub const ERR: Self = Self(raw::APLOG_ERR as i32);
    pub const WARNING: Self = Self(raw::APLOG_WARNING as i32);
    pub const NOTICE: Self = Self(raw::APLOG_NOTICE as i32);
    pub const INFO: Self = Self(raw::APLOG_INFO as i32);
    pub const DEBUG: Self = Self(raw::APLOG_DEBUG as i32);
    pub const TRACE1: Self = Self(raw::APLOG_TRACE1 as i32);

    /// Bits above the mask are flags of httpd.
    fn masked(self) -> Self {
        Self(self.0 & raw::APLOG_LEVELMASK as i32)
    }

    fn of(metadata: &Metadata<'_>) -> Self {
        match *metadata.level() {
            tracing::Level::ERROR => Self::ERR,
            tracing::Level::WARN => Self::WARNING,
            // `tracing` has no notice: a field of that name makes one of an info event.
            tracing::Level::INFO if metadata.fields().field("notice").is_some() => Self::NOTICE,
            tracing::Level::INFO => Self::INFO,
            tracing::Level::DEBUG => Self::DEBUG,
            tracing::Level::TRACE => Self::TRACE1,
        }
    }
}

/// What an entry of the log belongs to.
#[derive(Clone, Copy)]
pub enum Place {
    /// The process: before there is a server, or if nothing else is known.
    Process,
    Server(*const raw::server_rec),
    Connection(*const raw::conn_rec),
    Request(*const raw::request_rec),
}

/// Where entries go, and the turn that has to be taken first: httpd allocates a request's log id from its pool.
#[derive(Clone, Copy)]
struct Target {
    place: Place,
    /// Null if no other thread can use what the place points to.
    turn: *const Turn,
}

const PROCESS: Target = Target { place: Place::Process, turn: ptr::null() };

thread_local! {
    static TARGET: Cell<Target> = const { Cell::new(PROCESS) };

    /// The turn that the latest entry of this thread did not get in time; compared, never dereferenced.
    static WAITED_IN_VAIN: Cell<*const Turn> = const { Cell::new(ptr::null()) };
}

/// Sends this thread's log entries to a place until dropped. Nests.
pub struct LogScope {
    outer: Target,
}

impl LogScope {
    /// # Safety
    /// What `place` points to lives as long as the scope.
    pub unsafe fn enter(place: Place) -> Self {
        Self { outer: TARGET.replace(Target { place, turn: ptr::null() }) }
    }

    /// The same if other threads can use what the place points to: they take its turn.
    ///
    /// # Safety
    /// As `enter`; the turn lives as long, too.
    pub unsafe fn enter_shared(place: Place, turn: &Turn) -> Self {
        Self { outer: TARGET.replace(Target { place, turn }) }
    }

    /// Where this thread's entries go.
    pub fn current() -> Place {
        target().place
    }
}

fn target() -> Target {
    TARGET.try_with(Cell::get).unwrap_or(PROCESS)
}

impl Drop for LogScope {
    fn drop(&mut self) {
        TARGET.set(self.outer);
    }
}

impl Target {
    /// Writes a text. Blocks; a thread that is attached is detached meanwhile.
    fn write(self, level: Level, source: Option<(&str, u32)>, text: &str) {
        // SAFETY: the turn lives as long as the scope.
        let turn = unsafe { self.turn.as_ref() };
        blocking::run(|| {
            let (Some(turn), Place::Request(request)) = (turn, self.place) else {
                return entries(self.place, level, source, text);
            };
            // During a call for another request no second turn is taken: a thread holds one at a time.
            let is_elsewhere = turn::is_held() && !turn.is_mine();
            let taken = if is_elsewhere { None } else { take(turn, self.place.address()) };
            match taken {
                Some(_taken) => entries(self.place, level, source, text),
                // SAFETY: the request lives as long as the scope, and its server and client's address longer.
                None => unsafe {
                    let client = client(request);
                    entries(Place::Server((*request).server), level, source, &format!("{client}{text}"));
                },
            }
        });
    }
}

/// How long an entry waits for its request's turn: another thread may be sending the response to a slow client.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Takes the turn of a request for an entry. A thread that did not get it in time does not wait again for the next line.
fn take(turn: &Turn, subject: turn::Subject) -> Option<Taken<'_>> {
    let taken = match WAITED_IN_VAIN.get() == turn {
        true => turn.try_take(subject),
        false => turn.take_within(subject, LONGEST_WAIT),
    };
    WAITED_IN_VAIN.set(if taken.is_none() { turn } else { ptr::null() });
    taken
}

/// The prefix that httpd gives to a request's entries, for an entry that goes to the log of its server.
///
/// # Safety
/// The request is live.
unsafe fn client(request: *const raw::request_rec) -> String {
    // SAFETY: the caller's; httpd sets both when it makes the request, and mod_remoteip replaces them as a whole.
    let (address, port) = unsafe {
        let port = (*request).useragent_addr.as_ref().map(|address| address.port);
        (super::bytes_at((*request).useragent_ip), port)
    };
    match (address, port) {
        (Some(address), Some(port)) => format!("[client {}:{port}] ", String::from_utf8_lossy(address)),
        _ => String::new(),
    }
}

/// The main server of this process; null before httpd has set it.
fn main_server() -> *const raw::server_rec {
    // SAFETY: a plain global of httpd's, set before the children start.
    unsafe { raw::ap_server_conf }
}

impl Place {
    /// The server that it belongs to, if that is known.
    pub fn server(self) -> Option<Server<'static>> {
        // SAFETY: what a place points to is alive (`LogScope::enter`), and servers' records outlive the child.
        unsafe {
            let server = match self {
                Self::Process => return None,
                Self::Server(server) => server.cast_mut(),
                Self::Connection(connection) => (*connection).base_server,
                Self::Request(request) => (*request).server,
            };
            Server::from_raw(server)
        }
    }

    /// The address of what it points to.
    fn address(self) -> turn::Subject {
        match self {
            Self::Process => ptr::null(),
            Self::Server(server) => server.cast(),
            Self::Connection(connection) => connection.cast(),
            Self::Request(request) => request.cast(),
        }
    }

    /// The `LogLevel` of this module here.
    fn allowed(self) -> i32 {
        let index = super::module_index();
        // SAFETY: what a place points to is alive (`LogScope::enter`).
        unsafe {
            match self {
                Self::Request(r) => raw::ap_get_request_module_loglevel(r, index),
                Self::Connection(c) => raw::ap_get_conn_module_loglevel(c, index),
                Self::Server(s) => raw::ap_get_server_module_loglevel(s, index),
                Self::Process => match main_server() {
                    server if server.is_null() => Level::NOTICE.0,
                    server => raw::ap_get_server_module_loglevel(server, index),
                },
            }
        }
    }

    fn allows(self, level: Level) -> bool {
        // httpd never suppresses a notice (core's log_error_core).
        level == Level::NOTICE || level.0 <= self.allowed()
    }
}

/// How many bytes of escaped text go into one entry: httpd has 8192 bytes for a whole entry and drops the rest.
const ROOM: usize = 7000;

/// Writes a text to the error log if its level is allowed there: one entry, or several if it is too long for one.
///
/// httpd escapes newlines. If other threads can use the request or connection, this thread has its turn.
pub fn write_entry(place: Place, level: Level, text: &str) {
    let level = level.masked();
    if place.allows(level) {
        entries(place, level, None, text);
    }
}

/// The same where this thread's entries go.
pub fn write_here(level: Level, text: &str) {
    let (target, level) = (target(), level.masked());
    if target.place.allows(level) {
        target.write(level, None, text);
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\\0")).unwrap_or_default()
}

/// The text in parts that each fit into an entry.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let mut used = 0;
        let end = text.char_indices().find(|(_, character)| {
            used += escaped_length(*character);
            used > ROOM
        });
        let (part, after) = text.split_at(end.map_or(text.len(), |(at, _)| at));
        rest = Some(after).filter(|after| !after.is_empty());
        Some(part)
    })
}

/// How many bytes httpd writes at most for a character.
fn escaped_length(character: char) -> usize {
    match character {
        '\\' => 2,
        ' '..='~' => 1,
        _ => 4 * character.len_utf8(),
    }
}

fn entries(place: Place, level: Level, source: Option<(&str, u32)>, text: &str) {
    for part in parts(text) {
        entry(place, level, source, &c_string(part));
    }
}

fn entry(place: Place, level: Level, source: Option<(&str, u32)>, text: &CStr) {
    let file = source.and_then(|(file, _)| CString::new(file).ok());
    let file = file.as_ref().map_or(ptr::null(), |file| file.as_ptr());
    let line = source.map_or(0, |(_, line)| line as i32);
    let index = super::module_index();
    let (format, text) = (c"%s".as_ptr(), text.as_ptr());
    // SAFETY: what a place points to is alive; the format takes one string.
    unsafe {
        match place {
            Place::Request(r) => raw::ap_log_rerror_(file, line, index, level.0, 0, r, format, text),
            Place::Connection(c) => raw::ap_log_cerror_(file, line, index, level.0, 0, c, format, text),
            Place::Server(s) => raw::ap_log_error_(file, line, index, level.0, 0, s, format, text),
            Place::Process => raw::ap_log_error_(file, line, index, level.0, 0, main_server(), format, text),
        }
    }
}

/// The subscriber that sends `tracing` events to the error log.
pub struct TracingToErrorLog;

impl TracingToErrorLog {
    /// Makes it the process's subscriber. Once is enough: the library stays mapped.
    pub fn install() {
        let _ = tracing::subscriber::set_global_default(Self);
    }
}

impl Subscriber for TracingToErrorLog {
    /// Not cached: each virtual host and directory has a level of its own.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && LogScope::current().allows(Level::of(metadata))
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        let metadata = event.metadata();
        let source = metadata.file().zip(metadata.line());
        target().write(Level::of(metadata), source, &message.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The text of an event: its message, then its other fields.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            "notice" => Ok(()),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_in_parts_that_fit() {
        assert_eq!(parts("").collect::<Vec<_>>(), [""]);
        for text in ["x".repeat(ROOM), "x".repeat(3 * ROOM + 1), "€\\".repeat(ROOM), "\0".repeat(ROOM)] {
            let parts: Vec<_> = parts(&text).collect();
            assert_eq!(parts.concat(), text);
            assert!(parts.iter().all(|part| part.chars().map(escaped_length).sum::<usize>() <= ROOM));
        }
        assert_eq!(parts(&"x".repeat(ROOM)).count(), 1);
        assert_eq!(parts(&"x".repeat(ROOM + 1)).count(), 2);
    }
}
