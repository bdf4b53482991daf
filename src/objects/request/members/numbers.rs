//! Members that are numbers.

use std::ffi::{CStr, c_int};

use crate::cpython::{Attached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::Request;
use crate::objects::request::This;

/// The value of an assignment; deleting is refused.
pub fn given<'i>(attached: Attached<'i>, value: Option<Object<'i>>, name: &CStr) -> Result<Object<'i>, Raised> {
    value.ok_or_else(|| {
        let name = name.to_string_lossy();
        Raised::attribute_error(attached, format!("attribute '{name}' of 'mp_request' objects cannot be deleted"))
    })
}

/// A number of httpd's record.
pub fn get<'i>(this: This<'_, 'i>, field: fn(Request<'_>) -> i64) -> Result<Object<'i>, Raised> {
    let in_use = this.enter(this.attached())?;
    Object::int(this.attached(), field(in_use.request()))
}

/// Assigns a number of httpd's record.
pub fn set(
    this: This<'_, '_>,
    value: Option<Object<'_>>,
    name: &CStr,
    assign: fn(Request<'_>, c_int),
) -> Result<(), Raised> {
    let attached = this.attached();
    let value = given(attached, value, name)?;
    if !value.is_int() {
        let name = name.to_string_lossy();
        return Err(Raised::type_error(attached, format!("{name} must be an integer, not {}", value.type_name())));
    }
    let number = c_int::try_from(value.to_i64()?)
        .map_err(|_| Raised::overflow_error(attached, format!("{} is out of range", name.to_string_lossy())))?;
    assign(this.enter(attached)?.request(), number);
    Ok(())
}

/// A time of httpd's record, in seconds.
pub fn get_time<'i>(this: This<'_, 'i>, field: fn(Request<'_>) -> raw::apr_time_t) -> Result<Object<'i>, Raised> {
    let in_use = this.enter(this.attached())?;
    Object::float(this.attached(), field(in_use.request()) as f64 / 1e6)
}

/// From this module's record: it can be read after the request, too.
pub fn content_type_set<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let is_set = this.record().lock(this.attached()).is_content_type_set;
    Object::int(this.attached(), is_set.into())
}

/// As `content_type_set`.
pub fn bytes_queued<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let queued = this.record().lock(this.attached()).queued;
    Object::int(this.attached(), queued as i64)
}
