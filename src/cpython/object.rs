//! References to Python objects.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use crate::ffi::python as py;
use crate::process::memory::{self, NoMemory};

use super::attached::Attached;
use super::error::Raised;

/// An owned reference, released on drop. Usable only while attached.
pub struct Object<'i> {
    pointer: NonNull<py::PyObject>,
    attached: Attached<'i>,
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        // SAFETY: the reference is owned and this thread is attached.
        unsafe { py::Py_DECREF(self.pointer.as_ptr()) }
    }
}

impl Clone for Object<'_> {
    fn clone(&self) -> Self {
        // SAFETY: the pointer is a live object.
        unsafe { Self::borrowed(self.attached, self.pointer.as_ptr()) }
    }
}

impl<'i> Object<'i> {
    /// Takes over a reference that a call returned; null means that it raised.
    ///
    /// # Safety
    /// `pointer` is null or a reference that the caller owns, of the attached interpreter.
    pub unsafe fn owned(attached: Attached<'i>, pointer: *mut py::PyObject) -> Result<Self, Raised> {
        match NonNull::new(pointer) {
            Some(pointer) => Ok(Self { pointer, attached }),
            None => Err(Raised::set(attached)),
        }
    }

    /// Adds a reference to a live object.
    ///
    /// # Safety
    /// `pointer` is a live object of the attached interpreter.
    pub unsafe fn borrowed(attached: Attached<'i>, pointer: *mut py::PyObject) -> Self {
        // SAFETY: the caller's.
        unsafe {
            py::Py_INCREF(pointer);
            Self { pointer: NonNull::new_unchecked(pointer), attached }
        }
    }

    pub fn attached(&self) -> Attached<'i> {
        self.attached
    }

    pub fn as_ptr(&self) -> *mut py::PyObject {
        self.pointer.as_ptr()
    }

    /// Passes the reference on to whoever gets the pointer.
    pub fn into_ptr(self) -> *mut py::PyObject {
        let pointer = self.pointer.as_ptr();
        std::mem::forget(self);
        pointer
    }

    /// Keeps the reference beyond this attachment.
    pub fn keep(self) -> Kept {
        let pointer = self.pointer;
        std::mem::forget(self);
        Kept(pointer)
    }

    // ---- making ----

    pub fn none(attached: Attached<'i>) -> Self {
        // SAFETY: None lives as long as Python.
        unsafe { Self::borrowed(attached, py::Py_None()) }
    }

    pub fn bool(attached: Attached<'i>, value: bool) -> Self {
        // SAFETY: True and False live as long as Python.
        unsafe { Self::borrowed(attached, if value { py::Py_True() } else { py::Py_False() }) }
    }

    pub fn str(attached: Attached<'i>, text: &str) -> Result<Self, Raised> {
        // SAFETY: attached; the text is UTF-8 of that length.
        unsafe { Self::owned(attached, py::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as _)) }
    }

    /// A name that attributes are asked for by, shared with Python's own of that name.
    pub fn interned(attached: Attached<'i>, name: &CStr) -> Result<Self, Raised> {
        // SAFETY: attached; the name is a C string.
        unsafe { Self::owned(attached, py::PyUnicode_InternFromString(name.as_ptr())) }
    }

    /// Bytes from httpd as text: decoded as UTF-8, or as Latin-1 if they are not UTF-8.
    pub fn text(attached: Attached<'i>, bytes: &[u8]) -> Result<Self, Raised> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::str(attached, text),
            Err(_) => Self::latin1(attached, bytes),
        }
    }

    pub fn latin1(attached: Attached<'i>, bytes: &[u8]) -> Result<Self, Raised> {
        // SAFETY: attached; every byte is a Latin-1 character.
        unsafe {
            Self::owned(attached, py::PyUnicode_DecodeLatin1(bytes.as_ptr().cast(), bytes.len() as _, std::ptr::null()))
        }
    }

    pub fn file_name(attached: Attached<'i>, bytes: &[u8]) -> Result<Self, Raised> {
        // SAFETY: attached; the bytes are copied.
        unsafe {
            let text = py::PyUnicode_DecodeFSDefaultAndSize(bytes.as_ptr().cast(), bytes.len() as py::Py_ssize_t);
            Self::owned(attached, text)
        }
    }

    pub fn bytes(attached: Attached<'i>, bytes: &[u8]) -> Result<Self, Raised> {
        // SAFETY: attached; CPython copies the bytes.
        unsafe { Self::owned(attached, py::PyBytes_FromStringAndSize(bytes.as_ptr().cast(), bytes.len() as _)) }
    }

    pub fn tuple<const N: usize>(attached: Attached<'i>, items: [Object<'i>; N]) -> Result<Self, Raised> {
        // SAFETY: attached; each slot of the new tuple is filled once with a reference that is passed on.
        unsafe {
            let tuple = Self::owned(attached, py::PyTuple_New(N as _))?;
            for (index, item) in items.into_iter().enumerate() {
                py::PyTuple_SetItem(tuple.as_ptr(), index as _, item.into_ptr());
            }
            Ok(tuple)
        }
    }

    pub fn list(
        attached: Attached<'i>,
        items: impl IntoIterator<Item = Result<Object<'i>, Raised>>,
    ) -> Result<Self, Raised> {
        // SAFETY: attached.
        let list = unsafe { Self::owned(attached, py::PyList_New(0))? };
        for item in items {
            list.append(&item?)?;
        }
        Ok(list)
    }

    /// A tuple of any length.
    pub fn sequence(
        attached: Attached<'i>,
        items: impl IntoIterator<Item = Result<Object<'i>, Raised>>,
    ) -> Result<Self, Raised> {
        let list = Self::list(attached, items)?;
        // SAFETY: attached; `list` is a list.
        unsafe { Self::owned(attached, py::PyList_AsTuple(list.as_ptr())) }
    }

    pub fn dict(attached: Attached<'i>) -> Result<Self, Raised> {
        // SAFETY: attached.
        unsafe { Self::owned(attached, py::PyDict_New()) }
    }

    /// A pointer for C code, without a name.
    pub(crate) fn capsule(attached: Attached<'i>, pointer: *mut c_void) -> Result<Self, Raised> {
        // SAFETY: attached; without a destructor CPython does not use the pointer.
        unsafe { Self::owned(attached, py::PyCapsule_New(pointer, std::ptr::null(), None)) }
    }

    // ---- asking ----

    pub fn is_none(&self) -> bool {
        // SAFETY: None lives as long as Python.
        unsafe { self.as_ptr() == py::Py_None() }
    }

    /// `type(self).__name__`, for messages.
    pub fn type_name(&self) -> String {
        // SAFETY: attached; a type's name is a NUL-terminated string that lives with it.
        let name = unsafe { CStr::from_ptr((*py::Py_TYPE(self.as_ptr())).tp_name) }.to_string_lossy();
        name.rsplit('.').next().unwrap_or_default().to_owned()
    }

    pub fn is_bool(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyBool_Check(self.as_ptr()) != 0 }
    }

    pub fn is_byte_array(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyByteArray_Check(self.as_ptr()) != 0 }
    }

    pub fn is_str(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyUnicode_Check(self.as_ptr()) != 0 }
    }

    pub fn is_bytes(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyBytes_Check(self.as_ptr()) != 0 }
    }

    pub fn is_type(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyType_Check(self.as_ptr()) != 0 }
    }

    pub fn is_tuple(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyTuple_Check(self.as_ptr()) != 0 }
    }

    pub fn is_dict(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyDict_Check(self.as_ptr()) != 0 }
    }

    /// Whether the class is exactly `list`.
    pub fn is_exact_list(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyList_CheckExact(self.as_ptr()) != 0 }
    }

    /// Whether the class is exactly `tuple`.
    pub fn is_exact_tuple(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyTuple_CheckExact(self.as_ptr()) != 0 }
    }

    /// Whether the class is exactly `str` or exactly `bytes`.
    pub fn is_exact_text(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyUnicode_CheckExact(self.as_ptr()) != 0 || py::PyBytes_CheckExact(self.as_ptr()) != 0 }
    }

    pub fn is_list(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyList_Check(self.as_ptr()) != 0 }
    }

    /// Makes a dict the namespace of a module, in one step: whoever asks the module finds all of the old one or all of the new one. Functions
    /// keep the namespace in which they were made.
    ///
    /// # Errors
    /// It is no module, or the namespace is no dict.
    pub fn replace_namespace(&self, namespace: &Object<'i>) -> Result<(), Raised> {
        // SAFETY: attached; the pointers are objects.
        unsafe {
            if py::PyModule_Check(self.as_ptr()) == 0 || py::PyDict_CheckExact(namespace.as_ptr()) == 0 {
                return Err(Raised::type_error(self.attached, "a module and a dict are needed"));
            }
            match py::PyObject_GenericSetDict(self.as_ptr(), namespace.as_ptr(), std::ptr::null_mut()) {
                0 => Ok(()),
                _ => Err(Raised::set(self.attached)),
            }
        }
    }

    /// Whether it is an instance of an exception class.
    pub fn is_exception(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyExceptionInstance_Check(self.as_ptr()) != 0 }
    }

    pub fn is_callable(&self) -> bool {
        // SAFETY: attached.
        unsafe { py::PyCallable_Check(self.as_ptr()) != 0 }
    }

    /// Whether its type is `class` or derives from it, whatever its `__class__` is.
    pub fn is_instance(&self, class: &Object<'i>) -> bool {
        // SAFETY: attached; both are classes.
        unsafe { py::PyType_IsSubtype(py::Py_TYPE(self.as_ptr()), class.as_ptr().cast()) != 0 }
    }

    pub fn is_true(&self) -> Result<bool, Raised> {
        // SAFETY: attached.
        match unsafe { py::PyObject_IsTrue(self.as_ptr()) } {
            -1 => Err(Raised::set(self.attached)),
            answer => Ok(answer == 1),
        }
    }

    /// `self == other`.
    pub fn equals(&self, other: &Object<'i>) -> Result<bool, Raised> {
        // SAFETY: attached.
        match unsafe { py::PyObject_RichCompareBool(self.as_ptr(), other.as_ptr(), py::Py_EQ) } {
            -1 => Err(Raised::set(self.attached)),
            answer => Ok(answer == 1),
        }
    }

    /// The UTF-8 of a `str`.
    pub fn to_utf8(&self) -> Result<&str, Raised> {
        let mut length = 0;
        // SAFETY: attached; the buffer lives with the object, which `self` keeps.
        unsafe {
            let data = py::PyUnicode_AsUTF8AndSize(self.as_ptr(), &mut length);
            if data.is_null() {
                return Err(Raised::set(self.attached));
            }
            Ok(std::str::from_utf8_unchecked(std::slice::from_raw_parts(data.cast(), length as usize)))
        }
    }

    /// The content of a `bytes`.
    pub fn to_bytes(&self) -> Result<&[u8], Raised> {
        let (mut data, mut length) = (std::ptr::null_mut(), 0);
        // SAFETY: attached; the buffer lives with the object, which `self` keeps.
        unsafe {
            match py::PyBytes_AsStringAndSize(self.as_ptr(), &mut data, &mut length) {
                0 => Ok(std::slice::from_raw_parts(data.cast(), length as usize)),
                _ => Err(Raised::set(self.attached)),
            }
        }
    }

    /// The UTF-8 of a `str`, or the content of a `bytes`, as a C string; `None` if it has a NUL.
    pub fn to_c_str(&self) -> Result<Option<&CStr>, Raised> {
        let bytes = if self.is_str() { self.to_utf8()?.as_bytes() } else { self.to_bytes()? };
        // SAFETY: CPython keeps a NUL behind the bytes of either (unicodeobject.h, bytesobject.h).
        let text = unsafe { CStr::from_ptr(bytes.as_ptr().cast()) };
        Ok((text.count_bytes() == bytes.len()).then_some(text))
    }

    /// `str(self)`; if that fails, a text that says so.
    pub fn display(&self) -> String {
        // SAFETY: attached.
        let shown = unsafe { Object::owned(self.attached, py::PyObject_Str(self.as_ptr())) };
        shown.and_then(|text| text.lossy()).unwrap_or_else(|raised| {
            raised.clear(self.attached);
            format!("<{} that cannot be shown>", self.type_name())
        })
    }

    /// The text of a `str`, lone surrogates replaced by escapes.
    pub fn lossy(&self) -> Result<String, Raised> {
        let bytes = memory::copy(self.encoded(c"backslashreplace")?.to_bytes()?);
        let bytes = bytes.map_err(|NoMemory| Raised::memory_error(self.attached))?;
        // That gives nothing but UTF-8.
        Ok(String::from_utf8(bytes).unwrap_or_default())
    }

    /// The UTF-8 of a `str` as a `bytes`; `errors` is the error handler for lone surrogates.
    pub fn encoded(&self, errors: &CStr) -> Result<Object<'i>, Raised> {
        // SAFETY: attached; the names are C strings.
        unsafe {
            Object::owned(
                self.attached,
                py::PyUnicode_AsEncodedString(self.as_ptr(), c"utf-8".as_ptr(), errors.as_ptr()),
            )
        }
    }

    // ---- using ----

    pub fn attribute(&self, name: &CStr) -> Result<Object<'i>, Raised> {
        // SAFETY: attached.
        unsafe { Object::owned(self.attached, py::PyObject_GetAttrString(self.as_ptr(), name.as_ptr())) }
    }

    pub fn attribute_named(&self, name: &str) -> Result<Object<'i>, Raised> {
        let name = Object::str(self.attached, name)?;
        // SAFETY: attached.
        unsafe { Object::owned(self.attached, py::PyObject_GetAttr(self.as_ptr(), name.as_ptr())) }
    }

    pub fn set_attribute(&self, name: &CStr, value: &Object<'i>) -> Result<(), Raised> {
        // SAFETY: attached.
        match unsafe { py::PyObject_SetAttrString(self.as_ptr(), name.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::set(self.attached)),
        }
    }

    /// Like `set_attribute`, with a name that is used often.
    pub fn set_attribute_named(&self, name: &Object<'i>, value: &Object<'i>) -> Result<(), Raised> {
        // SAFETY: attached.
        match unsafe { py::PyObject_SetAttr(self.as_ptr(), name.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::set(self.attached)),
        }
    }

    /// `str.__new__(self, text)`, where this is a class that derives from `str`.
    pub fn new_str(&self, text: &Object<'i>) -> Result<Object<'i>, Raised> {
        // SAFETY: attached; both are types.
        let derives = unsafe {
            self.is_type()
                && py::PyType_IsSubtype(self.as_ptr().cast(), std::ptr::addr_of_mut!(py::PyUnicode_Type)) != 0
        };
        if !derives {
            return Err(Raised::type_error(self.attached, "a class that derives from str is needed"));
        }
        let arguments = Object::tuple(self.attached, [text.clone()])?;
        // SAFETY: attached; a static type of CPython has its slots, and this one makes an instance of the class that it is given.
        unsafe {
            let new = (*std::ptr::addr_of!(py::PyUnicode_Type)).tp_new;
            let new = new.ok_or_else(|| Raised::type_error(self.attached, "str cannot be made"))?;
            Object::owned(self.attached, new(self.as_ptr().cast(), arguments.as_ptr(), std::ptr::null_mut()))
        }
    }

    pub fn call<const N: usize>(&self, arguments: [&Object<'i>; N]) -> Result<Object<'i>, Raised> {
        let pointers = arguments.map(Object::as_ptr);
        // SAFETY: attached; the arguments are alive for the call.
        unsafe {
            Object::owned(
                self.attached,
                py::PyObject_Vectorcall(self.as_ptr(), pointers.as_ptr(), N, std::ptr::null_mut()),
            )
        }
    }

    /// Calls with any number of arguments.
    pub fn call_with<'a>(&self, arguments: impl IntoIterator<Item = &'a Object<'i>>) -> Result<Object<'i>, Raised>
    where
        'i: 'a,
    {
        let pointers: Vec<_> = arguments.into_iter().map(Object::as_ptr).collect();
        // SAFETY: attached; the arguments are alive for the call.
        unsafe {
            Object::owned(
                self.attached,
                py::PyObject_Vectorcall(self.as_ptr(), pointers.as_ptr(), pointers.len(), std::ptr::null_mut()),
            )
        }
    }

    pub fn call_method<const N: usize>(&self, name: &CStr, arguments: [&Object<'i>; N]) -> Result<Object<'i>, Raised> {
        self.attribute(name)?.call(arguments)
    }

    pub fn append(&self, item: &Object<'i>) -> Result<(), Raised> {
        // SAFETY: attached.
        match unsafe { py::PyList_Append(self.as_ptr(), item.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::set(self.attached)),
        }
    }

    /// `self[key]`.
    pub fn item(&self, key: &Object<'i>) -> Result<Object<'i>, Raised> {
        // SAFETY: attached.
        unsafe { Object::owned(self.attached, py::PyObject_GetItem(self.as_ptr(), key.as_ptr())) }
    }

    /// `str(self)`.
    pub fn to_str(&self) -> Result<Object<'i>, Raised> {
        // SAFETY: attached.
        unsafe { Object::owned(self.attached, py::PyObject_Str(self.as_ptr())) }
    }

    /// `repr(self)`.
    pub fn to_repr(&self) -> Result<Object<'i>, Raised> {
        // SAFETY: attached.
        unsafe { Object::owned(self.attached, py::PyObject_Repr(self.as_ptr())) }
    }

    /// `self[key] = value`.
    pub fn set_item(&self, key: &Object<'i>, value: &Object<'i>) -> Result<(), Raised> {
        // SAFETY: attached.
        match unsafe { py::PyObject_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::set(self.attached)),
        }
    }

    /// The same for a `dict`, as a subclass would not do it.
    pub fn set_dict_item(&self, key: &Object<'i>, value: &Object<'i>) -> Result<(), Raised> {
        // SAFETY: attached; CPython refuses what is no dict.
        match unsafe { py::PyDict_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::set(self.attached)),
        }
    }

    /// How many keys a `dict` has.
    pub fn dict_length(&self) -> usize {
        // SAFETY: attached; CPython gives -1 for what is no dict, which no caller has.
        unsafe { py::PyDict_Size(self.as_ptr()) as usize }
    }

    /// Takes a key that is there out of a `dict`.
    pub fn delete_dict_item(&self, key: &Object<'i>) -> Result<(), Raised> {
        // SAFETY: attached; CPython refuses what is no dict.
        match unsafe { py::PyDict_DelItem(self.as_ptr(), key.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::set(self.attached)),
        }
    }

    /// The value under a key of a `dict`, if there is one.
    ///
    /// # Errors
    /// What hashing or comparing the key raises.
    pub fn dict_item(&self, key: &Object<'i>) -> Result<Option<Object<'i>>, Raised> {
        // SAFETY: attached; a borrowed reference, or null with or without an exception.
        let value = unsafe { py::PyDict_GetItemWithError(self.as_ptr(), key.as_ptr()) };
        match (value.is_null(), self.attached.has_error()) {
            // SAFETY: not null; the dict holds it.
            (false, _) => Ok(Some(unsafe { Object::borrowed(self.attached, value) })),
            (true, true) => Err(Raised::set(self.attached)),
            (true, false) => Ok(None),
        }
    }

    /// `tuple(self)`
    pub fn to_tuple(&self) -> Result<Object<'i>, Raised> {
        // SAFETY: attached.
        unsafe { Object::owned(self.attached, py::PySequence_Tuple(self.as_ptr())) }
    }

    /// `self[key] = value` with a name as the key.
    pub fn set(&self, key: &str, value: &Object<'i>) -> Result<(), Raised> {
        self.set_item(&Object::str(self.attached, key)?, value)
    }

    /// The items of any iterable.
    pub fn items(&self) -> Result<Vec<Object<'i>>, Raised> {
        if self.is_exact_tuple() {
            let mut items = Vec::new();
            items.try_reserve_exact(self.tuple_length()).map_err(|_| Raised::memory_error(self.attached))?;
            items.extend((0..self.tuple_length()).map(|index| self.tuple_item(index)));
            return Ok(items);
        }
        // SAFETY: attached.
        let iterator = unsafe { Object::owned(self.attached, py::PyObject_GetIter(self.as_ptr()))? };
        let mut items = Vec::new();
        loop {
            // SAFETY: attached; null with no exception is the end.
            let next = unsafe { py::PyIter_Next(iterator.as_ptr()) };
            if next.is_null() {
                return match self.attached.has_error() {
                    true => Err(Raised::set(self.attached)),
                    false => Ok(items),
                };
            }
            // SAFETY: a new reference.
            let item = unsafe { Object::owned(self.attached, next)? };
            items.try_reserve(1).map_err(|_| Raised::memory_error(self.attached))?;
            items.push(item);
        }
    }

    /// The items of an object that is exactly a tuple, and has so many.
    pub fn exact_tuple<const N: usize>(&self) -> Option<[Object<'i>; N]> {
        let is_one = self.is_exact_tuple() && self.tuple_length() == N;
        is_one.then(|| std::array::from_fn(|index| self.tuple_item(index)))
    }

    fn tuple_length(&self) -> usize {
        // SAFETY: attached; the callers have a tuple.
        unsafe { py::PyTuple_GET_SIZE(self.as_ptr()) as usize }
    }

    fn tuple_item(&self, index: usize) -> Object<'i> {
        // SAFETY: attached; the callers have a tuple, which has such an item for good.
        unsafe { Object::borrowed(self.attached, py::PyTuple_GET_ITEM(self.as_ptr(), index as isize)) }
    }

    /// Imports a module by its dotted name.
    pub fn import(attached: Attached<'i>, name: &CStr) -> Result<Self, Raised> {
        // SAFETY: attached.
        unsafe { Self::owned(attached, py::PyImport_ImportModule(name.as_ptr())) }
    }
}

/// A reference that outlives its attachment.
///
/// Dropping it without `release` leaks the object, which is safe if this thread is not attached.
pub struct Kept(NonNull<py::PyObject>);

// SAFETY: the pointer is only used by `get` and `release`, which ask for an attached thread.
unsafe impl Send for Kept {}
// SAFETY: as above.
unsafe impl Sync for Kept {}

impl Kept {
    /// The object, for a thread attached to the interpreter that it belongs to.
    ///
    /// # Safety
    /// `attached` is to the interpreter that made it.
    pub unsafe fn get<'i>(&self, attached: Attached<'i>) -> Object<'i> {
        // SAFETY: the caller's; the reference keeps the object alive.
        unsafe { Object::borrowed(attached, self.0.as_ptr()) }
    }

    /// The pointer, alive for as long as this.
    pub fn as_ptr(&self) -> *mut py::PyObject {
        self.0.as_ptr()
    }

    /// Releases the reference.
    ///
    /// # Safety
    /// `attached` is to the interpreter that made it.
    pub unsafe fn release(self, attached: Attached<'_>) {
        // SAFETY: the caller's; the reference is owned.
        drop(unsafe { Object::owned(attached, self.0.as_ptr()) });
    }
}
