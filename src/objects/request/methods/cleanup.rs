//! What runs when the request ends.

use std::sync::Arc;

use crate::cpython::{Arguments, Attached, Kept, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{LogScope, Place};
use crate::interpreter::Interpreter;
use crate::objects::request::{RequestShared, This};
use crate::objects::write_printed;

pub fn register_cleanup<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let attached = this.attached();
    let callable = arguments.required(0)?;
    let data = arguments.get(1).unwrap_or_else(|| Object::none(attached));
    if !callable.is_callable() {
        return Err(Raised::value_error(
            attached,
            format!("register_cleanup() argument 1 must be callable, not {}", callable.type_name()),
        ));
    }
    let used = this.enter(attached)?;
    let request = used.request();
    let cleanup = Cleanup {
        interpreter: this.interpreter(),
        shared: Arc::clone(this.shared()),
        request: request.as_ptr(),
        callable: callable.keep(),
        data: data.keep(),
    };
    request.pool().before_cleanup(move || cleanup.run());
    Ok(Object::none(attached))
}

/// A callable and its argument, until the request's pool goes.
struct Cleanup {
    interpreter: &'static Interpreter,
    shared: Arc<RequestShared>,
    request: *mut raw::request_rec,
    callable: Kept,
    data: Kept,
}

impl Cleanup {
    fn run(self) {
        // At the end of the child nobody enters an interpreter any more.
        let Some(guard) = self.interpreter.attach() else { return };
        let attached = guard.attached();
        // SAFETY: the pool calls before anything in it goes, the request included.
        let _scope = unsafe { LogScope::enter(Place::Request(self.request)) };
        // SAFETY: as above; only this thread uses the request at its end.
        let lent = unsafe { self.shared.lend_again(attached, self.request) };
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
