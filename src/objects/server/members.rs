//! Members of servers.

use std::ffi::c_char;

use crate::cpython::{GetSet, Instance, Object, Raised, getter};
use crate::ffi::httpd as raw;
use crate::ffi::python as py;
use crate::httpd::{Server, bytes_at, field};
use crate::objects::text;

use super::ServerObject;

pub(super) static MEMBERS: &[GetSet] = &[
    getter!(ServerObject, c"next", next, c"The next server of the configuration, or None."),
    getter!(ServerObject, c"defn_name", defn_name, c"The file that the server is configured in."),
    getter!(ServerObject, c"defn_line_number", defn_line_number, c"The line where its configuration begins."),
    getter!(ServerObject, c"server_admin", server_admin, c"ServerAdmin."),
    getter!(ServerObject, c"server_hostname", server_hostname, c"The host's name, from ServerName or as resolved."),
    getter!(ServerObject, c"port", port, c"The port for redirects, from ServerName; 0 if not given."),
    getter!(ServerObject, c"error_fname", error_fname, c"ErrorLog."),
    getter!(ServerObject, c"loglevel", loglevel, c"LogLevel, as one of APLOG_*."),
    getter!(ServerObject, c"is_virtual", is_virtual, c"1 for a virtual host, 0 for the main server."),
    getter!(ServerObject, c"timeout", timeout, c"Timeout in seconds."),
    getter!(ServerObject, c"keep_alive_timeout", keep_alive_timeout, c"KeepAliveTimeout in seconds."),
    getter!(ServerObject, c"keep_alive_max", keep_alive_max, c"MaxKeepAliveRequests."),
    getter!(ServerObject, c"keep_alive", keep_alive, c"KeepAlive, 1 or 0."),
    getter!(ServerObject, c"path", path, c"ServerPath, or None."),
    getter!(ServerObject, c"pathlen", pathlen, c"The length of path."),
    getter!(ServerObject, c"names", names, c"The names of ServerAlias."),
    getter!(ServerObject, c"wild_names", wild_names, c"The patterns of ServerAlias."),
    getter!(ServerObject, c"limit_req_line", limit_req_line, c"LimitRequestLine."),
    getter!(ServerObject, c"limit_req_fieldsize", limit_req_fieldsize, c"LimitRequestFieldSize."),
    getter!(ServerObject, c"limit_req_fields", limit_req_fields, c"LimitRequestFields."),
    getter!(ServerObject, c"my_generation", my_generation, c"How many times httpd was restarted."),
    getter!(ServerObject, c"restart_time", restart_time, c"When httpd was last started or restarted, in seconds."),
    getter!(ServerObject, c"_server_rec", server_rec, c"The server_rec, as a capsule."),
    GetSet::new(
        c"__dict__",
        py::PyObject_GenericGetDict,
        Some(py::PyObject_GenericSetDict),
        c"The attributes that were set.",
    ),
    GetSet::END,
];

type This<'a, 'i> = &'a Instance<'i, ServerObject>;
type Answer<'i> = Result<Object<'i>, Raised>;

fn string<'i>(this: This<'_, 'i>, text: *const c_char) -> Answer<'i> {
    // SAFETY: a string of the configuration, or null.
    text::from_httpd(this.attached(), unsafe { bytes_at(text) })
}

fn int<'i>(this: This<'_, 'i>, value: impl Into<i64>) -> Answer<'i> {
    Object::int(this.attached(), value.into())
}

/// A time of APR, which is in microseconds, in seconds.
fn seconds<'i>(this: This<'_, 'i>, time: i64) -> Answer<'i> {
    Object::float(this.attached(), time as f64 / 1e6)
}

fn strings<'i>(this: This<'_, 'i>, array: *const raw::apr_array_header_t) -> Answer<'i> {
    // SAFETY: an array of strings of the configuration, or null.
    text::tuple(this.attached(), &unsafe { text::strings(array) })
}

fn next<'i>(this: This<'_, 'i>) -> Answer<'i> {
    let attached = this.attached();
    // SAFETY: null, or a server of the configuration, which a child keeps for good.
    let next = unsafe { Server::from_raw(field!(this.server, next)) };
    ServerObject::object(attached, this.interpreter, next)
}

fn defn_name<'i>(this: This<'_, 'i>) -> Answer<'i> {
    string(this, field!(this.server, defn_name))
}

fn defn_line_number<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, field!(this.server, defn_line_number))
}

fn server_admin<'i>(this: This<'_, 'i>) -> Answer<'i> {
    string(this, field!(this.server, server_admin))
}

fn server_hostname<'i>(this: This<'_, 'i>) -> Answer<'i> {
    string(this, field!(this.server, server_hostname))
}

fn port<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, field!(this.server, port))
}

fn error_fname<'i>(this: This<'_, 'i>) -> Answer<'i> {
    string(this, field!(this.server, error_fname))
}

fn loglevel<'i>(this: This<'_, 'i>) -> Answer<'i> {
    // SAFETY: server records live for good.
    int(this, unsafe { raw::mp_shim_server_loglevel(this.server.as_ptr()) })
}

fn is_virtual<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, i32::from(this.server.is_virtual()))
}

fn timeout<'i>(this: This<'_, 'i>) -> Answer<'i> {
    seconds(this, field!(this.server, timeout))
}

fn keep_alive_timeout<'i>(this: This<'_, 'i>) -> Answer<'i> {
    seconds(this, field!(this.server, keep_alive_timeout))
}

fn keep_alive_max<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, field!(this.server, keep_alive_max))
}

fn keep_alive<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, field!(this.server, keep_alive))
}

fn path<'i>(this: This<'_, 'i>) -> Answer<'i> {
    string(this, field!(this.server, path))
}

fn pathlen<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, field!(this.server, pathlen))
}

fn names<'i>(this: This<'_, 'i>) -> Answer<'i> {
    strings(this, field!(this.server, names))
}

fn wild_names<'i>(this: This<'_, 'i>) -> Answer<'i> {
    strings(this, field!(this.server, wild_names))
}

fn limit_req_line<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, field!(this.server, limit_req_line))
}

fn limit_req_fieldsize<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, field!(this.server, limit_req_fieldsize))
}

fn limit_req_fields<'i>(this: This<'_, 'i>) -> Answer<'i> {
    int(this, field!(this.server, limit_req_fields))
}

fn my_generation<'i>(this: This<'_, 'i>) -> Answer<'i> {
    // SAFETY: only asks the MPM.
    int(this, unsafe { raw::mp_shim_generation() })
}

fn restart_time<'i>(this: This<'_, 'i>) -> Answer<'i> {
    // SAFETY: only reads the scoreboard, which a child keeps.
    seconds(this, unsafe { raw::mp_shim_restart_time() })
}

fn server_rec<'i>(this: This<'_, 'i>) -> Answer<'i> {
    Object::capsule(this.attached(), this.server.as_ptr().cast())
}
