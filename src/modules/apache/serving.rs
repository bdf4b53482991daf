//! `_current_request()`.

use crate::cpython::{Arguments, Object, Raised};
use crate::objects::request;

use super::Apache;

/// The request that this thread is serving in this interpreter, or `None`.
pub(super) fn current_request<'i>(state: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = arguments.attached();
    let request = state.interpreter().map(|interpreter| request::current_request(attached, interpreter)).transpose()?;
    Ok(request.flatten().unwrap_or_else(|| Object::none(attached)))
}
