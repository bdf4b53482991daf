//! The thread state that `PyGILState_*` use on a thread.
//!
//! Extension modules that call back into Python (ctypes, sqlite3, numpy) use these functions, which have one thread state
//! for each thread. From CPython 3.12 on that is the one that was attached last. Up to 3.11 it is the first that the thread ever had. With
//! several interpreters that is often the state of another interpreter: the callback runs in the wrong one, or waits for ever for the
//! GIL that its own thread holds. So there the module sets the state each time that it attaches a thread.

use crate::ffi::python as py;

#[cfg(not(Py_3_12))]
unsafe extern "C" {
    /// `src/ffi/gilstate.c`: sets the thread state of this thread.
    fn mp_gilstate_bind(state: *mut py::PyThreadState) -> std::ffi::c_int;
    /// From now on GILState follows the state that `Py_NewInterpreter` attaches on this thread.
    fn mp_gilstate_begin_making();
    fn mp_gilstate_end_making();
}

/// Makes `PyGILState_*` use this state on this thread. It belongs to this thread and is attached.
#[inline]
pub(super) fn bind(state: *mut py::PyThreadState) {
    #[cfg(not(Py_3_12))]
    // SAFETY: Python is initialised, so its thread-specific storage exists.
    unsafe {
        mp_gilstate_bind(state)
    };
    #[cfg(Py_3_12)]
    let _ = state;
}

/// Has GILState mean the new interpreter's state as soon as CPython attaches it. One thread at a time makes one, attached to the main
/// interpreter.
#[cfg(not(Py_3_12))]
pub(super) fn while_making<T>(make: impl FnOnce() -> T) -> T {
    struct Made;

    impl Drop for Made {
        fn drop(&mut self) {
            // SAFETY: it follows a beginning.
            unsafe { mp_gilstate_end_making() };
        }
    }

    // SAFETY: the caller holds the GIL, and nobody else makes an interpreter meanwhile.
    unsafe { mp_gilstate_begin_making() };
    let _made = Made;
    make()
}

/// Whether GILState means this state on this thread, to which it belongs and is attached.
pub(super) fn is_bound(state: *mut py::PyThreadState) -> bool {
    // SAFETY: Python is initialised.
    unsafe { py::PyGILState_GetThisThreadState() == state }
}
