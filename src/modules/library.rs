//! The Python library inside the module: it needs no path and can never mismatch it.

use std::sync::Mutex;

/// One source file of the library.
pub struct Part {
    /// The dotted module name.
    pub name: &'static str,
    pub is_package: bool,
    pub file: &'static str,
    pub source: &'static [u8],
}

const PARTS: &[Part] = &include!(concat!(env!("OUT_DIR"), "/library.rs"));

/// The part of that module name.
pub fn part(name: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.name == name)
}

impl Part {
    /// What tracebacks call the file.
    pub fn path(&self) -> String {
        format!("<mod_python.so>/mod_python/{}", self.file)
    }
}

/// The compiled code of parts as bytes, so that only a child's first interpreter compiles: bytes cross interpreters.
static CODE: Mutex<Vec<(&'static str, Vec<u8>)>> = Mutex::new(Vec::new());

/// The marshalled code of a part, if an interpreter of this child has compiled it.
pub fn code(name: &str) -> Option<Vec<u8>> {
    let code = CODE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    code.iter().find(|(known, _)| *known == name).map(|(_, bytes)| bytes.clone())
}

/// Keeps the marshalled code of a part.
pub fn keep_code(name: &str, bytes: &[u8]) {
    let Some(part) = part(name) else { return };
    let mut code = CODE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if code.iter().all(|(known, _)| *known != name) {
        code.push((part.name, bytes.to_vec()));
    }
}
