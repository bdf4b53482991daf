//! Functions that run when a request ends.

use crate::cpython::{Attached, Detached, Kept, Object, Raised};
use crate::ffi::httpd as raw;
use crate::interpreter::Interpreter;
use crate::objects::logging::write_printed;

use super::RequestRecord;

/// A callable and its argument, kept until the request's pool is destroyed.
pub struct Cleanup {
    interpreter: &'static Interpreter,
    callable: Kept,
    data: Kept,
}

impl Cleanup {
    pub fn new(interpreter: &'static Interpreter, callable: Object<'_>, data: Object<'_>) -> Self {
        Self { interpreter, callable: callable.keep(), data: data.keep() }
    }

    /// Calls it, with the request valid again.
    ///
    /// # Safety
    /// In a cleanup of the pool of `request`, which is the live request of `record`.
    pub unsafe fn run(self, record: &RequestRecord, request: *mut raw::request_rec) {
        // SAFETY: the pool's cleanup is a callback of the C library's.
        let mut detached = unsafe { Detached::assume() };
        // At the end of the child no thread attaches any more.
        let Some(guard) = self.interpreter.attach(&mut detached) else { return };
        let attached = guard.attached();
        // SAFETY: the caller's.
        let valid = unsafe { record.validate_again(attached, request) };
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
        drop(valid);
    }

    #[cold]
    fn report(&self, attached: Attached<'_>, raised: Raised, callable: &Object<'_>) {
        let exception = raised.fetch(attached);
        tracing::error!(
            "MP0501: {}, registered for the end of the request in interpreter '{}', raised {}; the others still run",
            callable.display(),
            self.interpreter.display_name(),
            exception.summary()
        );
        for line in exception.traceback().iter().flat_map(|entry| entry.lines()) {
            tracing::error!("MP0501: {line}");
        }
    }
}
