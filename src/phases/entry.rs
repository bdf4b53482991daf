//! The guard at every entry from httpd: the log goes to the right place, and no panic leaves.

use crate::cpython;
use crate::ffi::httpd as raw;
use crate::httpd::{Connection, LogScope, Place, Request};

/// Runs a request's callback; a panic in it becomes `failure` and one log entry.
///
/// # Safety
/// `request` is what httpd called the hook with.
pub unsafe fn request_entry(
    request: *mut raw::request_rec,
    failure: i32,
    work: impl FnOnce(Request<'_>) -> i32,
) -> i32 {
    // SAFETY: the request is live for the whole callback.
    let _scope = unsafe { LogScope::enter(Place::Request(request)) };
    // SAFETY: as above.
    let request = unsafe { Request::from_raw(request) };
    cpython::caught(|| work(request)).unwrap_or_else(|panic| {
        tracing::error!("MP0102: mod_python has a defect: {panic}. The request is answered with {failure}, the child goes on; please report this.");
        failure
    })
}

/// Runs a connection's callback; a panic in it becomes `failure` and one log entry.
///
/// # Safety
/// `connection` is what httpd called the hook with.
pub unsafe fn connection_entry(
    connection: *mut raw::conn_rec,
    failure: i32,
    work: impl FnOnce(Connection<'_>) -> i32,
) -> i32 {
    // SAFETY: the connection is live for the whole callback.
    let _scope = unsafe { LogScope::enter(Place::Connection(connection)) };
    // SAFETY: as above.
    let connection = unsafe { Connection::from_raw(connection) };
    cpython::caught(|| work(connection)).unwrap_or_else(|panic| {
        tracing::error!(
            "MP0102: mod_python has a defect: {panic}. The connection is ended, the child goes on; please report this."
        );
        failure
    })
}

/// Runs a server's callback; a panic in it becomes `failure` and one log entry.
///
/// # Safety
/// `server` is null or what httpd called the hook with.
pub unsafe fn server_entry<T>(server: *mut raw::server_rec, failure: T, work: impl FnOnce() -> T) -> T {
    let place = if server.is_null() { Place::Process } else { Place::Server(server) };
    // SAFETY: the server lives as long as its configuration.
    let _scope = unsafe { LogScope::enter(place) };
    cpython::caught(work).unwrap_or_else(|panic| {
        tracing::error!("MP0102: mod_python has a defect: {panic}. Please report this.");
        failure
    })
}
