//! Members that are numbers.

use std::ffi::{CStr, c_int};

use crate::cpython::{Attached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::objects::request::This;

/// The value of an assignment; deleting is refused.
pub fn given<'i>(attached: Attached<'i>, value: Option<Object<'i>>, name: &CStr) -> Result<Object<'i>, Raised> {
    value.ok_or_else(|| {
        let name = name.to_string_lossy();
        Raised::attribute_error(attached, format!("attribute '{name}' of 'mp_request' objects cannot be deleted"))
    })
}

/// A number of httpd's record.
pub fn get<'i>(this: This<'_, 'i>, field: fn(&raw::request_rec) -> i64) -> Result<Object<'i>, Raised> {
    let used = this.enter(this.attached())?;
    Object::int(this.attached(), field(used.request().fields()))
}

/// Assigns a number of httpd's record.
pub fn set(
    this: This<'_, '_>,
    value: Option<Object<'_>>,
    name: &CStr,
    assign: fn(&mut raw::request_rec, c_int),
) -> Result<(), Raised> {
    let attached = this.attached();
    let value = given(attached, value, name)?;
    if !value.is_int() {
        let name = name.to_string_lossy();
        return Err(Raised::type_error(attached, format!("{name} must be an integer, not {}", value.type_name())));
    }
    let number = c_int::try_from(value.to_i64()?)
        .map_err(|_| Raised::overflow_error(attached, format!("{} is out of range", name.to_string_lossy())))?;
    let used = this.enter(attached)?;
    // SAFETY: the record is this thread's.
    assign(unsafe { &mut *used.request().as_ptr() }, number);
    Ok(())
}

/// A time of httpd's record, in seconds.
pub fn get_time<'i>(this: This<'_, 'i>, field: fn(&raw::request_rec) -> raw::apr_time_t) -> Result<Object<'i>, Raised> {
    let used = this.enter(this.attached())?;
    Object::float(this.attached(), field(used.request().fields()) as f64 / 1e6)
}

pub fn content_type_set<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let used = this.enter(this.attached())?;
    let set = used.state().content_type_set;
    Object::int(this.attached(), set.into())
}

pub fn bytes_queued<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let used = this.enter(this.attached())?;
    let queued = used.state().queued;
    Object::int(this.attached(), queued as i64)
}
