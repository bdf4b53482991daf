//! The content phase: `PythonHandler`.

use std::ffi::c_int;

use crate::config::Phase;
use crate::ffi::httpd as raw;
use crate::httpd::Request;

use super::list::run_phase;

/// httpd's content handler hook.
pub unsafe extern "C" fn handler(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe {
        // Not for the content of other modules.
        match is_ours(Request::from_raw(request)) {
            true => run_phase(request, Phase::Content),
            false => raw::DECLINED,
        }
    }
}

/// The names for SetHandler and AddHandler; the second is mod_python 2's.
pub fn is_ours(request: Request<'_>) -> bool {
    matches!(request.handler(), Some(b"mod_python" | b"python-program"))
}
