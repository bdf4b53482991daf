//! The client, the user and the connection.

use std::ptr;

use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{bytes_at, environment, field};
use crate::objects::request::This;
use crate::objects::text::{from_httpd, room};

pub fn get_basic_auth_pw<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let in_use = this.enter(attached)?;
    let mut password = ptr::null();
    // SAFETY: the request is live; the password, if any, is made in its pool.
    let password = unsafe {
        let status = raw::ap_get_basic_auth_pw(in_use.request().as_ptr(), &mut password);
        (status == raw::OK as i32).then(|| bytes_at(password)).flatten()
    };
    match password {
        Some(password) => Object::latin1(attached, password),
        None => Ok(Object::none(attached)),
    }
}

pub fn get_remote_host<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 2)?;
    let attached = this.attached();
    let kind = arguments.int_or(0, raw::REMOTE_NAME.into())? as i32;
    let with_kind = arguments.get(1).is_some_and(|value| !value.is_none());
    let (host, is_address) = this.detached(attached, move |request, _| {
        let mut is_address = 0;
        let configuration = field!(request, per_dir_config).cast();
        let connection = request.connection().as_ptr();
        // SAFETY: request and connection are live; the name lives with the connection. Names may be looked up meanwhile.
        let host = unsafe { bytes_at(raw::ap_get_remote_host(connection, configuration, kind, &mut is_address)) };
        (host.map(<[u8]>::to_vec), is_address)
    })?;
    let host = match host {
        None => return Ok(Object::none(attached)),
        Some(host) => Object::text(attached, &host)?,
    };
    match with_kind {
        true => Object::tuple(attached, [host, Object::int(attached, is_address.into())?]),
        false => Ok(host),
    }
}

pub fn auth_name<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let in_use = this.enter(this.attached())?;
    from_httpd(this.attached(), in_use.request().auth_name())
}

pub fn auth_type<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let in_use = this.enter(this.attached())?;
    from_httpd(this.attached(), in_use.request().auth_type())
}

pub fn is_https<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let in_use = this.enter(this.attached())?;
    // SAFETY: the connection is live.
    let answer = unsafe { raw::mp_shim_ssl_is_https(in_use.request().connection().as_ptr()) };
    Object::int(this.attached(), i64::from(answer != 0))
}

pub fn ssl_var_lookup<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let name = arguments.text(0)?;
    let in_use = this.enter(this.attached())?;
    room(this.attached(), in_use.request().pool(), name.len())?;
    from_httpd(this.attached(), environment::ssl_variable(in_use.request(), &name))
}
