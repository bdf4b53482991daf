//! `mp_request`.

mod callback;
mod cleanup;
mod flushing;
mod members;
mod methods;
mod record;
mod serving;

use std::cell::RefCell;
use std::ffi::CStr;
use std::sync::Arc;

use crate::cpython::{
    Attached, Class, GetSet, Instance, Kept, Method, Object, Raised, UsedDetached, Visitor, iterator_slots,
};
use crate::ffi::python as py;
use crate::httpd::Request;
use crate::interpreter::Interpreter;

use super::module_state::{ApacheClass, ClassId, ModuleState};

pub use callback::RequestCallback;
pub use cleanup::Cleanup;
pub use flushing::resting_flushers;
pub use methods::{reading, responding, send_what_is_due};
pub use record::{RequestInUse, RequestRecord};
pub use serving::current_request;

/// The Python object of a request in one interpreter.
pub struct RequestObject {
    record: Arc<RequestRecord>,
    interpreter: &'static Interpreter,
    /// Objects created on demand and kept, by `Cached`.
    cache: RefCell<[Option<Kept>; Cached::COUNT]>,
}

/// The request object whose method or member is called.
type This<'a, 'i> = &'a Instance<'i, RequestObject>;

/// The objects that a request object creates once.
#[derive(Clone, Copy)]
pub enum Cached {
    HeadersIn,
    HeadersOut,
    ErrHeadersOut,
    SubprocessEnv,
    Notes,
    Connection,
    Hlist,
}

impl Cached {
    const COUNT: usize = 7;
}

impl RequestObject {
    /// The object for a request in an interpreter to which this thread is attached.
    pub fn create<'i>(
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
        record: Arc<RequestRecord>,
    ) -> Result<Object<'i>, Raised> {
        let value = Self { record, interpreter, cache: RefCell::default() };
        ModuleState::of(attached, interpreter)?.instance(attached, value)
    }

    /// Uses the request while attached, for calls that neither block nor run Python. Fails if it is no longer valid.
    #[inline]
    pub fn enter(&self, attached: Attached<'_>) -> Result<RequestInUse<'_>, Raised> {
        Ok(RequestInUse::new(self.record.handle.enter(attached)?, &self.record))
    }

    /// Uses the request with this thread detached, for calls that can block or run other handlers. Fails if it is no longer valid.
    pub fn detached<R>(
        &self,
        attached: Attached<'_>,
        work: impl FnOnce(Request<'_>, &RequestRecord) -> R + UsedDetached,
    ) -> Result<R, Raised> {
        let record = &*self.record;
        // SAFETY: valid, and this thread is the one that uses it.
        record.handle.detached(attached, move |pointer| work(unsafe { Request::from_raw(pointer) }, record))
    }

    pub fn record(&self) -> &Arc<RequestRecord> {
        &self.record
    }

    pub fn interpreter(&self) -> &'static Interpreter {
        self.interpreter
    }

    /// The interpreter's classes and exceptions.
    pub fn module_state(&self, attached: Attached<'_>) -> Result<&'static ModuleState, Raised> {
        ModuleState::of(attached, self.interpreter)
    }

    /// The object kept under `which`, created by the first call.
    pub fn cached<'i>(
        this: &Instance<'i, Self>,
        which: Cached,
        make: impl FnOnce() -> Result<Object<'i>, Raised>,
    ) -> Result<Object<'i>, Raised> {
        let attached = this.attached();
        if let Some(kept) = &this.cache.borrow()[which as usize] {
            // SAFETY: made in the interpreter of this object.
            return Ok(unsafe { kept.get(attached) });
        }
        let made = make()?;
        let before = this.cache.borrow_mut()[which as usize].replace(made.clone().keep());
        // Another thread may have created one meanwhile.
        if let Some(kept) = before {
            // SAFETY: made in the interpreter of this object.
            unsafe { kept.release(attached) };
        }
        Ok(made)
    }
}

impl ApacheClass for RequestObject {
    const ID: ClassId = ClassId::Request;
}

impl Class for RequestObject {
    const NAME: &'static CStr = c"builtins.mp_request";
    const DOC: &'static CStr = c"An HTTP request, valid while a handler for it runs.";
    const SUBCLASSING: bool = true;
    const ATTRIBUTES: bool = true;

    fn methods() -> &'static [Method] {
        methods::METHODS
    }

    fn members() -> &'static [GetSet] {
        members::MEMBERS
    }

    fn slots() -> Vec<py::PyType_Slot> {
        iterator_slots::<Self>().to_vec()
    }

    fn traverse(&self, visitor: &mut Visitor) {
        if let Ok(cache) = self.cache.try_borrow() {
            cache.iter().flatten().for_each(|kept| visitor.visit(kept.as_ptr()));
        }
    }

    fn clear(&self, attached: Attached<'_>) {
        let all = std::mem::take(&mut *self.cache.borrow_mut());
        for kept in all.into_iter().flatten() {
            // SAFETY: made in the interpreter of this object.
            unsafe { kept.release(attached) };
        }
    }

    fn finish(&mut self, attached: Attached<'_>) {
        self.clear(attached);
    }
}
