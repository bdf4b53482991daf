//! Directives that name handlers, filters or providers.

use std::ffi::CStr;

use crate::httpd::{Direction, register_filter};

use super::Outcome;
use super::reading::Reading;
use crate::config::error::ConfigError;
use crate::config::handler::{self, Handler, HandlerList, Name, Parsed};
use crate::config::phase::{Phase, Role};
use crate::config::records::FilterHandler;

/// `Python…Handler handler … [| .ext …]`
pub(super) fn handlers(reading: &mut Reading<'_>, phase: Phase, line: &str) -> Outcome {
    let parsed = handler::parse(phase.role(), line)?;
    if phase.is_before_file() && parsed.has_extensions() {
        return Err(ConfigError::NoExtensionsHere(phase.directive()));
    }
    add(reading, phase, &parsed);
    Ok(())
}

/// `PythonHandlerModule module …`
pub(super) fn handler_module(reading: &mut Reading<'_>, line: &str) -> Outcome {
    if line.trim().is_empty() {
        return Err(ConfigError::NoModule);
    }
    let is_module = |word: &str| !word.contains(['|', ':']) && Name::read(Role::MODULE, word).is_ok();
    if let Some(wrong) = line.split_whitespace().find(|word| !is_module(word)) {
        return Err(ConfigError::NotAModule(wrong.to_owned()));
    }
    for phase in Phase::ALL {
        add(reading, phase, &handler::parse(phase.role(), line)?.silent());
    }
    Ok(())
}

/// Adds handlers to those that the section already has.
fn add(reading: &mut Reading<'_>, phase: Phase, parsed: &Parsed<'_>) {
    let known = reading.directory.handlers[phase as usize];
    let list = HandlerList::append(known, parsed, reading.section(), reading.origin(), reading.pool());
    reading.directory.handlers[phase as usize] = Some(reading.pool().value(list));
    phase.note_in_use();
    reading.uses_python();
}

/// The handler that a directive names, with the place of the directive.
fn handler<'p>(reading: &Reading<'p>, name: Name<'_>) -> Handler<'p> {
    reading.uses_python();
    name.handler(reading.section(), reading.origin(), reading.pool())
}

/// `PythonConnectionHandler handler`
pub(super) fn connection_handler(reading: &mut Reading<'_>, line: &str) -> Outcome {
    let name = handler::parse(Role::CONNECTION, line)?.single()?;
    let handler: &_ = reading.pool().value(handler(reading, name));
    reading.server_record().connection = Some(handler);
    Ok(())
}

/// `PythonInputFilter handler [name]`
pub(super) fn input_filter(reading: &mut Reading<'_>, handler: &CStr, name: Option<&CStr>) -> Outcome {
    filter(reading, Direction::Input, handler, name)
}

/// `PythonOutputFilter handler [name]`
pub(super) fn output_filter(reading: &mut Reading<'_>, handler: &CStr, name: Option<&CStr>) -> Outcome {
    filter(reading, Direction::Output, handler, name)
}

/// A filter with its handler. Its name is the handler's text if none is given.
fn filter(reading: &mut Reading<'_>, direction: Direction, text: &CStr, name: Option<&CStr>) -> Outcome {
    let role = Role::filter(direction);
    let text = reading.text(text)?;
    let name = name.map_or(Ok(text), |name| reading.text(name))?;
    if name.is_empty() || name.contains([';', ',']) || name.contains(char::is_whitespace) {
        return Err(ConfigError::NotAFilterName { directive: role.directive, name: name.to_owned() });
    }
    let filter = FilterHandler::new(name, handler(reading, Name::read(role, text)?), reading.pool());
    let pool = reading.pool();
    let filters = reading.directory.filters.of_mut(direction);
    *filters = FilterHandler::with(filters, filter, pool);
    register_filter(direction, filter.name);
    Ok(())
}

/// `PythonAuthBasicProvider handler`
pub(super) fn basic_provider(reading: &mut Reading<'_>, text: &CStr) -> Outcome {
    let handler = handler(reading, Name::read(Role::BASIC_PROVIDER, reading.text(text)?)?);
    reading.directory.basic_provider = Some(reading.pool().value(handler));
    Ok(())
}

/// `PythonAuthDigestProvider handler`
pub(super) fn digest_provider(reading: &mut Reading<'_>, text: &CStr) -> Outcome {
    let handler = handler(reading, Name::read(Role::DIGEST_PROVIDER, reading.text(text)?)?);
    reading.directory.digest_provider = Some(reading.pool().value(handler));
    Ok(())
}
