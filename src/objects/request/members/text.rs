//! Text members.

use std::ffi::{CStr, c_char};

use crate::cpython::{Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::bytes_at;
use crate::objects::request::This;
use crate::objects::text::{self, from_httpd};

/// What may be assigned to a text member.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Text,
    /// None too.
    Optional,
    /// A text that is sent in a header.
    Header,
}

/// A string of httpd's record.
pub fn get<'i>(this: This<'_, 'i>, field: fn(&raw::request_rec) -> *const c_char) -> Result<Object<'i>, Raised> {
    let used = this.enter(this.attached())?;
    // SAFETY: a string of the request, which lives at least as long as it is lent.
    from_httpd(this.attached(), unsafe { bytes_at(field(used.request().fields())) })
}

/// Assigns a string of httpd's record.
pub fn set(
    this: This<'_, '_>,
    value: Option<Object<'_>>,
    name: &CStr,
    kind: Kind,
    assign: fn(&mut raw::request_rec, *mut c_char),
) -> Result<(), Raised> {
    let attached = this.attached();
    let value = super::numbers::given(attached, value, name)?;
    let name = name.to_str().unwrap_or_default();
    let used = this.enter(attached)?;
    let text = match kind == Kind::Optional && value.is_none() {
        true => std::ptr::null_mut(),
        false => {
            let text = text::to_pool(&value, name, used.request().pool())?;
            if kind == Kind::Header {
                text::header_value(attached, text.to_bytes(), name)?;
            }
            text.as_ptr().cast_mut()
        }
    };
    // SAFETY: the record is this thread's; the text lives in its pool.
    assign(unsafe { &mut *used.request().as_ptr() }, text);
    Ok(())
}

pub fn content_type<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    get(this, |record| record.content_type)
}

pub fn set_content_type<'i>(this: This<'_, 'i>, value: Option<Object<'i>>) -> Result<(), Raised> {
    let attached = this.attached();
    let value = super::numbers::given(attached, value, c"content_type")?;
    let used = this.enter(attached)?;
    let text = text::to_pool(&value, "content_type", used.request().pool())?;
    text::header_value(attached, text.to_bytes(), "content_type")?;
    used.request().set_content_type(text);
    used.state().content_type_set = true;
    Ok(())
}

/// The user's name is Latin-1 both ways: that is how most browsers send it.
pub fn user<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let used = this.enter(attached)?;
    // SAFETY: a string of the request.
    match unsafe { bytes_at(used.request().fields().user) } {
        Some(user) => Object::latin1(attached, user),
        None => Ok(Object::none(attached)),
    }
}

pub fn set_user<'i>(this: This<'_, 'i>, value: Option<Object<'i>>) -> Result<(), Raised> {
    let attached = this.attached();
    let value = super::numbers::given(attached, value, c"user")?;
    let used = this.enter(attached)?;
    let text = text::latin1_to_pool(&value, "user", used.request().pool())?;
    // SAFETY: the record is this thread's; the text lives in its pool.
    unsafe { (*used.request().as_ptr()).user = text.as_ptr().cast_mut() };
    Ok(())
}

pub fn extension<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let used = this.enter(attached)?;
    from_httpd(attached, used.state().extension.as_deref().map(str::as_bytes))
}

pub fn phase<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let used = this.enter(attached)?;
    from_httpd(attached, used.state().phase.map(str::as_bytes))
}

pub fn interpreter<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let _used = this.enter(this.attached())?;
    Object::text(this.attached(), this.interpreter().name())
}
