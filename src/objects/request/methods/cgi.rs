//! The environment of CGI scripts.

use std::ffi::{CStr, c_char};

use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Request, bytes_at};
use crate::objects::request::This;

pub fn add_common_vars<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let used = this.enter(attached)?;
    let request = used.request();
    // SAFETY: the request is live. `HostnameLookups On` looks names up.
    attached.detach(|| unsafe { raw::ap_add_common_vars(request.as_ptr()) });
    Ok(Object::none(attached))
}

pub fn add_cgi_vars<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let used = this.enter(attached)?;
    let request = used.request();
    let fields = request.fields();
    // SAFETY: strings of the request.
    let (uri, path_info) = unsafe { (bytes_at(fields.uri), bytes_at(fields.path_info)) };
    let uri = uri.unwrap_or_default();
    let script_name = match path_info {
        // SAFETY: strings of the request.
        Some(path) if !path.is_empty() => unsafe { raw::ap_find_path_info(fields.uri, fields.path_info) as usize },
        _ => uri.len(),
    };
    attached.detach(|| fill(request, &uri[..script_name.min(uri.len())]));
    Ok(Object::none(attached))
}

/// Fills `subprocess_env`. What httpd's own function does beyond that, finding the file of PATH_INFO by a subrequest, nobody
/// has asked for. May block.
pub fn fill(request: Request<'_>, script_name: &[u8]) {
    let fields = request.fields();
    let script_name = request.pool().c_string(script_name).as_ptr();
    // SAFETY: the table is the request's, and so are the strings, or they are literals.
    unsafe {
        let set = |name: &CStr, value: *const c_char| {
            if !value.is_null() {
                raw::apr_table_setn(fields.subprocess_env, name.as_ptr(), value);
            }
        };
        set(c"GATEWAY_INTERFACE", c"CGI/1.1".as_ptr());
        set(c"SERVER_PROTOCOL", fields.protocol);
        set(c"REQUEST_METHOD", fields.method);
        set(c"QUERY_STRING", if fields.args.is_null() { c"".as_ptr() } else { fields.args });
        set(c"REQUEST_URI", fields.uri);
        set(c"SCRIPT_NAME", script_name);
        if bytes_at(fields.path_info).is_some_and(|path| !path.is_empty()) {
            set(c"PATH_INFO", fields.path_info);
        }
        raw::ap_add_common_vars(request.as_ptr());
    }
}
