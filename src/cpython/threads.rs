//! What the threads of the attached interpreter do.
//!
//! CPython's own `sys._current_frames()` walks the threads of all interpreters and makes their objects here, which aborts the process as
//! soon as one of them has a GIL of its own.

use std::ffi::c_ulong;

use crate::ffi::python as py;

use super::attached::Attached;
use super::error::Raised;
use super::object::Object;

#[repr(C)]
#[derive(Clone)]
struct ThreadState {
    state: *mut py::PyThreadState,
    thread: c_ulong,
}

unsafe extern "C" {
    /// `src/ffi/thread_states.c`
    fn mp_thread_states(found: *mut ThreadState, room: usize) -> usize;
    fn mp_handled_exception(state: *mut py::PyThreadState) -> *mut py::PyObject;
}

/// Keeps the garbage collector from running until dropped: it could run Python code, and so let threads end.
struct WithoutCollector<'i> {
    was_on: bool,
    _attached: Attached<'i>,
}

impl<'i> WithoutCollector<'i> {
    fn new(attached: Attached<'i>) -> Self {
        // SAFETY: attached.
        Self { was_on: unsafe { py::PyGC_Disable() } != 0, _attached: attached }
    }
}

impl Drop for WithoutCollector<'_> {
    fn drop(&mut self) {
        if self.was_on {
            // SAFETY: attached.
            unsafe { py::PyGC_Enable() };
        }
    }
}

fn states(_collector: &WithoutCollector<'_>) -> Vec<ThreadState> {
    let mut found = Vec::new();
    loop {
        // SAFETY: attached; there is room for as many.
        let count = unsafe { mp_thread_states(found.as_mut_ptr(), found.len()) };
        if count <= found.len() {
            found.truncate(count);
            return found;
        }
        found.resize(count + 8, ThreadState { state: std::ptr::null_mut(), thread: 0 });
    }
}

/// The frame that each thread of this interpreter is in, by its identity.
///
/// # Errors
/// There is no memory for them.
pub fn current_frames(attached: Attached<'_>) -> Result<Object<'_>, Raised> {
    by_thread(attached, |state| {
        // SAFETY: attached to the state's interpreter; a new reference or null.
        let frame = unsafe { py::PyThreadState_GetFrame(state) };
        match (frame.is_null(), attached.has_error()) {
            // SAFETY: as above.
            (false, _) => unsafe { Object::owned(attached, frame.cast()) }.map(Some),
            (true, true) => Err(Raised::set(attached)),
            (true, false) => Ok(None),
        }
    })
}

/// The exception that each thread of this interpreter handles, by its identity: as `sys.exc_info()` gives it in this version.
///
/// # Errors
/// There is no memory for them.
pub fn current_exceptions(attached: Attached<'_>) -> Result<Object<'_>, Raised> {
    by_thread(attached, |state| {
        // SAFETY: attached to the state's interpreter; a borrowed reference or null.
        let exception = unsafe {
            let handled = mp_handled_exception(state);
            (!handled.is_null()).then(|| Object::borrowed(attached, handled))
        };
        let exception = exception.unwrap_or_else(|| Object::none(attached));
        if cfg!(Py_3_12) {
            return Ok(Some(exception));
        }
        let (class, traceback) = match exception.is_none() {
            true => (Object::none(attached), Object::none(attached)),
            false => (exception.attribute(c"__class__")?, exception.attribute(c"__traceback__")?),
        };
        Object::tuple(attached, [class, exception, traceback]).map(Some)
    })
}

fn by_thread<'i>(
    attached: Attached<'i>,
    of: impl Fn(*mut py::PyThreadState) -> Result<Option<Object<'i>>, Raised>,
) -> Result<Object<'i>, Raised> {
    let found = Object::dict(attached)?;
    let collector = WithoutCollector::new(attached);
    for ThreadState { state, thread } in states(&collector) {
        if let Some(value) = of(state)? {
            found.set_item(&Object::int(attached, thread as i64)?, &value)?;
        }
    }
    drop(collector);
    Ok(found)
}
