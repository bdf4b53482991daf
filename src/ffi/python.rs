//! CPython: the bindings of `pyo3-ffi`, and the few that it lacks.

pub use pyo3_ffi::*;

use std::ffi::{c_int, c_void};

/// `pymem.h`: the callback that a garbage-collected type's `traverse` calls.
pub type Visit = unsafe extern "C" fn(*mut PyObject, *mut c_void) -> c_int;
