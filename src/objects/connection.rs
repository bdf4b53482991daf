//! `mp_conn`.

mod members;
mod methods;

use std::ffi::CStr;
use std::sync::Arc;

use crate::cpython::{Attached, Class, GetSet, Method, Object, Raised, new_instance};
use crate::ffi::httpd as raw;
use crate::httpd::{Connection, StreamError};
use crate::interpreter::Interpreter;

use super::equipment::{Equipment, equipment_of};
use super::lease::Entered;
use super::request::RequestShared;
use super::table::TableObject;

/// Through what httpd lends the connection.
enum Source {
    /// A request that came on it.
    Request(Arc<RequestShared>),
}

/// A connection's object, usable while its source is lent.
pub struct ConnectionObject {
    source: Source,
    interpreter: &'static Interpreter,
}

/// The use of a connection by a method or member.
enum InUse<'a> {
    Request(Entered<'a, raw::request_rec>),
}

impl InUse<'_> {
    /// The connection, alive as long as this.
    fn connection(&self) -> Connection<'_> {
        match self {
            // SAFETY: the request is lent, its connection outlives it, and this thread is the one that uses both.
            Self::Request(entered) => unsafe { Connection::from_raw((*entered.as_ptr()).connection) },
        }
    }
}

impl ConnectionObject {
    /// The object for the connection of a request.
    pub fn of_request<'i>(
        attached: Attached<'i>,
        equipment: &Equipment,
        interpreter: &'static Interpreter,
        shared: Arc<RequestShared>,
    ) -> Result<Object<'i>, Raised> {
        let value = Self { source: Source::Request(shared), interpreter };
        // SAFETY: the class was made from `ConnectionObject` in this interpreter.
        unsafe { new_instance(attached, equipment.classes.connection.as_ptr(), value) }
    }

    /// Uses the connection; fails when its time is over.
    fn enter(&self, attached: Attached<'_>) -> Result<InUse<'_>, Raised> {
        match &self.source {
            Source::Request(shared) => shared.lease.enter(attached).map(InUse::Request),
        }
    }

    /// The live notes.
    fn notes<'i>(&self, attached: Attached<'i>) -> Result<Object<'i>, Raised> {
        let equipment = equipment_of(attached, self.interpreter)?;
        match &self.source {
            Source::Request(shared) => TableObject::of_connection_notes(attached, equipment, Arc::clone(shared)),
        }
    }

    /// The handlers that run for the connection itself: none while a request of it is served.
    fn hlist<'i>(&self, attached: Attached<'i>) -> Result<Object<'i>, Raised> {
        match self.source {
            Source::Request(_) => Ok(Object::none(attached)),
        }
    }

    /// What a failed read or write raises.
    fn failed(&self, attached: Attached<'_>, what: &str, error: StreamError) -> Raised {
        match equipment_of(attached, self.interpreter) {
            Ok(equipment) if error.gone => {
                // SAFETY: the class is this interpreter's.
                let class = unsafe { equipment.classes.client_gone.get(attached) };
                Raised::new(&class, "Client has closed the connection.")
            }
            Ok(_) => Raised::os_error(attached, format!("{what} error: {}", crate::httpd::status_text(error.status))),
            Err(raised) => raised,
        }
    }
}

impl Class for ConnectionObject {
    const NAME: &'static CStr = c"builtins.mp_conn";
    const DOC: &'static CStr =
        c"A connection with a client, lent by httpd while a handler runs for it or for a request on it.";

    fn methods() -> &'static [Method] {
        methods::METHODS
    }

    fn members() -> &'static [GetSet] {
        members::MEMBERS
    }
}
