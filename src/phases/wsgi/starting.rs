//! When httpd starts: whether the process groups can be what they say, and what has no effect here.

use std::ffi::c_int;

use crate::config::wsgi::WsgiProcess;
use crate::config::{Generation, other_user};
use crate::ffi::httpd as raw;
use crate::httpd::{Pool, Server, Status};
use crate::phases::hook;

/// httpd's `check_config` hook, which `httpd -t` calls too: the configuration has been read.
pub unsafe extern "C" fn check_config(
    configuration: *mut raw::apr_pool_t,
    _log: *mut raw::apr_pool_t,
    _temporary: *mut raw::apr_pool_t,
    server: *mut raw::server_rec,
) -> c_int {
    // SAFETY: httpd's hook: the pool is the configuration's, the server its main one.
    unsafe {
        let pool = Pool::from_raw(configuration);
        hook::server(Server::from_raw(server), Status::SERVER_ERROR, |_| check(Generation::of(pool))).0
    }
}

fn check(generation: &mut Generation) -> Status {
    let process = &generation.wsgi;
    let mut status = Status::OK;
    if let Err((known, daemon)) = process.give_venvs(&mut generation.interpreters) {
        let known = known.map_or_else(|| "none".to_owned(), |venv| venv.to_string());
        tracing::error!(
            "MP0252: WSGIDaemonProcess {} ({}): python-home= contradicts 'PythonInterpreterOptions main_interpreter venv={known}': the only process group has the main interpreter. Keep one of the two",
            String::from_utf8_lossy(&daemon.name),
            daemon.place
        );
        status = Status::SERVER_ERROR;
    }
    let wrong = process.daemons.iter().filter_map(|daemon| Some((daemon, other_user(daemon)?)));
    for (daemon, said) in wrong {
        tracing::error!(
            "MP0249: WSGIDaemonProcess {} ({}): {said} is not the user or group that httpd's children run as, and applications run in them here. Leave it out where that user will do; or load mpm_itk, which gives each virtual host its own with 'AssignUserID user group'",
            String::from_utf8_lossy(&daemon.name),
            daemon.place
        );
        status = Status::SERVER_ERROR;
    }
    status
}

/// Says once what has no effect here, and what does it instead.
pub fn notice(process: &WsgiProcess) {
    let mut by_instead: Vec<(&str, Vec<&str>)> = Vec::new();
    for (what, instead) in &process.without_effect {
        match by_instead.iter_mut().find(|(known, _)| known == instead) {
            Some((_, all)) => all.push(what),
            None => by_instead.push((instead, vec![what])),
        }
    }
    let parts: Vec<_> = by_instead.iter().map(|(instead, all)| format!("{}: {instead}", all.join(", "))).collect();
    if !parts.is_empty() {
        tracing::warn!(
            "MP0250: these settings of mod_wsgi's have no effect here, since applications run in httpd's own children. {}",
            parts.join("; ")
        );
    }
    if homes(process).len() > 1 {
        tracing::warn!(
            "MP0251: the process groups have different home= folders, and a process has one working folder: {} is taken. Use paths that begin with '/' in the others",
            homes(process)[0]
        );
    }
}

/// The working folders that are asked for.
fn homes(process: &WsgiProcess) -> Vec<&str> {
    let mut homes: Vec<_> = process.daemons.iter().filter_map(|daemon| daemon.home.as_deref()).collect();
    homes.dedup();
    homes
}

/// Makes `home=` the working folder of this child.
pub fn enter_home(process: &WsgiProcess) {
    let Some(home) = homes(process).first().copied() else { return };
    if let Err(error) = std::env::set_current_dir(home) {
        tracing::error!("MP0472: {home}, which home= names, cannot be the working folder of this child: {error}");
    }
}
