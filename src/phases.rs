//! The hooks that httpd calls, the Python code that they run, and the results that they return.

mod access;
mod access_log;
mod application;
mod caches;
mod callback;
mod child;
mod connection;
mod content;
mod early;
mod ending;
mod exports;
mod filters;
mod folders;
mod handler_cache;
mod hook;
mod imports;
mod includes;
mod list;
mod mapping;
mod outcome;
mod providers;
mod python;
mod report;
mod resolve;
mod result;
mod server;
mod set_up;
mod stores;
mod wsgi;

#[cfg(debug_assertions)]
pub use hook::request as request_callback;

use std::ffi::c_char;
use std::ptr;

use crate::ffi::httpd as raw;
use crate::httpd::request::caught_error;
use crate::process::{caught, signals};

/// Names of modules for the order of hooks; httpd keeps the array.
#[repr(transparent)]
struct Modules<const N: usize>([*const c_char; N]);

// SAFETY: literals.
unsafe impl<const N: usize> Sync for Modules<N> {}

/// These modules run after ours in phases that one module decides: they always decide, while a Python handler can return
/// DECLINED, so that they are asked.
static BASIC_AND_DIGEST: Modules<4> =
    Modules([c"mod_auth_basic.c".as_ptr(), c"mod_auth_digest.c".as_ptr(), c"mod_auth_form.c".as_ptr(), ptr::null()]);
static AUTHORIZATION: Modules<2> = Modules([c"mod_authz_core.c".as_ptr(), ptr::null()]);
/// These modules run before ours: they set up the connection.
static TLS: Modules<2> = Modules([c"mod_ssl.c".as_ptr(), ptr::null()]);
/// After those that map URLs to something else.
static ALIASES: Modules<4> =
    Modules([c"mod_alias.c".as_ptr(), c"mod_userdir.c".as_ptr(), c"mod_vhost_alias.c".as_ptr(), ptr::null()]);
static TYPES: Modules<2> = Modules([c"mod_mime.c".as_ptr(), ptr::null()]);

/// Registers the hooks: httpd's `register_hooks`.
///
/// # Safety
/// Called by httpd when it adds the module.
pub unsafe extern "C" fn register_hooks(pool: *mut raw::apr_pool_t) {
    let (none, middle) = (ptr::null(), raw::APR_HOOK_MIDDLE as i32);
    let work = || {
        signals::note_inherited();
        application::offer_to_handlers();
        // SAFETY: httpd copies what it keeps or is given statics; the functions live as long as the library is mapped.
        unsafe {
            raw::ap_hook_pre_config(Some(server::pre_config), none, none, middle);
            raw::ap_hook_check_config(Some(wsgi::starting::check_config), none, none, middle);
            raw::ap_hook_check_config(Some(folders::check_config), none, none, middle);
            raw::ap_hook_post_config(Some(server::post_config), none, none, middle);
            raw::ap_hook_child_init(Some(child::child_init), none, none, middle);

            raw::ap_hook_process_connection(Some(connection::process_connection), TLS.0.as_ptr(), none, middle);
            raw::ap_hook_post_read_request(Some(early::post_read_request), none, none, middle);
            raw::ap_hook_translate_name(Some(early::translate_name), none, none, middle);
            raw::ap_hook_translate_name(Some(application::translate_name), ALIASES.0.as_ptr(), none, middle);
            raw::ap_hook_translate_name(Some(wsgi::scripts::translate_name), ALIASES.0.as_ptr(), none, middle);
            raw::ap_hook_map_to_storage(Some(application::map_to_storage), none, none, middle);
            raw::ap_hook_header_parser(Some(early::header_parser), none, none, middle);
            // Registered as dependent on the URI, so that httpd does not reuse the result of one request for another URL.
            raw::ap_hook_access_checker(Some(access::access_checker), none, none, middle);
            raw::ap_hook_access_checker(Some(wsgi::checks::access_checker), none, none, middle);
            raw::ap_hook_check_user_id(Some(access::check_user_id), none, BASIC_AND_DIGEST.0.as_ptr(), middle);
            raw::ap_hook_auth_checker(Some(access::auth_checker), none, AUTHORIZATION.0.as_ptr(), middle);
            raw::ap_hook_type_checker(Some(mapping::type_checker), none, TYPES.0.as_ptr(), middle);
            raw::ap_hook_fixups(Some(mapping::fixups), none, none, middle);
            raw::ap_hook_fixups(Some(application::fixups), none, none, middle);
            raw::ap_hook_handler(Some(content::handler), none, none, middle);
            raw::ap_hook_handler(Some(application::handler), none, none, middle);
            raw::ap_hook_handler(Some(wsgi::scripts::handler), none, none, middle);
            raw::ap_hook_log_transaction(Some(ending::log_transaction), none, none, middle);

            caught_error::register();
            filters::register();
            providers::register(pool);
            wsgi::checks::register(pool);
        }
    };
    // There is no log yet.
    let _ = caught(work);
}
