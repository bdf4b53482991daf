//! The bytes of objects with the buffer interface.

use std::mem::MaybeUninit;

use crate::ffi::python as py;

use super::error::Raised;
use super::object::Object;

/// Releases the buffer when dropped.
struct Exported<'a>(&'a mut py::Py_buffer);

impl Drop for Exported<'_> {
    fn drop(&mut self) {
        // SAFETY: filled by `PyObject_GetBuffer`; this thread is attached again.
        unsafe { py::PyBuffer_Release(self.0) };
    }
}

impl Object<'_> {
    /// Uses the bytes of the argument of a `write()`: text as UTF-8, or an object with the buffer interface.
    ///
    /// # Errors
    /// `TypeError` for any other object; the error of `work`.
    pub fn with_written<R>(&self, work: impl FnOnce(&[u8]) -> Result<R, Raised>) -> Result<R, Raised> {
        if self.is_str() {
            work(self.to_utf8()?.as_bytes())
        } else if self.is_bytes() {
            work(self.to_bytes()?)
        } else if self.has_buffer() {
            self.with_buffer(work)?
        } else {
            let given = self.type_name();
            let text = format!("write() argument 1 must be str or a bytes-like object, not {given}");
            Err(Raised::type_error(self.attached(), text))
        }
    }

    /// Whether the object has the buffer interface, as `bytearray` and `memoryview` do.
    fn has_buffer(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyObject_CheckBuffer(self.as_ptr()) != 0 }
    }

    /// Uses the object's bytes. They can neither move nor be resized meanwhile.
    pub fn with_buffer<R>(&self, work: impl FnOnce(&[u8]) -> R) -> Result<R, Raised> {
        let mut view = MaybeUninit::<py::Py_buffer>::zeroed();
        // SAFETY: attached; a simple view is one run of bytes.
        if unsafe { py::PyObject_GetBuffer(self.as_ptr(), view.as_mut_ptr(), py::PyBUF_SIMPLE) } != 0 {
            return Err(Raised::set(self.attached()));
        }
        // SAFETY: filled, and not moved until released.
        let view = Exported(unsafe { view.assume_init_mut() });
        let bytes = match view.0.len > 0 {
            // SAFETY: the exporter keeps that many bytes there until the view is released.
            true => unsafe { std::slice::from_raw_parts(view.0.buf.cast(), view.0.len as usize) },
            false => &[],
        };
        Ok(work(bytes))
    }
}
