//! The phases before and around the mapping of the URL: PostReadRequest, Init, Trans, HeaderParser.

use std::ffi::c_int;

use crate::config::{DirectoryConfig, Handler, HandlerList, Phase};
use crate::cpython::Detached;
use crate::ffi::httpd as raw;
use crate::httpd::{Request, Status};

use super::hook;
use super::list::{has_added_handlers, has_handlers, run, run_added, run_phase};

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
        if !Phase::Init.is_in_use() {
            return run_phase(request, Phase::HeaderParser);
        }
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

/// A function that runs the handlers of a phase.
type Run = fn(Request<'_>, &mut Detached<'_>, Phase) -> Status;

/// Runs one phase's handlers and then, unless they end the request, the other's.
///
/// # Safety
/// `request` is what httpd called the hook with.
unsafe fn both(request: *mut raw::request_rec, (first, run_first): (Phase, Run), second: Phase) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        if !first.is_in_use() || !has_handlers(Request::from_raw(request), first) {
            return run_phase(request, second);
        }
        let run_both = |request: Request<'_>, detached: &mut Detached<'_>| match run_first(request, detached, first) {
            status @ (Status::OK | Status::DECLINED) if has_handlers(request, second) => {
                match run(request, detached, second) {
                    Status::DECLINED => status,
                    decided => decided,
                }
            }
            status => status,
        };
        hook::request(request, Status::SERVER_ERROR, run_both).0
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
    // There was no file yet when those ran.
    chosen(section, request.filename()) == chosen(server, None)
}

/// The address of the handlers that a list selects, for comparison.
fn chosen<'r>(list: &HandlerList<'r>, filename: Option<&[u8]>) -> Option<*const Handler<'r>> {
    list.select(filename).map(|selected| selected.handlers.as_ptr())
}
