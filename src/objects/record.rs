//! This module's record of a request, in httpd's request_config: what its Python objects share, and who holds them.

use std::sync::Arc;

use crate::config::{DirectoryConfig, HandlerEntry, Phase, Selected};
use crate::cpython::{Attached, Instance, Kept, Object, Raised, state_of};
use crate::ffi::httpd as raw;
use crate::httpd::{LogScope, Place, Request, printed};
use crate::interpreter::Interpreter;

use super::lease::Entered;
use super::serving::Serving;
use super::{RequestObject, RequestShared};

/// One request's record. It lives until the request's last callback needs it no more, or until the request's pool goes.
pub struct Record {
    shared: Arc<RequestShared>,
    /// The request's object in each interpreter that it has visited.
    objects: Vec<(&'static Interpreter, Kept)>,
    /// Callbacks of this request under way on its thread: they nest.
    depth: usize,
    /// The pool has been told to dispose of this record.
    guarded: bool,
    /// What runs at the end, behind what Python has registered for it.
    at_end: Option<fn(*mut raw::request_rec)>,
}

/// The handlers that run for a request: the phase, their list, whose turn it is, and the extension that chose them.
type Running = (Option<&'static str>, &'static [HandlerEntry<'static>], usize, Option<String>);

/// A callback of a request: when dropped, also by a panic, nothing of the request can be reached through its objects any more.
pub struct Callback<'r> {
    request: Request<'r>,
    attached: Attached<'r>,
    interpreter: &'static Interpreter,
    record: *mut Record,
    /// What ran around it, if this one runs handlers.
    outer: Option<Running>,
    status: i32,
    /// Ended first when the callback ends.
    serving: Option<Serving>,
}

impl<'r> Callback<'r> {
    /// Lends the request to Python for what runs in `interpreter`, to which this thread is attached: a phase's handlers, named
    /// as `req.phase` says it, or something in the midst of whatever phase there is.
    pub fn begin(
        attached: Attached<'r>,
        interpreter: &'static Interpreter,
        request: Request<'r>,
        running: Option<(&'static str, &Selected<'r>)>,
    ) -> Self {
        let record = Record::of(request);
        // SAFETY: the record is this request's own, and only its thread touches it.
        let own = unsafe { &mut *record };
        own.depth += 1;
        // Inside another callback of the request, a thread that a handler has left behind may be using it.
        let _turn = own.turn(attached);
        let mut state = own.shared.state();
        let mut outer = None;
        if let Some((phase, selected)) = running {
            outer = Some((state.phase, state.handlers, state.current, state.extension.take()));
            state.phase = Some(phase);
            state.extension = selected.extension.map(str::to_owned);
            // SAFETY: the configuration outlives the callback, at whose end the reference is dropped.
            state.handlers = unsafe {
                std::mem::transmute::<&'r [HandlerEntry<'r>], &'static [HandlerEntry<'static>]>(selected.handlers)
            };
            state.current = 0;
        }
        drop(state);
        // SAFETY: the request is live during the callback, at whose end the lease is suspended.
        unsafe { own.shared.lease.lend(request.as_ptr()) };
        // SAFETY: the record lives until the callback ends, which ends this first.
        let serving = Some(unsafe { Serving::begin(interpreter, record) });
        Self { request, attached, interpreter, record, outer, status: request.fields().status, serving }
    }

    /// The request's status before its handlers ran.
    pub fn status_before(&self) -> i32 {
        self.status
    }

    /// Sets the request's status, while no other thread uses it.
    pub fn set_status(&self, status: i32) -> Result<(), Raised> {
        let _used = self.enter()?;
        self.request.set_status(status);
        Ok(())
    }

    /// Keeps other threads from the request until dropped.
    fn enter(&self) -> Result<Entered<'_, raw::request_rec>, Raised> {
        self.record().shared.lease.enter(self.attached)
    }

    /// Takes the request back from Python early, so that threads that handlers have left behind cannot get in between.
    pub fn take_back(&self) {
        if self.record().depth == 1 {
            self.record().shared.suspend(self.attached);
        }
    }

    /// Whether a filter has refused what was written, and answered in its place.
    pub fn is_answered(&self) -> bool {
        let _turn = self.record().turn(self.attached);
        self.record().shared.state().output.was_answered()
    }

    /// Has what is written to the request go to a filter in the midst of a page, or to the client again.
    pub fn write_to(&self, filter: Option<&Object<'r>>) {
        let _turn = self.record().turn(self.attached);
        let page = filter.map(|filter| (self.interpreter, filter.clone().keep()));
        let old = std::mem::replace(&mut self.record().shared.state().page, page);
        if let Some((_, kept)) = old {
            // SAFETY: made in this interpreter: tags do not nest within one request.
            unsafe { kept.release(self.attached) };
        }
    }

    /// What the request's objects share.
    pub fn shared(&self) -> Arc<RequestShared> {
        Arc::clone(&self.record().shared)
    }

    fn record(&self) -> &Record {
        // SAFETY: alive until the outermost callback ends.
        unsafe { &*self.record }
    }

    /// The handler whose turn it is; `None` past the end. Handlers can add to the list.
    pub fn current(&self) -> Option<&'r HandlerEntry<'r>> {
        let _turn = self.record().turn(self.attached);
        let state = self.record().shared.state();
        state.handlers.get(state.current)
    }

    /// Goes on to the next handler of the list and gives it; a handler may have skipped some with `req.hlist.next()`.
    pub fn advance(&self) -> Option<&'r HandlerEntry<'r>> {
        let _turn = self.record().turn(self.attached);
        let mut state = self.record().shared.state();
        state.current += 1;
        state.handlers.get(state.current)
    }

    /// The request's object in this interpreter, made at the first call.
    pub fn object(&self) -> Result<Object<'r>, Raised> {
        // SAFETY: only this thread touches the record, and no reference into it is held.
        unsafe { (*self.record).object(self.attached, self.interpreter) }
    }
}

impl Drop for Callback<'_> {
    fn drop(&mut self) {
        drop(self.serving.take());
        if self.attached.has_error() {
            // Left behind by a panic.
            Raised::set(self.attached).clear(self.attached);
        }
        // SAFETY: as in `begin`.
        let own = unsafe { &mut *self.record };
        own.depth -= 1;
        if own.depth > 0 {
            let _turn = own.turn(self.attached);
            if let Some(outer) = self.outer.take() {
                let mut state = own.shared.state();
                (state.phase, state.handlers, state.current, state.extension) = outer;
            }
            return;
        }
        own.shared.suspend(self.attached);
        let is_needed = {
            let mut state = own.shared.state();
            let phase = state.phase.take();
            state.handlers = &[];
            state.is_needed(is_followed(self.request, phase))
        };
        own.let_go(self.attached, self.interpreter);
        // What was read ahead of the body, say, is for the request's other handlers.
        if own.objects.is_empty() && !own.guarded && !is_needed {
            self.request.set_record::<Record>(std::ptr::null_mut());
            // SAFETY: made by `begin`; nobody else has the pointer now.
            drop(unsafe { Box::from_raw(self.record) });
        } else {
            own.guard(self.request);
        }
    }
}

/// Whether handlers may run for a request behind those of a phase: only those of its end do behind the content's.
fn is_followed(request: Request<'_>, phase: Option<&str>) -> bool {
    let config = request.directory_config::<DirectoryConfig>();
    phase != Some(Phase::Content.directive())
        || config.is_none_or(|config| {
            [Phase::Log, Phase::Cleanup].into_iter().any(|phase| config.handlers(phase).is_some())
                || !config.filters.output.is_empty()
        })
}

impl Record {
    /// The record of a request, made at the first call.
    fn of(request: Request<'_>) -> *mut Self {
        let known: *mut Self = request.record();
        if !known.is_null() {
            return known;
        }
        // Related requests share pool and connection, so one thread at a time uses any of them.
        let fields = request.fields();
        let related = [fields.main, fields.prev, fields.next].into_iter().find_map(|relative| {
            // SAFETY: null, or a live request of the same thread; its record, if it has one, lives until its pool goes.
            unsafe {
                let record: *const Self = (!relative.is_null()).then(|| Request::from_raw(relative).record())?;
                record.as_ref().map(|record| Arc::clone(&record.shared))
            }
        });
        let record = Box::into_raw(Box::new(Self {
            shared: RequestShared::new(related),
            objects: Vec::new(),
            depth: 0,
            guarded: false,
            at_end: None,
        }));
        request.set_record(record);
        record
    }

    /// Keeps other threads from what is shared while the request is lent.
    fn turn(&self, attached: Attached<'_>) -> Option<Entered<'_, raw::request_rec>> {
        match self.shared.lease.is_lent() {
            true => self.shared.lease.enter(attached).map_err(|raised| raised.clear(attached)).ok(),
            false => None,
        }
    }

    pub(super) fn object<'i>(
        &mut self,
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
    ) -> Result<Object<'i>, Raised> {
        let known = self.objects.iter().find(|(known, _)| std::ptr::eq(*known, interpreter));
        if let Some((_, kept)) = known {
            // SAFETY: made in this interpreter.
            return Ok(unsafe { kept.get(attached) });
        }
        let object = RequestObject::create(attached, interpreter, Arc::clone(&self.shared))?;
        self.objects.push((interpreter, object.clone().keep()));
        Ok(object)
    }

    /// Lets the request's pool dispose of this record.
    fn guard(&mut self, request: Request<'_>) {
        if !self.guarded {
            self.guarded = true;
            let disposal = Disposal { record: self, request: request.as_ptr() };
            request.pool().before_cleanup(move || disposal.run());
            // The end of a subrequest comes behind that of its main request, of which it may ask for the object once more.
            request.pool().at_cleanup(move || disposal.run());
        }
    }

    /// Drops the object of this interpreter if nobody could tell: it is not held elsewhere and nothing was set on it.
    fn let_go(&mut self, attached: Attached<'_>, interpreter: &'static Interpreter) {
        let Some(index) = self.objects.iter().position(|(known, _)| std::ptr::eq(*known, interpreter)) else {
            return;
        };
        // SAFETY: the object is this interpreter's and alive.
        let instance = unsafe { state_of::<RequestObject>(attached, self.objects[index].1.as_ptr()) };
        if instance.is_unshared() && !instance.has_attributes() {
            let (_, kept) = self.objects.swap_remove(index);
            // SAFETY: made in this interpreter.
            unsafe { kept.release(attached) };
        }
    }
}

/// What the request's pool does with the record when it goes, once.
#[derive(Clone, Copy)]
struct Disposal {
    record: *mut Record,
    request: *mut raw::request_rec,
}

impl Disposal {
    fn run(self) {
        // SAFETY: the request is alive until its pool's cleanups have run.
        if unsafe { Request::from_raw(self.request).record::<Record>() } != self.record {
            return;
        }
        // What objects that go with the request print still belongs to it.
        // SAFETY: as above.
        let _scope = unsafe { LogScope::enter(Place::Request(self.request)) };
        self.run_cleanups();
        // SAFETY: the record was made by `of` and given to the pool once.
        if let Some(at_end) = unsafe { (*self.record).at_end } {
            at_end(self.request);
            self.run_cleanups();
        }
        // SAFETY: the request lives as long as its pool. A cleanup that runs after this one finds no record, and makes
        // another if it needs one.
        let record = unsafe {
            Request::from_raw(self.request).set_record::<Record>(std::ptr::null_mut());
            Box::from_raw(self.record)
        };
        for (interpreter, kept) in record.objects {
            // Without an interpreter to enter, at the end of the child, the object is left alone.
            if let Some(guard) = interpreter.attach() {
                // SAFETY: made in this interpreter.
                unsafe { kept.release(guard.attached()) };
                drop(guard);
                printed::flush(None);
            }
        }
    }

    /// Runs what `register_cleanup` was given, the last one first.
    fn run_cleanups(&self) {
        // SAFETY: the record is alive until `run` drops it, and nothing is lent between two cleanups.
        let shared = unsafe { Arc::clone(&(*self.record).shared) };
        loop {
            let cleanup = shared.state().cleanups.pop();
            let Some(cleanup) = cleanup else { break };
            // SAFETY: the pool calls before anything in it goes, the request included.
            unsafe { cleanup.run(&shared, self.request) };
        }
    }
}

/// Has `work` run when the request ends, after what Python has registered for it.
pub fn at_end(request: Request<'_>, work: fn(*mut raw::request_rec)) {
    // SAFETY: the record is this request's own, and only its thread touches it.
    let record = unsafe { &mut *Record::of(request) };
    record.at_end = Some(work);
    record.guard(request);
}

/// Whether handlers were added to the request for a phase.
pub fn has_added_handlers(request: Request<'_>, phase: Phase) -> bool {
    let record: *const Record = request.record();
    // SAFETY: null, or this request's own record.
    unsafe { record.as_ref() }.is_some_and(|record| record.shared.has_added(phase))
}

/// The handlers that were added to the request for a phase.
pub fn added_handlers<'r>(request: Request<'r>, phase: Phase) -> &'r [HandlerEntry<'r>] {
    let record: *const Record = request.record();
    // SAFETY: null, or this request's own record.
    match unsafe { record.as_ref() } {
        Some(record) if record.shared.has_added(phase) => {
            let state = record.shared.state();
            let added = state.added.iter().filter(|(known, _)| *known == phase);
            request.pool().slice(&added.map(|(_, entry)| *entry).collect::<Vec<_>>())
        }
        _ => &[],
    }
}

/// The object of a request that `this` one is related to (`main`, `prev`, `next`); `None` for null.
///
/// It is the one that the other request's own handlers see. It is lent for as long as the callback of `this` runs.
///
/// # Safety
/// `pointer` is null or a live request of the same thread, taken from `this` one's record.
pub unsafe fn relative<'i>(
    this: &Instance<'i, RequestObject>,
    pointer: *mut raw::request_rec,
) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    if pointer.is_null() {
        return Ok(Object::none(attached));
    }
    // SAFETY: the caller's; the record is that request's own.
    unsafe {
        let request = Request::from_raw(pointer);
        let record = &mut *Record::of(request);
        record.guard(request);
        if !record.shared.lease.is_lent() {
            record.shared.lease.lend(pointer);
            this.shared().state().relatives.push(Arc::clone(&record.shared));
        }
        record.object(attached, this.interpreter())
    }
}
