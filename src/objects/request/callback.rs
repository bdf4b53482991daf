//! A callback of a request, during which its Python objects are valid.

use std::cell::Cell;
use std::mem;
use std::ptr;
use std::sync::Arc;

use crate::config::{DirectoryConfig, Handler, Phase, Selected};
use crate::cpython::{Attached, Object, Raised};
use crate::httpd::{HttpStatus, LogScope, Output, Place, Request};
use crate::interpreter::Interpreter;
use crate::process::turn::Turn;

use super::record::{RequestRecord, Running};
use super::serving::Serving;

/// A callback of a request. When it ends, also by a panic, the request's objects are no longer valid.
pub struct RequestCallback<'r> {
    request: Request<'r>,
    attached: Attached<'r>,
    interpreter: &'static Interpreter,
    record: Arc<RequestRecord>,
    /// The state of the callback around this one, if this one runs handlers.
    outer: Option<Running>,
    /// It made the request valid, so its end makes it invalid.
    is_outermost: bool,
    has_ended: bool,
    /// The request may have an object already.
    has_object: Cell<bool>,
    status_before: HttpStatus,
    // Ended first when the callback ends.
    serving: Option<Serving>,
    scope: Option<LogScope>,
}

impl<'r> RequestCallback<'r> {
    /// Makes the request valid for a program in `interpreter`, to which this thread is attached: the handlers of a phase, with the value of
    /// `req.phase`, or a program within any phase.
    pub fn begin(
        attached: Attached<'r>,
        interpreter: &'static Interpreter,
        request: Request<'r>,
        record: Arc<RequestRecord>,
        running: Option<(&'static str, &Selected<'r>)>,
    ) -> Self {
        // Within another callback of the request, other threads may be using it.
        let mut state = record.lock(attached);
        state.remember(interpreter);
        let has_object = state.has_objects().into();
        let outer = running.map(|(phase, selected)| {
            let running = Running {
                phase: Some(phase),
                extension: selected.extension.map(str::to_owned),
                // SAFETY: the configuration outlives the callback, at whose end the reference is dropped.
                handlers: unsafe {
                    mem::transmute::<&'r [Handler<'r>], &'static [Handler<'static>]>(selected.handlers)
                },
                current: 0,
            };
            mem::replace(&mut state.running, running)
        });
        let is_outermost = !record.handle.is_valid();
        if is_outermost {
            state.is_written_through = false;
            // SAFETY: the request is live during the callback, whose end waits for all threads that use it.
            unsafe { record.handle.validate(request.as_ptr()) };
        }
        let status_before = request.status();
        drop(state);
        // SAFETY: the record lives until the callback ends, which ends both of these first.
        let (serving, scope) = unsafe {
            let turn: &Turn = &*ptr::from_ref(record.handle.turn());
            let place = Place::Request(request.as_ptr());
            (Serving::begin(interpreter, Arc::as_ptr(&record), is_outermost), LogScope::enter_shared(place, turn))
        };
        Self {
            request,
            attached,
            interpreter,
            record,
            outer,
            is_outermost,
            has_ended: false,
            has_object,
            status_before,
            serving: Some(serving),
            scope: Some(scope),
        }
    }

    /// The request's status before its handlers ran.
    pub fn status_before(&self) -> HttpStatus {
        self.status_before
    }

    /// Passes what is written to httpd's filters at once: other code writes to them too before this callback ends.
    pub fn write_through(&self) {
        self.record.lock(self.attached).is_written_through = true;
    }

    pub fn record(&self) -> &Arc<RequestRecord> {
        &self.record
    }

    /// Sets the request's status.
    pub fn set_status(&self, status: HttpStatus) -> Result<(), Raised> {
        let _in_use = self.record.handle.enter(self.attached)?;
        self.request.set_status(status);
        Ok(())
    }

    /// Whether a filter has refused the response and sent an error page instead.
    pub fn is_answered(&self) -> bool {
        self.record.lock(self.attached).output.was_answered()
    }

    /// Redirects what is written to the request to a filter, for a tag in a page, or back to the client.
    pub fn write_to(&self, filter: Option<&Object<'r>>) {
        let page = filter.map(|filter| (self.interpreter, filter.clone().keep()));
        let old = mem::replace(&mut self.record.lock(self.attached).extras().page, page);
        if let Some((_, kept)) = old {
            // SAFETY: made in this interpreter: tags do not nest within one request.
            unsafe { kept.release(self.attached) };
        }
    }

    /// Goes on to the next handler of the list and returns it. A handler may have skipped some with `req.hlist.next()`.
    pub fn advance(&self) -> Option<&'r Handler<'r>> {
        let mut state = self.record.lock(self.attached);
        state.running.current += 1;
        state.running.handlers.get(state.running.current)
    }

    /// The request's object in this interpreter, created by the first call.
    pub fn object(&self) -> Result<Object<'r>, Raised> {
        match self.has_object.replace(true) {
            true => self.record.object(self.attached, self.interpreter),
            false => self.record.new_object(self.attached, self.interpreter),
        }
    }

    /// Ends the callback. The outermost one returns the output that was not passed on.
    pub fn end(&mut self) -> Option<Output> {
        self.finish()
    }

    fn finish(&mut self) -> Option<Output> {
        if mem::replace(&mut self.has_ended, true) {
            return None;
        }
        drop(self.serving.take());
        if self.attached.has_error() {
            // A panic has left it set.
            Raised::set(self.attached).clear(self.attached);
        }
        if !self.is_outermost {
            if let Some(outer) = self.outer.take() {
                self.record.lock(self.attached).running = outer;
            }
            drop(self.scope.take());
            return None;
        }
        let is_followed = |phase: Option<&str>| is_followed(self.request, phase);
        let output = self.record.end_callback(self.attached, self.interpreter, self.request, is_followed);
        self.record.due.forget();
        drop(self.scope.take());
        Some(output)
    }
}

impl Drop for RequestCallback<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Whether handlers may run for a request after those of a phase. After the content phase only those of its end may.
fn is_followed(request: Request<'_>, phase: Option<&str>) -> bool {
    let config = request.directory_config::<DirectoryConfig>();
    phase != Some(Phase::Content.directive())
        || config.is_none_or(|config| {
            [Phase::Log, Phase::Cleanup].into_iter().any(|phase| config.handlers(phase).is_some())
                || !config.filters.output.is_empty()
        })
}
