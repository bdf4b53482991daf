//! The end of a request: logging, and cleaning up.

use std::ffi::c_int;

use crate::config::Phase;
use crate::ffi::httpd as raw;
use crate::httpd::Request;
use crate::objects::at_end;

use super::dispatch::{has_handlers, run, run_phase};
use super::enter::{SERVER_ERROR, UNAVAILABLE};
use super::entry::request_entry;

/// httpd's `log_transaction` hook. It also makes sure that PythonCleanupHandler runs, for this request and for those that it was
/// redirected to, which share its pool.
pub unsafe extern "C" fn log_transaction(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook; redirects live as long as the request.
    unsafe {
        let mut each = request;
        while !each.is_null() {
            expect_end(Request::from_raw(each));
            each = (*each).next;
        }
        // An error, or a child about to end, must not keep httpd's other logs from their entries.
        match run_phase(request, Phase::Log) {
            SERVER_ERROR | UNAVAILABLE => raw::DECLINED,
            status => status,
        }
    }
}

/// Has PythonCleanupHandler run at the end of a request, if it has one.
pub fn expect_end(request: Request<'_>) {
    if has_handlers(request, Phase::Cleanup) {
        at_end(request, clean_up);
    }
}

/// The same for a subrequest whose Python is about to run: httpd logs none, which is where a main one's end is seen to.
pub fn expect_end_of_subrequest(request: Request<'_>) {
    if !request.fields().main.is_null() {
        expect_end(request);
    }
}

/// PythonCleanupHandler: its result says nothing to anybody.
fn clean_up(request: *mut raw::request_rec) {
    // SAFETY: the request's own pool calls, before anything in it goes.
    unsafe {
        request_entry(request, raw::DECLINED, |request| run(request, Phase::Cleanup));
    }
}
