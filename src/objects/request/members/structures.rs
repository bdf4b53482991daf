//! Members that are structures of httpd's: tuples, the file's information, the record itself.

use std::ffi::c_char;
use std::ptr;

use crate::cpython::{Object, Raised, state_of};
use crate::ffi::httpd as raw;
use crate::httpd::bytes_at;
use crate::objects::finfo::FinfoObject;
use crate::objects::request::This;
use crate::objects::text::{self, from_httpd};

/// `(scheme, hostinfo, user, password, hostname, port, path, query, fragment)`
pub fn parsed_uri<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let used = this.enter(attached)?;
    let uri = &used.request().fields().parsed_uri;
    // SAFETY: strings of the request.
    let text = |part: *mut c_char| from_httpd(attached, unsafe { bytes_at(part) });
    let port = match uri.port_str.is_null() {
        true => Object::none(attached),
        false => Object::int(attached, uri.port.into())?,
    };
    Object::tuple(
        attached,
        [
            text(uri.scheme)?,
            text(uri.hostinfo)?,
            text(uri.user)?,
            text(uri.password)?,
            text(uri.hostname)?,
            port,
            text(uri.path)?,
            text(uri.query)?,
            text(uri.fragment)?,
        ],
    )
}

/// `(address, port)`
pub fn useragent_addr<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let used = this.enter(attached)?;
    text::address(attached, used.request().useragent_address())
}

pub fn content_languages<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    texts(this, |record| record.content_languages)
}

pub fn allowed_xmethods<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    texts(this, |record| record.allowed_xmethods)
}

pub fn allowed_methods<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    texts(this, |record| match record.allowed_methods.is_null() {
        true => ptr::null_mut(),
        // SAFETY: httpd's list lives with the request.
        false => unsafe { (*record.allowed_methods).method_list },
    })
}

fn texts<'i>(
    this: This<'_, 'i>,
    field: fn(&raw::request_rec) -> *mut raw::apr_array_header_t,
) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let used = this.enter(attached)?;
    // SAFETY: httpd's array of strings lives with the request.
    unsafe { text::strings(attached, field(used.request().fields())) }
}

pub fn finfo<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let used = this.enter(attached)?;
    FinfoObject::from_apr(attached, this.equipment(attached)?, &used.request().fields().finfo)
}

pub fn set_finfo<'i>(this: This<'_, 'i>, value: Option<Object<'i>>) -> Result<(), Raised> {
    let attached = this.attached();
    let value = super::numbers::given(attached, value, c"finfo")?;
    // SAFETY: the equipment is this interpreter's.
    let class = unsafe { this.equipment(attached)?.classes.finfo.get(attached) };
    if !value.is_instance(&class) {
        return Err(Raised::type_error(attached, format!("finfo must be an mp_finfo, not {}", value.type_name())));
    }
    let used = this.enter(attached)?;
    let request = used.request();
    // SAFETY: an instance of the class, as just found; the record is this thread's.
    unsafe { state_of::<FinfoObject>(attached, value.as_ptr()).fill(request.pool(), &mut (*request.as_ptr()).finfo) };
    Ok(())
}

pub fn request_rec<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let used = this.enter(this.attached())?;
    Object::capsule(this.attached(), used.request().as_ptr().cast())
}
