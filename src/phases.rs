//! What httpd calls, what Python runs, what goes back.

mod child;
mod content;
mod dispatch;
mod entry;
mod imports;
mod report;
mod resolve;
mod server;

use std::ptr;

use crate::ffi::httpd as raw;

/// Registers the hooks: httpd's `register_hooks`.
///
/// # Safety
/// Called by httpd when it adds the module.
pub unsafe extern "C" fn register_hooks(_pool: *mut raw::apr_pool_t) {
    let (none, middle) = (ptr::null(), raw::APR_HOOK_MIDDLE as i32);
    // SAFETY: httpd copies what it keeps; the functions live as long as the library is mapped.
    unsafe {
        raw::ap_hook_pre_config(Some(server::pre_config), none, none, middle);
        raw::ap_hook_post_config(Some(server::post_config), none, none, middle);
        raw::ap_hook_child_init(Some(child::child_init), none, none, middle);
        raw::ap_hook_handler(Some(content::handler), none, none, middle);
    }
}
