//! The proof of being attached.

use std::marker::PhantomData;

use crate::ffi::python as py;

use super::thread;

/// This thread has a thread state attached and may call Python.
///
/// It is made only where that is known: by `AttachGuard`, and at the entry of a callback that CPython calls. It cannot be
/// sent to another thread, and what is borrowed through it ends with it.
#[derive(Clone, Copy)]
pub struct Attached<'i>(PhantomData<(&'i (), *mut ())>);

impl<'i> Attached<'i> {
    /// # Safety
    /// The calling thread has an attached thread state for as long as `'i`.
    pub unsafe fn assume() -> Self {
        Self(PhantomData)
    }

    /// Runs `work` without the thread state, so that other threads of the interpreter go on meanwhile.
    ///
    /// To be used around every call that can block or run other handlers. The thread state is attached again even if
    /// `work` panics.
    pub fn detach<T>(self, work: impl FnOnce() -> T) -> T {
        let _again = thread::Detached::new(self);
        work()
    }

    /// Whether an exception is set on this thread state.
    pub fn has_error(self) -> bool {
        // SAFETY: attached.
        unsafe { !py::PyErr_Occurred().is_null() }
    }
}
