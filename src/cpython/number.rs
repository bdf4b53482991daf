//! Numbers: `int` and `float`.

use crate::ffi::python as py;

use super::attached::Attached;
use super::error::Raised;
use super::object::Object;

impl<'i> Object<'i> {
    pub fn int(attached: Attached<'i>, value: i64) -> Result<Self, Raised> {
        // SAFETY: attached.
        unsafe { Self::owned(attached, py::PyLong_FromLongLong(value)) }
    }

    pub fn unsigned(attached: Attached<'i>, value: u64) -> Result<Self, Raised> {
        // SAFETY: attached.
        unsafe { Self::owned(attached, py::PyLong_FromUnsignedLongLong(value)) }
    }

    pub fn float(attached: Attached<'i>, value: f64) -> Result<Self, Raised> {
        // SAFETY: attached.
        unsafe { Self::owned(attached, py::PyFloat_FromDouble(value)) }
    }

    pub fn is_int(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyLong_Check(self.as_ptr()) != 0 }
    }

    pub fn is_float(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyFloat_Check(self.as_ptr()) != 0 }
    }

    /// The value of an `int` (or of what has `__index__`) that fits 64 bits.
    pub fn to_i64(&self) -> Result<i64, Raised> {
        // SAFETY: attached.
        let value = unsafe { py::PyLong_AsLongLong(self.as_ptr()) };
        match value == -1 && self.attached().has_error() {
            true => Err(Raised::set(self.attached())),
            false => Ok(value),
        }
    }

    /// The value of an `int`, if it fits 64 bits.
    pub fn small_int(&self) -> Option<i64> {
        let mut overflow = 0;
        // SAFETY: attached; for an int it raises nothing.
        let value = unsafe { py::PyLong_AsLongLongAndOverflow(self.as_ptr(), &mut overflow) };
        (overflow == 0).then_some(value)
    }

    pub fn to_f64(&self) -> Result<f64, Raised> {
        // SAFETY: attached.
        let value = unsafe { py::PyFloat_AsDouble(self.as_ptr()) };
        match value == -1.0 && self.attached().has_error() {
            true => Err(Raised::set(self.attached())),
            false => Ok(value),
        }
    }

    /// `self < other`.
    pub fn is_less_than(&self, other: &Object<'i>) -> Result<bool, Raised> {
        // SAFETY: attached.
        match unsafe { py::PyObject_RichCompareBool(self.as_ptr(), other.as_ptr(), py::Py_LT) } {
            -1 => Err(Raised::set(self.attached())),
            answer => Ok(answer == 1),
        }
    }
}
