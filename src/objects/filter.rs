//! `mp_filter`.

mod members;
mod methods;

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use crate::config::{DirectoryConfig, FilterEntry, HandlerEntry};
use crate::cpython::{
    Attached, Class, GetSet, Instance, Kept, Method, Object, Raised, Visitor, new_instance, state_of,
};
use crate::ffi::httpd as raw;
use crate::httpd::{Direction, Filter, Request, Stream, StreamError, Table, add_filter_with};
use crate::interpreter::Interpreter;

use super::RequestShared;
use super::equipment::{Equipment, equipment_of};
use super::lease::{Entered, Lease};

/// The name under which httpd knows all filters that requests register for themselves.
pub const DYNAMIC: &str = "MOD_PYTHON";

/// What one filter of one request is, from call to call. It lives in the request's pool.
pub struct FilterContext {
    /// The filter as it was registered; none when the request's configuration has none of that name.
    registered: Option<FilterEntry<'static>>,
    /// It was called before.
    begun: bool,
    /// The data; taken out while it is used.
    pub stream: Option<Stream>,
    /// httpd's filter, during a call.
    filter: *mut raw::ap_filter_t,
    /// A handler is running for it.
    pub running: bool,
    /// Python has nothing more to do with it.
    pub disabled: bool,
    /// The status of what went wrong: nothing goes through any more.
    pub failed: Option<i32>,
    /// The administrator was told that it does not read.
    pub told: bool,
    /// The length that the response had when the filter was first called.
    length: Option<Vec<u8>>,
}

impl FilterContext {
    /// The context of a filter, made at its first call.
    ///
    /// # Safety
    /// This thread is in a call of the filter, whose context is null or what was made here or by `add`.
    pub unsafe fn of<'f>(filter: Filter<'f>, request: Request<'f>, direction: Direction) -> *mut Self {
        let mut context = filter.context::<Self>();
        if context.is_null() {
            let config = request.directory_config::<DirectoryConfig>();
            let filters = config.map_or(&[] as &[_], |config| config.filters.of(direction));
            let registered = FilterEntry::find(filters, filter.name()).copied();
            // SAFETY: the configuration outlives the request, in whose pool the context lies.
            let registered =
                unsafe { std::mem::transmute::<Option<FilterEntry<'_>>, Option<FilterEntry<'static>>>(registered) };
            context = Self::make(request, registered);
            // SAFETY: it lives as long as the request, which the filter is part of.
            unsafe { filter.set_context(context) };
        }
        // SAFETY: the caller's.
        let own = unsafe { &mut *context };
        own.filter = filter.as_ptr();
        if !std::mem::replace(&mut own.begun, true) {
            own.stream = Some(Stream::new(direction, request));
            own.length =
                headers(request).and_then(|headers| headers.get(b"Content-Length").flatten().map(<[u8]>::to_vec));
        }
        context
    }

    /// A context for a program in the midst of the output of httpd's own `filter`, during one call of it.
    pub fn within(filter: *mut raw::ap_filter_t, stream: Stream) -> Self {
        Self { filter, begun: true, stream: Some(stream), ..Self::new(None) }
    }

    /// The handler.
    pub fn entry(&self) -> Option<HandlerEntry<'static>> {
        self.registered.map(|registered| registered.handler)
    }

    fn new(registered: Option<FilterEntry<'static>>) -> Self {
        Self {
            registered,
            begun: false,
            stream: None,
            filter: std::ptr::null_mut(),
            running: false,
            disabled: false,
            failed: None,
            told: false,
            length: None,
        }
    }

    fn make(request: Request<'_>, registered: Option<FilterEntry<'static>>) -> *mut Self {
        let context = Box::into_raw(Box::new(Self::new(registered)));
        // Behind the request's last handlers, which run before its pool's cleanups and can still read through the filter.
        // SAFETY: the box is dropped once, when the request goes, which the filter is part of.
        request.pool().at_cleanup(move || drop(unsafe { Box::from_raw(context) }));
        context
    }

    /// A response that a filter takes from or adds to has another length than the one it had.
    pub fn forget_length(&mut self, request: Request<'_>) {
        let (Some(length), Some(headers)) = (self.length.take(), headers(request)) else { return };
        // The filter's handler may have given the new one.
        if headers.get(b"Content-Length").flatten() == Some(&length) {
            headers.unset(c"Content-Length");
        }
    }
}

/// A filter's data while it is used; put back when dropped. After a panic in between nobody knows what it is worth: nothing more
/// goes through the filter.
pub struct Taken {
    context: *mut FilterContext,
    pub stream: ManuallyDrop<Stream>,
}

impl Taken {
    /// None while it is used further out on this thread.
    ///
    /// # Safety
    /// The context is live until this is dropped, and used by this thread only.
    pub unsafe fn from(context: *mut FilterContext) -> Option<Self> {
        // SAFETY: the caller's; no reference is held.
        let stream = unsafe { (*context).stream.take() }?;
        Some(Self { context, stream: ManuallyDrop::new(stream) })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // SAFETY: as in `from`; the stream is not used afterwards.
        unsafe {
            (*self.context).stream = Some(ManuallyDrop::take(&mut self.stream));
            if std::thread::panicking() {
                (*self.context).failed = Some(raw::APR_EGENERAL as i32);
            }
        }
    }
}

fn headers(request: Request<'_>) -> Option<Table<'_>> {
    // SAFETY: the table lives with the request.
    unsafe { Table::from_raw(request.fields().headers_out) }
}

/// Adds a filter that a request has registered for itself.
pub fn add(request: Request<'_>, direction: Direction, filter: FilterEntry<'static>) -> bool {
    let context = FilterContext::make(request, Some(filter));
    // SAFETY: the function behind that name takes it for what it is.
    unsafe { add_filter_with(request, direction, DYNAMIC, context) }
}

/// A filter's object, usable during the call that it was made for.
pub struct FilterObject {
    lease: Arc<Lease<FilterContext>>,
    interpreter: &'static Interpreter,
    direction: Direction,
    /// `filter.req`, which programs may assign.
    request: RefCell<Option<Kept>>,
    softspace: Cell<i64>,
}

type This<'a, 'i> = &'a Instance<'i, FilterObject>;

/// The use of a filter by a method or member.
struct InUse<'a>(Entered<'a, FilterContext>);

impl InUse<'_> {
    fn context(&self) -> &FilterContext {
        // SAFETY: lent, and this thread is the one that uses it; exclusive references are not kept across calls.
        unsafe { &*self.0.as_ptr() }
    }

    fn filter(&self) -> Filter<'_> {
        // SAFETY: httpd's filter is live during the call.
        unsafe { Filter::from_raw(self.context().filter) }
    }
}

impl FilterObject {
    /// The object for a call of a filter, and what to lend its context with. It goes with `shared`'s request.
    pub fn create<'i>(
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
        shared: Arc<RequestShared>,
        direction: Direction,
        request: &Object<'i>,
    ) -> Result<(Object<'i>, Arc<Lease<FilterContext>>), Raised> {
        let equipment = equipment_of(attached, interpreter)?;
        let lease = Arc::new(Lease::along("the filter", shared));
        let value = Self {
            lease: Arc::clone(&lease),
            interpreter,
            direction,
            request: RefCell::new(Some(request.clone().keep())),
            softspace: Cell::new(0),
        };
        // SAFETY: the class was made from `FilterObject` in this interpreter.
        let object = unsafe { new_instance(attached, equipment.classes.filter.as_ptr(), value)? };
        Ok((object, lease))
    }

    fn enter(&self, attached: Attached<'_>) -> Result<InUse<'_>, Raised> {
        self.lease.enter(attached).map(InUse)
    }

    fn equipment(&self, attached: Attached<'_>) -> Result<&'static Equipment, Raised> {
        equipment_of(attached, self.interpreter)
    }

    /// What the response said of its length is not true any more.
    fn forget_length(&self, used: &InUse<'_>) {
        if let (Direction::Output, Some(request)) = (self.direction, used.filter().request()) {
            // SAFETY: lent, and this thread is the one that uses it.
            unsafe { (*used.0.as_ptr()).forget_length(request) };
        }
    }

    /// Uses the data, detached: what filters behind this one do can run Python again. `what` is said of a failure.
    fn with_stream<R>(
        &self,
        attached: Attached<'_>,
        used: &InUse<'_>,
        what: &str,
        work: impl FnOnce(&mut Stream, Filter<'_>) -> Result<R, StreamError>,
    ) -> Result<R, Raised> {
        // SAFETY: lent, and this thread is the one that uses it.
        let taken = unsafe { Taken::from(used.0.as_ptr()) };
        let Some(mut taken) = taken else {
            return Err(Raised::runtime_error(
                attached,
                "the filter is being used already, further out on this thread",
            ));
        };
        let filter = used.filter();
        let outcome = attached.detach(|| work(&mut taken.stream, filter));
        drop(taken);
        outcome.map_err(|error| {
            // SAFETY: as above.
            unsafe { (*used.0.as_ptr()).failed = Some(error.status) };
            self.failed(attached, what, error)
        })
    }

    #[cold]
    fn failed(&self, attached: Attached<'_>, what: &str, error: StreamError) -> Raised {
        match self.equipment(attached) {
            Ok(equipment) if error.gone => equipment.client_gone(attached),
            Ok(_) => {
                let why = match error.status > 0 {
                    true => format!(": {}", crate::httpd::status_text(error.status)),
                    false => String::new(),
                };
                Raised::os_error(attached, format!("{what}{why}"))
            }
            Err(raised) => raised,
        }
    }
}

/// Whether a filter's object can be written to now: its data is not in use further out on this thread.
///
/// # Safety
/// `object` is an instance of the class made from `FilterObject` in this interpreter.
pub unsafe fn is_free(attached: Attached<'_>, object: &Object<'_>) -> bool {
    // SAFETY: the caller's.
    let filter = unsafe { state_of::<FilterObject>(attached, object.as_ptr()) };
    match filter.enter(attached) {
        Ok(used) => used.context().stream.is_some(),
        Err(raised) => {
            raised.clear(attached);
            false
        }
    }
}

impl Class for FilterObject {
    const NAME: &'static CStr = c"builtins.mp_filter";
    const DOC: &'static CStr = c"A filter of a request, lent by httpd during one call of its handler.";

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
