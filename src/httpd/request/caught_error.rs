//! Error pages that httpd's input filters send by themselves.
//!
//! If a body is badly chunked or exceeds LimitRequestBody, httpd's HTTP_IN sends an error page through the output filters before
//! it returns to the reader of the body (http_filters.c, `bail_out_on_error`). Here the reader decides on the response, so while a body
//! is read, a filter before all others catches the error.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::ffi::httpd as raw;
use crate::httpd::{AprStatus, Brigade, HttpStatus, Request, field, set_field};
use crate::process::caught;

/// httpd's record of the filter, registered again with each configuration.
static RECORD: AtomicPtr<raw::ap_filter_rec_t> = AtomicPtr::new(ptr::null_mut());

/// Registers the filter; to be called while the module registers its hooks.
pub fn register() {
    // Before all others that a request can have.
    const KIND: raw::ap_filter_type = raw::ap_filter_type_AP_FTYPE_RESOURCE - 1;
    // SAFETY: httpd copies the name; the function stays mapped.
    let record = unsafe { raw::ap_register_output_filter(c"mod_python_errors".as_ptr(), Some(catch), None, KIND) };
    RECORD.store(record, Ordering::Release);
}

/// The filter of one request, which is in the chain while the request's body is read.
#[derive(Clone, Copy)]
pub struct ErrorCatcher(*mut raw::ap_filter_t);

impl ErrorCatcher {
    /// One that lives in the request's pool.
    pub fn new(request: Request<'_>) -> Self {
        let status: *mut Cell<HttpStatus> = request.pool().place(Cell::new(HttpStatus::OK));
        Self(request.pool().place(raw::ap_filter_t {
            frec: RECORD.load(Ordering::Acquire),
            ctx: status.cast::<c_void>(),
            next: ptr::null_mut(),
            r: request.as_ptr(),
            c: request.connection().as_ptr(),
        }))
    }

    /// Adds it to the output filters of its request until `Catching::end`.
    pub fn begin(self, request: Request<'_>) -> Catching<'_> {
        // SAFETY: it lives in the request's pool, and so does its context.
        unsafe {
            (*self.0).next = field!(request, output_filters);
            (*(*self.0).ctx.cast::<Cell<HttpStatus>>()).set(HttpStatus::OK);
        }
        set_field!(request, output_filters, self.0);
        Catching { request, filter: self.0, was_complete: field!(request, eos_sent) != 0 }
    }
}

/// A catcher in the filter chain of its request; removed when dropped.
pub struct Catching<'r> {
    request: Request<'r>,
    filter: *mut raw::ap_filter_t,
    /// The whole response had been sent before.
    was_complete: bool,
}

impl Catching<'_> {
    /// Removes the filter; returns the status of the error, if there was one.
    pub fn end(self) -> Option<HttpStatus> {
        // SAFETY: the filter's own context, in the request's pool.
        let status = unsafe { (*(*self.filter).ctx.cast::<Cell<HttpStatus>>()).get() };
        if status == HttpStatus::OK {
            return None;
        }
        if !self.was_complete {
            // The end that followed the error was not sent.
            self.request.hold_end();
        }
        Some(status)
    }
}

impl Drop for Catching<'_> {
    fn drop(&mut self) {
        let first = field!(self.request, output_filters);
        // SAFETY: live filters of the request's; others may have been added before this one.
        unsafe {
            if ptr::eq(first, self.filter) {
                set_field!(self.request, output_filters, (*self.filter).next);
                return;
            }
            let mut each = first;
            while !each.is_null() && !ptr::eq((*each).next, self.filter) {
                each = (*each).next;
            }
            if !each.is_null() {
                (*each).next = (*self.filter).next;
            }
        }
    }
}

/// httpd's call of the filter.
unsafe extern "C" fn catch(filter: *mut raw::ap_filter_t, brigade: *mut raw::apr_bucket_brigade) -> raw::apr_status_t {
    let work = || {
        // SAFETY: httpd's call: both are live; the context is that of `begin`.
        let (brigade, status) = unsafe { (Brigade::from_raw(brigade), &*(*filter).ctx.cast::<Cell<HttpStatus>>()) };
        match brigade.error() {
            Some(error) => {
                status.set(error);
                brigade.clear();
                AprStatus::ANSWERED.0
            }
            // SAFETY: as above.
            None => unsafe { raw::ap_pass_brigade((*filter).next, brigade.as_ptr()) },
        }
    };
    caught(work).unwrap_or(AprStatus::GENERAL.0)
}
