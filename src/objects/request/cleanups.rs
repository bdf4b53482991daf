//! Functions that Python has called when a request ends.

use crate::cpython::{Attached, Kept, Object, Raised};
use crate::ffi::httpd as raw;
use crate::interpreter::Interpreter;
use crate::objects::write_printed;

use super::RequestShared;

/// A callable and its argument, until the request's pool goes.
pub struct Cleanup {
    interpreter: &'static Interpreter,
    callable: Kept,
    data: Kept,
}

impl Cleanup {
    pub fn new(interpreter: &'static Interpreter, callable: Object<'_>, data: Object<'_>) -> Self {
        Self { interpreter, callable: callable.keep(), data: data.keep() }
    }

    /// Calls it, with the request lent once more.
    ///
    /// # Safety
    /// `request` is the live request of `shared`, and only this thread uses it outside of Python.
    pub unsafe fn run(self, shared: &RequestShared, request: *mut raw::request_rec) {
        // At the end of the child nobody enters an interpreter any more.
        let Some(guard) = self.interpreter.attach() else { return };
        let attached = guard.attached();
        // SAFETY: the caller's.
        let lent = unsafe { shared.lend_again(attached, request) };
        // SAFETY: both were made in this interpreter.
        let (callable, data) = unsafe { (self.callable.get(attached), self.data.get(attached)) };
        if let Err(raised) = callable.call([&data]) {
            self.report(attached, raised, &callable);
        }
        drop((callable, data));
        // SAFETY: both were made in this interpreter.
        unsafe {
            self.callable.release(attached);
            self.data.release(attached);
        }
        write_printed(attached);
        drop(lent);
    }

    #[cold]
    fn report(&self, attached: Attached<'_>, raised: Raised, callable: &Object<'_>) {
        let exception = raised.fetch(attached);
        tracing::error!(
            "MP0501: {}, registered for the end of the request in interpreter '{}', raised {}; the others run all the same",
            callable.display(),
            self.interpreter.display_name(),
            exception.summary()
        );
        for line in exception.traceback().iter().flat_map(|entry| entry.lines()) {
            tracing::error!("MP0501: {line}");
        }
    }
}
