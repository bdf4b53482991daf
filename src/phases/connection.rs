//! `PythonConnectionHandler`: a program for the whole of a connection.

use std::ffi::c_int;

use crate::config::{HandlerEntry, connection_interpreter_name, server_config};
use crate::cpython::{Attached, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Connection, time_now};
use crate::interpreter::Interpreter;
use crate::objects::connection::{ConnectionObject, ConnectionShared};
use crate::objects::equipment::equipment_of;
use crate::objects::write_printed;

use super::dispatch::{server_return, status_of};
use super::enter::{SERVER_ERROR, enter};
use super::entry::connection_entry;
use super::report::{log_failure, summary};
use super::resolve::{self, Lookup};

/// httpd's `process_connection` hook.
pub unsafe extern "C" fn process_connection(connection: *mut raw::conn_rec) -> c_int {
    // SAFETY: httpd's hook: the connection is live, and this thread's.
    unsafe {
        let this = Connection::from_raw(connection);
        let entry = this.base_server().and_then(server_config).and_then(|config| config.connection);
        // A stream of an HTTP/2 connection is none of its own.
        match entry.filter(|_| (*connection).master.is_null() && !this.is_marked()) {
            Some(entry) => connection_entry(connection, SERVER_ERROR, |connection| {
                let status = serve(connection, entry);
                match status {
                    // The event MPM comes back for each request of a kept connection.
                    raw::DECLINED => connection.mark(),
                    _ => connection.end(),
                }
                status
            }),
            None => raw::DECLINED,
        }
    }
}

fn serve(connection: Connection<'_>, entry: &HandlerEntry<'_>) -> i32 {
    let Some(server) = connection.base_server() else { return raw::DECLINED };
    let Some(config) = server_config(server) else { return raw::DECLINED };
    let name = connection_interpreter_name(server, &config.settings);
    let (interpreter, guard) = match enter(name, || entry.describe()) {
        Ok(entered) => entered,
        Err(status) => return status,
    };
    let attached = guard.attached();
    let lookup = Lookup { filename: None, now: time_now(), settings: &config.settings };
    let status = match run(attached, interpreter, connection, entry, &lookup) {
        Ok(status) => status,
        Err(raised) => failed(attached, interpreter, entry, raised),
    };
    write_printed(attached);
    status
}

fn run(
    attached: Attached<'_>,
    interpreter: &'static Interpreter,
    connection: Connection<'_>,
    entry: &HandlerEntry<'_>,
    lookup: &Lookup<'_>,
) -> Result<i32, Raised> {
    let equipment = equipment_of(attached, interpreter)?;
    // SAFETY: a child keeps its configuration, which the entry is part of, for good.
    let shared =
        ConnectionShared::new(Some(unsafe { std::mem::transmute::<HandlerEntry<'_>, HandlerEntry<'static>>(*entry) }));
    // SAFETY: the connection is live during the callback.
    let lent = unsafe { shared.lease.lend_during(attached, connection.as_ptr()) };
    let object = ConnectionObject::of_connection(attached, equipment, interpreter, std::sync::Arc::clone(&shared))?;
    let returned = resolve::call(attached, equipment, lookup, entry, &object, &[]);
    drop(lent);
    match returned {
        Ok(Some(value)) => status_of(&value, entry),
        Ok(None) => Ok(raw::DECLINED),
        Err(raised) => server_return(attached, equipment, raised, entry, |_| Ok(())),
    }
}

/// What an exception means for a connection: its end.
fn failed(attached: Attached<'_>, interpreter: &'static Interpreter, entry: &HandlerEntry<'_>, raised: Raised) -> i32 {
    let exception = raised.fetch(attached);
    let gone = equipment_of(attached, interpreter).is_ok_and(|equipment| {
        // SAFETY: the class is this interpreter's.
        exception.is(&unsafe { equipment.classes.client_gone.get(attached) })
    });
    if gone {
        tracing::info!(
            "MP0405: {} in interpreter '{}': {}",
            entry.describe(),
            interpreter.display_name(),
            summary(&exception)
        );
        return raw::OK as i32;
    }
    log_failure(attached, entry, interpreter, &exception);
    SERVER_ERROR
}
