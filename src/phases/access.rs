//! The access, authentication and authorization phases.

use std::ffi::c_int;

use crate::config::Phase;
use crate::ffi::httpd as raw;
use crate::httpd::{Request, Status};

use super::hook;
use super::list::run_phase;

/// httpd's `access_checker` hook.
pub unsafe extern "C" fn access_checker(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe { run_phase(request, Phase::Access) }
}

/// httpd's `check_user_id` hook.
pub unsafe extern "C" fn check_user_id(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe {
        let status = Status(run_phase(request, Phase::Authen));
        let needs_more = match status {
            Status::OK => Request::from_raw(request).user().is_none(),
            status => status == Status::UNAUTHORIZED,
        };
        match needs_more {
            true => hook::request(request, Status::SERVER_ERROR, |request, _| answered(request, status)).0,
            false => status.0,
        }
    }
}

/// Checks and completes the result of a PythonAuthenHandler.
fn answered(request: Request<'_>, status: Status) -> Status {
    match status {
        Status::OK => {
            tracing::error!(
                "MP0410: PythonAuthenHandler returned OK but has set no user: it must set req.user, or return HTTP_UNAUTHORIZED or DECLINED (req.get_basic_auth_pw() sets it from the Authorization header)"
            );
            Status::SERVER_ERROR
        }
        status => ask_for_authentication(request, status),
    }
}

/// Adds the header that asks the client to authenticate to a 401, unless the handler has set it; returns the status.
fn ask_for_authentication(request: Request<'_>, status: Status) -> Status {
    if request.asks_for_authentication() {
        return status;
    }
    if request.is_basic() && request.auth_name().is_none() {
        // As in mod_auth_basic: Basic authentication needs a realm.
        tracing::error!(
            "MP0409: PythonAuthenHandler returned HTTP_UNAUTHORIZED with 'AuthType Basic', but there is no AuthName, which names the realm: write AuthName \"some text\" in the same section, or set WWW-Authenticate in req.err_headers_out"
        );
        return Status::SERVER_ERROR;
    }
    request.ask_for_authentication();
    status
}

/// httpd's `auth_checker` hook.
pub unsafe extern "C" fn auth_checker(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe { run_phase(request, Phase::Authz) }
}
