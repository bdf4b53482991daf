//! The context of a filter of a request, which lasts from call to call.

use std::mem::ManuallyDrop;

use crate::config::{DirectoryConfig, FilterHandler, Handler};
use crate::ffi::httpd as raw;
use crate::httpd::{AprStatus, Direction, Filter, Request, Stream, add_filter_with};

/// The name under which all filters that requests register for themselves are registered with httpd.
pub const DYNAMIC: &str = "MOD_PYTHON";

/// The context of a filter of a request. It lives as long as the request's pool.
pub struct FilterContext {
    /// The registered filter; `None` if the request's configuration has none of that name.
    pub(super) registered: Option<FilterHandler<'static>>,
    /// It was called before.
    has_begun: bool,
    /// The stream; taken out while it is used.
    pub stream: Option<Stream>,
    /// httpd's filter, during a call.
    pub(super) filter: *mut raw::ap_filter_t,
    /// Its handler is running.
    pub is_running: bool,
    /// It was disabled: data passes without calling Python.
    pub is_disabled: bool,
    /// The status of a failure, after which no data passes.
    pub failed: Option<AprStatus>,
    /// It was logged that it does not read.
    pub is_warned_of: bool,
    /// The Content-Length of the response when the filter was first called.
    length: Option<Vec<u8>>,
}

impl FilterContext {
    /// The context of a filter, created by its first call.
    ///
    /// # Safety
    /// This thread is in a call of the filter, whose context is null or was made here or by `add`.
    pub unsafe fn of<'f>(filter: Filter<'f>, request: Request<'f>, direction: Direction) -> *mut Self {
        let mut context = filter.context::<Self>();
        if context.is_null() {
            let config = request.directory_config::<DirectoryConfig>();
            let filters = config.map_or(&[] as &[_], |config| config.filters.of(direction));
            let registered = FilterHandler::find(filters, filter.name()).copied();
            // SAFETY: the configuration outlives the request, in whose pool the context lies.
            let registered =
                unsafe { std::mem::transmute::<Option<FilterHandler<'_>>, Option<FilterHandler<'static>>>(registered) };
            context = Self::make(request, registered);
            // SAFETY: it lives as long as the request, which the filter is part of.
            unsafe { filter.set_context(context) };
        }
        // SAFETY: the caller's.
        let own = unsafe { &mut *context };
        own.filter = filter.as_ptr();
        if !std::mem::replace(&mut own.has_begun, true) {
            own.stream = Some(Stream::new(direction, request));
            own.length = request.headers_out().get(b"Content-Length").flatten().map(<[u8]>::to_vec);
        }
        context
    }

    /// A context for a program that writes to the output of another `filter`, during one call of that.
    pub fn within(filter: *mut raw::ap_filter_t, stream: Stream) -> Self {
        Self { filter, has_begun: true, stream: Some(stream), ..Self::new(None) }
    }

    /// The handler.
    pub fn handler(&self) -> Option<Handler<'static>> {
        self.registered.map(|registered| registered.handler)
    }

    fn new(registered: Option<FilterHandler<'static>>) -> Self {
        Self {
            registered,
            has_begun: false,
            stream: None,
            filter: std::ptr::null_mut(),
            is_running: false,
            is_disabled: false,
            failed: None,
            is_warned_of: false,
            length: None,
        }
    }

    fn make(request: Request<'_>, registered: Option<FilterHandler<'static>>) -> *mut Self {
        let context = Box::into_raw(Box::new(Self::new(registered)));
        // Freed after the request's last handlers, which run in pre-cleanups of its pool and can still read through the filter.
        // SAFETY: the box is dropped once, with the request, which the filter is part of.
        request.pool().at_cleanup(move || drop(unsafe { Box::from_raw(context) }));
        context
    }

    /// Removes the Content-Length that the response had before the filter: it changes the length.
    pub fn forget_length(&mut self, request: Request<'_>) {
        let Some(length) = self.length.take() else { return };
        let headers = request.headers_out();
        // The filter's handler may have set a new one.
        if headers.get(b"Content-Length").flatten() == Some(&length) {
            headers.unset(c"Content-Length");
        }
    }
}

/// A filter's stream while it is used; put back when dropped. A panic may have left it in any state: then no more data passes
/// the filter.
pub struct Taken {
    context: *mut FilterContext,
    pub stream: ManuallyDrop<Stream>,
}

impl Taken {
    /// `None` while it is in use further out on this thread's stack.
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
                (*self.context).failed = Some(AprStatus::GENERAL);
            }
        }
    }
}

/// Adds a filter that a request has registered for itself.
pub fn add(request: Request<'_>, direction: Direction, filter: FilterHandler<'static>) -> bool {
    let context = FilterContext::make(request, Some(filter));
    // SAFETY: the function of that name expects such a context.
    unsafe { add_filter_with(request, direction, DYNAMIC, context) }
}
