//! Builtin extension modules: multi-phase initialisation, all state in the module's state, for any interpreter and GIL.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use crate::ffi::python as py;

use super::arguments::Arguments;
use super::attached::Attached;
use super::class::{Method, returned, status};
use super::error::Raised;
use super::object::Object;
use crate::process::caught;

/// The state of a module in one interpreter.
pub trait State: Sized + 'static {
    /// Fills the new module and makes its state.
    fn execute(module: &Object<'_>) -> Result<Self, Raised>;

    /// Visits every Python object in the state.
    fn traverse(&self, visitor: &mut dyn FnMut(*mut py::PyObject));
}

/// The definition of a builtin module, for `static` use.
pub struct ModuleTable(UnsafeCell<py::PyModuleDef>);

// SAFETY: CPython writes only the head, under its own lock.
unsafe impl Sync for ModuleTable {}

/// The slots of a definition, for `static` use.
pub struct ModuleSlots<const N: usize>(UnsafeCell<[py::PyModuleDef_Slot; N]>);

// SAFETY: CPython only reads it.
unsafe impl<const N: usize> Sync for ModuleSlots<N> {}

pub const SLOTS: usize = 2 + cfg!(Py_3_12) as usize + cfg!(Py_3_13) as usize;

/// The slots of every module.
pub const fn module_slots<S: State>() -> ModuleSlots<SLOTS> {
    let mut slots = [py::PyModuleDef_Slot { slot: 0, value: ptr::null_mut() }; SLOTS];
    slots[0] = py::PyModuleDef_Slot { slot: py::Py_mod_exec, value: execute::<S> as *mut c_void };
    #[cfg(Py_3_12)]
    {
        slots[1] = py::PyModuleDef_Slot {
            slot: py::Py_mod_multiple_interpreters,
            value: py::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED,
        };
    }
    #[cfg(Py_3_13)]
    {
        slots[2] = py::PyModuleDef_Slot { slot: py::Py_mod_gil, value: py::Py_MOD_GIL_NOT_USED };
    }
    ModuleSlots(UnsafeCell::new(slots))
}

impl ModuleTable {
    pub const fn new<S: State>(
        name: &'static CStr,
        doc: &'static CStr,
        methods: &'static [Method],
        slots: &'static ModuleSlots<SLOTS>,
    ) -> Self {
        Self(UnsafeCell::new(py::PyModuleDef {
            m_base: py::PyModuleDef_HEAD_INIT,
            m_name: name.as_ptr(),
            m_doc: doc.as_ptr(),
            m_size: size_of::<Option<Box<S>>>() as py::Py_ssize_t,
            m_methods: methods.as_ptr().cast_mut().cast(),
            m_slots: slots.0.get().cast(),
            m_traverse: Some(traverse::<S>),
            m_clear: None,
            m_free: Some(free::<S>),
        }))
    }

    /// The return value of the module's init function.
    pub fn init(&'static self) -> *mut py::PyObject {
        // SAFETY: a static definition.
        unsafe { py::PyModuleDef_Init(self.0.get()) }
    }
}

/// The state of a module object.
///
/// # Safety
/// `module` is a module whose definition was made with state `S`.
pub unsafe fn module_state<'a, S: State>(module: *mut py::PyObject) -> Option<&'a S> {
    // SAFETY: the state is zeroed memory until `execute` has written the box.
    unsafe {
        let state: *const Option<Box<S>> = py::PyModule_GetState(module).cast();
        state.as_ref().and_then(|state| state.as_deref())
    }
}

unsafe extern "C" fn execute<S: State>(module: *mut py::PyObject) -> c_int {
    // SAFETY: CPython calls the slot attached.
    let attached = unsafe { Attached::assume() };
    status(attached, || {
        // SAFETY: the module is alive for the call.
        let object = unsafe { Object::borrowed(attached, module) };
        let state = S::execute(&object)?;
        // SAFETY: the module's own state, of this size, zeroed by CPython and written once.
        unsafe { ptr::write(py::PyModule_GetState(module).cast::<Option<Box<S>>>(), Some(Box::new(state))) };
        Ok(())
    })
}

unsafe extern "C" fn traverse<S: State>(module: *mut py::PyObject, visit: py::Visit, argument: *mut c_void) -> c_int {
    let mut result = 0;
    let visited = caught(|| {
        // SAFETY: the collector calls with the module; a module not yet executed has no state.
        if let Some(state) = unsafe { module_state::<S>(module) } {
            state.traverse(&mut |pointer| {
                if result == 0 && !pointer.is_null() {
                    // SAFETY: the collector's own function and argument.
                    result = unsafe { visit(pointer, argument) };
                }
            });
        }
        result
    });
    // What was not visited stays alive, which is safe.
    visited.unwrap_or(0)
}

unsafe extern "C" fn free<S: State>(module: *mut c_void) {
    // SAFETY: called once, when the module is deallocated.
    unsafe {
        let state: *mut Option<Box<S>> = py::PyModule_GetState(module.cast()).cast();
        if let Some(state) = state.as_mut() {
            let _ = caught(|| drop(state.take()));
        }
    }
}

/// `function!(State, c"name", function, c"doc")`: an entry for a module's table of functions.
macro_rules! function {
    ($state:ty, $name:literal, $function:expr, $doc:literal) => {{
        unsafe extern "C" fn entry(
            module: *mut $crate::ffi::python::PyObject,
            values: *mut *mut $crate::ffi::python::PyObject,
            count: $crate::ffi::python::Py_ssize_t,
        ) -> *mut $crate::ffi::python::PyObject {
            // SAFETY: CPython calls functions attached, with their module and live arguments.
            unsafe { $crate::cpython::module::enter_function::<$state>(module, $name, values, count, $function) }
        }
        $crate::cpython::Method::new($name, entry, $doc)
    }};
}
pub(crate) use function;

/// # Safety
/// Called by CPython: attached, `module` with state `S`, `values` the arguments.
pub unsafe fn enter_function<S: State>(
    module: *mut py::PyObject,
    name: &'static CStr,
    values: *mut *mut py::PyObject,
    count: py::Py_ssize_t,
    function: for<'i> fn(&S, Arguments<'i>) -> Result<Object<'i>, Raised>,
) -> *mut py::PyObject {
    // SAFETY: the caller's.
    let attached = unsafe { Attached::assume() };
    returned(attached, || {
        // SAFETY: the caller's.
        let arguments = unsafe { Arguments::new(attached, name, values, count) };
        // SAFETY: the caller's.
        match unsafe { module_state::<S>(module) } {
            Some(state) => function(state, arguments),
            None => Err(Raised::runtime_error(attached, "the module is not initialised")),
        }
    })
}
