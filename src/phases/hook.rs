//! The guard of every callback of httpd: log entries go to the right place, no panic leaves it, and no thread state is attached yet.

use std::ffi::c_int;

use crate::cpython::Detached;
use crate::ffi::httpd as raw;
use crate::httpd::{Connection, LogScope, Place, Request, Server, Status};
use crate::objects::request::RequestRecord;
use crate::process::{caught, stop};

/// Runs a request's callback; a panic in it becomes `failure` and one log entry.
///
/// # Safety
/// `request` is what httpd called the hook with.
pub unsafe fn request<T: Copy + std::fmt::Debug>(
    request: *mut raw::request_rec,
    failure: T,
    work: impl FnOnce(Request<'_>, &mut Detached<'_>) -> T,
) -> T {
    let _held = stop::hold();
    // SAFETY: the request is live for the whole callback, and so is its record's turn; httpd calls hooks detached.
    let (request, mut detached, _scope) = unsafe {
        let this = Request::from_raw(request);
        let scope = match RequestRecord::known(this) {
            None => LogScope::enter(Place::Request(request)),
            Some(record) => LogScope::enter_shared(Place::Request(request), record.handle.turn()),
        };
        (this, Detached::assume(), scope)
    };
    caught(|| work(request, &mut detached)).unwrap_or_else(|panic| {
        tracing::error!("MP0102: mod_python has a defect: {panic}. The request is answered with {failure:?}, the child goes on; please report this.");
        failure
    })
}

/// Runs a connection's callback; a panic in it becomes `failure` and one log entry.
///
/// # Safety
/// `connection` is what httpd called the hook with.
pub unsafe fn connection(
    connection: *mut raw::conn_rec,
    failure: Status,
    work: impl FnOnce(Connection<'_>, &mut Detached<'_>) -> Status,
) -> c_int {
    let _held = stop::hold();
    // SAFETY: the connection is live for the whole callback; httpd calls hooks detached.
    let (this, mut detached, _scope) = unsafe {
        let scope = LogScope::enter(Place::Connection(connection));
        (Connection::from_raw(connection), Detached::assume(), scope)
    };
    let status = caught(|| work(this, &mut detached)).unwrap_or_else(|panic| {
        tracing::error!(
            "MP0102: mod_python has a defect: {panic}. The connection is ended, the child goes on; please report this."
        );
        failure
    });
    status.0
}

/// Runs a callback for the whole server; a panic in it becomes `failure` and one log entry. `None` if there is no server
/// yet.
///
/// # Safety
/// The server lives as long as the callback.
pub unsafe fn server<T>(server: Option<Server<'_>>, failure: T, work: impl FnOnce(&mut Detached<'_>) -> T) -> T {
    let _held = stop::hold();
    let place = server.map_or(Place::Process, |server| Place::Server(server.as_ptr()));
    // SAFETY: the caller's; httpd calls hooks detached.
    let (mut detached, _scope) = unsafe { (Detached::assume(), LogScope::enter(place)) };
    caught(|| work(&mut detached)).unwrap_or_else(|panic| {
        tracing::error!("MP0102: mod_python has a defect: {panic}. Please report this.");
        failure
    })
}
