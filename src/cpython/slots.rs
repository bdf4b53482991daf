//! Type slots, for classes that are used with Python's operators.

use std::ffi::{c_int, c_void};

use crate::ffi::python as py;

use super::attached::Attached;
use super::class::{Class, Instance, returned, state_of, status};
use super::error::Raised;
use super::object::Object;

/// A class whose instances are called.
pub trait Call: Class {
    fn call<'i>(
        this: &Instance<'i, Self>,
        arguments: &Object<'i>,
        keywords: Option<&Object<'i>>,
    ) -> Result<Object<'i>, Raised>;
}

/// A class with a `repr()` of its own.
pub trait Repr: Class {
    fn repr<'i>(this: &Instance<'i, Self>) -> Result<Object<'i>, Raised>;
}

/// A class whose `__init__` takes arguments; its `Class::new` ignores them.
pub trait Initialise: Class {
    fn initialise<'i>(
        this: &Instance<'i, Self>,
        arguments: &Object<'i>,
        keywords: Option<&Object<'i>>,
    ) -> Result<(), Raised>;
}

/// A class with `self[index]`, and so with iteration, which ends with `IndexError`.
pub trait Sequence: Class {
    fn item<'i>(this: &Instance<'i, Self>, index: isize) -> Result<Object<'i>, Raised>;
}

/// A class with `self[key]`.
pub trait Subscript: Class {
    /// `self[key]`
    fn item<'i>(this: &Instance<'i, Self>, key: &Object<'i>) -> Result<Object<'i>, Raised>;
    /// `self[key] = value`; without a value `del self[key]`
    fn set_item<'i>(this: &Instance<'i, Self>, key: &Object<'i>, value: Option<&Object<'i>>) -> Result<(), Raised>;
    /// `key in self`
    fn contains<'i>(this: &Instance<'i, Self>, key: &Object<'i>) -> Result<bool, Raised>;
}

/// A class that is used like a `dict`. It is not hashable.
pub trait Mapping: Subscript {
    /// `len(self)`
    fn length(this: &Instance<'_, Self>) -> Result<usize, Raised>;
    /// `iter(self)`
    fn iterate<'i>(this: &Instance<'i, Self>) -> Result<Object<'i>, Raised>;
    /// `self == other`; `None` for `NotImplemented`.
    fn equals<'i>(this: &Instance<'i, Self>, other: &Object<'i>) -> Result<Option<bool>, Raised>;
}

pub fn call_slot<T: Call>() -> py::PyType_Slot {
    slot(py::Py_tp_call, call::<T> as *mut c_void)
}

pub fn repr_slot<T: Repr>() -> py::PyType_Slot {
    slot(py::Py_tp_repr, repr::<T> as *mut c_void)
}

pub fn initialise_slot<T: Initialise>() -> py::PyType_Slot {
    slot(py::Py_tp_init, initialise::<T> as *mut c_void)
}

pub fn sequence_slot<T: Sequence>() -> py::PyType_Slot {
    slot(py::Py_sq_item, sequence_item::<T> as *mut c_void)
}

pub fn subscript_slots<T: Subscript>() -> [py::PyType_Slot; 3] {
    [
        slot(py::Py_mp_subscript, item::<T> as *mut c_void),
        slot(py::Py_mp_ass_subscript, set_item::<T> as *mut c_void),
        slot(py::Py_sq_contains, contains::<T> as *mut c_void),
    ]
}

pub fn mapping_slots<T: Mapping>() -> [py::PyType_Slot; 6] {
    let [item, set_item, contains] = subscript_slots::<T>();
    [
        slot(py::Py_mp_length, length::<T> as *mut c_void),
        item,
        set_item,
        contains,
        slot(py::Py_tp_iter, iterate::<T> as *mut c_void),
        slot(py::Py_tp_richcompare, compare::<T> as *mut c_void),
    ]
}

fn slot(slot: c_int, pfunc: *mut c_void) -> py::PyType_Slot {
    py::PyType_Slot { slot, pfunc }
}

/// The return value of slots that return a number: the number, or -1 with an exception set.
fn number(attached: Attached<'_>, work: impl FnOnce() -> Result<usize, Raised>) -> py::Py_ssize_t {
    let mut answer = 0;
    let failed = status(attached, || {
        answer = work()? as py::Py_ssize_t;
        Ok(())
    });
    if failed == 0 { answer } else { -1 }
}

unsafe extern "C" fn repr<T: Repr>(this: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    // SAFETY: an instance of the class.
    returned(attached, || T::repr(&unsafe { state_of::<T>(attached, this) }))
}

unsafe extern "C" fn call<T: Call>(
    this: *mut py::PyObject,
    arguments: *mut py::PyObject,
    keywords: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    returned(attached, || {
        // SAFETY: an instance of the class, a tuple, and a dict or null.
        unsafe {
            let keywords = (!keywords.is_null()).then(|| Object::borrowed(attached, keywords));
            let arguments = Object::borrowed(attached, arguments);
            T::call(&state_of::<T>(attached, this), &arguments, keywords.as_ref())
        }
    })
}

unsafe extern "C" fn initialise<T: Initialise>(
    this: *mut py::PyObject,
    arguments: *mut py::PyObject,
    keywords: *mut py::PyObject,
) -> c_int {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    status(attached, || {
        // SAFETY: an instance of the class, a tuple, and a dict or null.
        unsafe {
            let keywords = (!keywords.is_null()).then(|| Object::borrowed(attached, keywords));
            let arguments = Object::borrowed(attached, arguments);
            T::initialise(&state_of::<T>(attached, this), &arguments, keywords.as_ref())
        }
    })
}

unsafe extern "C" fn sequence_item<T: Sequence>(this: *mut py::PyObject, index: py::Py_ssize_t) -> *mut py::PyObject {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    // SAFETY: an instance of the class.
    returned(attached, || T::item(&unsafe { state_of::<T>(attached, this) }, index))
}

unsafe extern "C" fn length<T: Mapping>(this: *mut py::PyObject) -> py::Py_ssize_t {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    // SAFETY: an instance of the class.
    number(attached, || T::length(&unsafe { state_of::<T>(attached, this) }))
}

unsafe extern "C" fn item<T: Subscript>(this: *mut py::PyObject, key: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    returned(attached, || {
        // SAFETY: an instance of the class and a live object.
        unsafe { T::item(&state_of::<T>(attached, this), &Object::borrowed(attached, key)) }
    })
}

unsafe extern "C" fn set_item<T: Subscript>(
    this: *mut py::PyObject,
    key: *mut py::PyObject,
    value: *mut py::PyObject,
) -> c_int {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    status(attached, || {
        // SAFETY: an instance of the class and live objects; null deletes.
        unsafe {
            let value = (!value.is_null()).then(|| Object::borrowed(attached, value));
            T::set_item(&state_of::<T>(attached, this), &Object::borrowed(attached, key), value.as_ref())
        }
    })
}

unsafe extern "C" fn contains<T: Subscript>(this: *mut py::PyObject, key: *mut py::PyObject) -> c_int {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    let found = number(attached, || {
        // SAFETY: an instance of the class and a live object.
        unsafe { T::contains(&state_of::<T>(attached, this), &Object::borrowed(attached, key)) }.map(usize::from)
    });
    found as c_int
}

unsafe extern "C" fn iterate<T: Mapping>(this: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    // SAFETY: an instance of the class.
    returned(attached, || T::iterate(&unsafe { state_of::<T>(attached, this) }))
}

unsafe extern "C" fn compare<T: Mapping>(
    this: *mut py::PyObject,
    other: *mut py::PyObject,
    operation: c_int,
) -> *mut py::PyObject {
    // SAFETY: CPython calls slots attached.
    let attached = unsafe { Attached::assume() };
    returned(attached, || {
        let equals = match operation {
            // SAFETY: an instance of the class and a live object.
            py::Py_EQ | py::Py_NE => unsafe {
                T::equals(&state_of::<T>(attached, this), &Object::borrowed(attached, other))?
            },
            _ => None,
        };
        match equals {
            Some(equals) => Ok(Object::bool(attached, equals == (operation == py::Py_EQ))),
            // SAFETY: NotImplemented lives as long as Python.
            None => Ok(unsafe { Object::borrowed(attached, py::Py_NotImplemented()) }),
        }
    })
}
