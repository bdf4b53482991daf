//! Members that are objects of their own, made once for each request.

use std::sync::Arc;

use crate::cpython::{Object, Raised};
use crate::ffi::httpd as raw;
use crate::objects::connection::ConnectionObject;
use crate::objects::hlist::HlistObject;
use crate::objects::record::relative;
use crate::objects::request::{Cached, RequestObject, This};
use crate::objects::server::ServerObject;
use crate::objects::table::{RequestTable, TableObject};

/// One of httpd's tables: the object stays the same, whatever table httpd puts in the place.
pub fn table<'i>(this: This<'_, 'i>, cached: Cached, which: RequestTable) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let _used = this.enter(attached)?;
    RequestObject::cached(this, cached, || {
        TableObject::of_request(attached, this.equipment(attached)?, Arc::clone(this.shared()), which)
    })
}

pub fn hlist<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let _used = this.enter(attached)?;
    RequestObject::cached(this, Cached::Hlist, || {
        HlistObject::of_request(attached, this.equipment(attached)?, Arc::clone(this.shared()))
    })
}

pub fn connection<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let _used = this.enter(attached)?;
    RequestObject::cached(this, Cached::Connection, || {
        let equipment = this.equipment(attached)?;
        ConnectionObject::of_request(attached, equipment, this.interpreter(), Arc::clone(this.shared()))
    })
}

pub fn server<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let used = this.enter(attached)?;
    let server = used.request().fields().server;
    // SAFETY: a server of the configuration.
    unsafe { ServerObject::object(attached, this.equipment(attached)?, this.interpreter(), server) }
}

pub fn main<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    related(this, |record| record.main)
}

pub fn prev<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    related(this, |record| record.prev)
}

pub fn next<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    related(this, |record| record.next)
}

fn related<'i>(
    this: This<'_, 'i>,
    field: fn(&raw::request_rec) -> *mut raw::request_rec,
) -> Result<Object<'i>, Raised> {
    let used = this.enter(this.attached())?;
    // SAFETY: the requests that a request is related to live as long as it does, and are its thread's.
    unsafe { relative(this, field(used.request().fields())) }
}
