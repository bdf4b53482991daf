//! `%^PI` in LogFormat: the name of the interpreter that has answered.

use std::borrow::Cow;
use std::ffi::{CStr, c_char};
use std::ptr;

use crate::config::{DirectoryConfig, Phase, interpreter_name};
use crate::ffi::httpd as raw;
use crate::httpd::{Pool, Request, bytes_at, field};

use super::{application, content, hook};

/// Three characters, as mod_log_config wants them after a `^`.
const TAG: &CStr = c"^PI";

/// Where a script's interpreter is noted, whose name is known only when it runs.
pub const NOTE: &CStr = c"mod_python.interpreter";

/// Adds the item to those that LogFormat knows, if mod_log_config is loaded. Before the configuration is read.
pub fn register(pool: Pool<'_>) {
    // SAFETY: the tag and the function live as long as the library is mapped.
    unsafe { raw::mp_shim_log_register(pool.as_ptr(), TAG.as_ptr(), Some(interpreter)) };
}

unsafe extern "C" fn interpreter(request: *mut raw::request_rec, _: *mut c_char) -> *const c_char {
    // SAFETY: mod_log_config's call, while the request is live; null is written as "-".
    unsafe {
        hook::request(request, ptr::null(), |request, _| {
            let name = name_of(request);
            name.map_or(ptr::null(), |name| request.pool().c_string(&name).as_ptr())
        })
    }
}

/// The interpreter's name as messages have it; `None` for what no Python has answered.
fn name_of<'r>(request: Request<'r>) -> Option<Cow<'r, [u8]>> {
    // SAFETY: the table and its texts live with the request.
    if let Some(noted) = unsafe { bytes_at(raw::apr_table_get(field!(request, notes), NOTE.as_ptr())) } {
        return Some(Cow::Borrowed(noted));
    }
    if let Some(name) = application::interpreter_of(request) {
        return Some(name);
    }
    let config = request.directory_config::<DirectoryConfig>()?;
    let handlers = config.handlers(Phase::Content).filter(|_| content::is_ours(request))?;
    let first = handlers.select(request.filename())?.handlers.first()?;
    Some(interpreter_name(request, &config.settings, Some(&first.section)))
}
