//! CPython: what `pyo3-ffi` binds, and by hand the little that it does not.

pub use pyo3_ffi::*;

use std::ffi::{c_int, c_void};

/// `pymem.h`: what a garbage-collected type's `traverse` visits with.
pub type Visit = unsafe extern "C" fn(*mut PyObject, *mut c_void) -> c_int;
