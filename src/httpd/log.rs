//! The error log: `tracing` events on the server and request that the thread is working for.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::fmt::Write;
use std::ptr;

use tracing::field::{Field, Visit};
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use crate::ffi::httpd as raw;

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

/// Whose log an entry belongs to.
#[derive(Clone, Copy)]
pub enum Place {
    /// The process: before there is a server, or when nothing better is known.
    Process,
    Server(*const raw::server_rec),
    Connection(*const raw::conn_rec),
    Request(*const raw::request_rec),
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Process) };
}

/// Sends this thread's log entries to a place until dropped. Nests.
pub struct LogScope {
    outer: Place,
}

impl LogScope {
    /// # Safety
    /// What `place` points to lives as long as the scope.
    pub unsafe fn enter(place: Place) -> Self {
        Self { outer: PLACE.replace(place) }
    }

    /// Where this thread's entries go now.
    pub fn current() -> Place {
        PLACE.try_with(Cell::get).unwrap_or(Place::Process)
    }
}

impl Drop for LogScope {
    fn drop(&mut self) {
        PLACE.set(self.outer);
    }
}

/// The main server of this process, as far as httpd has set it up.
fn main_server() -> *const raw::server_rec {
    // SAFETY: a plain global of httpd's, set before the children start.
    unsafe { raw::ap_server_conf }
}

impl Place {
    /// The level that `LogLevel` allows here for this module.
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

/// How much of a text goes into one entry, as httpd escapes it: it has 8192 bytes for all of an entry and drops the rest.
const ROOM: usize = 7000;

/// Writes a text to the error log if its level is allowed there: one entry, several for a text that is too long for one.
///
/// Newlines are escaped by httpd.
pub fn write_entry(place: Place, level: Level, text: &str) {
    // What is above the mask means something else to httpd, such as a copy for the client.
    let level = Level(level.0 & raw::APLOG_LEVELMASK as i32);
    if !place.allows(level) {
        return;
    }
    entries(place, level, None, text);
}

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\\0")).unwrap_or_default()
}

/// The text in parts that fit an entry each.
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

/// How many bytes httpd writes for a character, at most.
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
    /// Makes it the process's subscriber; once is enough for as long as the library is mapped.
    pub fn install() {
        let _ = tracing::subscriber::set_global_default(Self);
    }
}

impl Subscriber for TracingToErrorLog {
    /// Never decided once for all: each virtual host and directory has a level of its own.
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
        entries(LogScope::current(), Level::of(metadata), source, &message.0);
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
