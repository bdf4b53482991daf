//! Internal redirects.

use std::ffi::c_int;

use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::httpd as raw;
use crate::objects::request::This;
use crate::objects::text;

use super::write::use_output;

pub fn internal_redirect<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    redirect(this, arguments, false)
}

/// The same as a GET without a body, as CGI redirects to a path of the server's own.
pub fn redirect_to_get<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    redirect(this, arguments, true)
}

fn redirect<'i>(this: This<'_, 'i>, arguments: Arguments<'i>, is_get: bool) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let uri = arguments.text(0)?;
    text::one_line(attached, &uri, "internal_redirect()")?;
    // httpd copies its parts, and modules map it to files.
    text::room(attached, this.enter(attached)?.request().pool(), uri.len().saturating_mul(8))?;
    let uri = &uri;
    this.detached(attached, move |request, record| {
        // What was written so far comes before the output of the other request. The next write reports a failure.
        let _ = use_output(record, request, |output, request, _| output.pass(request));
        let uri = request.pool().c_string(uri);
        if is_get {
            // SAFETY: the request is live, and both texts are static.
            unsafe {
                let record = request.as_ptr();
                (*record).method = c"GET".as_ptr();
                (*record).method_number = raw::M_GET as c_int;
                raw::apr_table_unset((*record).headers_in, c"Content-Length".as_ptr());
            }
        }
        // SAFETY: the request is live; handlers of the new one may enter any interpreter, since this thread is detached.
        unsafe { raw::ap_internal_redirect(uri.as_ptr(), request.as_ptr()) };
        if request.is_response_complete() {
            record.state().output.end();
        }
    })?;
    Ok(Object::none(attached))
}
