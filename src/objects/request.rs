//! `mp_request`.

mod cleanups;
mod members;
mod methods;

use std::cell::{RefCell, RefMut};
use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::config::{FilterEntry, HandlerEntry, Phase};
use crate::cpython::{
    Attached, Class, GetSet, Instance, Method, Object, Raised, Visitor, iterator_slots, new_instance,
};
use crate::ffi::httpd as raw;
use crate::ffi::python as py;
use crate::httpd::{BodyReader, ByDirection, Output, Request};
use crate::interpreter::Interpreter;

use super::equipment::{Equipment, equipment_of};
use super::lease::{Entered, Gate, Lease};

pub use cleanups::Cleanup;

/// What is known of a request beside httpd's own record; one for each request, whatever interpreters it visits.
///
/// Borrowed configuration in it is valid while the lease lends the request.
#[derive(Default)]
pub struct RequestState {
    /// The request's body; taken out while it is read on, which can run Python again.
    pub body: BodyReader,
    /// The body is being read on.
    pub reading: bool,
    /// The way of the response; taken out while it is used.
    pub output: Output,
    /// The phase that runs, as `req.phase` says it.
    pub phase: Option<&'static str>,
    /// What chose the handlers, if an extension did.
    pub extension: Option<String>,
    /// The handlers of the running phase and which of them runs.
    pub handlers: &'static [HandlerEntry<'static>],
    pub current: usize,
    /// `req.content_type` was assigned.
    pub content_type_set: bool,
    /// Bytes that Python has written.
    pub queued: u64,
    /// While a tag of a page runs: the filter of its place in the page, which what is written to the request goes to.
    pub page: Option<(&'static Interpreter, crate::cpython::Kept)>,
    /// Related requests that are lent along with this one.
    pub relatives: Vec<Arc<RequestShared>>,
    /// What is called when the request ends, the last one first.
    pub cleanups: Vec<Cleanup>,
    /// Handlers that `add_handler` has added for later phases. They live in the request's pool.
    pub added: Vec<(Phase, HandlerEntry<'static>)>,
    /// Filters that were registered for this request only. They live in the request's pool.
    pub filters: ByDirection<Vec<FilterEntry<'static>>>,
}

impl RequestState {
    /// Whether later callbacks of the request need it; `followed`: there are some that could ask what was written.
    pub fn is_needed(&self, followed: bool) -> bool {
        (followed && (self.queued > 0 || self.content_type_set))
            || self.body.is_started()
            || !self.cleanups.is_empty()
            || !self.added.is_empty()
            || !self.filters.input.is_empty()
            || !self.filters.output.is_empty()
    }
}

/// What the objects of a request share.
pub struct RequestShared {
    pub lease: Lease<raw::request_rec>,
    state: RefCell<RequestState>,
    /// The phases of `RequestState::added`, one bit for each: httpd's hooks look here first.
    added: AtomicU16,
}

// SAFETY: the state is reached only through the lease, which admits one thread at a time.
unsafe impl Send for RequestShared {}
// SAFETY: as above.
unsafe impl Sync for RequestShared {}

impl RequestShared {
    /// For a request, or for one that shares its memory with another.
    pub fn new(related: Option<Arc<Self>>) -> Arc<Self> {
        const WHAT: &str = "the request";
        let lease = match related {
            Some(related) => Lease::along(WHAT, related),
            None => Lease::new(WHAT),
        };
        Arc::new(Self { lease, state: RefCell::default(), added: AtomicU16::new(0) })
    }

    /// Lends the request once more, for what runs at its end, until the guard is dropped; as it is if it is lent already.
    ///
    /// # Safety
    /// `request` is live for as long as the guard, and only this thread uses it outside of Python.
    pub unsafe fn lend_again<'a>(&'a self, attached: Attached<'a>, request: *mut raw::request_rec) -> LentAgain<'a> {
        let is_first = !self.lease.is_lent();
        if is_first {
            // SAFETY: the caller's.
            unsafe { self.lease.lend(request) };
        }
        LentAgain { shared: self, attached, is_first }
    }

    /// The state, for the thread that serves the request while nothing is lent or it has entered the lease.
    pub fn state(&self) -> RefMut<'_, RequestState> {
        self.state.borrow_mut()
    }

    /// Whether handlers were added for a phase.
    pub fn has_added(&self, phase: Phase) -> bool {
        self.added.load(Ordering::Relaxed) & (1 << phase as u16) != 0
    }

    /// Notes that handlers were added for a phase.
    fn note_added(&self, phase: Phase) {
        self.added.fetch_or(1 << phase as u16, Ordering::Relaxed);
    }

    /// Ends the time of the request, and of those that were lent along with it.
    pub fn suspend(&self, attached: Attached<'_>) {
        self.lease.suspend(Some(attached));
        let relatives = std::mem::take(&mut self.state().relatives);
        relatives.iter().for_each(|relative| relative.lease.suspend(Some(attached)));
    }
}

impl AsRef<Gate> for RequestShared {
    fn as_ref(&self) -> &Gate {
        self.lease.gate()
    }
}

/// A request that is lent at its end; taken back when dropped, also by a panic.
pub struct LentAgain<'a> {
    shared: &'a RequestShared,
    attached: Attached<'a>,
    is_first: bool,
}

impl Drop for LentAgain<'_> {
    fn drop(&mut self) {
        if self.is_first {
            self.shared.suspend(self.attached);
        }
    }
}

/// The Python object of a request in one interpreter.
pub struct RequestObject {
    pub(super) shared: Arc<RequestShared>,
    pub(super) interpreter: &'static Interpreter,
    /// Objects made on demand and kept, by `Cached`.
    cache: RefCell<[Option<crate::cpython::Kept>; Cached::COUNT]>,
}

/// The request object whose method or member is called.
type This<'a, 'i> = &'a Instance<'i, RequestObject>;

/// The objects that a request object makes once.
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

/// The use of a request by a method or member.
pub struct InUse<'a> {
    entered: Entered<'a, raw::request_rec>,
    shared: &'a RequestShared,
}

impl InUse<'_> {
    /// The request, alive as long as this.
    pub fn request(&self) -> Request<'_> {
        // SAFETY: lent, and this thread is the one that uses it.
        unsafe { Request::from_raw(self.entered.as_ptr()) }
    }

    /// What is known beside it. Not to be held across calls into Python or blocking calls that can come back here.
    pub fn state(&self) -> RefMut<'_, RequestState> {
        self.shared.state.borrow_mut()
    }
}

impl RequestObject {
    /// The object for a request in an interpreter to which this thread is attached.
    pub fn create<'i>(
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
        shared: Arc<RequestShared>,
    ) -> Result<Object<'i>, Raised> {
        let equipment = equipment_of(attached, interpreter)?;
        let class = equipment.classes.request.as_ptr();
        let value = Self { shared, interpreter, cache: RefCell::default() };
        // SAFETY: the class was made from `RequestObject` in this interpreter.
        unsafe { new_instance(attached, class, value) }
    }

    /// Uses the request; fails when its time is over.
    pub fn enter(&self, attached: Attached<'_>) -> Result<InUse<'_>, Raised> {
        Ok(InUse { entered: self.shared.lease.enter(attached)?, shared: &self.shared })
    }

    pub fn shared(&self) -> &Arc<RequestShared> {
        &self.shared
    }

    pub fn interpreter(&self) -> &'static Interpreter {
        self.interpreter
    }

    /// The interpreter's classes and functions.
    pub fn equipment(&self, attached: Attached<'_>) -> Result<&'static Equipment, Raised> {
        equipment_of(attached, self.interpreter)
    }

    /// The object kept under `which`, made at the first call.
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
        this.cache.borrow_mut()[which as usize] = Some(made.clone().keep());
        Ok(made)
    }
}

impl Class for RequestObject {
    const NAME: &'static CStr = c"builtins.mp_request";
    const DOC: &'static CStr = c"An HTTP request, lent by httpd while a handler for it runs.";
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
