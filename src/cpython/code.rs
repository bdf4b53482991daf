//! Code objects: compiled from source, or unmarshalled from bytes, which can be passed between interpreters.

use std::ffi::CStr;

use crate::ffi::python as py;

use super::{Attached, Object, Raised};

/// Compiles a module's source; `path` is its file in tracebacks.
///
/// # Errors
/// `SyntaxError`, `MemoryError`.
pub fn compile<'i>(attached: Attached<'i>, source: &CStr, path: &CStr) -> Result<Object<'i>, Raised> {
    // SAFETY: attached; a new reference or null with the exception set.
    unsafe { Object::owned(attached, py::Py_CompileString(source.as_ptr(), path.as_ptr(), py::Py_file_input)) }
}

/// A code object as bytes, for interpreters of this version of Python.
///
/// # Errors
/// `MemoryError`.
pub fn to_bytes(code: &Object<'_>) -> Result<Vec<u8>, Raised> {
    let attached = code.attached();
    let version = py::Py_MARSHAL_VERSION;
    // SAFETY: attached; a new reference or null with the exception set.
    let bytes = unsafe { Object::owned(attached, py::PyMarshal_WriteObjectToString(code.as_ptr(), version))? };
    bytes.to_bytes().map(<[u8]>::to_vec)
}

/// The code object of `bytes`.
///
/// # Safety
/// `to_bytes`, or this version of Python, has made them from a code object: CPython does not check them.
///
/// # Errors
/// `MemoryError`.
pub unsafe fn from_bytes<'i>(attached: Attached<'i>, bytes: &[u8]) -> Result<Object<'i>, Raised> {
    // SAFETY: attached; the bytes are there during the call; a new reference or null with the exception set.
    unsafe {
        let code = py::PyMarshal_ReadObjectFromString(bytes.as_ptr().cast(), bytes.len() as py::Py_ssize_t);
        Object::owned(attached, code)
    }
}
