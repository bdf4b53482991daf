//! `PythonConnectionHandler`: a handler for a whole connection.

use std::ffi::c_int;

use crate::config::{Handler, connection_interpreter_name, server_config};
use crate::cpython::{Detached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Connection, Status, field};
use crate::process::time;

use super::callback::{self, Running};
use super::hook;
use super::report::{Failure, summary};
use super::resolve::{self, Lookup};
use super::result::{server_return, status_of};

/// httpd's `process_connection` hook.
pub unsafe extern "C" fn process_connection(connection: *mut raw::conn_rec) -> c_int {
    // SAFETY: httpd's hook: the connection is live, and this thread's.
    unsafe {
        let this = Connection::from_raw(connection);
        let handler = this.base_server().and_then(server_config).and_then(|config| config.connection);
        // A stream of an HTTP/2 connection is not a connection of a client.
        match handler.filter(|_| field!(this, master).is_null() && !this.is_marked()) {
            Some(handler) => hook::connection(connection, Status::SERVER_ERROR, |connection, detached| {
                let status = serve(connection, detached, handler);
                match status {
                    // The event MPM runs the hook for each request of a kept connection.
                    Status::DECLINED => connection.mark(),
                    _ => connection.end(),
                }
                status
            }),
            None => raw::DECLINED,
        }
    }
}

fn serve(connection: Connection<'_>, detached: &mut Detached<'_>, handler: &'static Handler<'static>) -> Status {
    let Some(server) = connection.base_server() else { return Status::DECLINED };
    let Some(config) = server_config(server) else { return Status::DECLINED };
    let name = connection_interpreter_name(server, &config.settings);
    let lookup = Lookup { filename: None, now: time::now(), settings: &config.settings };
    let program = |running: &Running<'_>, object: &Object<'_>| {
        let returned = match resolve::call(running, &lookup, handler, object, &[]) {
            Ok(Some(value)) => status_of(&value, handler),
            Ok(None) => Ok(Status::DECLINED),
            Err(raised) => server_return(running.attached, running.module_state, raised, handler, |_| Ok(())),
        };
        returned.unwrap_or_else(|raised| failed(running, handler, raised))
    };
    let failed = |running: &Running<'_>, raised| failed(running, handler, raised);
    match callback::for_connection(detached, connection, name, handler, program, failed) {
        Ok(status) => status,
        Err(error) => error.status(),
    }
}

/// Logs an exception, which ends the connection.
fn failed(running: &Running<'_>, handler: &Handler<'_>, raised: Raised) -> Status {
    let exception = raised.fetch(running.attached);
    // SAFETY: the class is this interpreter's.
    if exception.is(&unsafe { running.module_state.exceptions.client_gone.get(running.attached) }) {
        tracing::info!(
            "MP0405: {} in interpreter '{}': {}",
            handler.describe(),
            running.interpreter.display_name(),
            summary(&exception)
        );
        return Status::OK;
    }
    Failure { handler, running }.log(&exception);
    Status::SERVER_ERROR
}
