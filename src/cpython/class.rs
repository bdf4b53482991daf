//! Python classes whose instances are Rust values.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr;

use crate::ffi::python as py;

use super::arguments::Arguments;
use super::attached::Attached;
use super::error::Raised;
use super::object::Object;
use crate::process::caught;

/// A Rust type whose values are instances of a Python class (a heap type, made in each interpreter).
pub trait Class: Sized + 'static {
    /// `builtins.NAME`, so that it is shown without a module.
    const NAME: &'static CStr;
    /// `type.__doc__`.
    const DOC: &'static CStr;
    /// Whether Python code may derive from it.
    const SUBCLASSING: bool = false;
    /// Whether instances have a `__dict__`, so that attributes can be set.
    const ATTRIBUTES: bool = false;

    fn methods() -> &'static [Method];
    fn members() -> &'static [GetSet];

    /// Slots beyond the common ones, as in `PyType_Spec`.
    fn slots() -> Vec<py::PyType_Slot> {
        Vec::new()
    }

    /// Makes the value of an instance when Python calls the class.
    fn new(attached: Attached<'_>, _arguments: &Object<'_>, _keywords: Option<&Object<'_>>) -> Result<Self, Raised> {
        let name = Self::NAME.to_string_lossy();
        let name = name.trim_start_matches("builtins.");
        Err(Raised::type_error(attached, format!("cannot create '{name}' instances: the server makes them")))
    }

    /// Visits every Python object that the value keeps.
    fn traverse(&self, _visitor: &mut Visitor) {}

    /// Drops the references that can be part of a cycle. This thread is attached.
    fn clear(&self, _attached: Attached<'_>) {}

    /// Called when the instance is deallocated, attached, before the value is dropped.
    fn finish(&mut self, _attached: Attached<'_>) {}
}

/// An instance in memory.
#[repr(C)]
pub struct Layout<T> {
    head: py::PyObject,
    dict: *mut py::PyObject,
    value: T,
}

/// An instance of `T` (or of a class derived from it), alive and of the attached interpreter.
pub struct Instance<'i, T> {
    pointer: *mut Layout<T>,
    attached: Attached<'i>,
    lifetime: PhantomData<&'i T>,
}

impl<'i, T: Class> Instance<'i, T> {
    pub fn attached(&self) -> Attached<'i> {
        self.attached
    }

    /// A new reference to the instance.
    pub fn object(&self) -> Object<'i> {
        // SAFETY: alive and of this interpreter.
        unsafe { Object::borrowed(self.attached, self.pointer.cast()) }
    }

    /// The class made from `T`, which the instance's own class is or derives from.
    pub fn base_class(&self) -> *mut py::PyObject {
        // SAFETY: alive; of the bases of its class, the one made from `T` is a direct subclass of `object`.
        unsafe {
            let mut class = py::Py_TYPE(self.pointer.cast());
            while (*class).tp_base != &raw mut py::PyBaseObject_Type {
                class = (*class).tp_base;
            }
            class.cast()
        }
    }

    /// An object as an instance of `T`, if it is one.
    pub fn same_class<'o>(&self, object: &'o Object<'i>) -> Option<Instance<'o, T>> {
        // SAFETY: attached; both are classes.
        let is_one = unsafe { py::PyType_IsSubtype(py::Py_TYPE(object.as_ptr()), self.base_class().cast()) != 0 };
        // SAFETY: as just found.
        is_one.then(|| unsafe { state_of(self.attached, object.as_ptr()) })
    }

    /// Whether attributes have been set on it.
    pub fn has_attributes(&self) -> bool {
        // SAFETY: alive; the dict, if any, is a dict.
        unsafe { !(*self.pointer).dict.is_null() && py::PyDict_Size((*self.pointer).dict) > 0 }
    }

    /// Whether the caller has the only reference.
    pub fn is_unshared(&self) -> bool {
        // SAFETY: alive.
        unsafe { py::Py_REFCNT(self.pointer.cast()) == 1 }
    }
}

impl<T> Deref for Instance<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: alive for the lifetime of this.
        unsafe { &(*self.pointer).value }
    }
}

/// The instance of an object that is known to be one of `T`.
///
/// # Safety
/// `pointer` is a live instance of the class made from `T`, or of one derived from it, in the attached interpreter.
pub unsafe fn state_of<'i, T: Class>(attached: Attached<'i>, pointer: *mut py::PyObject) -> Instance<'i, T> {
    Instance { pointer: pointer.cast(), attached, lifetime: PhantomData }
}

/// The visitor of the garbage collector, which is called for each reference of an object.
pub struct Visitor {
    visit: crate::ffi::python::Visit,
    argument: *mut c_void,
    result: c_int,
}

impl Visitor {
    /// Visits one reference; null is ignored.
    pub fn visit(&mut self, pointer: *mut py::PyObject) {
        if self.result == 0 && !pointer.is_null() {
            // SAFETY: the collector's function, with its argument.
            self.result = unsafe { (self.visit)(pointer, self.argument) };
        }
    }
}

// ---- tables of methods and members ----

/// One method: the name, the function that CPython calls, and the documentation.
#[repr(transparent)]
pub struct Method(py::PyMethodDef);

// SAFETY: literals and function pointers only; CPython does not write to it.
unsafe impl Sync for Method {}

/// The type of `METH_FASTCALL` functions.
pub type FastCall =
    unsafe extern "C" fn(*mut py::PyObject, *mut *mut py::PyObject, py::Py_ssize_t) -> *mut py::PyObject;

impl Method {
    /// The end of a table.
    pub const END: Self = Self(py::PyMethodDef::zeroed());

    pub const fn new(name: &'static CStr, entry: FastCall, doc: &'static CStr) -> Self {
        Self(py::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: py::PyMethodDefPointer { PyCFunctionFast: entry },
            ml_flags: py::METH_FASTCALL,
            ml_doc: doc.as_ptr(),
        })
    }
}

/// One attribute with a getter and perhaps a setter.
#[repr(transparent)]
pub struct GetSet(py::PyGetSetDef);

// SAFETY: as for `Method`.
unsafe impl Sync for GetSet {}

pub type Getter = unsafe extern "C" fn(*mut py::PyObject, *mut c_void) -> *mut py::PyObject;
pub type Setter = unsafe extern "C" fn(*mut py::PyObject, *mut py::PyObject, *mut c_void) -> c_int;

impl GetSet {
    pub const END: Self =
        Self(py::PyGetSetDef { name: ptr::null(), get: None, set: None, doc: ptr::null(), closure: ptr::null_mut() });

    pub const fn new(name: &'static CStr, get: Getter, set: Option<Setter>, doc: &'static CStr) -> Self {
        Self(py::PyGetSetDef { name: name.as_ptr(), get: Some(get), set, doc: doc.as_ptr(), closure: ptr::null_mut() })
    }
}

/// `method!(Class, c"name", function, c"doc")`: an entry for a table of methods.
macro_rules! method {
    ($class:ty, $name:literal, $function:expr, $doc:literal) => {{
        unsafe extern "C" fn entry(
            this: *mut $crate::ffi::python::PyObject,
            values: *mut *mut $crate::ffi::python::PyObject,
            count: $crate::ffi::python::Py_ssize_t,
        ) -> *mut $crate::ffi::python::PyObject {
            // SAFETY: CPython calls methods attached, with an instance of the class and live arguments.
            unsafe { $crate::cpython::class::enter_method::<$class>(this, $name, values, count, $function) }
        }
        $crate::cpython::Method::new($name, entry, $doc)
    }};
}
pub(crate) use method;

/// `getter!(Class, c"name", get, c"doc")`: a read-only attribute.
macro_rules! getter {
    ($class:ty, $name:literal, $get:expr, $doc:literal) => {{
        unsafe extern "C" fn get(
            this: *mut $crate::ffi::python::PyObject,
            _: *mut std::ffi::c_void,
        ) -> *mut $crate::ffi::python::PyObject {
            // SAFETY: CPython calls getters attached, with an instance of the class.
            unsafe { $crate::cpython::class::enter_getter::<$class>(this, $get) }
        }
        $crate::cpython::GetSet::new($name, get, None, $doc)
    }};
}
pub(crate) use getter;

/// `setter!(Class, c"name", get, set, c"doc")`: an attribute that can be assigned.
macro_rules! setter {
    ($class:ty, $name:literal, $get:expr, $set:expr, $doc:literal) => {{
        unsafe extern "C" fn get(
            this: *mut $crate::ffi::python::PyObject,
            _: *mut std::ffi::c_void,
        ) -> *mut $crate::ffi::python::PyObject {
            // SAFETY: CPython calls getters attached, with an instance of the class.
            unsafe { $crate::cpython::class::enter_getter::<$class>(this, $get) }
        }
        unsafe extern "C" fn set(
            this: *mut $crate::ffi::python::PyObject,
            value: *mut $crate::ffi::python::PyObject,
            _: *mut std::ffi::c_void,
        ) -> std::ffi::c_int {
            // SAFETY: CPython calls setters attached, with an instance of the class; null deletes.
            unsafe { $crate::cpython::class::enter_setter::<$class>(this, value, $set) }
        }
        $crate::cpython::GetSet::new($name, get, Some(set), $doc)
    }};
}
pub(crate) use setter;

/// # Safety
/// Called by CPython: attached, `this` an instance of `T`, `values` the arguments.
#[inline(always)]
pub unsafe fn enter_method<T: Class>(
    this: *mut py::PyObject,
    name: &'static CStr,
    values: *mut *mut py::PyObject,
    count: py::Py_ssize_t,
    function: for<'i> fn(&Instance<'i, T>, Arguments<'i>) -> Result<Object<'i>, Raised>,
) -> *mut py::PyObject {
    // SAFETY: the caller's.
    let attached = unsafe { Attached::assume() };
    returned(attached, || {
        // SAFETY: the caller's.
        let instance = unsafe { state_of::<T>(attached, this) };
        // SAFETY: the caller's.
        let arguments = unsafe { Arguments::new(attached, name, values, count) };
        function(&instance, arguments)
    })
}

/// # Safety
/// Called by CPython: attached, `this` an instance of `T`.
#[inline(always)]
pub unsafe fn enter_getter<T: Class>(
    this: *mut py::PyObject,
    get: for<'a, 'i> fn(&'a Instance<'i, T>) -> Result<Object<'i>, Raised>,
) -> *mut py::PyObject {
    // SAFETY: the caller's.
    let attached = unsafe { Attached::assume() };
    // SAFETY: the caller's.
    returned(attached, || get(&unsafe { state_of::<T>(attached, this) }))
}

/// # Safety
/// Called by CPython: attached, `this` an instance of `T`, `value` an object or null to delete.
#[inline(always)]
pub unsafe fn enter_setter<T: Class>(
    this: *mut py::PyObject,
    value: *mut py::PyObject,
    set: for<'a, 'i> fn(&'a Instance<'i, T>, Option<Object<'i>>) -> Result<(), Raised>,
) -> c_int {
    // SAFETY: the caller's.
    let attached = unsafe { Attached::assume() };
    // SAFETY: the caller's; null means that the attribute is deleted.
    let value = (!value.is_null()).then(|| unsafe { Object::borrowed(attached, value) });
    // SAFETY: the caller's.
    status(attached, || set(&unsafe { state_of::<T>(attached, this) }, value))
}

/// Runs a callback and returns its result to CPython: the object, or null with an exception set, also after a panic.
#[inline(always)]
pub fn returned<'i>(attached: Attached<'i>, work: impl FnOnce() -> Result<Object<'i>, Raised>) -> *mut py::PyObject {
    match caught(work) {
        Ok(Ok(object)) => object.into_ptr(),
        Ok(Err(Raised { .. })) => ptr::null_mut(),
        Err(panic) => panicked(attached, &panic, ptr::null_mut()),
    }
}

/// The same for callbacks that return a status: 0, or -1 with an exception set.
#[inline(always)]
pub fn status(attached: Attached<'_>, work: impl FnOnce() -> Result<(), Raised>) -> c_int {
    match caught(work) {
        Ok(Ok(())) => 0,
        Ok(Err(Raised { .. })) => -1,
        Err(panic) => panicked(attached, &panic, -1),
    }
}

#[cold]
pub(super) fn panicked<T>(attached: Attached<'_>, panic: &str, result: T) -> T {
    let Raised { .. } = Raised::system_error(attached, format!("mod_python has a defect; please report it: {panic}"));
    result
}

// ---- the class itself ----

unsafe extern "C" fn make<T: Class>(
    class: *mut py::PyTypeObject,
    arguments: *mut py::PyObject,
    keywords: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: CPython calls tp_new attached.
    let attached = unsafe { Attached::assume() };
    returned(attached, || {
        // SAFETY: tp_new gets a tuple, and a dict or null.
        let (arguments, keywords) = unsafe {
            let keywords = (!keywords.is_null()).then(|| Object::borrowed(attached, keywords));
            (Object::borrowed(attached, arguments), keywords)
        };
        let value = T::new(attached, &arguments, keywords.as_ref())?;
        // SAFETY: the class derives from the one made from `T`.
        unsafe { allocate(attached, class, value) }
    })
}

unsafe extern "C" fn dealloc<T: Class>(this: *mut py::PyObject) {
    // SAFETY: CPython calls tp_dealloc once, attached, with an instance, which has a reference to its class, a heap type.
    unsafe {
        let attached = Attached::assume();
        let class = py::Py_TYPE(this);
        py::PyObject_GC_UnTrack(this.cast());
        let layout: *mut Layout<T> = this.cast();
        let _ = caught(|| {
            (*layout).value.finish(attached);
            ptr::drop_in_place(&mut (*layout).value);
        });
        py::Py_XDECREF((*layout).dict);
        (*class).tp_free.expect("heap types have tp_free")(this.cast());
        py::Py_DECREF(class.cast());
    }
}

unsafe extern "C" fn traverse<T: Class>(this: *mut py::PyObject, visit: py::Visit, argument: *mut c_void) -> c_int {
    let visited = caught(|| {
        let mut visitor = Visitor { visit, argument, result: 0 };
        let layout: *mut Layout<T> = this.cast();
        // SAFETY: the collector calls with an instance of the class.
        unsafe {
            visitor.visit(py::Py_TYPE(this).cast());
            visitor.visit((*layout).dict);
            (*layout).value.traverse(&mut visitor);
        }
        visitor.result
    });
    // What was not visited stays alive, which is safe.
    visited.unwrap_or(0)
}

unsafe extern "C" fn clear<T: Class>(this: *mut py::PyObject) -> c_int {
    // SAFETY: the collector calls with an instance of the class, attached.
    unsafe {
        let attached = Attached::assume();
        let layout: *mut Layout<T> = this.cast();
        let dict = ptr::replace(&mut (*layout).dict, ptr::null_mut());
        py::Py_XDECREF(dict);
        let _ = caught(|| (*layout).value.clear(attached));
    }
    0
}

/// Makes the class of `T` in the attached interpreter, as part of `module`.
pub fn class_of<'i, T: Class>(module: &Object<'i>) -> Result<Object<'i>, Raised> {
    let attached = module.attached();
    let slot = |id: c_int, pointer: *mut c_void| py::PyType_Slot { slot: id, pfunc: pointer };
    // CPython keeps the pointer for as long as the class lives.
    let mut offsets = Vec::new();
    if T::ATTRIBUTES {
        offsets.push(py::PyMemberDef {
            name: c"__dictoffset__".as_ptr(),
            type_code: py::Py_T_PYSSIZET,
            offset: std::mem::offset_of!(Layout<T>, dict) as _,
            flags: py::Py_READONLY,
            doc: ptr::null(),
        });
    }
    // SAFETY: an all-zero member ends the table.
    offsets.push(unsafe { std::mem::zeroed() });
    let offsets: &'static mut [py::PyMemberDef] = offsets.leak();

    let mut slots = vec![
        slot(py::Py_tp_doc, T::DOC.as_ptr().cast_mut().cast()),
        slot(py::Py_tp_new, make::<T> as *mut c_void),
        slot(py::Py_tp_dealloc, dealloc::<T> as *mut c_void),
        slot(py::Py_tp_traverse, traverse::<T> as *mut c_void),
        slot(py::Py_tp_clear, clear::<T> as *mut c_void),
        slot(py::Py_tp_methods, T::methods().as_ptr().cast_mut().cast()),
        slot(py::Py_tp_getset, T::members().as_ptr().cast_mut().cast()),
        slot(py::Py_tp_members, offsets.as_mut_ptr().cast()),
    ];
    slots.extend(T::slots());
    slots.push(slot(0, ptr::null_mut()));

    let mut flags = py::Py_TPFLAGS_DEFAULT | py::Py_TPFLAGS_HAVE_GC;
    if T::SUBCLASSING {
        flags |= py::Py_TPFLAGS_BASETYPE;
    }
    let mut spec = py::PyType_Spec {
        name: T::NAME.as_ptr(),
        basicsize: size_of::<Layout<T>>() as c_int,
        itemsize: 0,
        flags: flags as c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: attached; the spec is complete; CPython copies what it keeps, except for the static tables.
    let class =
        unsafe { Object::owned(attached, py::PyType_FromModuleAndSpec(module.as_ptr(), &mut spec, ptr::null_mut()))? };
    // CPython has made `__module__` of the first part of the name, but would also show it in `repr()` and messages.
    let name = T::NAME.to_string_lossy();
    class.set_attribute(c"__name__", &Object::str(attached, name.trim_start_matches("builtins."))?)?;
    Ok(class)
}

/// Makes an instance of a class that `class_of` made.
///
/// # Safety
/// `class` was made from `T` in the attached interpreter, or derives from such a class.
pub unsafe fn new_instance<'i, T: Class>(
    attached: Attached<'i>,
    class: *mut py::PyObject,
    value: T,
) -> Result<Object<'i>, Raised> {
    // SAFETY: the caller's.
    unsafe { allocate(attached, class.cast(), value) }
}

unsafe fn allocate<'i, T: Class>(
    attached: Attached<'i>,
    class: *mut py::PyTypeObject,
    value: T,
) -> Result<Object<'i>, Raised> {
    // SAFETY: the class is a heap type of this layout; nothing of the instance is used before the value is written.
    unsafe {
        let object = Object::owned(attached, py::PyType_GenericAlloc(class, 0))?;
        let layout: *mut Layout<T> = object.as_ptr().cast();
        (*layout).dict = ptr::null_mut();
        ptr::write(&mut (*layout).value, value);
        Ok(object)
    }
}
