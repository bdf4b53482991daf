//! Members that are objects, created once for each request.

use std::sync::Arc;

use crate::cpython::{Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Request, field};
use crate::objects::connection::ConnectionObject;
use crate::objects::hlist::HlistObject;
use crate::objects::request::{Cached, RequestObject, RequestRecord, This};
use crate::objects::server::ServerObject;
use crate::objects::table::{RequestTable, TableObject};

/// One of httpd's tables: the object stays the same if httpd replaces the table.
pub fn table<'i>(this: This<'_, 'i>, cached: Cached, which: RequestTable) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    drop(this.enter(attached)?);
    RequestObject::cached(this, cached, || {
        TableObject::of_request(attached, this.module_state(attached)?, Arc::clone(this.record()), which)
    })
}

pub fn hlist<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    drop(this.enter(attached)?);
    RequestObject::cached(this, Cached::Hlist, || {
        HlistObject::of_request(attached, this.module_state(attached)?, Arc::clone(this.record()))
    })
}

pub fn connection<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    drop(this.enter(attached)?);
    RequestObject::cached(this, Cached::Connection, || {
        ConnectionObject::of_request(attached, this.interpreter(), Arc::clone(this.record()))
    })
}

/// The server, also when the request is over: programs keep a request to log to its server.
pub fn server<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    ServerObject::object(this.attached(), this.interpreter(), Some(this.record().server))
}

pub fn main<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    related(this, |request| field!(request, main))
}

pub fn prev<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    related(this, |request| field!(request, prev))
}

pub fn next<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    related(this, |request| field!(request, next))
}

/// The object of a related request; None for null. It is the same object that the handlers of the other request get, and valid as long as
/// this callback runs.
fn related<'i>(this: This<'_, 'i>, field: fn(Request<'_>) -> *mut raw::request_rec) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let record = {
        let in_use = this.enter(attached)?;
        let pointer = field(in_use.request());
        if pointer.is_null() {
            return Ok(Object::none(attached));
        }
        // SAFETY: the requests that a request is related to live as long as it does, and are its thread's.
        let request = unsafe { Request::from_raw(pointer) };
        let record = RequestRecord::of(request);
        this.record().validate_relative(&record, request);
        record
    };
    record.object(attached, this.interpreter())
}
