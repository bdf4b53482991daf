//! What an interpreter has ready: the classes, the exceptions, the library's functions, the resolved handlers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::cpython::{Attached, Kept, Object, Raised, class_of};
use crate::ffi::python as py;
use crate::httpd::Server;
use crate::interpreter::Interpreter;

use super::connection::ConnectionObject;
use super::filter::FilterObject;
use super::finfo::FinfoObject;
use super::hlist::HlistObject;
use super::request::RequestObject;
use super::server::ServerObject;
use super::table::TableObject;

/// The classes of one interpreter.
pub struct Classes {
    pub request: Kept,
    pub server: Kept,
    pub connection: Kept,
    pub table: Kept,
    pub finfo: Kept,
    pub hlist: Kept,
    pub filter: Kept,
    pub server_return: Kept,
    pub body_error: Kept,
    pub client_gone: Kept,
}

impl Classes {
    /// Makes the classes as part of `module`.
    pub fn make(module: &Object<'_>) -> Result<Self, Raised> {
        let attached = module.attached();
        // SAFETY: the exception classes live as long as Python.
        let (exception, os_error, connection_error) = unsafe {
            (
                Object::borrowed(attached, py::PyExc_Exception),
                Object::borrowed(attached, py::PyExc_OSError),
                Object::borrowed(attached, py::PyExc_ConnectionError),
            )
        };
        let exception_class = |name: &std::ffi::CStr, base: &Object<'_>| {
            // SAFETY: attached; the name is `module.class`, the base an exception class.
            unsafe {
                Object::owned(attached, py::PyErr_NewException(name.as_ptr(), base.as_ptr(), std::ptr::null_mut()))
            }
            .map(Object::keep)
        };
        Ok(Self {
            request: class_of::<RequestObject>(module)?.keep(),
            server: class_of::<ServerObject>(module)?.keep(),
            connection: class_of::<ConnectionObject>(module)?.keep(),
            table: class_of::<TableObject>(module)?.keep(),
            finfo: class_of::<FinfoObject>(module)?.keep(),
            hlist: class_of::<HlistObject>(module)?.keep(),
            filter: class_of::<FilterObject>(module)?.keep(),
            server_return: exception_class(c"_apache.SERVER_RETURN", &exception)?,
            body_error: exception_class(c"_apache.RequestBodyError", &os_error)?,
            client_gone: exception_class(c"_apache.ClientGone", &connection_error)?,
        })
    }

    /// The same classes, with references of their own.
    pub fn share(&self, attached: Attached<'_>) -> Self {
        // SAFETY: they are used by the interpreter that made them only: `attached` is to it.
        let again = |class: &Kept| unsafe { class.get(attached) }.keep();
        Self {
            request: again(&self.request),
            server: again(&self.server),
            connection: again(&self.connection),
            table: again(&self.table),
            finfo: again(&self.finfo),
            hlist: again(&self.hlist),
            filter: again(&self.filter),
            server_return: again(&self.server_return),
            body_error: again(&self.body_error),
            client_gone: again(&self.client_gone),
        }
    }

    /// Every class, for the garbage collector.
    pub fn all(&self) -> [&Kept; 10] {
        [
            &self.request,
            &self.server,
            &self.connection,
            &self.table,
            &self.finfo,
            &self.hlist,
            &self.filter,
            &self.server_return,
            &self.body_error,
            &self.client_gone,
        ]
    }
}

/// A handler as it was found in its module.
pub enum Resolved {
    /// The object to call.
    Callable(Kept),
    /// The path goes through a class: it is made anew for each request.
    PerRequest(Kept),
    /// Its module has no such function, and need not have it.
    Missing,
}

/// A resolved handler in the cache.
pub struct CachedHandler {
    pub resolved: Resolved,
    /// When its module was last looked at, in microseconds (httpd's request time).
    pub checked: i64,
    /// What it was resolved with: the texts behind the fingerprint.
    pub module: Box<str>,
    pub object: Box<str>,
    pub path: Option<Box<str>>,
    pub directory: Option<Box<[u8]>>,
}

/// What an interpreter has ready for requests.
pub struct Equipment {
    pub classes: Classes,
    /// `apache.import_module`.
    pub import_module: Kept,
    /// `apache._use_python_path`.
    pub use_python_path: Kept,
    /// The objects of the servers that Python has seen.
    pub servers: Servers,
    pub handlers: Guarded<HashMap<u64, CachedHandler>>,
}

impl Equipment {
    /// What is raised when the client of a connection is gone.
    #[cold]
    pub fn client_gone(&self, attached: Attached<'_>) -> Raised {
        // SAFETY: the class is this interpreter's.
        let class = unsafe { self.classes.client_gone.get(attached) };
        Raised::new(&class, "Client has closed the connection.")
    }
}

/// The equipment of an interpreter; `RuntimeError` while it is still being set up.
pub fn equipment_of(attached: Attached<'_>, interpreter: &'static Interpreter) -> Result<&'static Equipment, Raised> {
    interpreter
        .equipment::<Equipment>()
        .ok_or_else(|| Raised::runtime_error(attached, "the interpreter is not set up yet"))
}

/// The objects of servers, by server record: each server has one in an interpreter, and keeps it.
pub struct Servers(Guarded<HashMap<usize, Kept>>);

impl Servers {
    pub fn new() -> Self {
        Self(Guarded::new(HashMap::new()))
    }

    /// The object of a server, if it has one.
    pub fn get<'i>(&self, attached: Attached<'i>, server: Server<'_>) -> Option<Object<'i>> {
        // SAFETY: made in the interpreter that this belongs to.
        self.0.with(attached, |known| known.get(&(server.as_ptr() as usize)).map(|kept| unsafe { kept.get(attached) }))
    }

    /// Keeps an object for a server, unless another thread has been faster: then that one's is returned.
    pub fn get_or_keep<'i>(&self, attached: Attached<'i>, server: Server<'_>, made: Object<'i>) -> Object<'i> {
        self.0.with(attached, |known| {
            let kept = known.entry(server.as_ptr() as usize).or_insert_with(|| made.clone().keep());
            // SAFETY: made in the interpreter that this belongs to.
            unsafe { kept.get(attached) }
        })
    }
}

/// Data that belongs to an interpreter and is reached only with the proof of being attached to it.
pub struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Uses the data. `work` must not call Python: another thread would wait for it attached.
    pub fn with<R>(&self, _attached: Attached<'_>, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
