//! Filters: how they are added to a request, and called.

mod stream;

use std::ffi::CString;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use crate::ffi::httpd as raw;

use super::brigade::Brigade;
use super::{AprStatus, Request, bytes_at, field};

pub use stream::{Read, Stream};

/// How much is asked for at least, and the largest part of a line that is returned, in bytes: httpd's `HUGE_STRING_LEN`.
const CHUNK: raw::apr_off_t = 8192;

/// The direction of a filter's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A request's body, from the client.
    Input,
    /// A response, to the client.
    Output,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// One value for each direction.
#[derive(Clone, Copy, Default)]
pub struct ByDirection<T> {
    pub input: T,
    pub output: T,
}

impl<T> ByDirection<T> {
    pub fn of(&self, direction: Direction) -> &T {
        match direction {
            Direction::Input => &self.input,
            Direction::Output => &self.output,
        }
    }

    pub fn of_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Input => &mut self.input,
            Direction::Output => &mut self.output,
        }
    }
}

/// The type of an input filter's function.
pub type InputFunction = unsafe extern "C" fn(
    *mut raw::ap_filter_t,
    *mut raw::apr_bucket_brigade,
    raw::ap_input_mode_t,
    raw::apr_read_type_e,
    raw::apr_off_t,
) -> raw::apr_status_t;

/// The type of an output filter's function.
pub type OutputFunction =
    unsafe extern "C" fn(*mut raw::ap_filter_t, *mut raw::apr_bucket_brigade) -> raw::apr_status_t;

/// The functions that httpd calls for every filter of this module.
#[derive(Clone, Copy)]
pub struct FilterFunctions {
    pub input: InputFunction,
    pub output: OutputFunction,
}

static FILTER_FUNCTIONS: OnceLock<FilterFunctions> = OnceLock::new();

impl FilterFunctions {
    /// Sets them for `register_filter`, before the configuration is read. They stay the same when httpd calls the module's
    /// `register_hooks` again, each time that it reads the configuration.
    pub fn install(self) {
        let _ = FILTER_FUNCTIONS.set(self);
    }
}

/// Registers a filter of this module with httpd, for as long as the configuration.
pub fn register_filter(direction: Direction, name: &str) {
    let (Some(functions), Ok(name)) = (FILTER_FUNCTIONS.get(), CString::new(name)) else { return };
    let kind = raw::ap_filter_type_AP_FTYPE_RESOURCE;
    // SAFETY: httpd copies the name, and the functions stay mapped.
    unsafe {
        match direction {
            Direction::Input => raw::ap_register_input_filter(name.as_ptr(), Some(functions.input), None, kind),
            Direction::Output => raw::ap_register_output_filter(name.as_ptr(), Some(functions.output), None, kind),
        };
    }
}

/// Adds a registered filter to a request; false if there is none of that name.
pub fn add_filter(request: Request<'_>, direction: Direction, name: &str) -> bool {
    add(request, direction, name, ptr::null_mut())
}

/// The same, with a context of its own.
///
/// # Safety
/// The filter's function expects a `T` as its context, and `context` lives as long as the request.
pub unsafe fn add_filter_with<T>(request: Request<'_>, direction: Direction, name: &str, context: *mut T) -> bool {
    add(request, direction, name, context.cast())
}

fn add(request: Request<'_>, direction: Direction, name: &str, context: *mut std::ffi::c_void) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    let (request, connection) = (request.as_ptr(), request.connection().as_ptr());
    // SAFETY: the request is live; httpd looks the name up without regard to case, and copies what it keeps.
    unsafe {
        let known = match direction {
            Direction::Input => raw::ap_get_input_filter_handle(name.as_ptr()),
            Direction::Output => raw::ap_get_output_filter_handle(name.as_ptr()),
        };
        if known.is_null() {
            return false;
        }
        match direction {
            Direction::Input => raw::ap_add_input_filter_handle(known, context, request, connection),
            Direction::Output => raw::ap_add_output_filter_handle(known, context, request, connection),
        };
    }
    true
}

/// The arguments with which httpd calls an input filter.
#[derive(Clone, Copy)]
pub struct Asked {
    pub mode: raw::ap_input_mode_t,
    pub block: raw::apr_read_type_e,
    pub most: raw::apr_off_t,
}

impl Asked {
    /// The arguments with which such a filter asks the next one: always for bytes. httpd's own filter returns no lines of a body, and no
    /// end of the stream when it is asked for everything. What is read speculatively is read once, and kept.
    ///
    /// It asks for a larger piece than it was asked for, so that it is not called for each byte; the rest is returned later.
    pub fn of_bytes(self) -> Self {
        let mode = raw::ap_input_mode_t_AP_MODE_READBYTES;
        match self.mode {
            raw::ap_input_mode_t_AP_MODE_READBYTES | raw::ap_input_mode_t_AP_MODE_SPECULATIVE => {
                Self { mode, most: self.most.max(CHUNK), ..self }
            }
            _ => Self { mode, most: CHUNK, ..self },
        }
    }
}

/// One filter of a request, while httpd calls it.
#[derive(Clone, Copy)]
pub struct Filter<'f>(NonNull<raw::ap_filter_t>, PhantomData<&'f ()>);

impl<'f> Filter<'f> {
    /// # Safety
    /// `filter` is live during `'f`, a filter of a live request, and used by this thread only.
    pub unsafe fn from_raw(filter: *mut raw::ap_filter_t) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { NonNull::new_unchecked(filter) }, PhantomData)
    }

    pub fn as_ptr(self) -> *mut raw::ap_filter_t {
        self.0.as_ptr()
    }

    /// The request; none for a filter of a connection.
    pub fn request(self) -> Option<Request<'f>> {
        let request = field!(self, r);
        // SAFETY: null or live.
        unsafe { (!request.is_null()).then(|| Request::from_raw(request)) }
    }

    /// The name under which it is registered: in lower case, unless it is one of mod_filter's.
    pub fn name(self) -> &'f [u8] {
        // SAFETY: the record lives with its registration.
        unsafe { bytes_at((*field!(self, frec)).name) }.unwrap_or_default()
    }

    /// Replaces mod_filter's filter by one of ours, if that is what calls `function`, as it does for
    /// `AddOutputFilterByType`; returns the filter to go on with. mod_filter changes its filter's context for the time of a
    /// call, and would crash if anything were written to the request during the call.
    ///
    /// # Safety
    /// This is a call of that output filter, and no reference to it is used afterwards.
    pub unsafe fn out_of_harness(self, function: OutputFunction) -> *mut raw::ap_filter_t {
        const BY_TYPE: &[u8] = b"bytype:";
        let harness = self.0.as_ptr();
        let name = self.name().to_ascii_lowercase();
        let name = CString::new(name.strip_prefix(BY_TYPE).unwrap_or(&name)).unwrap_or_default();
        // SAFETY: httpd's records live with the configuration; the new filter lives in the request's pool, as all of a
        // request's do, and follows the one that is removed, which httpd uses for the rest of this call.
        unsafe {
            let calls_it = |record: *mut raw::ap_filter_rec_t| {
                (*record).filter_func.out_func.is_some_and(|own| ptr::fn_addr_eq(own, function))
            };
            if calls_it(field!(self, frec)) {
                return harness;
            }
            let (record, Some(request)) = (raw::ap_get_output_filter_handle(name.as_ptr()), self.request()) else {
                return harness;
            };
            // A filter that is declared under another filter's name stays where it is.
            if record.is_null() || !calls_it(record) {
                return harness;
            }
            let own: *mut _ = request.pool().value(raw::ap_filter_t { frec: record, ctx: ptr::null_mut(), ..*harness });
            (*harness).next = own;
            raw::ap_remove_output_filter(harness);
            own
        }
    }

    pub fn context<T>(self) -> *mut T {
        field!(self, ctx).cast()
    }

    /// # Safety
    /// The context lives as long as the filter.
    pub unsafe fn set_context<T>(self, context: *mut T) {
        // SAFETY: this thread's, during the call; nothing borrows the field.
        unsafe { (*self.0.as_ptr()).ctx = context.cast() }
    }

    /// Passes buckets on to the next output filter, which takes them all. May block.
    pub fn pass(self, brigade: Brigade) -> AprStatus {
        // SAFETY: both are live.
        let status = unsafe { raw::ap_pass_brigade(field!(self, next), brigade.as_ptr()) };
        brigade.clear();
        AprStatus(status)
    }

    /// Asks the next input filter for more. May block.
    pub fn fetch(self, brigade: Brigade, asked: Asked) -> AprStatus {
        let next = field!(self, next);
        // SAFETY: both are live.
        AprStatus(unsafe { raw::ap_get_brigade(next, brigade.as_ptr(), asked.mode, asked.block, asked.most) })
    }
}
