//! The Python library inside the module: it needs no path and can never mismatch it.

use std::borrow::Cow;
use std::sync::Mutex;

use crate::cpython::Attached;
use crate::ffi::python as py;
use crate::interpreter::runtime;

/// One source file of the library.
pub struct Part {
    /// The dotted module name.
    pub name: &'static str,
    pub is_package: bool,
    pub file: &'static str,
    pub source: &'static [u8],
    /// Compiled when the module was built, and marshalled.
    code: &'static [u8],
}

const PARTS: &[Part] = &include!(concat!(env!("OUT_DIR"), "/library.rs"));

/// The part of that module name.
pub fn part(name: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.name == name)
}

impl Part {
    /// What tracebacks call the file.
    pub fn path(&self) -> String {
        format!("{}{}", env!("MOD_PYTHON_LIBRARY_PATH"), self.file)
    }
}

/// The code of parts that a child has compiled itself, as bytes, so that only its first interpreter does: bytes cross interpreters.
static CODE: Mutex<Vec<(&'static str, Vec<u8>)>> = Mutex::new(Vec::new());

/// The marshalled code of a part, if there is some that this Python can use.
pub fn code(attached: Attached<'_>, name: &str) -> Option<Cow<'static, [u8]>> {
    if is_built_code_good(attached) {
        return part(name).map(|part| Cow::Borrowed(part.code));
    }
    let code = CODE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    code.iter().find(|(known, _)| *known == name).map(|(_, bytes)| Cow::Owned(bytes.clone()))
}

/// Whether this Python takes what was compiled when the module was built: it has the same bytecode, and is not to optimise.
fn is_built_code_good(_attached: Attached<'_>) -> bool {
    // SAFETY: attached.
    let magic = unsafe { py::PyImport_GetMagicNumber() };
    magic.to_string() == env!("MOD_PYTHON_PY_MAGIC") && runtime().is_some_and(|runtime| runtime.optimization() == 0)
}

/// Keeps the marshalled code of a part.
pub fn keep_code(name: &str, bytes: &[u8]) {
    let Some(part) = part(name) else { return };
    let mut code = CODE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if code.iter().all(|(known, _)| *known != name) {
        code.push((part.name, bytes.to_vec()));
    }
}
