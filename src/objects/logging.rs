//! What goes from Python to the error log: `log_error`, and what is printed without a newline.

use crate::cpython::{Arguments, Attached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Level, Place, printed, write_entry};

/// `log_error(message[, level])`: one entry at a place. A message of `None` is none; the level is one of `APLOG_*`.
pub fn log_error<'i>(arguments: &Arguments<'i>, place: Place) -> Result<Object<'i>, Raised> {
    let attached = arguments.attached();
    let message = arguments.required(0)?;
    let level = level(arguments.int_or(1, i64::from(raw::APLOG_ERR))?);
    if message.is_none() {
        return Ok(message);
    }
    if !message.is_str() {
        let text = format!("{}() argument 1 must be str or None, not {}", arguments.function(), message.type_name());
        return Err(Raised::type_error(attached, text));
    }
    let text = message.lossy()?;
    attached.detach(|| write_entry(place, level, &text));
    Ok(Object::none(attached))
}

/// A level as Python gives it: flags beside it, such as `APLOG_NOERRNO`, are left out.
pub fn level(given: i64) -> Level {
    Level((given & i64::from(raw::APLOG_LEVELMASK)) as i32)
}

/// Logs what this thread has printed without a newline.
pub fn write_printed(attached: Attached<'_>) {
    let lines = printed::take(None);
    if !lines.is_empty() {
        attached.detach(|| lines.write());
    }
}
