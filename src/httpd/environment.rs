//! The environment of a CGI or WSGI program: CGI variables, those of the connection and of SetEnv, and the headers of the request.

use std::ffi::{CStr, c_char};

use crate::ffi::httpd as raw;

use super::{Request, bytes_at, field};

/// A name and its value, if it has one.
pub type Variable = (Box<[u8]>, Option<Box<[u8]>>);

/// SCRIPT_NAME: the part of the URL's path before PATH_INFO.
pub fn script_name<'r>(request: Request<'r>) -> &'r [u8] {
    let uri = request.uri().unwrap_or_default();
    let length = match request.path_info() {
        // SAFETY: strings of the request.
        Some(path) if !path.is_empty() => unsafe {
            raw::ap_find_path_info(field!(request, uri), field!(request, path_info)) as usize
        },
        _ => uri.len(),
    };
    &uri[..length.min(uri.len())]
}

/// Fills `subprocess_env`. Unlike httpd's own function it makes no subrequest to find the file of PATH_INFO. May block.
pub fn fill(request: Request<'_>, script_name: &[u8]) {
    let table = request.subprocess_env();
    let script_name = request.pool().c_string(script_name).as_ptr();
    let set = |name: &CStr, value: *const c_char| {
        if !value.is_null() {
            // SAFETY: the table is the request's, and so are the strings, or they are literals.
            unsafe { raw::apr_table_setn(table.as_ptr(), name.as_ptr(), value) };
        }
    };
    let args = field!(request, args);
    set(c"GATEWAY_INTERFACE", c"CGI/1.1".as_ptr());
    set(c"SERVER_PROTOCOL", field!(request, protocol));
    set(c"REQUEST_METHOD", field!(request, method));
    set(c"QUERY_STRING", if args.is_null() { c"".as_ptr() } else { args });
    set(c"REQUEST_URI", field!(request, uri));
    set(c"SCRIPT_NAME", script_name);
    if request.path_info().is_some_and(|path| !path.is_empty()) {
        set(c"PATH_INFO", field!(request, path_info));
    }
    // SAFETY: the request is live.
    unsafe { raw::ap_add_common_vars(request.as_ptr()) };
}

/// The variables of `subprocess_env` as mod_python's `build_cgi_env` has them: with the Authorization header, which httpd does not pass
/// to CGI scripts.
pub fn of_python_script(request: Request<'_>) -> Vec<Variable> {
    let uri = request.uri().unwrap_or_default();
    let path_info = request.path_info().unwrap_or_default();
    let own: [(&[u8], Option<&[u8]>); 3] = [
        (b"SCRIPT_NAME", Some(&uri[..uri.len().saturating_sub(path_info.len())])),
        (b"GATEWAY_INTERFACE", Some(b"Python-CGI/1.1")),
        (b"HTTP_AUTHORIZATION", request.headers_in().get(b"Authorization").flatten()),
    ];
    let is_own = |name: &[u8]| own.iter().any(|(known, value)| value.is_some() && known.eq_ignore_ascii_case(name));
    let others = request.subprocess_env().iter().filter(|(name, _)| !is_own(name));
    let own = own.into_iter().filter(|(_, value)| value.is_some());
    others.chain(own).map(|(name, value)| (name.into(), value.map(Into::into))).collect()
}

/// The value of a variable of mod_ssl; `None` where there is none.
pub fn ssl_variable<'r>(request: Request<'r>, name: &[u8]) -> Option<&'r [u8]> {
    let pool = request.pool();
    let name = pool.c_string(name).as_ptr().cast_mut();
    let (server, connection) = (request.server().as_ptr(), request.connection().as_ptr());
    // SAFETY: all of them are live; the value is mod_ssl's own or made in the request's pool.
    unsafe { bytes_at(raw::mp_shim_ssl_var_lookup(pool.as_ptr(), server, connection, request.as_ptr(), name)) }
}
