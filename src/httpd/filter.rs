//! Filters: how they are added to a request, and called.

mod stream;

use std::ffi::CString;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use crate::ffi::httpd as raw;

use super::brigade::Brigade;
use super::{Request, bytes_at};

pub use stream::{Read, Stream};

/// How much is asked for at least, and handed over of a line, at once, in bytes: httpd's `HUGE_STRING_LEN`.
const CHUNK: raw::apr_off_t = 8192;

/// Which way a filter's data goes.
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

/// What is there for each direction.
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

/// httpd's call of an input filter.
pub type InputFunction = unsafe extern "C" fn(
    *mut raw::ap_filter_t,
    *mut raw::apr_bucket_brigade,
    raw::ap_input_mode_t,
    raw::apr_read_type_e,
    raw::apr_off_t,
) -> raw::apr_status_t;

/// httpd's call of an output filter.
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
    /// Notes them for `register_filter`, before the configuration is read. They stay the same when httpd has the module register
    /// its hooks again, at each reading.
    pub fn install(self) {
        let _ = FILTER_FUNCTIONS.set(self);
    }
}

/// Makes a filter of this module known to httpd, for as long as the configuration.
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

/// Adds a filter that httpd knows to a request; whether it knows one of that name.
pub fn add_filter(request: Request<'_>, direction: Direction, name: &str) -> bool {
    add(request, direction, name, ptr::null_mut())
}

/// The same, with a context of its own.
///
/// # Safety
/// The filter's function takes `context` for what it is, and it lives as long as the request.
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

/// How httpd asks an input filter.
#[derive(Clone, Copy)]
pub struct Asked {
    pub mode: raw::ap_input_mode_t,
    pub block: raw::apr_read_type_e,
    pub most: raw::apr_off_t,
}

impl Asked {
    /// How a filter asks that has to make what it is asked for out of bytes: httpd's own takes no lines of a body, and knows no
    /// end of one when it is asked for everything. What is only looked at is asked for once, and kept.
    ///
    /// Whoever reads byte by byte has the filter called for a good piece at a time, and gets the rest of it later.
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

/// One filter in the way of a request, during a call of httpd's.
#[derive(Clone, Copy)]
pub struct Filter<'f>(NonNull<raw::ap_filter_t>, PhantomData<&'f ()>);

impl<'f> Filter<'f> {
    /// # Safety
    /// `filter` is live during `'f`, in the way of a live request, and used by this thread only.
    pub unsafe fn from_raw(filter: *mut raw::ap_filter_t) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { NonNull::new_unchecked(filter) }, PhantomData)
    }

    pub fn as_ptr(self) -> *mut raw::ap_filter_t {
        self.0.as_ptr()
    }

    /// The record's fields, as they are now.
    fn fields(self) -> &'f raw::ap_filter_t {
        // SAFETY: alive during 'f; shared references are not held across what changes it.
        unsafe { self.0.as_ref() }
    }

    /// The request; none for a filter of a connection.
    pub fn request(self) -> Option<Request<'f>> {
        // SAFETY: null or live.
        unsafe { (!self.fields().r.is_null()).then(|| Request::from_raw(self.fields().r)) }
    }

    /// The name under which httpd knows it: in lower case, unless it is one of mod_filter's.
    pub fn name(self) -> &'f [u8] {
        // SAFETY: the record lives with its registration.
        unsafe { bytes_at((*self.fields().frec).name) }.unwrap_or_default()
    }

    /// Takes the place of one of mod_filter's if that is what calls `function` in its own name, as it does for
    /// `AddOutputFilterByType`; the filter to go on with. mod_filter keeps something else in its filter's context between the
    /// calls than during one, and would crash if anything were written to the request in the midst of a call.
    ///
    /// # Safety
    /// This is a call of that output filter, and no reference to it is used afterwards.
    pub unsafe fn out_of_harness(self, function: OutputFunction) -> *mut raw::ap_filter_t {
        const BY_TYPE: &[u8] = b"bytype:";
        let harness = self.0.as_ptr();
        let name = self.name().to_ascii_lowercase();
        let name = CString::new(name.strip_prefix(BY_TYPE).unwrap_or(&name)).unwrap_or_default();
        // SAFETY: httpd's records live with the configuration; the new filter lives in the request's pool, as all of a
        // request's do, and comes behind the one that is taken out, which httpd goes on to use for the rest of this call.
        unsafe {
            let calls_it = |record: *mut raw::ap_filter_rec_t| {
                (*record).filter_func.out_func.is_some_and(|own| ptr::fn_addr_eq(own, function))
            };
            if calls_it(self.fields().frec) {
                return harness;
            }
            let (record, Some(request)) = (raw::ap_get_output_filter_handle(name.as_ptr()), self.request()) else {
                return harness;
            };
            // One that is declared under another filter's name stays where it is.
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
        self.fields().ctx.cast()
    }

    /// # Safety
    /// The context lives as long as the filter.
    pub unsafe fn set_context<T>(self, context: *mut T) {
        // SAFETY: this thread's, during the call; nothing borrows the field.
        unsafe { (*self.0.as_ptr()).ctx = context.cast() }
    }

    /// Passes buckets on to the next output filter, which takes them all. May block.
    pub fn pass(self, brigade: Brigade) -> i32 {
        // SAFETY: both are live.
        unsafe {
            let status = raw::ap_pass_brigade(self.fields().next, brigade.as_ptr());
            raw::apr_brigade_cleanup(brigade.as_ptr().cast());
            status
        }
    }

    /// Asks the next input filter for more. May block.
    pub fn fetch(self, brigade: Brigade, asked: Asked) -> i32 {
        // SAFETY: both are live.
        unsafe { raw::ap_get_brigade(self.fields().next, brigade.as_ptr(), asked.mode, asked.block, asked.most) }
    }
}
