//! Entries of the error log from Python: `log_error`, and text printed without a newline.

use crate::cpython::{Arguments, Attached, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Level, Place, printed, write_entry};

/// An entry that a program writes.
pub struct Entry {
    level: Level,
    text: String,
}

impl Entry {
    /// Reads the arguments `(message[, level])` of `log_error`. `None` if the message is `None`; the level is one of `APLOG_*`.
    pub fn of(arguments: &Arguments<'_>) -> Result<Option<Self>, Raised> {
        let message = arguments.required(0)?;
        let level = level(arguments.int_or(1, i64::from(raw::APLOG_ERR))?);
        if message.is_none() {
            return Ok(None);
        }
        if !message.is_str() {
            let (function, given) = (arguments.function(), message.type_name());
            let text = format!("{function}() argument 1 must be str or None, not {given}");
            return Err(Raised::type_error(arguments.attached(), text));
        }
        Ok(Some(Self { level, text: message.lossy()? }))
    }

    /// Writes it. May block: this thread is not attached, and has the turn of `place`.
    pub fn write(&self, place: Place) {
        write_entry(place, self.level, &self.text);
    }
}

/// A level from Python, without flags such as `APLOG_NOERRNO`.
pub fn level(given: i64) -> Level {
    Level((given & i64::from(raw::APLOG_LEVELMASK)) as i32)
}

/// Logs text that this thread has printed without a newline.
pub fn write_printed(attached: Attached<'_>) {
    let lines = printed::take(None);
    if !lines.is_empty() {
        attached.detach(|| lines.write());
    }
}
