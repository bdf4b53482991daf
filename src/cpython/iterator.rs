//! Iterating: over any object, and classes whose instances are their own iterators.

use std::ffi::{c_int, c_void};
use std::ptr;

use crate::ffi::python as py;

use super::attached::Attached;
use super::class::{Class, Instance, panicked, state_of};
use super::error::Raised;
use super::object::Object;
use crate::process::caught;

/// The items of an object that can be iterated over.
pub struct Items<'i>(Object<'i>);

impl<'i> Object<'i> {
    /// # Errors
    /// `TypeError` for an object that cannot be iterated over, or what its `__iter__` raises.
    pub fn iterate(&self) -> Result<Items<'i>, Raised> {
        // SAFETY: attached; a new reference or null.
        unsafe { Self::owned(self.attached(), py::PyObject_GetIter(self.as_ptr())) }.map(Items)
    }
}

impl<'i> Iterator for Items<'i> {
    type Item = Result<Object<'i>, Raised>;

    fn next(&mut self) -> Option<Self::Item> {
        let attached = self.0.attached();
        // SAFETY: attached; an iterator. Null without an exception is its end.
        unsafe {
            let item = py::PyIter_Next(self.0.as_ptr());
            if item.is_null() && !attached.has_error() {
                return None;
            }
            Some(Object::owned(attached, item))
        }
    }
}

/// A class with `iter(self)`, which is the instance itself, and `next(self)`.
pub trait Iterate: Class {
    /// The next item; `None` at the end.
    fn next<'i>(this: &Instance<'i, Self>) -> Result<Option<Object<'i>>, Raised>;
}

pub fn iterator_slots<T: Iterate>() -> [py::PyType_Slot; 2] {
    let slot = |slot: c_int, pfunc: *mut c_void| py::PyType_Slot { slot, pfunc };
    [slot(py::Py_tp_iter, py::PyObject_SelfIter as *mut c_void), slot(py::Py_tp_iternext, next::<T> as *mut c_void)]
}

unsafe extern "C" fn next<T: Iterate>(this: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    // SAFETY: an instance of the class.
    match caught(|| T::next(&unsafe { state_of::<T>(attached, this) })) {
        Ok(Ok(item)) => item.map_or(ptr::null_mut(), Object::into_ptr),
        Ok(Err(Raised { .. })) => ptr::null_mut(),
        Err(panic) => panicked(attached, &panic, ptr::null_mut()),
    }
}
