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
                request_entry(request, SERVER_ERROR, |request| ask_for_authentication(request, status))
            }
            status => status,
        }
    }
}

/// Makes an answer of 401 one that says how to authenticate, unless the handler has done so; the status for the client.
fn ask_for_authentication(request: Request<'_>, status: c_int) -> c_int {
    if request.asks_for_authentication() {
        return status;
    }
    if request.is_basic() && request.auth_name().is_none() {
        // As mod_auth_basic does: no browser could make anything of a question without a realm.
        tracing::error!(
            "MP0409: PythonAuthenHandler returned HTTP_UNAUTHORIZED under 'AuthType Basic', but there is no AuthName, which names the realm that the client is asked for: write AuthName \"some text\" in the same section, or set WWW-Authenticate in req.err_headers_out"
        );
        return SERVER_ERROR;
    }
    request.ask_for_authentication();
    status
}

/// httpd's `auth_checker` hook.
pub unsafe extern "C" fn auth_checker(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe { run_phase(request, Phase::Authz) }
}
