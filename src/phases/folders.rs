//! The folders that directives name, and the children's user: checked when the configuration has been read, for `httpd -t` too. No Python
//! runs here.

use std::ffi::c_int;
use std::fs;

use crate::config::{Folder, Generation};
use crate::ffi::httpd as raw;
use crate::httpd::{Pool, Server, Status, User};

use super::hook;

/// httpd's `check_config` hook.
pub unsafe extern "C" fn check_config(
    configuration: *mut raw::apr_pool_t,
    _log: *mut raw::apr_pool_t,
    _temporary: *mut raw::apr_pool_t,
    server: *mut raw::server_rec,
) -> c_int {
    // SAFETY: httpd's hook; the pool is the configuration's, which httpd reads in one thread, the server its main one.
    unsafe {
        let (generation, main) = (Generation::of(Pool::from_raw(configuration)), Server::from_raw(server));
        hook::server(main, Status::SERVER_ERROR, |_| check(&generation.folders)).0
    }
}

fn check(folders: &[Folder]) -> Status {
    if folders.is_empty() {
        return Status::OK;
    }
    let Some(user) = User::of_children() else {
        return Status::OK;
    };
    let mut status = Status::OK;
    for Folder { said, place, needs } in folders {
        let Some(denied) = user.rights.first_denied(needs) else { continue };
        let what = match fs::metadata(denied) {
            Ok(found) if found.is_dir() => "enter and read the folder",
            _ => "read",
        };
        tracing::error!(
            "MP0235: {said} ({place}): httpd's children run as {}, and that user cannot {what} {}: allow it (chmod o+rX), or move what is needed to where it may read",
            user.name,
            denied.display()
        );
        status = Status::SERVER_ERROR;
    }
    status
}
