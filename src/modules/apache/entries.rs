//! Entries for the error log: `log_error`, and what the library's streams and messages write.

use crate::cpython::{Arguments, Object, Raised};
use crate::httpd::{LogScope, Place, printed, write_entry};
use crate::objects::equipment::equipment_of;
use crate::objects::logging;
use crate::objects::server::ServerObject;

use super::State;

/// `log_error(message[, level[, server]])`: on a server, else on the main one.
pub(super) fn log_error<'i>(state: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 3)?;
    let attached = arguments.attached();
    let place = match arguments.get(2).filter(|server| !server.is_none()) {
        None => Place::Process,
        Some(server) => {
            let equipment = equipment_of(attached, state.required(attached)?)?;
            let Some(server) = ServerObject::from_object(equipment, &server)? else {
                return Err(Raised::type_error(attached, "log_error() argument 3 must be a server object"));
            };
            Place::Server(server.server().as_ptr())
        }
    };
    logging::log_error(&arguments, place)
}

/// `_log(level, text[, request_only])`: one entry on the request that this thread serves, else on the main server.
pub(super) fn log<'i>(_: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 3)?;
    let attached = arguments.attached();
    let level = logging::level(arguments.required(0)?.to_i64()?);
    let text = arguments.required(1)?.lossy()?;
    let place = LogScope::current();
    if matches!(place, Place::Request(_)) || !arguments.flag_or(2, false)? {
        attached.detach(|| write_entry(place, level, &text));
    }
    Ok(Object::none(attached))
}

/// `_log_write(level, text)`: the whole lines of a text; the rest is kept for this thread.
pub(super) fn log_write<'i>(_: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let level = logging::level(arguments.required(0)?.to_i64()?);
    write_lines(printed::add(level.0, &arguments.required(1)?.lossy()?), arguments)
}

/// `_log_flush(level)`: what this thread has kept at that level.
pub(super) fn log_flush<'i>(_: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let level = logging::level(arguments.required(0)?.to_i64()?);
    write_lines(printed::take(Some(level.0)), arguments)
}

fn write_lines<'i>(lines: printed::Lines, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    let attached = arguments.attached();
    // The log can be a pipe that blocks; but most prints are parts of a line, for which nobody has to let go.
    if !lines.is_empty() {
        attached.detach(|| lines.write());
    }
    Ok(Object::none(attached))
}
