//! The Python library inside the module: it needs no path, and always fits the module.

use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cpython::{Attached, Object, Raised, code};
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
    /// The file's name in tracebacks.
    pub fn path(&self) -> String {
        format!("{}{}", env!("MOD_PYTHON_LIBRARY_PATH"), self.file)
    }
}

/// The code of parts that this child has compiled, as bytes, which can be passed between interpreters: only the first interpreter compiles.
static COMPILED: Mutex<Vec<Compiled>> = Mutex::new(Vec::new());

/// A part's name and its code.
type Compiled = (&'static str, Arc<[u8]>);

/// The code object of a part: compiled when the module was built, else by the first interpreter of the child that needs it.
///
/// # Errors
/// Those of compiling it.
pub fn code<'i>(attached: Attached<'i>, part: &'static Part) -> Result<Object<'i>, Raised> {
    if is_built_code_good(attached) {
        // SAFETY: made by a Python with the same bytecode when the module was built.
        return unsafe { code::from_bytes(attached, part.code) };
    }
    let known = compiled(|all| all.iter().find(|(known, _)| *known == part.name).map(|(_, bytes)| Arc::clone(bytes)));
    if let Some(bytes) = known {
        // SAFETY: made below.
        return unsafe { code::from_bytes(attached, &bytes) };
    }
    let refused = |_| Raised::value_error(attached, format!("{} has a null character", part.path()));
    let (source, path) = (CString::new(part.source).map_err(refused)?, CString::new(part.path()).map_err(refused)?);
    let made = code::compile(attached, &source, &path)?;
    let bytes = code::to_bytes(&made)?;
    compiled(|all| {
        if all.iter().all(|(known, _)| *known != part.name) {
            all.push((part.name, bytes.into()));
        }
    });
    Ok(made)
}

/// Uses `COMPILED`. Python does not run meanwhile.
fn compiled<R>(work: impl FnOnce(&mut Vec<(&'static str, Arc<[u8]>)>) -> R) -> R {
    work(&mut COMPILED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whether this Python can use the code that was compiled when the module was built: it has the same bytecode, and does not optimise.
fn is_built_code_good(_attached: Attached<'_>) -> bool {
    // SAFETY: attached.
    let magic = unsafe { py::PyImport_GetMagicNumber() };
    magic.to_string() == env!("MOD_PYTHON_PY_MAGIC") && runtime().is_some_and(|runtime| runtime.optimization() == 0)
}
