//! The phases before and around the mapping of the URL: PostReadRequest, Init, Trans, HeaderParser.

use std::ffi::c_int;

use crate::config::{DirectoryConfig, HandlerEntry, HandlerList, Phase};
use crate::ffi::httpd as raw;
use crate::httpd::Request;
use crate::objects::has_added_handlers;

use super::dispatch::{has_handlers, run, run_added, run_phase};
use super::enter::SERVER_ERROR;
use super::entry::request_entry;

const OK: i32 = raw::OK as i32;

/// httpd's `post_read_request` hook: PythonInitHandler of the server first, then PythonPostReadRequestHandler.
pub unsafe extern "C" fn post_read_request(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe { both(request, (Phase::Init, run), Phase::PostReadRequest) }
}

/// httpd's `translate_name` hook.
pub unsafe extern "C" fn translate_name(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe { run_phase(request, Phase::Trans) }
}

/// httpd's `header_parser` hook: PythonInitHandler of the section, if it has one of its own, or what was added to the request; then
/// PythonHeaderParserHandler.
pub unsafe extern "C" fn header_parser(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe {
        let borrowed = Request::from_raw(request);
        match init_has_run(borrowed) {
            false => both(request, (Phase::Init, run), Phase::HeaderParser),
            true if has_added_handlers(borrowed, Phase::Init) => {
                both(request, (Phase::Init, run_added), Phase::HeaderParser)
            }
            true => run_phase(request, Phase::HeaderParser),
        }
    }
}

/// Runs one phase's handlers and then, unless they end the request, the other's.
///
/// # Safety
/// `request` is what httpd called the hook with.
unsafe fn both(
    request: *mut raw::request_rec,
    (first, run_first): (Phase, fn(Request<'_>, Phase) -> i32),
    second: Phase,
) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        let borrowed = Request::from_raw(request);
        if !has_handlers(borrowed, first) {
            return run_phase(request, second);
        }
        request_entry(request, SERVER_ERROR, |request| match run_first(request, first) {
            status @ (OK | raw::DECLINED) if has_handlers(request, second) => match run(request, second) {
                raw::DECLINED => status,
                decided => decided,
            },
            status => status,
        })
    }
}

/// Whether the handlers that the request's section has for the Init phase are those that have run for its server.
fn init_has_run(request: Request<'_>) -> bool {
    let Some(section) = request.directory_config::<DirectoryConfig>().and_then(|config| config.handlers(Phase::Init))
    else {
        return true;
    };
    let server = request.server_directory_config::<DirectoryConfig>().and_then(|config| config.handlers(Phase::Init));
    let Some(server) = server else { return false };
    // When they ran there was no file yet.
    chosen(section, request.filename()) == chosen(server, None)
}

/// Which handlers a list gives, as a place to compare.
fn chosen<'r>(list: &HandlerList<'r>, filename: Option<&[u8]>) -> Option<*const HandlerEntry<'r>> {
    list.select(filename).map(|selected| selected.handlers.as_ptr())
}
