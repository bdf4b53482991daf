//! Members of connections.

use std::ffi::c_char;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cpython::{GetSet, Instance, Object, Raised, getter, setter};
use crate::ffi::httpd as raw;
use crate::httpd::{Connection, bytes_at, field};
use crate::objects::server::ServerObject;
use crate::objects::text;

use super::ConnectionObject;

pub(super) static MEMBERS: &[GetSet] = &[
    getter!(ConnectionObject, c"base_server", base_server, c"The server, by the address of the connection."),
    getter!(ConnectionObject, c"local_addr", local_addr, c"The server's end: (ip, port)."),
    getter!(ConnectionObject, c"client_addr", client_addr, c"The client's end: (ip, port)."),
    getter!(ConnectionObject, c"remote_addr", remote_addr, c"The old name of client_addr."),
    getter!(ConnectionObject, c"client_ip", client_ip, c"The client's IP address."),
    getter!(ConnectionObject, c"remote_ip", remote_ip, c"The old name of client_ip."),
    getter!(ConnectionObject, c"remote_host", remote_host, c"The client's name, if httpd has looked it up."),
    getter!(ConnectionObject, c"remote_logname", remote_logname, c"The user's name by RFC 1413, if it was asked for."),
    getter!(ConnectionObject, c"aborted", aborted, c"1 if the client has closed the connection."),
    setter!(
        ConnectionObject,
        c"keepalive",
        keepalive,
        set_keepalive,
        c"Whether it is kept for more requests: AP_CONN_*."
    ),
    getter!(
        ConnectionObject,
        c"double_reverse",
        double_reverse,
        c"The result of the double reverse look-up: 1 good, -1 bad, 0 not done."
    ),
    getter!(ConnectionObject, c"keepalives", keepalives, c"How many requests were served on it before."),
    getter!(ConnectionObject, c"local_ip", local_ip, c"The server's IP address."),
    getter!(ConnectionObject, c"local_host", local_host, c"The server's name, if httpd has looked it up."),
    getter!(ConnectionObject, c"id", id, c"A number that no other connection has at the moment."),
    getter!(ConnectionObject, c"notes", notes, c"Notes of httpd's modules for the connection, a table."),
    getter!(ConnectionObject, c"hlist", hlist, c"The handlers that run for the connection, or None."),
    getter!(ConnectionObject, c"_conn_rec", conn_rec, c"The conn_rec, as a capsule."),
    GetSet::END,
];

type This<'a, 'i> = &'a Instance<'i, ConnectionObject>;
type Answer<'i> = Result<Object<'i>, Raised>;

fn string<'i>(this: This<'_, 'i>, member: fn(Connection<'_>) -> *const c_char) -> Answer<'i> {
    let in_use = this.enter(this.attached())?;
    // SAFETY: a string of the connection's, or null.
    text::from_httpd(this.attached(), unsafe { bytes_at(member(in_use.connection())) })
}

fn int<'i>(this: This<'_, 'i>, member: fn(Connection<'_>) -> i64) -> Answer<'i> {
    let in_use = this.enter(this.attached())?;
    Object::int(this.attached(), member(in_use.connection()))
}

/// Logs the use of an old name: as a warning once in a child, then at debug.
fn warn_of_old_name(warned: &AtomicBool, old: &str, new: &str) {
    if warned.swap(true, Ordering::Relaxed) {
        tracing::debug!("MP0530: conn.{old} is used again");
    } else {
        tracing::warn!(
            "MP0530: conn.{old} is the old name of conn.{new}: use that, or req.useragent_{} for the client behind a proxy. Logged once in a child.",
            new.trim_start_matches("client_")
        );
    }
}

fn base_server<'i>(this: This<'_, 'i>) -> Answer<'i> {
    let attached = this.attached();
    let server = this.enter(attached)?.connection().base_server();
    ServerObject::object(attached, this.interpreter, server)
}

fn local_addr<'i>(this: This<'_, 'i>) -> Answer<'i> {
    let address = this.enter(this.attached())?.connection().local_address();
    text::address(this.attached(), address)
}

fn client_addr<'i>(this: This<'_, 'i>) -> Answer<'i> {
    let address = this.enter(this.attached())?.connection().client_address();
    text::address(this.attached(), address)
}

fn remote_addr<'i>(this: This<'_, 'i>) -> Answer<'i> {
    static WARNED: AtomicBool = AtomicBool::new(false);
    warn_of_old_name(&WARNED, "remote_addr", "client_addr");
    client_addr(this)
}

fn client_ip<'i>(this: This<'_, 'i>) -> Answer<'i> {
    string(this, |connection| field!(connection, client_ip))
}

fn remote_ip<'i>(this: This<'_, 'i>) -> Answer<'i> {
    static WARNED: AtomicBool = AtomicBool::new(false);
    warn_of_old_name(&WARNED, "remote_ip", "client_ip");
    client_ip(this)
}

fn remote_host<'i>(this: This<'_, 'i>) -> Answer<'i> {
    string(this, |connection| field!(connection, remote_host))
}

fn remote_logname<'i>(this: This<'_, 'i>) -> Answer<'i> {
    string(this, |connection| field!(connection, remote_logname))
}

fn aborted<'i>(this: This<'_, 'i>) -> Answer<'i> {
    let in_use = this.enter(this.attached())?;
    Object::int(this.attached(), in_use.connection().is_aborted().into())
}

fn keepalive<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, |connection| field!(connection, keepalive).into())
}

fn set_keepalive<'i>(this: This<'_, 'i>, value: Option<Object<'i>>) -> Result<(), Raised> {
    let attached = this.attached();
    let value = value.ok_or_else(|| Raised::attribute_error(attached, "keepalive cannot be deleted"))?.to_i64()?;
    let known = [
        raw::ap_conn_keepalive_e_AP_CONN_UNKNOWN,
        raw::ap_conn_keepalive_e_AP_CONN_CLOSE,
        raw::ap_conn_keepalive_e_AP_CONN_KEEPALIVE,
    ];
    let Some(keepalive) = known.into_iter().find(|known| i64::from(*known) == value) else {
        return Err(Raised::value_error(attached, format!("keepalive is one of AP_CONN_*, not {value}")));
    };
    this.enter(attached)?.connection().set_keepalive(keepalive);
    Ok(())
}

fn double_reverse<'i>(this: This<'_, 'i>) -> Answer<'i> {
    let in_use = this.enter(this.attached())?;
    Object::int(this.attached(), in_use.connection().double_reverse().into())
}

fn keepalives<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, |connection| field!(connection, keepalives).into())
}

fn local_ip<'i>(this: This<'_, 'i>) -> Answer<'i> {
    string(this, |connection| field!(connection, local_ip))
}

fn local_host<'i>(this: This<'_, 'i>) -> Answer<'i> {
    string(this, |connection| field!(connection, local_host))
}

fn id<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, |connection| field!(connection, id))
}

fn notes<'i>(this: This<'_, 'i>) -> Answer<'i> {
    drop(this.enter(this.attached())?);
    ConnectionObject::notes(this, this.attached())
}

fn hlist<'i>(this: This<'_, 'i>) -> Answer<'i> {
    drop(this.enter(this.attached())?);
    ConnectionObject::hlist(this, this.attached())
}

fn conn_rec<'i>(this: This<'_, 'i>) -> Answer<'i> {
    let pointer = this.enter(this.attached())?.connection().as_ptr();
    Object::capsule(this.attached(), pointer.cast())
}
