//! `mp_conn`.

mod members;
mod methods;

use std::cell::RefCell;
use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::HandlerEntry;
use crate::cpython::{Attached, Class, GetSet, Kept, Method, Object, Raised, Visitor, new_instance};
use crate::ffi::httpd as raw;
use crate::httpd::{Connection, StreamError};
use crate::interpreter::Interpreter;

use super::equipment::{Equipment, equipment_of};
use super::hlist::HlistObject;
use super::lease::{Entered, Gate, Lease};
use super::request::RequestShared;
use super::table::TableObject;

/// What the objects of a connection share while its own handler runs.
pub struct ConnectionShared {
    pub lease: Lease<raw::conn_rec>,
    /// The handler, if that is why it is lent; the configuration that it is part of outlives the child.
    entry: Option<HandlerEntry<'static>>,
    /// The handler's turn is over: `conn.hlist.next()`.
    passed: AtomicBool,
}

// SAFETY: the entry is part of the configuration, which nobody changes in a child; the rest may be used by any thread.
unsafe impl Send for ConnectionShared {}
// SAFETY: as above.
unsafe impl Sync for ConnectionShared {}

impl ConnectionShared {
    /// For a connection whose handler, if any, is about to run.
    pub fn new(entry: Option<HandlerEntry<'static>>) -> Arc<Self> {
        Arc::new(Self { lease: Lease::new("the connection"), entry, passed: AtomicBool::new(false) })
    }

    /// The handler, until it was passed over.
    pub fn entry(&self) -> Option<HandlerEntry<'static>> {
        self.entry.filter(|_| !self.passed.load(Ordering::Relaxed))
    }

    pub fn pass(&self) {
        self.passed.store(true, Ordering::Relaxed);
    }
}

impl AsRef<Gate> for ConnectionShared {
    fn as_ref(&self) -> &Gate {
        self.lease.gate()
    }
}

/// Through what httpd lends the connection.
enum Source {
    /// A request that came on it.
    Request(Arc<RequestShared>),
    /// The connection's own handler.
    Connection(Arc<ConnectionShared>),
}

/// A connection's object, usable while its source is lent.
pub struct ConnectionObject {
    source: Source,
    interpreter: &'static Interpreter,
    /// The object of the notes, made once.
    notes: RefCell<Option<Kept>>,
}

/// The use of a connection by a method or member.
enum InUse<'a> {
    Request(Entered<'a, raw::request_rec>),
    Connection(Entered<'a, raw::conn_rec>),
}

impl InUse<'_> {
    /// The connection, alive as long as this.
    fn connection(&self) -> Connection<'_> {
        match self {
            // SAFETY: the request is lent, its connection outlives it, and this thread is the one that uses both.
            Self::Request(entered) => unsafe { Connection::from_raw((*entered.as_ptr()).connection) },
            // SAFETY: lent, and this thread is the one that uses it.
            Self::Connection(entered) => unsafe { Connection::from_raw(entered.as_ptr()) },
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
        Self::make(
            attached,
            equipment,
            Self { source: Source::Request(shared), interpreter, notes: RefCell::default() },
        )
    }

    /// The object for the connection whose own handler runs.
    pub fn of_connection<'i>(
        attached: Attached<'i>,
        equipment: &Equipment,
        interpreter: &'static Interpreter,
        shared: Arc<ConnectionShared>,
    ) -> Result<Object<'i>, Raised> {
        Self::make(
            attached,
            equipment,
            Self { source: Source::Connection(shared), interpreter, notes: RefCell::default() },
        )
    }

    fn make<'i>(attached: Attached<'i>, equipment: &Equipment, value: Self) -> Result<Object<'i>, Raised> {
        // SAFETY: the class was made from `ConnectionObject` in this interpreter.
        unsafe { new_instance(attached, equipment.classes.connection.as_ptr(), value) }
    }

    /// Uses the connection; fails when its time is over.
    fn enter(&self, attached: Attached<'_>) -> Result<InUse<'_>, Raised> {
        match &self.source {
            Source::Request(shared) => shared.lease.enter(attached).map(InUse::Request),
            Source::Connection(shared) => shared.lease.enter(attached).map(InUse::Connection),
        }
    }

    /// The live notes.
    fn notes<'i>(&self, attached: Attached<'i>) -> Result<Object<'i>, Raised> {
        if let Some(kept) = &*self.notes.borrow() {
            // SAFETY: made in the interpreter of this object.
            return Ok(unsafe { kept.get(attached) });
        }
        let equipment = equipment_of(attached, self.interpreter)?;
        let made = match &self.source {
            Source::Request(shared) => TableObject::of_connection_notes(attached, equipment, Arc::clone(shared)),
            Source::Connection(shared) => TableObject::of_notes(attached, equipment, Arc::clone(shared)),
        }?;
        let before = self.notes.borrow_mut().replace(made.clone().keep());
        // Another thread may have made one while this one was at it.
        if let Some(kept) = before {
            // SAFETY: made in the interpreter of this object.
            unsafe { kept.release(attached) };
        }
        Ok(made)
    }

    /// The handlers that run for the connection itself: none while a request of it is served.
    fn hlist<'i>(&self, attached: Attached<'i>) -> Result<Object<'i>, Raised> {
        match &self.source {
            Source::Request(_) => Ok(Object::none(attached)),
            Source::Connection(shared) => {
                HlistObject::of_connection(attached, equipment_of(attached, self.interpreter)?, Arc::clone(shared))
            }
        }
    }

    /// What a failed read or write raises.
    fn failed(&self, attached: Attached<'_>, what: &str, error: StreamError) -> Raised {
        match equipment_of(attached, self.interpreter) {
            Ok(equipment) if error.gone => equipment.client_gone(attached),
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

    fn traverse(&self, visitor: &mut Visitor) {
        if let Ok(notes) = self.notes.try_borrow() {
            notes.iter().for_each(|kept| visitor.visit(kept.as_ptr()));
        }
    }

    fn clear(&self, attached: Attached<'_>) {
        let notes = self.notes.borrow_mut().take();
        if let Some(kept) = notes {
            // SAFETY: made in the interpreter of this object.
            unsafe { kept.release(attached) };
        }
    }

    fn finish(&mut self, attached: Attached<'_>) {
        self.clear(attached);
    }
}
