//! Internal redirects.

use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::httpd as raw;
use crate::objects::request::This;
use crate::objects::text;

pub fn internal_redirect<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let uri = arguments.text(0)?;
    text::one_line(attached, &uri, "internal_redirect()")?;
    let used = this.enter(attached)?;
    let request = used.request();
    let uri = request.pool().c_string(&uri);
    // SAFETY: the request is live; handlers of the new one may enter any interpreter, this thread being detached.
    attached.detach(|| unsafe { raw::ap_internal_redirect(uri.as_ptr(), request.as_ptr()) });
    if request.is_response_complete() {
        used.state().output.end();
    }
    Ok(Object::none(attached))
}
