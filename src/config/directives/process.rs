//! What directives say about the child as a whole.

use std::ffi::{c_char, c_int, c_void};

use crate::httpd::bytes_at;
use crate::interpreter::{Gil, MAIN};

use super::reading::{Message, Parameters, Reading, read};
use crate::config::records::Import;

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_import(
    parameters: Parameters,
    record: *mut c_void,
    what: *const c_char,
    interpreter: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            let what = reading.text(what)?;
            let (module, function) = match what.split_once("::") {
                None => (what, None),
                Some((module, function)) => (module, Some(function)),
            };
            let is_name = |name: &str| name.split('.').all(|part| !part.is_empty() && !part.contains(['/', ':']));
            let interpreter = reading.pool().slice(bytes_at(interpreter).unwrap_or_default());
            if !is_name(module) || !function.is_none_or(is_name) {
                return Err(format!(
                    "MP0208: PythonImport: '{what}' is not understood: write module or module::function, both dotted Python names, and then the name of the interpreter"
                ));
            }
            let origin = reading.origin();
            let Some(generation) = reading.generation() else {
                return Ok(());
            };
            generation.uses_python = true;
            generation.imports += 1;
            let import = Import { module, function, interpreter, origin, order: generation.imports };
            let pool = reading.pool();
            let record = reading.server_record();
            record.imports = pool.slice(&[record.imports, &[import]].concat());
            Ok(())
        })
    }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_optimize(parameters: Parameters, record: *mut c_void, on: c_int) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            // One setting for the process: On in one place is not undone by Off in another.
            if let Some(generation) = reading.generation() {
                generation.optimize |= on != 0;
            }
            Ok(())
        })
    }
}

/// # Safety
/// A command function of httpd's.
pub(super) unsafe extern "C" fn python_interpreter_options(
    parameters: Parameters,
    record: *mut c_void,
    count: c_int,
    words: *const *mut c_char,
) -> Message {
    // SAFETY: a command function; the words are `count` strings.
    unsafe {
        read(parameters, record, |reading| {
            let words = (0..count.max(0) as usize)
                .map(|index| reading.text(*words.add(index)))
                .collect::<Result<Vec<_>, _>>()?;
            let Some((name, settings)) = words.split_first().filter(|(_, settings)| !settings.is_empty()) else {
                return Err(format!(
                    "MP0209: PythonInterpreterOptions takes an interpreter's name or *, then key=value …: {ALLOWED}"
                ));
            };
            settings.iter().try_for_each(|setting| interpreter_option(reading, name, setting))
        })
    }
}

const ALLOWED: &str = "the keys are gil=shared|own";

fn interpreter_option(reading: &Reading<'_>, name: &str, setting: &str) -> Result<(), String> {
    let gil = match setting.split_once('=') {
        Some(("gil", "shared")) => Gil::Shared,
        Some(("gil", "own")) => Gil::Own,
        Some(("gil", value)) => {
            return Err(format!("MP0209: PythonInterpreterOptions {name}: gil={value} is not a mode: {ALLOWED}"));
        }
        _ => return Err(format!("MP0209: PythonInterpreterOptions {name}: '{setting}' is not known: {ALLOWED}")),
    };
    if gil == Gil::Own && !Gil::OWN_SUPPORTED {
        return Err(format!(
            "MP0210: PythonInterpreterOptions {name} gil=own: an interpreter with a GIL of its own needs Python 3.12 or later; this module was built for Python {}",
            env!("MOD_PYTHON_PY_VERSION")
        ));
    }
    if gil == Gil::Own && name.as_bytes() == MAIN {
        return Err("MP0211: PythonInterpreterOptions main_interpreter gil=own: the main interpreter's GIL is the shared one; give the handler an interpreter of another name".into());
    }
    let Some(generation) = reading.generation() else {
        return Ok(());
    };
    let key = (name != "*").then_some(name.as_bytes());
    generation.gil.set(key, gil).map_err(|known| {
        format!(
            "MP0212: PythonInterpreterOptions {name} gil={gil} contradicts the gil={known} that was given for the same name before: an interpreter is shared by all servers that name it, so keep one of the two"
        )
    })
}
