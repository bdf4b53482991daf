//! `mp_conn`.

mod members;
mod methods;

use std::cell::RefCell;
use std::ffi::CStr;
use std::panic::RefUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::Handler;
use crate::cpython::{Attached, Class, GetSet, Kept, Method, Object, Raised, UsedDetached, Visitor};
use crate::ffi::httpd as raw;
use crate::httpd::{AprStatus, Connection, Request, StreamError, field};
use crate::interpreter::Interpreter;
use crate::process::turn::Turn;

use super::handle::{Handle, HasTurn, InUse};
use super::hlist::HlistObject;
use super::module_state::{ApacheClass, ClassId, ModuleState};
use super::request::{RequestRecord, send_what_is_due};
use super::table::TableObject;

/// The data that the objects of a connection share while its handler runs.
pub struct ConnectionRecord {
    pub handle: Handle<raw::conn_rec>,
    /// The handler, if one runs. The configuration that contains it outlives the child.
    handler: Option<Handler<'static>>,
    /// The handler was skipped: `conn.hlist.next()`.
    is_passed: AtomicBool,
}

// SAFETY: the handler is part of the configuration, which does not change in a child; the rest may be used by any thread.
unsafe impl Send for ConnectionRecord {}
// SAFETY: as above.
unsafe impl Sync for ConnectionRecord {}
impl RefUnwindSafe for ConnectionRecord {}

impl ConnectionRecord {
    /// The record of a connection whose handler, if any, is about to run.
    pub fn new(handler: Option<Handler<'static>>) -> Arc<Self> {
        Arc::new(Self { handle: Handle::new("the connection"), handler, is_passed: AtomicBool::new(false) })
    }

    /// The handler, unless it was skipped.
    pub fn handler(&self) -> Option<Handler<'static>> {
        self.handler.filter(|_| !self.is_passed.load(Ordering::Relaxed))
    }

    pub fn pass(&self) {
        self.is_passed.store(true, Ordering::Relaxed);
    }
}

impl HasTurn for ConnectionRecord {
    fn turn(&self) -> &Turn {
        self.handle.turn()
    }
}

/// Why the connection is valid.
enum Source {
    /// A handler of a request on it runs.
    Request(Arc<RequestRecord>),
    /// The connection's handler runs.
    Connection(Arc<ConnectionRecord>),
}

/// A connection's object, usable while its source is valid.
pub struct ConnectionObject {
    source: Source,
    interpreter: &'static Interpreter,
    /// The object of the notes, created once.
    notes: RefCell<Option<Kept>>,
}

/// The use of a connection by a method or member.
enum ConnectionInUse<'a> {
    Request(InUse<'a, raw::request_rec>),
    Connection(InUse<'a, raw::conn_rec>),
}

impl ConnectionInUse<'_> {
    /// The connection, alive as long as this.
    fn connection(&self) -> Connection<'_> {
        match self {
            // SAFETY: the request is valid, its connection outlives it, and this thread is the one that uses both.
            Self::Request(in_use) => unsafe {
                Connection::from_raw(field!(Request::from_raw(in_use.as_ptr()), connection))
            },
            // SAFETY: valid, and this thread is the one that uses it.
            Self::Connection(in_use) => unsafe { Connection::from_raw(in_use.as_ptr()) },
        }
    }
}

impl ConnectionObject {
    /// The object for the connection of a request.
    pub fn of_request<'i>(
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
        record: Arc<RequestRecord>,
    ) -> Result<Object<'i>, Raised> {
        Self::make(attached, interpreter, Source::Request(record))
    }

    /// The object for a connection whose handler runs.
    pub fn of_connection<'i>(
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
        record: Arc<ConnectionRecord>,
    ) -> Result<Object<'i>, Raised> {
        Self::make(attached, interpreter, Source::Connection(record))
    }

    fn make<'i>(
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
        source: Source,
    ) -> Result<Object<'i>, Raised> {
        let value = Self { source, interpreter, notes: RefCell::default() };
        ModuleState::of(attached, interpreter)?.instance(attached, value)
    }

    /// Uses the connection while attached, for calls that neither block nor run Python. Fails if it is no longer valid.
    fn enter(&self, attached: Attached<'_>) -> Result<ConnectionInUse<'_>, Raised> {
        match &self.source {
            Source::Request(record) => record.handle.enter(attached).map(ConnectionInUse::Request),
            Source::Connection(record) => record.handle.enter(attached).map(ConnectionInUse::Connection),
        }
    }

    /// Uses the connection with this thread detached, after sending what its request has to send. Fails if it is no longer valid.
    fn detached<R>(
        &self,
        attached: Attached<'_>,
        work: impl FnOnce(Connection<'_>) -> R + UsedDetached,
    ) -> Result<R, Raised> {
        match &self.source {
            Source::Request(record) => record.handle.detached(attached, move |pointer| {
                // SAFETY: valid, its connection outlives it, and this thread is the one that uses both.
                let request = unsafe { Request::from_raw(pointer) };
                send_what_is_due(record, request);
                work(request.connection())
            }),
            Source::Connection(record) => {
                // SAFETY: valid, and this thread is the one that uses it.
                record.handle.detached(attached, move |pointer| work(unsafe { Connection::from_raw(pointer) }))
            }
        }
    }

    /// The live notes.
    fn notes<'i>(&self, attached: Attached<'i>) -> Result<Object<'i>, Raised> {
        if let Some(kept) = &*self.notes.borrow() {
            // SAFETY: made in the interpreter of this object.
            return Ok(unsafe { kept.get(attached) });
        }
        let module_state = ModuleState::of(attached, self.interpreter)?;
        let made = match &self.source {
            Source::Request(record) => TableObject::of_connection_notes(attached, module_state, Arc::clone(record)),
            Source::Connection(record) => TableObject::of_notes(attached, module_state, Arc::clone(record)),
        }?;
        let before = self.notes.borrow_mut().replace(made.clone().keep());
        // Another thread may have created one meanwhile.
        if let Some(kept) = before {
            // SAFETY: made in the interpreter of this object.
            unsafe { kept.release(attached) };
        }
        Ok(made)
    }

    /// The list with the connection's handler; None while a request is served.
    fn hlist<'i>(&self, attached: Attached<'i>) -> Result<Object<'i>, Raised> {
        match &self.source {
            Source::Request(_) => Ok(Object::none(attached)),
            Source::Connection(record) => {
                HlistObject::of_connection(attached, ModuleState::of(attached, self.interpreter)?, Arc::clone(record))
            }
        }
    }

    /// The exception for a failed read or write.
    fn failed(&self, attached: Attached<'_>, what: &str, error: StreamError) -> Raised {
        match error {
            StreamError::Failed(AprStatus::NO_MEMORY) => Raised::memory_error(attached),
            StreamError::Failed(status) => Raised::os_error(attached, format!("{what} error: {status}")),
            StreamError::Gone(_) => match ModuleState::of(attached, self.interpreter) {
                Ok(module_state) => module_state.client_gone(attached),
                Err(raised) => raised,
            },
        }
    }
}

impl ApacheClass for ConnectionObject {
    const ID: ClassId = ClassId::Connection;
}

impl Class for ConnectionObject {
    const NAME: &'static CStr = c"builtins.mp_conn";
    const DOC: &'static CStr = c"A connection with a client, valid while a handler runs for it or for a request on it.";

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
