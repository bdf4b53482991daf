//! `mp_filter`.

mod context;
mod members;
mod methods;

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::sync::Arc;

use crate::cpython::{
    Attached, Class, GetSet, Instance, Kept, Method, Object, Raised, UsedDetached, Visitor, state_of,
};
use crate::httpd::{AprStatus, Direction, Filter, Stream, StreamError};
use crate::interpreter::Interpreter;

use super::handle::{Handle, InUse};
use super::module_state::{ApacheClass, ClassId, ModuleState};
use super::request::RequestRecord;

pub use context::{DYNAMIC, FilterContext, Taken, add};

/// A filter's object, usable during the call that it was made for.
pub struct FilterObject {
    handle: Arc<Handle<FilterContext>>,
    interpreter: &'static Interpreter,
    direction: Direction,
    /// `filter.req`, which programs may assign.
    request: RefCell<Option<Kept>>,
    softspace: Cell<i64>,
}

type This<'a, 'i> = &'a Instance<'i, FilterObject>;

/// The use of a filter by a method or member.
struct FilterInUse<'a>(InUse<'a, FilterContext>);

impl FilterInUse<'_> {
    /// Uses the context. Neither Python nor other filters run meanwhile.
    fn with<R>(&self, work: impl FnOnce(&mut FilterContext) -> R) -> R {
        // SAFETY: valid, and this thread is the one that uses it; no reference is held beyond this.
        work(unsafe { &mut *self.0.as_ptr() })
    }

    /// httpd's filter, live during the call.
    fn filter(&self) -> Filter<'_> {
        let pointer = self.with(|context| context.filter);
        // SAFETY: as said.
        unsafe { Filter::from_raw(pointer) }
    }
}

/// Why the stream of a filter could not be used.
enum StreamFailure {
    /// It is in use further out on this thread's stack, or by a call of another thread.
    InUse,
    Failed(StreamError),
}

impl FilterObject {
    /// The object for a call of a filter, and the handle to its context, which shares the turn of the request of `record`.
    pub fn create<'i>(
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
        record: Arc<RequestRecord>,
        direction: Direction,
        request: &Object<'i>,
    ) -> Result<(Object<'i>, Arc<Handle<FilterContext>>), Raised> {
        let handle = Arc::new(Handle::along("the filter", record));
        let value = Self {
            handle: Arc::clone(&handle),
            interpreter,
            direction,
            request: RefCell::new(Some(request.clone().keep())),
            softspace: Cell::new(0),
        };
        let object = ModuleState::of(attached, interpreter)?.instance(attached, value)?;
        Ok((object, handle))
    }

    fn enter(&self, attached: Attached<'_>) -> Result<FilterInUse<'_>, Raised> {
        self.handle.enter(attached).map(FilterInUse)
    }

    /// Removes the Content-Length of the response, which is no longer true.
    fn forget_length(&self, attached: Attached<'_>) -> Result<(), Raised> {
        let in_use = self.enter(attached)?;
        if let (Direction::Output, Some(request)) = (self.direction, in_use.filter().request()) {
            in_use.with(|context| context.forget_length(request));
        }
        Ok(())
    }

    /// Uses the stream, detached: the next filters may run Python again. `what` describes a failure.
    fn with_stream<R>(
        &self,
        attached: Attached<'_>,
        what: &str,
        work: impl FnOnce(&mut Stream, Filter<'_>) -> Result<R, StreamError> + UsedDetached,
    ) -> Result<R, Raised> {
        let outcome = self.handle.detached(attached, move |context: *mut FilterContext| {
            // SAFETY: valid, and this thread is the one that uses it; so is httpd's filter during the call.
            let (taken, filter) = unsafe { (Taken::from(context), Filter::from_raw((*context).filter)) };
            let Some(mut taken) = taken else { return Err(StreamFailure::InUse) };
            let outcome = work(&mut taken.stream, filter);
            drop(taken);
            outcome.map_err(|error| {
                // SAFETY: as above.
                unsafe { (*context).failed = Some(error.status()) };
                StreamFailure::Failed(error)
            })
        })?;
        outcome.map_err(|failure| self.raise(attached, what, failure))
    }

    #[cold]
    fn raise(&self, attached: Attached<'_>, what: &str, failure: StreamFailure) -> Raised {
        match failure {
            StreamFailure::InUse => Raised::runtime_error(
                attached,
                "the filter is being used already, further out on this thread or by another one",
            ),
            StreamFailure::Failed(StreamError::Failed(AprStatus::NO_MEMORY)) => Raised::memory_error(attached),
            StreamFailure::Failed(StreamError::Gone(_)) => match ModuleState::of(attached, self.interpreter) {
                Ok(module_state) => module_state.client_gone(attached),
                Err(raised) => raised,
            },
            StreamFailure::Failed(StreamError::Failed(status)) => {
                // APR has no text for the negative ones, which are httpd's.
                let why = if status.0 > 0 { format!(": {status}") } else { String::new() };
                Raised::os_error(attached, format!("{what}{why}"))
            }
        }
    }
}

/// Whether a filter's object can be written to now: its stream is not in use further out on this thread's stack.
///
/// # Safety
/// `object` is an instance of the class made from `FilterObject` in this interpreter.
pub unsafe fn is_free(attached: Attached<'_>, object: &Object<'_>) -> bool {
    // SAFETY: the caller's.
    let filter = unsafe { state_of::<FilterObject>(attached, object.as_ptr()) };
    let in_use = filter.enter(attached).map_err(|raised| raised.clear(attached));
    in_use.is_ok_and(|in_use| in_use.with(|context| context.stream.is_some()))
}

impl ApacheClass for FilterObject {
    const ID: ClassId = ClassId::Filter;
}

impl Class for FilterObject {
    const NAME: &'static CStr = c"builtins.mp_filter";
    const DOC: &'static CStr = c"A filter of a request, valid during one call of its handler.";

    fn methods() -> &'static [Method] {
        methods::METHODS
    }

    fn members() -> &'static [GetSet] {
        members::MEMBERS
    }

    fn traverse(&self, visitor: &mut Visitor) {
        if let Ok(request) = self.request.try_borrow() {
            request.iter().for_each(|kept| visitor.visit(kept.as_ptr()));
        }
    }

    fn clear(&self, attached: Attached<'_>) {
        let request = self.request.borrow_mut().take();
        if let Some(kept) = request {
            // SAFETY: made in the interpreter of this object.
            unsafe { kept.release(attached) };
        }
    }

    fn finish(&mut self, attached: Attached<'_>) {
        self.clear(attached);
    }
}
