//! The type and fixup phases.

use std::ffi::c_int;

use crate::config::Phase;
use crate::ffi::httpd as raw;

use super::list::run_phase;

/// httpd's `type_checker` hook.
pub unsafe extern "C" fn type_checker(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe { run_phase(request, Phase::Type) }
}

/// httpd's `fixups` hook.
pub unsafe extern "C" fn fixups(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe { run_phase(request, Phase::Fixup) }
}
