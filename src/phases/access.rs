//! Access, authentication, authorization: who may have it.

use std::ffi::c_int;

use crate::config::Phase;
use crate::ffi::httpd as raw;
use crate::httpd::Request;

use super::dispatch::run_phase;
use super::enter::SERVER_ERROR;
use super::entry::request_entry;

/// httpd's `access_checker` hook.
pub unsafe extern "C" fn access_checker(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe { run_phase(request, Phase::Access) }
}

/// httpd's `check_user_id` hook.
pub unsafe extern "C" fn check_user_id(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe {
        match run_phase(request, Phase::Authen) {
            status if status == raw::OK as c_int && (*request).user.is_null() => {
                request_entry(request, SERVER_ERROR, |_| {
                    tracing::error!(
                        "MP0410: PythonAuthenHandler returned OK but has set no user: it must set req.user, or return HTTP_UNAUTHORIZED or DECLINED (req.get_basic_auth_pw() sets it from the Authorization header)"
                    );
                    SERVER_ERROR
                })
            }
            status if status == raw::HTTP_UNAUTHORIZED as c_int => {
                Request::from_raw(request).ask_for_authentication();
                status
            }
            status => status,
        }
    }
}

/// httpd's `auth_checker` hook.
pub unsafe extern "C" fn auth_checker(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe { run_phase(request, Phase::Authz) }
}
