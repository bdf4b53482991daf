//! What directives set for the handlers of a section or server.

use std::ffi::{c_char, c_int, c_void};

use crate::httpd::{Table, bytes_at};

use super::reading::{Message, Parameters, read};
use crate::config::records::{PathExpression, Settings};

/// Sets an On or Off, in the section's record and, outside of any section, in the server's too.
///
/// # Safety
/// In a command function of httpd's.
unsafe fn flag(parameters: Parameters, record: *mut c_void, set: impl Fn(&mut Settings<'_>)) -> Message {
    // SAFETY: the caller's.
    unsafe {
        read(parameters, record, |reading| {
            reading.set(set);
            Ok(())
        })
    }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_interpreter(
    parameters: Parameters,
    record: *mut c_void,
    name: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            // httpd refuses an empty argument itself.
            let name = reading.pool().slice(bytes_at(name).unwrap_or_default());
            reading.set(|settings| settings.interpreter = Some(name));
            Ok(())
        })
    }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_interp_per_directory(
    parameters: Parameters,
    record: *mut c_void,
    on: c_int,
) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            // Only for requests: a server has no folder of a file (mod_python does not copy it either).
            reading.directory.settings.per_directory = Some(on != 0);
            Ok(())
        })
    }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_interp_per_directive(
    parameters: Parameters,
    record: *mut c_void,
    on: c_int,
) -> Message {
    // SAFETY: a command function.
    unsafe { flag(parameters, record, |settings| settings.per_directive = Some(on != 0)) }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_path(
    parameters: Parameters,
    record: *mut c_void,
    expression: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            let expression = reading.text(expression)?;
            if expression.trim().is_empty() {
                return Err("MP0207: PythonPath is empty: write a Python expression for a list of folders, such as \"['/srv/app'] + sys.path\"".into());
            }
            reading.set(|settings| settings.path = Some(PathExpression::new(expression)));
            Ok(())
        })
    }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_option(
    parameters: Parameters,
    record: *mut c_void,
    key: *const c_char,
    value: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            let pool = reading.pool();
            let key = pool.c_string(bytes_at(key).unwrap_or_default());
            let value = pool.c_string(bytes_at(value).unwrap_or_default());
            reading.set(|settings| settings.options.get_or_insert_with(|| Table::new(pool)).set(key, value));
            Ok(())
        })
    }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_auto_reload(parameters: Parameters, record: *mut c_void, on: c_int) -> Message {
    // SAFETY: a command function.
    unsafe { flag(parameters, record, |settings| settings.auto_reload = Some(on != 0)) }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_debug(parameters: Parameters, record: *mut c_void, on: c_int) -> Message {
    // SAFETY: a command function.
    unsafe { flag(parameters, record, |settings| settings.debug = Some(on != 0)) }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_enable_pdb(parameters: Parameters, record: *mut c_void, on: c_int) -> Message {
    // SAFETY: a command function.
    unsafe { flag(parameters, record, |settings| settings.pdb = Some(on != 0)) }
}
