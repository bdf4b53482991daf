//! The positional arguments of a call from Python.

use std::ffi::CStr;

use crate::ffi::python as py;
use crate::process::memory::{self, NoMemory};

use super::attached::Attached;
use super::error::Raised;
use super::object::Object;

/// The positional arguments of one call, borrowed from the caller's stack (`METH_FASTCALL`).
#[derive(Clone, Copy)]
pub struct Arguments<'i> {
    function: &'static CStr,
    values: &'i [*mut py::PyObject],
    attached: Attached<'i>,
}

impl<'i> Arguments<'i> {
    /// # Safety
    /// `values` are `count` live objects for as long as `'i`.
    pub unsafe fn new(
        attached: Attached<'i>,
        function: &'static CStr,
        values: *mut *mut py::PyObject,
        count: py::Py_ssize_t,
    ) -> Self {
        let values = match count > 0 {
            // SAFETY: the caller's.
            true => unsafe { std::slice::from_raw_parts(values, count as usize) },
            false => &[],
        };
        Self { function, values, attached }
    }

    pub fn attached(&self) -> Attached<'i> {
        self.attached
    }

    /// The name of the function called, for messages.
    pub fn function(&self) -> &'static str {
        self.function.to_str().unwrap_or_default()
    }

    /// Refuses a wrong number of arguments, in CPython's words.
    pub fn expect(&self, least: usize, most: usize) -> Result<(), Raised> {
        let given = self.values.len();
        if (least..=most).contains(&given) {
            return Ok(());
        }
        let wanted = match (least == most, least) {
            (true, 0) => "no arguments".to_owned(),
            (true, 1) => "exactly one argument".to_owned(),
            (true, count) => format!("exactly {count} arguments"),
            (false, _) if given < least => format!("at least {least} argument{}", if least == 1 { "" } else { "s" }),
            (false, _) => format!("at most {most} argument{}", if most == 1 { "" } else { "s" }),
        };
        Err(Raised::type_error(self.attached, format!("{}() takes {wanted} ({given} given)", self.function())))
    }

    /// The argument at `index`, if given.
    pub fn get(&self, index: usize) -> Option<Object<'i>> {
        // SAFETY: the values live for 'i.
        self.values.get(index).map(|value| unsafe { Object::borrowed(self.attached, *value) })
    }

    /// The argument at `index`, which `expect` has checked.
    pub fn required(&self, index: usize) -> Result<Object<'i>, Raised> {
        self.get(index).ok_or_else(|| {
            Raised::type_error(self.attached, format!("{}() misses argument {}", self.function(), index + 1))
        })
    }

    /// An `int` argument, or the default if it is not given.
    pub fn int_or(&self, index: usize, default: i64) -> Result<i64, Raised> {
        self.get(index).map_or(Ok(default), |value| value.to_i64())
    }

    /// A truth value argument.
    pub fn flag_or(&self, index: usize, default: bool) -> Result<bool, Raised> {
        self.get(index).map_or(Ok(default), |value| value.is_true())
    }

    /// A text argument for httpd: a `str` as UTF-8, or `bytes` unchanged; without NUL.
    pub fn text(&self, index: usize) -> Result<Vec<u8>, Raised> {
        let value = self.required(index)?;
        let bytes = if value.is_str() {
            value.to_utf8()?.as_bytes()
        } else if value.is_bytes() {
            value.to_bytes()?
        } else {
            return Err(Raised::type_error(
                self.attached,
                format!("{}() argument {} must be str, not {}", self.function(), index + 1, value.type_name()),
            ));
        };
        match bytes.contains(&0) {
            true => Err(Raised::value_error(self.attached, format!("{}(): embedded null character", self.function()))),
            false => memory::copy(bytes).map_err(|NoMemory| Raised::memory_error(self.attached)),
        }
    }
}
