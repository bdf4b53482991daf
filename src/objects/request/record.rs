//! This module's record of a request, in httpd's `request_config`: the data that the request's Python objects share.

use std::cell::{RefCell, RefMut};
use std::ffi::CStr;
use std::ops::{Deref, DerefMut};
use std::panic::RefUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use smallvec::SmallVec;

use crate::config::{FilterHandler, Handler, Phase};
use crate::cpython::{Attached, Instance, Kept, Object, Raised, state_of};
use crate::ffi::httpd as raw;
use crate::httpd::{BodyReader, ByDirection, LogScope, Output, Place, Request, Server, field, printed};
use crate::interpreter::Interpreter;
use crate::objects::handle::{Handle, HasTurn, InUse};
use crate::process::turn::{Subject, Taken, TakenAttached, Turn};

use super::flushing::Due;
use super::{Cleanup, RequestObject};

/// The record of a request. It lives until the last callback that needs it ends, or until the request's pool is destroyed.
pub struct RequestRecord {
    pub handle: Handle<raw::request_rec>,
    /// Used by threads that have the turn.
    state: RefCell<RequestState>,
    /// The phases of `RequestState::added`, one bit for each: httpd's hooks look here first.
    added: AtomicU16,
    /// Whether some of its output is to be sent soon.
    pub due: Due,
    /// The request's server, which outlives it.
    pub server: Server<'static>,
}

// SAFETY: the state is used by the thread that has the turn only.
unsafe impl Send for RequestRecord {}
// SAFETY: as above.
unsafe impl Sync for RequestRecord {}
impl RefUnwindSafe for RequestRecord {}

/// The state of a request that is not in httpd's record; one for each request, whatever interpreters it uses.
///
/// What is borrowed in it, of the configuration or of the request, may be used while the handle is valid.
#[derive(Default)]
pub struct RequestState {
    /// The response body; taken out while it is used.
    pub output: Output,
    pub is_output_in_use: bool,
    /// It is in use by a thread of this module that sends what the program has written before.
    pub is_being_sent: bool,
    /// What runs now.
    pub running: Running,
    /// `req.content_type` was assigned.
    pub is_content_type_set: bool,
    /// Bytes that Python has written.
    pub queued: u64,
    /// The names of the headers that `start_response` has set, which another call replaces. They live in the request's pool.
    pub started_headers: Vec<&'static CStr>,
    /// Python filters of this request that run now.
    pub filters_running: u32,
    /// What is written is passed to httpd's filters at once: other code writes to them too before the callback ends.
    pub is_written_through: bool,
    /// The request's pool has a cleanup that removes this record.
    is_disposed_by_pool: bool,
    /// The request's object in each interpreter that it has used.
    objects: SmallVec<[(&'static Interpreter, Kept); 1]>,
    /// The interpreters that were chosen for it: one for each name, for the whole request.
    interpreters: SmallVec<[&'static Interpreter; 1]>,
    extras: Option<Box<Extras>>,
}

/// State that most requests do not need.
#[derive(Default)]
pub struct Extras {
    /// The request's body; taken out while it is read, which can run Python.
    pub body: BodyReader,
    /// The body is being read.
    pub is_reading: bool,
    /// While a tag in a page runs: the filter to which what is written to the request is redirected.
    pub page: Option<(&'static Interpreter, Kept)>,
    /// Functions that run when the request ends, the last one first.
    pub cleanups: Vec<Cleanup>,
    /// Handlers that `add_handler` has added for later phases. They live in the request's pool.
    pub added: Vec<(Phase, Handler<'static>)>,
    /// Filters that were registered for this request only. They live in the request's pool.
    pub filters: ByDirection<Vec<FilterHandler<'static>>>,
    /// Related requests whose handles are valid along with this one's.
    relatives: Vec<Arc<RequestRecord>>,
    /// A function that runs at the end, after those.
    at_end: Option<fn(*mut raw::request_rec)>,
}

impl Extras {
    /// Whether later callbacks of the request need it.
    fn is_needed(&self) -> bool {
        self.body.is_started()
            || !self.cleanups.is_empty()
            || !self.added.is_empty()
            || !self.filters.input.is_empty()
            || !self.filters.output.is_empty()
    }
}

/// The handlers that run for a request.
#[derive(Default)]
pub struct Running {
    /// The value of `req.phase`.
    pub phase: Option<&'static str>,
    pub handlers: &'static [Handler<'static>],
    /// The index of the one that runs.
    pub current: usize,
    /// The extension that chose them, if any.
    pub extension: Option<String>,
}

impl RequestState {
    /// Whether what is written is passed on at once: filters or other code write meanwhile.
    pub fn is_passed_at_once(&self) -> bool {
        self.is_written_through || self.filters_running > 0
    }

    /// Whether later callbacks of the request need it. `is_followed`: there may be some that ask what was written.
    fn is_needed(&self, is_followed: bool) -> bool {
        (is_followed && (self.queued > 0 || self.is_content_type_set))
            || self.known_extras().is_some_and(Extras::is_needed)
    }

    /// State that most requests do not need, created by the first call.
    pub fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// The same if it was created.
    #[inline]
    pub fn known_extras(&self) -> Option<&Extras> {
        self.extras.as_deref()
    }
}

impl HasTurn for RequestRecord {
    fn turn(&self) -> &Turn {
        self.handle.turn()
    }
}

impl RequestRecord {
    /// The record of a request, if it has one.
    #[inline]
    pub fn known<'r>(request: Request<'r>) -> Option<&'r Self> {
        // SAFETY: null, or the record of `of`, which lives as long as the callback of the request.
        unsafe { request.record::<Self>().cast_const().as_ref() }
    }

    /// The record of a request, created by the first call. For a thread that is not attached, or has the turn of a related request.
    pub fn of(request: Request<'_>) -> Arc<Self> {
        if let Some(known) = Self::known(request) {
            // SAFETY: the pointer is that of an `Arc` that the request holds.
            return unsafe {
                Arc::increment_strong_count(known);
                Arc::from_raw(known)
            };
        }
        const WHAT: &str = "the request";
        let handle = match root(request) {
            None => Handle::new(WHAT),
            Some(root) => {
                let record = Self::of(root);
                // It has the turn, so it must live as long as this one.
                record.dispose_with_pool(&mut record.lock_detached(root), root);
                Handle::along(WHAT, record)
            }
        };
        let record = Arc::new(Self {
            handle,
            state: RefCell::default(),
            added: AtomicU16::new(0),
            due: Due::default(),
            server: request.server(),
        });
        request.set_record(Arc::into_raw(Arc::clone(&record)).cast_mut());
        record
    }

    /// The state, for a thread that has the turn. Must not be held across calls into Python or calls that can
    /// come back here.
    #[inline]
    pub fn state(&self) -> RefMut<'_, RequestState> {
        debug_assert!(self.turn().is_mine(), "a request's state is used without its turn");
        self.state.borrow_mut()
    }

    /// Takes the turn and uses the state, whether the request is valid or not. This thread is attached.
    #[inline]
    pub fn lock(&self, attached: Attached<'_>) -> LockedState<'_> {
        let taken = AnyTaken::Attached { _taken: self.handle.take_turn(attached) };
        LockedState { state: self.state.borrow_mut(), _taken: taken }
    }

    /// The same for a thread that is not attached.
    #[inline]
    pub fn lock_detached(&self, request: Request<'_>) -> LockedState<'_> {
        let taken = AnyTaken::Detached { _taken: self.turn().take(subject(request)) };
        LockedState { state: self.state.borrow_mut(), _taken: taken }
    }

    /// Whether handlers were added for a phase.
    #[inline]
    pub fn has_added(&self, phase: Phase) -> bool {
        self.added.load(Ordering::Relaxed) & phase.bit() != 0
    }

    /// Notes that handlers were added for a phase, in this record and in the mask of phases in use.
    pub fn note_added(&self, phase: Phase) {
        self.added.fetch_or(phase.bit(), Ordering::Relaxed);
        phase.note_in_use();
    }

    /// The handlers that were added to the request for a phase.
    pub fn added<'r>(&self, request: Request<'r>, phase: Phase) -> &'r [Handler<'r>] {
        if !self.has_added(phase) {
            return &[];
        }
        let mut state = self.lock_detached(request);
        let added = state.extras().added.iter().filter(|(known, _)| *known == phase);
        request.pool().slice(&added.map(|(_, handler)| *handler).collect::<Vec<_>>())
    }

    /// The interpreter of that name that was chosen for this request.
    pub fn interpreter(&self, request: Request<'_>, name: &[u8]) -> Option<&'static Interpreter> {
        self.lock_detached(request).interpreters.iter().copied().find(|known| known.name() == name)
    }

    /// Runs `work` when the request ends, after the functions that Python has registered.
    pub fn at_end(self: &Arc<Self>, request: Request<'_>, work: fn(*mut raw::request_rec)) {
        let mut state = self.lock_detached(request);
        state.extras().at_end = Some(work);
        self.dispose_with_pool(&mut state, request);
    }

    /// The request's object in an interpreter to which this thread is attached, created by the first call.
    pub fn object<'i>(
        self: &Arc<Self>,
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
    ) -> Result<Object<'i>, Raised> {
        let known = self.lock(attached).object(attached, interpreter);
        match known {
            Some(known) => Ok(known),
            None => self.new_object(attached, interpreter),
        }
    }

    pub(super) fn new_object<'i>(
        self: &Arc<Self>,
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
    ) -> Result<Object<'i>, Raised> {
        let made = RequestObject::create(attached, interpreter, Arc::clone(self))?;
        let mut state = self.lock(attached);
        if let Some(known) = state.object(attached, interpreter) {
            // Another thread was faster. The object of this one is dropped without the turn.
            drop(state);
            return Ok(known);
        }
        state.objects.push((interpreter, made.clone().keep()));
        drop(state);
        Ok(made)
    }

    /// Makes a related request valid along with this one, if it is not valid. For a thread that has the turn.
    pub(super) fn validate_relative(&self, relative: &Arc<Self>, request: Request<'_>) {
        if relative.handle.is_valid() {
            return;
        }
        // SAFETY: it lives as long as the callback of this one, whose end makes it invalid; both share a turn.
        unsafe { relative.handle.validate(request.as_ptr()) };
        // There is no callback of its own that would pass on what is written to it.
        relative.state().is_written_through = true;
        self.state().extras().relatives.push(Arc::clone(relative));
        relative.dispose_with_pool(&mut relative.state(), request);
    }

    /// Makes the request invalid, and the related ones that were made valid with it. Returns the state with the turn.
    fn invalidate(&self, attached: Attached<'_>) -> LockedState<'_> {
        let taken = self.handle.invalidate_and_keep_turn(attached);
        let mut state = self.state.borrow_mut();
        let relatives = state.extras.as_mut().map(|extras| std::mem::take(&mut extras.relatives)).unwrap_or_default();
        if relatives.is_empty() {
            return LockedState { state, _taken: AnyTaken::Attached { _taken: taken } };
        }
        drop(state);
        drop(taken);
        relatives.iter().for_each(|relative| relative.handle.invalidate(attached));
        self.lock(attached)
    }

    /// Makes the request valid again, for functions that run at its end, until the guard is dropped. Does nothing if it is valid.
    ///
    /// # Safety
    /// `request` is live for as long as the guard, and only this thread uses it outside of Python.
    pub unsafe fn validate_again<'a>(
        &'a self,
        attached: Attached<'a>,
        request: *mut raw::request_rec,
    ) -> ValidAgain<'a> {
        let is_first = !self.handle.is_valid();
        if is_first {
            // SAFETY: the caller's.
            unsafe { self.handle.validate(request) };
        }
        ValidAgain { record: self, attached, is_first }
    }

    /// Ends a callback in which the request was valid: drops what is no longer needed, also the record. Returns the output that was not passed
    /// on.
    pub(super) fn end_callback(
        self: &Arc<Self>,
        attached: Attached<'_>,
        interpreter: &'static Interpreter,
        request: Request<'_>,
        is_followed: impl FnOnce(Option<&str>) -> bool,
    ) -> Output {
        let mut state = self.invalidate(attached);
        let is_followed = is_followed(state.running.phase);
        state.running = Running::default();
        let unneeded = state.take_unneeded_object(attached, interpreter);
        let is_needed = state.is_needed(is_followed) || !state.objects.is_empty() || state.is_disposed_by_pool;
        let output = std::mem::take(&mut state.output);
        match is_needed {
            true => {
                // Later callbacks continue with its state.
                state.output = output.rest();
                self.dispose_with_pool(&mut state, request);
            }
            false => self.leave(request),
        }
        drop(state);
        if let Some(kept) = unneeded {
            // SAFETY: made in this interpreter.
            unsafe { kept.release(attached) };
        }
        output
    }

    /// Removes the record from the request if nothing needs it. For the thread that serves the request.
    pub fn leave_unneeded(&self, request: Request<'_>) {
        if !self.handle.is_valid() && !self.lock_detached(request).is_disposed_by_pool {
            self.leave(request);
        }
    }

    /// Removes the record from the request.
    fn leave(&self, request: Request<'_>) {
        if std::ptr::eq(request.record::<Self>(), self) {
            request.set_record::<Self>(std::ptr::null_mut());
            // SAFETY: the reference that `of` gave to the request.
            unsafe { Arc::decrement_strong_count(std::ptr::from_ref(self)) };
        }
    }

    /// Registers cleanups of the request's pool that remove this record.
    fn dispose_with_pool(self: &Arc<Self>, state: &mut RequestState, request: Request<'_>) {
        if !std::mem::replace(&mut state.is_disposed_by_pool, true) {
            let disposal = Disposal { record: Arc::as_ptr(self), request: request.as_ptr() };
            request.pool().before_cleanup(move || disposal.run(false));
            // Between the two, subrequests end: they take this one's turn, and may ask for its object again.
            request.pool().at_cleanup(move || disposal.run(true));
        }
    }
}

/// The client's request, for a subrequest or a redirected request. They share a pool and a
/// connection, so they share a turn.
#[inline]
fn root(request: Request<'_>) -> Option<Request<'_>> {
    let mut root = None;
    let mut next = request;
    loop {
        let (main, before) = (field!(next, main), field!(next, prev));
        let above = if main.is_null() { before } else { main };
        if above.is_null() {
            return root;
        }
        // SAFETY: that request lives at least as long, and is served by the same thread.
        next = unsafe { Request::from_raw(above) };
        root = Some(next);
    }
}

fn subject(request: Request<'_>) -> Subject {
    request.as_ptr().cast_const().cast()
}

/// The state, used by the thread that has the turn.
pub struct LockedState<'a> {
    // Dropped before the turn.
    state: RefMut<'a, RequestState>,
    _taken: AnyTaken<'a>,
}

/// The turn, taken by a thread that is attached, or by one that is not.
enum AnyTaken<'a> {
    Attached { _taken: TakenAttached<'a> },
    Detached { _taken: Taken<'a> },
}

impl Deref for LockedState<'_> {
    type Target = RequestState;

    fn deref(&self) -> &RequestState {
        &self.state
    }
}

impl DerefMut for LockedState<'_> {
    fn deref_mut(&mut self) -> &mut RequestState {
        &mut self.state
    }
}

impl RequestState {
    /// The request's object in an interpreter, if it has one.
    fn object<'i>(&self, attached: Attached<'i>, interpreter: &'static Interpreter) -> Option<Object<'i>> {
        let (_, kept) = self.objects.iter().find(|(known, _)| std::ptr::eq(*known, interpreter))?;
        // SAFETY: made in this interpreter.
        Some(unsafe { kept.get(attached) })
    }

    pub(super) fn has_objects(&self) -> bool {
        !self.objects.is_empty()
    }

    /// Notes an interpreter that was chosen.
    pub(super) fn remember(&mut self, interpreter: &'static Interpreter) {
        if !self.interpreters.iter().any(|known| std::ptr::eq(*known, interpreter)) {
            self.interpreters.push(interpreter);
        }
    }

    /// Takes the object of this interpreter if it is not needed: there is no other reference to it, and no attribute was set.
    fn take_unneeded_object(&mut self, attached: Attached<'_>, interpreter: &'static Interpreter) -> Option<Kept> {
        let index = self.objects.iter().position(|(known, _)| std::ptr::eq(*known, interpreter))?;
        // SAFETY: the object is this interpreter's and alive.
        let instance: Instance<'_, RequestObject> = unsafe { state_of(attached, self.objects[index].1.as_ptr()) };
        let is_unneeded = instance.is_unshared() && !instance.has_attributes();
        is_unneeded.then(|| self.objects.swap_remove(index).1)
    }
}

/// A request that was made valid again at its end, until this is dropped, also by a panic.
pub struct ValidAgain<'a> {
    record: &'a RequestRecord,
    attached: Attached<'a>,
    is_first: bool,
}

impl Drop for ValidAgain<'_> {
    fn drop(&mut self) {
        if self.is_first {
            drop(self.record.invalidate(self.attached));
        }
    }
}

/// The cleanup of the request's pool for the record. It runs before and after the child pools are destroyed.
#[derive(Clone, Copy)]
struct Disposal {
    record: *const RequestRecord,
    request: *mut raw::request_rec,
}

impl Disposal {
    fn run(self, is_last: bool) {
        // SAFETY: the request is alive until its pool's cleanups have run.
        let request = unsafe { Request::from_raw(self.request) };
        let Some(record) = RequestRecord::known(request).filter(|known| std::ptr::eq(*known, self.record)) else {
            return;
        };
        // Finalizers of the request's objects may print; that is logged for the request.
        // SAFETY: the request and its record are alive meanwhile.
        let _scope = unsafe { LogScope::enter_shared(Place::Request(self.request), record.turn()) };
        self.run_cleanups(record, request);
        let at_end = record.lock_detached(request).extras().at_end.take();
        if let Some(at_end) = at_end {
            at_end(self.request);
            self.run_cleanups(record, request);
        }
        let objects = std::mem::take(&mut record.lock_detached(request).objects);
        for (interpreter, kept) in objects {
            // SAFETY: the pool's cleanup is a callback of the C library's.
            let mut detached = unsafe { crate::cpython::Detached::assume() };
            // At the end of the child no thread attaches any more, and the object is leaked.
            if let Some(guard) = interpreter.attach(&mut detached) {
                // SAFETY: made in this interpreter.
                unsafe { kept.release(guard.attached()) };
                drop(guard);
                printed::flush(None);
            }
        }
        if is_last {
            // A cleanup that runs after this one creates a new record if it needs one.
            record.leave(request);
        }
    }

    /// Runs the functions of `register_cleanup`, the last one first.
    fn run_cleanups(&self, record: &RequestRecord, request: Request<'_>) {
        loop {
            let cleanup = record.lock_detached(request).extras().cleanups.pop();
            let Some(cleanup) = cleanup else { break };
            // SAFETY: the pool runs this before its memory is freed, the request included.
            unsafe { cleanup.run(record, self.request) };
        }
    }
}

/// The use of a request by a method or member: this thread has its turn.
pub struct RequestInUse<'a> {
    in_use: InUse<'a, raw::request_rec>,
    record: &'a RequestRecord,
}

impl<'a> RequestInUse<'a> {
    pub(super) fn new(in_use: InUse<'a, raw::request_rec>, record: &'a RequestRecord) -> Self {
        Self { in_use, record }
    }

    /// The request, alive as long as this.
    #[inline]
    pub fn request(&self) -> Request<'_> {
        // SAFETY: valid, and this thread is the one that uses it.
        unsafe { Request::from_raw(self.in_use.as_ptr()) }
    }

    /// The state. Must not be held across calls that can come back here.
    #[inline]
    pub fn state(&self) -> RefMut<'_, RequestState> {
        self.record.state()
    }
}
