//! The headers of the response, and the log.

use std::ffi::{c_char, c_int};
use std::ptr;

use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::httpd as raw;
use crate::ffi::python as py;
use crate::httpd::Place;
use crate::objects::logging;
use crate::objects::request::This;
use crate::objects::text::{self, is_token};

pub fn allow_methods<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let attached = this.attached();
    let methods = arguments.required(0)?;
    let reset = arguments.flag_or(1, false)?;
    let names = match methods.is_str() || methods.is_bytes() {
        true => vec![methods],
        // SAFETY: attached.
        false if unsafe { py::PySequence_Check(methods.as_ptr()) } != 0 => methods.items()?,
        false => {
            let message = format!("allow_methods() argument 1 must be a sequence, not {}", methods.type_name());
            return Err(Raised::type_error(attached, message));
        }
    };
    let mut texts = Vec::with_capacity(names.len());
    for name in &names {
        let text = text::to_httpd(name, "allow_methods()")?;
        if !is_token(text.to_bytes()) {
            let shown = text.to_string_lossy();
            return Err(Raised::value_error(
                attached,
                format!("allow_methods(): {shown:?} is not the name of a method"),
            ));
        }
        texts.push(text);
    }
    let in_use = this.enter(attached)?;
    let request = in_use.request();
    let size = texts.iter().fold(0_usize, |size, text| size.saturating_add(text.count_bytes()));
    text::room(attached, request.pool(), size)?;
    let texts = texts.iter().map(|text| request.pool().c_string(text.to_bytes()));
    let end = ptr::null::<c_char>();
    // SAFETY: the request is live; the list of texts, which live in its pool, ends with a null.
    unsafe {
        if reset {
            raw::ap_allow_methods(request.as_ptr(), raw::REPLACE_ALLOW as c_int, end);
        }
        for text in texts {
            raw::ap_allow_methods(request.as_ptr(), raw::MERGE_ALLOW as c_int, text.as_ptr(), end);
        }
    }
    Ok(Object::none(attached))
}

pub fn meets_conditions<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let in_use = this.enter(this.attached())?;
    // SAFETY: the request is live.
    let status = unsafe { raw::ap_meets_conditions(in_use.request().as_ptr()) };
    Object::int(this.attached(), status.into())
}

pub fn set_content_length<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let length = arguments.required(0)?.to_i64()?;
    let Ok(length) = u64::try_from(length) else {
        return Err(Raised::value_error(attached, format!("set_content_length(): {length} is not a length")));
    };
    this.enter(attached)?.request().set_content_length(length);
    Ok(Object::none(attached))
}

pub fn set_etag<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    // SAFETY: the request is live. `FileETag Digest` reads the whole file.
    this.detached(attached, |request, _| unsafe { raw::ap_set_etag(request.as_ptr()) })?;
    Ok(Object::none(attached))
}

pub fn set_last_modified<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let in_use = this.enter(this.attached())?;
    // SAFETY: the request is live.
    unsafe { raw::ap_set_last_modified(in_use.request().as_ptr()) };
    Ok(Object::none(this.attached()))
}

pub fn update_mtime<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let seconds = arguments.required(0)?.to_f64()?.trunc();
    let limit = (i64::MAX / 1_000_000) as f64;
    if !(-limit..limit).contains(&seconds) {
        return Err(Raised::value_error(attached, format!("update_mtime(): {seconds} is not a time in seconds")));
    }
    let in_use = this.enter(attached)?;
    // SAFETY: the request is live.
    unsafe { raw::ap_update_mtime(in_use.request().as_ptr(), seconds as i64 * 1_000_000) };
    Ok(Object::none(attached))
}

/// Headers are sent automatically; old scripts call this.
pub fn send_http_header<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    this.enter(this.attached())?;
    Ok(Object::none(this.attached()))
}

pub fn log_error<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let attached = this.attached();
    // The request must be valid even if there is nothing to log.
    drop(this.enter(attached)?);
    let Some(entry) = logging::Entry::of(&arguments)? else { return Ok(Object::none(attached)) };
    this.detached(attached, move |request, _| entry.write(Place::Request(request.as_ptr())))?;
    Ok(Object::none(attached))
}
