//! Directives that name handlers.

use std::ffi::{c_char, c_void};

use crate::ffi::httpd as raw;
use crate::httpd::{Direction, Pool, bytes_at, register_filter};

use super::reading::{self, Message, Parameters, Reading, read};
use crate::config::handlers::{self, HandlerEntry, HandlerList, Name, Parsed};
use crate::config::phase::{Phase, Role};
use crate::config::records::{DirectoryConfig, FilterEntry, Requirement};
use crate::config::section::Section;

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_handlers(
    parameters: Parameters,
    record: *mut c_void,
    arguments: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            let name = reading.name();
            let Some(phase) = Phase::named(name.as_bytes()) else {
                return Err(format!("MP0205: mod_python has a defect: {name} is no phase's directive"));
            };
            let parsed = handlers::parse(phase.role(), reading.text(arguments)?)?;
            if phase.is_before_file() && parsed.has_extensions() {
                return Err(format!(
                    "MP0214: {name} takes no extensions ('| .ext'): it runs before httpd knows the file. Look at req.uri in the handler instead"
                ));
            }
            add(reading, phase, &parsed);
            Ok(())
        })
    }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_handler_module(
    parameters: Parameters,
    record: *mut c_void,
    arguments: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            let arguments = reading.text(arguments)?;
            const ALLOWED: &str = "write the dotted Python name of a module, or several; their functions are named after the phases, such as accesshandler";
            if arguments.trim().is_empty() {
                return Err(format!("MP0215: PythonHandlerModule names no module: {ALLOWED}"));
            }
            let is_module = |word: &str| !word.contains(['|', ':']) && Name::read(Role::MODULE, word).is_ok();
            if let Some(wrong) = arguments.split_whitespace().find(|word| !is_module(word)) {
                return Err(format!("MP0215: PythonHandlerModule: '{wrong}' is not the name of a module: {ALLOWED}"));
            }
            for phase in Phase::ALL {
                add(reading, phase, &handlers::parse(phase.role(), arguments)?.silent());
            }
            Ok(())
        })
    }
}

/// Adds handlers behind those that the section already has.
fn add(reading: &mut Reading<'_>, phase: Phase, parsed: &Parsed<'_>) {
    // SAFETY: the record of a command function being called.
    let section = unsafe { Section::of(reading.parameters) };
    let place = phase as usize;
    let list =
        HandlerList::append(reading.directory.handlers[place], parsed, section, reading.origin(), reading.pool());
    reading.directory.handlers[place] = Some(reading.pool().value(list));
    uses_python(reading);
}

/// Notes that children need Python.
fn uses_python(reading: &Reading<'_>) {
    if let Some(generation) = reading.generation() {
        generation.uses_python = true;
    }
}

/// The handler that a directive names, in the place where it stands.
fn entry<'p>(reading: &Reading<'p>, name: Name<'_>) -> HandlerEntry<'p> {
    // SAFETY: the record of a command function being called.
    let section = unsafe { Section::of(reading.parameters) };
    uses_python(reading);
    name.entry(section, reading.origin(), reading.pool())
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_connection_handler(
    parameters: Parameters,
    record: *mut c_void,
    arguments: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            let name = handlers::parse(Role::CONNECTION, reading.text(arguments)?)?.single()?;
            let entry: &_ = reading.pool().value(entry(reading, name));
            reading.server_record().connection = Some(entry);
            Ok(())
        })
    }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_input_filter(
    parameters: Parameters,
    record: *mut c_void,
    handler: *const c_char,
    name: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe { filter(parameters, record, Direction::Input, handler, name) }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_output_filter(
    parameters: Parameters,
    record: *mut c_void,
    handler: *const c_char,
    name: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe { filter(parameters, record, Direction::Output, handler, name) }
}

/// A filter directive: its handler, and its name, which is the handler's text unless given.
///
/// # Safety
/// In a command function of httpd's.
unsafe fn filter(
    parameters: Parameters,
    record: *mut c_void,
    direction: Direction,
    handler: *const c_char,
    name: *const c_char,
) -> Message {
    // SAFETY: the caller's.
    unsafe {
        read(parameters, record, |reading| {
            let role = Role::filter(direction);
            let handler = reading.text(handler)?;
            let name = if name.is_null() { handler } else { reading.text(name)? };
            if name.is_empty() || name.contains([';', ',']) || name.contains(char::is_whitespace) {
                return Err(format!(
                    "MP0216: {}: '{name}' cannot be a filter's name: it must not be empty, and must not contain ';', ',' or blanks, which separate names in SetInputFilter and the like",
                    role.directive
                ));
            }
            let entry = FilterEntry::new(name, entry(reading, Name::read(role, handler)?), reading.pool());
            let pool = reading.pool();
            let filters = reading.directory.filters.of_mut(direction);
            *filters = FilterEntry::with(filters, entry, pool);
            register_filter(direction, entry.name);
            Ok(())
        })
    }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_auth_basic_provider(
    parameters: Parameters,
    record: *mut c_void,
    handler: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe { provider(parameters, record, Role::BASIC_PROVIDER, handler, |record| &mut record.basic_provider) }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_auth_digest_provider(
    parameters: Parameters,
    record: *mut c_void,
    handler: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe { provider(parameters, record, Role::DIGEST_PROVIDER, handler, |record| &mut record.digest_provider) }
}

/// A directive for the function behind a provider, which has a place in the section's record.
///
/// # Safety
/// In a command function of httpd's.
unsafe fn provider(
    parameters: Parameters,
    record: *mut c_void,
    role: Role,
    handler: *const c_char,
    place: for<'a, 'p> fn(&'a mut DirectoryConfig<'p>) -> &'a mut Option<&'p HandlerEntry<'p>>,
) -> Message {
    // SAFETY: the caller's.
    unsafe {
        read(parameters, record, |reading| {
            let entry = entry(reading, Name::read(role, reading.text(handler)?)?);
            let kept = reading.pool().value(entry);
            *place(reading.directory) = Some(kept);
            Ok(())
        })
    }
}

/// httpd's `parse_require_line` for `Require python module[::object] [argument …]`.
///
/// # Safety
/// httpd's authorization calls it while it reads the directive.
pub unsafe extern "C" fn parse_require(
    parameters: *mut raw::cmd_parms,
    line: *const c_char,
    parsed: *mut *const c_void,
) -> *const c_char {
    // SAFETY: httpd's call: the record is of the directive, the line a string, and the place is for the result.
    unsafe {
        let outcome = crate::cpython::caught(|| {
            let pool = Pool::from_raw((*parameters).pool);
            let mut rest = line;
            let mut words = std::iter::from_fn(|| {
                let word = (*rest != 0).then(|| raw::ap_getword_conf(pool.as_ptr(), &mut rest))?;
                bytes_at(word).filter(|word| !word.is_empty())
            });
            let text = |word: &[u8]| match std::str::from_utf8(word) {
                Ok(text) => Ok(pool.text(text)),
                Err(_) => Err("MP0204: Require python has an argument that is not UTF-8".to_owned()),
            };
            let Some(handler) = words.next() else {
                return Err(
                    "MP0217: Require python names no handler: write Require python module[::object] [argument …]"
                        .to_owned(),
                );
            };
            let name = Name::read(Role::REQUIRE, text(handler)?)?;
            let arguments = words.map(text).collect::<Result<Vec<_>, _>>()?;
            let handler = name.entry(Section::of(parameters), reading::origin(parameters), pool);
            if let Some(generation) = reading::generation(parameters) {
                generation.uses_python = true;
            }
            let requirement: *const Requirement =
                pool.value(Requirement { handler, arguments: pool.slice(&arguments) });
            *parsed = requirement.cast();
            Ok(())
        });
        reading::message(parameters, outcome)
    }
}
