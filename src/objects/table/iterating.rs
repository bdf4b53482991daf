//! Iterators over tables.

use std::ptr;

use crate::cpython::class::returned;
use crate::cpython::{Attached, Object, Raised, state_of};
use crate::ffi::python as py;
use crate::objects::text;

use super::entries::Entry;
use super::{TableObject, This};

/// The part of each entry that an iterator returns.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Keys,
    Values,
    Items,
}

impl Part {
    const ALL: [Self; 3] = [Self::Keys, Self::Values, Self::Items];

    /// That part of an entry.
    pub fn of<'i>(self, attached: Attached<'i>, (key, value): &Entry) -> Result<Object<'i>, Raised> {
        match self {
            Self::Keys => Object::text(attached, key),
            Self::Values => text::from_httpd(attached, value.as_deref()),
            Self::Items => {
                let value = text::from_httpd(attached, value.as_deref())?;
                Object::tuple(attached, [Object::text(attached, key)?, value])
            }
        }
    }
}

/// CPython keeps the pointer and reads it.
struct Definition(py::PyMethodDef);

// SAFETY: literals and a function pointer only.
unsafe impl Sync for Definition {}

static STEP: Definition = Definition(py::PyMethodDef {
    ml_name: c"table_item".as_ptr(),
    ml_meth: py::PyMethodDefPointer { PyCFunction: step },
    ml_flags: py::METH_O,
    ml_doc: ptr::null(),
});

/// An iterator: `map(step, range(size + 1))`, where `step` reads the table and raises if its size has changed.
///
/// Made of CPython's types, it needs no class of its own, and the garbage collector sees all its references.
pub(super) fn iterate<'i>(this: This<'_, 'i>, part: Part) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let size = this.with(attached, |entries| entries.len())? as i64;
    let state = [this.object(), Object::int(attached, size)?, Object::int(attached, part as i64)?];
    let state = Object::tuple(attached, state)?;
    // SAFETY: attached; the definition lives as long as the process, and the types as long as Python.
    let (step, range, map) = unsafe {
        let definition = ptr::from_ref(&STEP.0).cast_mut();
        (
            Object::owned(attached, py::PyCFunction_NewEx(definition, state.as_ptr(), ptr::null_mut()))?,
            Object::borrowed(attached, (&raw mut py::PyRange_Type).cast()),
            Object::borrowed(attached, (&raw mut py::PyMap_Type).cast()),
        )
    };
    map.call([&step, &range.call([&Object::int(attached, size + 1)?])?])
}

/// One step of an iterator. `state` is the tuple of `iterate`: Python code cannot create such a function.
unsafe extern "C" fn step(state: *mut py::PyObject, index: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: CPython calls functions attached.
    let attached = unsafe { Attached::assume() };
    returned(attached, || {
        // SAFETY: the tuple of `iterate`, which the function holds, and a live argument.
        let (table, size, part, index) = unsafe {
            let at = |index| Object::borrowed(attached, py::PyTuple_GetItem(state, index));
            (at(0), at(1).to_i64()? as usize, at(2).to_i64()? as usize, Object::borrowed(attached, index))
        };
        // SAFETY: the first item is a table.
        let table = unsafe { state_of::<TableObject>(attached, table.as_ptr()) };
        let index = usize::try_from(index.to_i64()?).unwrap_or(usize::MAX);
        let entry = table.with_memory(attached, |entries| match entries.len() == size {
            true => (index < size).then(|| entries.entry(index)).transpose().map(Some),
            false => Ok(None),
        })?;
        match entry {
            Some(Some(entry)) => Part::ALL[part].of(attached, &entry),
            Some(None) => {
                // SAFETY: attached.
                unsafe { py::PyErr_SetNone(py::PyExc_StopIteration) };
                Err(Raised::set(attached))
            }
            None => Err(Raised::runtime_error(attached, "table changed size during iteration")),
        }
    })
}
