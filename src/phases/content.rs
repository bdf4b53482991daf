//! The content phase: `PythonHandler`.

use std::ffi::c_int;

use crate::config::{DirectoryConfig, Phase};
use crate::ffi::httpd as raw;
use crate::httpd::Request;

use super::dispatch::{Dispatch, SERVER_ERROR, content_continues};
use super::entry::request_entry;

/// httpd's content handler hook.
pub unsafe extern "C" fn handler(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe {
        // Other modules' content is none of ours: decided before anything is set up.
        if !is_ours(Request::from_raw(request)) {
            return raw::DECLINED;
        }
        request_entry(request, SERVER_ERROR, serve)
    }
}

/// The names for SetHandler and AddHandler; the second is mod_python 2's.
fn is_ours(request: Request<'_>) -> bool {
    matches!(request.handler(), Some(b"mod_python" | b"python-program"))
}

fn serve(request: Request<'_>) -> i32 {
    let Some(config) = request.directory_config::<DirectoryConfig>() else {
        return raw::DECLINED;
    };
    let Some(selected) = config.handlers(Phase::Content).and_then(|list| list.select(request.filename())) else {
        return raw::DECLINED;
    };
    Dispatch { request, config, phase: Phase::Content, selected, continues: content_continues }.run()
}
