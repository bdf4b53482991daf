//! Text members.

use std::ffi::{CStr, c_char};

use crate::cpython::{Object, Raised};
use crate::httpd::{Request, bytes_at, field, set_field};
use crate::objects::request::This;
use crate::objects::text::{self, from_httpd, reads_as};

/// The values that can be assigned to a text member.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Text,
    /// `None` too.
    Optional,
    /// A text that is sent in a header.
    Header,
    /// A part of the URL, or a file's name, which is encoded as UTF-8.
    Path,
    /// The same, and `None`.
    OptionalPath,
}

/// A string of httpd's record.
pub fn get<'i>(this: This<'_, 'i>, field: fn(Request<'_>) -> *const c_char) -> Result<Object<'i>, Raised> {
    let in_use = this.enter(this.attached())?;
    // SAFETY: a string of the request, which lives at least as long as the request is valid.
    from_httpd(this.attached(), unsafe { bytes_at(field(in_use.request())) })
}

/// Assigns a string of httpd's record. Assigning the value that was read does not change the bytes.
pub fn set(
    this: This<'_, '_>,
    value: Option<Object<'_>>,
    name: &CStr,
    kind: Kind,
    field: fn(Request<'_>) -> *const c_char,
    assign: fn(Request<'_>, *mut c_char),
) -> Result<(), Raised> {
    let attached = this.attached();
    let value = super::numbers::given(attached, value, name)?;
    let name = name.to_str().unwrap_or_default();
    if matches!(kind, Kind::Optional | Kind::OptionalPath) && value.is_none() {
        assign(this.enter(attached)?.request(), std::ptr::null_mut());
        return Ok(());
    }
    // SAFETY: as in `get`.
    if reads_as(&value, unsafe { bytes_at(field(this.enter(attached)?.request())) }) {
        return Ok(());
    }
    let text = match kind {
        Kind::Path | Kind::OptionalPath => text::path_to_httpd(&value, name)?,
        _ => text::value_to_httpd(&value, name)?,
    };
    if kind == Kind::Header {
        text::header_value(attached, text.to_bytes(), name)?;
    }
    let in_use = this.enter(attached)?;
    let text = text::in_pool(attached, &text, in_use.request().pool())?;
    assign(in_use.request(), text.as_ptr().cast_mut());
    Ok(())
}

pub fn content_type<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    get(this, |request| field!(request, content_type))
}

pub fn set_content_type<'i>(this: This<'_, 'i>, value: Option<Object<'i>>) -> Result<(), Raised> {
    let attached = this.attached();
    let value = super::numbers::given(attached, value, c"content_type")?;
    let text = text::value_to_httpd(&value, "content_type")?;
    text::header_value(attached, text.to_bytes(), "content_type")?;
    let in_use = this.enter(attached)?;
    text::room(attached, in_use.request().pool(), text.count_bytes())?;
    in_use.request().set_content_type(&text);
    in_use.state().is_content_type_set = true;
    Ok(())
}

/// The user's name is decoded and encoded as Latin-1: most browsers send it like this.
pub fn user<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let in_use = this.enter(attached)?;
    match in_use.request().user() {
        Some(user) => Object::latin1(attached, user),
        None => Ok(Object::none(attached)),
    }
}

pub fn set_user<'i>(this: This<'_, 'i>, value: Option<Object<'i>>) -> Result<(), Raised> {
    let attached = this.attached();
    let value = super::numbers::given(attached, value, c"user")?;
    let text = text::latin1_to_httpd(&value, "user")?;
    let in_use = this.enter(attached)?;
    let text = text::in_pool(attached, &text, in_use.request().pool())?;
    set_field!(in_use.request(), user, text.as_ptr().cast_mut());
    Ok(())
}

/// From this module's record: it can be read after the request, too.
pub fn extension<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let extension = this.record().lock(attached).running.extension.clone();
    from_httpd(attached, extension.as_deref().map(str::as_bytes))
}

/// As `extension`.
pub fn phase<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let phase = this.record().lock(attached).running.phase;
    from_httpd(attached, phase.map(str::as_bytes))
}

pub fn interpreter<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    Object::text(this.attached(), this.interpreter().name())
}
