//! The end of a request: logging.

use std::ffi::c_int;

use crate::config::Phase;
use crate::ffi::httpd as raw;
use crate::httpd::{Request, Status, field};

use super::list::{expect_end, run_phase};

/// httpd's `log_transaction` hook. It also registers PythonCleanupHandler, for this request and for those that it was
/// redirected to, which share its pool.
pub unsafe extern "C" fn log_transaction(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook; redirects live as long as the request.
    unsafe {
        if Phase::Cleanup.is_in_use() {
            let mut each = request;
            while !each.is_null() {
                let this = Request::from_raw(each);
                expect_end(this);
                each = field!(this, next);
            }
        }
        // An error, or a child that is about to end, must not prevent the entries of httpd's other logs.
        match Status(run_phase(request, Phase::Log)) {
            Status::SERVER_ERROR | Status::UNAVAILABLE => raw::DECLINED,
            status => status.0,
        }
    }
}
