//! The environment of CGI scripts.

use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::environment;
use crate::objects::request::This;
use crate::objects::table::TableObject;

pub fn add_common_vars<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    // SAFETY: the request is live. `HostnameLookups On` looks names up.
    this.detached(attached, |request, _| unsafe { raw::ap_add_common_vars(request.as_ptr()) })?;
    Ok(Object::none(attached))
}

pub fn add_cgi_vars<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    this.detached(attached, |request, _| environment::fill(request, environment::script_name(request)))?;
    Ok(Object::none(attached))
}

/// `_build_cgi_env()`: the variables for `apache.build_cgi_env`, as a new table.
pub fn build_cgi_env<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let variables = this.detached(attached, |request, _| {
        environment::fill(request, environment::script_name(request));
        environment::of_python_script(request)
    })?;
    let variables = variables.iter().map(|(name, value)| (&**name, value.as_deref()));
    TableObject::with_entries(attached, this.module_state(attached)?, variables)
}
