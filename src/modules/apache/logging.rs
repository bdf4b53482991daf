//! Entries of the error log: `log_error`, and the functions for the library's streams and messages.

use crate::cpython::{Arguments, Object, Raised};
use crate::httpd::{LogScope, Place, printed, write_here};
use crate::objects::logging;
use crate::objects::module_state::ModuleState;
use crate::objects::server::ServerObject;
use crate::process::memory::NoMemory;

use super::Apache;

/// `log_error(message[, level[, server]])`: on a server, else on the main one.
pub(super) fn log_error<'i>(state: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 3)?;
    let attached = arguments.attached();
    let place = match arguments.get(2).filter(|server| !server.is_none()) {
        None => Place::Process,
        Some(server) => {
            let module_state = ModuleState::of(attached, state.required(attached)?)?;
            let Some(server) = module_state.cast::<ServerObject>(&server) else {
                return Err(Raised::type_error(attached, "log_error() argument 3 must be a server object"));
            };
            Place::Server(server.server().as_ptr())
        }
    };
    if let Some(entry) = logging::Entry::of(&arguments)? {
        attached.detach(move || entry.write(place));
    }
    Ok(Object::none(attached))
}

/// `_log(level, text[, request_only])`: one entry on the request that this thread serves, else on the main server.
pub(super) fn log<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 3)?;
    let attached = arguments.attached();
    let level = logging::level(arguments.required(0)?.to_i64()?);
    let text = arguments.required(1)?.lossy()?;
    if !arguments.flag_or(2, false)? || matches!(LogScope::current(), Place::Request(_)) {
        attached.detach(|| write_here(level, &text));
    }
    Ok(Object::none(attached))
}

/// `_log_write(level, text)`: the complete lines of a text; the rest is kept for this thread.
pub(super) fn log_write<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let level = logging::level(arguments.required(0)?.to_i64()?);
    let lines = printed::add(level.0, &arguments.required(1)?.lossy()?);
    write_lines(lines.map_err(|NoMemory| Raised::memory_error(arguments.attached()))?, arguments)
}

/// `_log_flush(level)`: what this thread has kept at that level.
pub(super) fn log_flush<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let level = logging::level(arguments.required(0)?.to_i64()?);
    write_lines(printed::take(Some(level.0)), arguments)
}

fn write_lines<'i>(lines: printed::Lines, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    let attached = arguments.attached();
    // The log can be a pipe that blocks. Most prints are parts of a line, which are only kept, so there is no need to detach.
    if !lines.is_empty() {
        attached.detach(|| lines.write());
    }
    Ok(Object::none(attached))
}
