//! Members for structures of httpd: tuples, the file's information, the record.

use std::ffi::c_char;
use std::ptr;

use crate::cpython::{Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Request, bytes_at, field};
use crate::objects::finfo::FinfoObject;
use crate::objects::request::This;
use crate::objects::text::{self, from_httpd};

/// `(scheme, hostinfo, user, password, hostname, port, path, query, fragment)`
pub fn parsed_uri<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let in_use = this.enter(attached)?;
    let uri = field!(in_use.request(), parsed_uri);
    let parts = [uri.scheme, uri.hostinfo, uri.user, uri.password, uri.hostname, uri.path, uri.query, uri.fragment];
    // SAFETY: strings of the request, or null.
    let [scheme, hostinfo, user, password, hostname, path, query, fragment] =
        parts.map(|part: *mut c_char| unsafe { bytes_at(part) }.map(<[u8]>::to_vec));
    let port = (!uri.port_str.is_null()).then_some(uri.port);
    // A tuple is created without the turn: the garbage collector may run Python code.
    drop(in_use);
    let text = |part: Option<Vec<u8>>| from_httpd(attached, part.as_deref());
    let port = match port {
        None => Object::none(attached),
        Some(port) => Object::int(attached, port.into())?,
    };
    Object::tuple(
        attached,
        [
            text(scheme)?,
            text(hostinfo)?,
            text(user)?,
            text(password)?,
            text(hostname)?,
            port,
            text(path)?,
            text(query)?,
            text(fragment)?,
        ],
    )
}

/// `(address, port)`
pub fn useragent_addr<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let address = this.enter(this.attached())?.request().useragent_address();
    text::address(this.attached(), address)
}

pub fn content_languages<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    texts(this, |request| field!(request, content_languages))
}

pub fn allowed_xmethods<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    texts(this, |request| field!(request, allowed_xmethods))
}

pub fn allowed_methods<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    texts(this, |request| {
        let list = field!(request, allowed_methods);
        match list.is_null() {
            true => ptr::null_mut(),
            // SAFETY: httpd's list lives with the request.
            false => unsafe { (*list).method_list },
        }
    })
}

fn texts<'i>(this: This<'_, 'i>, field: fn(Request<'_>) -> *mut raw::apr_array_header_t) -> Result<Object<'i>, Raised> {
    let in_use = this.enter(this.attached())?;
    // SAFETY: httpd's array of strings lives with the request.
    let texts = unsafe { text::strings(field(in_use.request())) };
    drop(in_use);
    text::tuple(this.attached(), &texts)
}

pub fn finfo<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let copy = FinfoObject::copied(&field!(this.enter(attached)?.request(), finfo));
    this.module_state(attached)?.instance(attached, copy)
}

pub fn set_finfo<'i>(this: This<'_, 'i>, value: Option<Object<'i>>) -> Result<(), Raised> {
    let attached = this.attached();
    let value = super::numbers::given(attached, value, c"finfo")?;
    let Some(finfo) = this.module_state(attached)?.cast::<FinfoObject>(&value) else {
        return Err(Raised::type_error(attached, format!("finfo must be an mp_finfo, not {}", value.type_name())));
    };
    let in_use = this.enter(attached)?;
    let request = in_use.request();
    // SAFETY: the record is alive, and this thread's.
    unsafe { finfo.fill(request.pool(), &raw mut (*request.as_ptr()).finfo) };
    Ok(())
}

pub fn request_rec<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let pointer = this.enter(this.attached())?.request().as_ptr();
    Object::capsule(this.attached(), pointer.cast())
}
