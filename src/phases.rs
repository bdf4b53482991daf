//! What httpd calls, what Python runs, what goes back.

mod access;
mod child;
mod connection;
mod content;
mod dispatch;
mod ending;
mod enter;
mod entry;
mod exports;
mod filters;
mod imports;
mod includes;
mod mapping;
mod providers;
mod reading;
mod report;
mod resolve;
mod server;

use std::ffi::c_char;
use std::ptr;

use crate::ffi::httpd as raw;

/// Names of modules, as httpd takes them to order its hooks: it keeps the array.
#[repr(transparent)]
struct Modules<const N: usize>([*const c_char; N]);

// SAFETY: literals.
unsafe impl<const N: usize> Sync for Modules<N> {}

/// Ours come first where one module decides and httpd's own would leave nothing to decide: a Python handler that has no opinion
/// returns DECLINED, and they are asked.
static BASIC_AND_DIGEST: Modules<4> =
    Modules([c"mod_auth_basic.c".as_ptr(), c"mod_auth_digest.c".as_ptr(), c"mod_auth_form.c".as_ptr(), ptr::null()]);
static AUTHORIZATION: Modules<2> = Modules([c"mod_authz_core.c".as_ptr(), ptr::null()]);
/// Behind those that make the connection what it is.
static TLS: Modules<2> = Modules([c"mod_ssl.c".as_ptr(), ptr::null()]);
static TYPES: Modules<2> = Modules([c"mod_mime.c".as_ptr(), ptr::null()]);

/// Registers the hooks: httpd's `register_hooks`.
///
/// # Safety
/// Called by httpd when it adds the module.
pub unsafe extern "C" fn register_hooks(pool: *mut raw::apr_pool_t) {
    let (none, middle) = (ptr::null(), raw::APR_HOOK_MIDDLE as i32);
    // SAFETY: httpd copies what it keeps or is given statics; the functions live as long as the library is mapped.
    unsafe {
        raw::ap_hook_pre_config(Some(server::pre_config), none, none, middle);
        raw::ap_hook_post_config(Some(server::post_config), none, none, middle);
        raw::ap_hook_child_init(Some(child::child_init), none, none, middle);

        raw::ap_hook_process_connection(Some(connection::process_connection), TLS.0.as_ptr(), none, middle);
        raw::ap_hook_post_read_request(Some(reading::post_read_request), none, none, middle);
        raw::ap_hook_translate_name(Some(reading::translate_name), none, none, middle);
        raw::ap_hook_header_parser(Some(reading::header_parser), none, none, middle);
        // By URI, which is how httpd takes these: what was found of one request is not taken for that of another URL.
        raw::ap_hook_access_checker(Some(access::access_checker), none, none, middle);
        raw::ap_hook_check_user_id(Some(access::check_user_id), none, BASIC_AND_DIGEST.0.as_ptr(), middle);
        raw::ap_hook_auth_checker(Some(access::auth_checker), none, AUTHORIZATION.0.as_ptr(), middle);
        raw::ap_hook_type_checker(Some(mapping::type_checker), none, TYPES.0.as_ptr(), middle);
        raw::ap_hook_fixups(Some(mapping::fixups), none, none, middle);
        raw::ap_hook_handler(Some(content::handler), none, none, middle);
        raw::ap_hook_log_transaction(Some(ending::log_transaction), none, none, middle);

        filters::register();
        providers::register(pool);
    }
}
