//! Optional functions, with which other modules of httpd can run Python in this module's interpreters.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::mem::{self, ManuallyDrop};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use crate::cpython::{self, Attached, Detached, Raised};
use crate::ffi::httpd as raw;
use crate::ffi::python as py;
use crate::httpd::{LogScope, Place, Request, Server, bytes_at};
use crate::interpreter::{Interpreter, MAIN};
use crate::objects::connection::{ConnectionObject, ConnectionRecord};
use crate::objects::logging::write_printed;
use crate::objects::request::{RequestCallback, RequestRecord};
use crate::objects::server::ServerObject;
use crate::process::caught;
use crate::process::stop::{self, Held};

use super::callback::{Entered, enter};
use super::python;
use super::report::summary;

/// The outcome of a call on the wrong thread, for messages.
const NONE: &str = "it gets NULL";

/// Publishes the functions, under the names that they had in mod_python 3.
///
/// # Safety
/// Called in httpd's `post_config`: httpd forgets optional functions with its configuration.
pub unsafe fn register() {
    let functions: [(&CStr, *const c_void); 5] = [
        (c"mp_acquire_interpreter", acquire as *const c_void),
        (c"mp_release_interpreter", release as *const c_void),
        (c"mp_get_request_object", request_object as *const c_void),
        (c"mp_get_server_object", server_object as *const c_void),
        (c"mp_get_connection_object", connection_object as *const c_void),
    ];
    for (name, function) in functions {
        // SAFETY: the functions stay mapped; callers use the types of `include/mod_python.h`.
        unsafe {
            let function = mem::transmute::<*const c_void, raw::apr_opt_fn_t>(function);
            raw::apr_dynamic_fn_register(name.as_ptr(), function);
        }
    }
}

/// An interpreter that another module has acquired on this thread.
struct Acquired {
    /// The objects that are valid until the release. They become invalid before this thread is detached.
    requests: Vec<(*mut raw::request_rec, Rc<RequestCallback<'static>>)>,
    connections: Vec<ValidConnection>,
    entered: Entered<'static>,
    /// The module has the thread now, within Python.
    held: Held,
}

/// A connection that is valid until this is dropped.
struct ValidConnection(Arc<ConnectionRecord>, Attached<'static>);

impl Drop for ValidConnection {
    fn drop(&mut self) {
        self.0.handle.invalidate(self.1);
    }
}

thread_local! {
    /// They nest; the innermost is last. Without a destructor: an interpreter that a module forgets to release is not released at the end
    /// of the thread, when its requests have been freed.
    static ACQUIRED: ManuallyDrop<RefCell<Vec<Acquired>>> = const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

fn acquired<R>(work: impl FnOnce(&mut Vec<Acquired>) -> R) -> R {
    ACQUIRED.with(|all| work(&mut all.borrow_mut()))
}

/// `PyInterpreterState *mp_acquire_interpreter(const char *name)`: attaches this thread to an interpreter, which is created if there is
/// none; NULL is the main one. Returns NULL if that is not possible, and logs why.
unsafe extern "C" fn acquire(name: *const c_char) -> *mut py::PyInterpreterState {
    entry(LogScope::current(), ptr::null_mut(), || {
        if !python::is_child() {
            log_misuse(
                "a module has called mp_acquire_interpreter() in httpd's parent process, which runs no Python: it gets NULL. It must call it in the children, in child_init or later",
            );
            return ptr::null_mut();
        }
        // SAFETY: null or the caller's string.
        let name = unsafe { bytes_at(name) }.unwrap_or(MAIN);
        let described = || "mp_acquire_interpreter()".to_owned();
        // SAFETY: a module's call; whether the thread is attached is checked.
        let mut detached = unsafe { Detached::assume() };
        if cpython::attached_id().is_some() {
            // SAFETY: as just checked.
            let attached = unsafe { Attached::assume() };
            // A thread that creates the interpreter may wait for the GIL of this thread, so this one detaches to wait for it.
            let is_there = attached.detach_to_attach(|detached| enter(detached, name, None, &described).is_ok());
            if !is_there {
                return ptr::null_mut();
            }
        }
        let Ok(entered) = enter(&mut detached, name, None, &described) else { return ptr::null_mut() };
        // SAFETY: released on this thread, in reverse order; the borrowed proof has no data.
        let entered = unsafe { mem::transmute::<Entered<'_>, Entered<'static>>(entered) };
        acquired(|all| {
            all.push(Acquired { requests: Vec::new(), connections: Vec::new(), entered, held: stop::hold() })
        });
        // SAFETY: attached, until the release.
        unsafe { py::PyInterpreterState_Get() }
    })
}

/// `void mp_release_interpreter(void)`: undoes the latest `mp_acquire_interpreter` of this thread that gave an interpreter.
unsafe extern "C" fn release() {
    entry(LogScope::current(), (), || {
        if innermost("mp_release_interpreter()", "nothing was released").is_none() {
            return;
        }
        // Released outside of the borrow, since that can run Python.
        if let Some(Acquired { mut requests, connections, entered, held: _held }) = acquired(Vec::pop) {
            write_printed(entered.attached());
            drop(connections);
            // They nest.
            while let Some((request, callback)) = requests.pop() {
                let output = Rc::into_inner(callback).and_then(|mut callback| callback.end());
                let attached = entered.attached();
                if let Some(mut output) = output {
                    // SAFETY: the module's request is live until the release.
                    let request = unsafe { Request::from_raw(request) };
                    // The next write reports a failure.
                    attached.detach(move || output.pass(request).is_ok());
                }
            }
            drop(entered);
        }
    });
}

/// Runs a function for another module. Its log entries belong to `place`, which is alive.
fn entry<T>(place: Place, failure: T, work: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's.
    let _scope = unsafe { LogScope::enter(place) };
    caught(work).unwrap_or_else(|panic| {
        tracing::error!("MP0102: mod_python has a defect: {panic}. Please report this.");
        failure
    })
}

/// The innermost interpreter that this thread has acquired, if the thread is attached to it.
fn innermost(function: &str, outcome: &str) -> Option<(Attached<'static>, &'static Interpreter)> {
    let interpreter = acquired(|all| all.last().map(|acquired| acquired.entered.interpreter));
    let problem = match interpreter {
        Some(interpreter) if cpython::attached_id() == Some(interpreter.id()) => {
            // SAFETY: attached until the release, by which everything made with the proof is dropped.
            return Some((unsafe { Attached::assume() }, interpreter));
        }
        Some(_) => "that is not attached to the interpreter which it has acquired last",
        None => "that holds no interpreter",
    };
    log_misuse(&format!(
        "a module has called {function} on a thread {problem}: {outcome}. It must call mp_acquire_interpreter() first, and mp_release_interpreter() when it is done, on the same thread"
    ));
    None
}

/// Logs a wrong call of another module.
fn log_misuse(what: &str) {
    tracing::error!("MP0419: {what}");
}

/// Logs why an object could not be created, and returns NULL.
fn failed(attached: Attached<'_>, function: &str, raised: Raised) -> *mut py::PyObject {
    let summary = summary(&raised.fetch(attached));
    tracing::error!("MP0419: {function} has no object to give: {summary}");
    ptr::null_mut()
}

/// `PyObject *mp_get_request_object(request_rec *r)`: a borrowed reference, valid until the release; NULL without an interpreter.
unsafe extern "C" fn request_object(request: *mut raw::request_rec) -> *mut py::PyObject {
    const NAME: &str = "mp_get_request_object()";
    entry(Place::Request(request), ptr::null_mut(), || {
        let Some((attached, interpreter)) = innermost(NAME, NONE) else { return ptr::null_mut() };
        let known = acquired(|all| {
            let valid = &all.last()?.requests;
            valid.iter().find(|(known, _)| *known == request).map(|(_, callback)| Rc::clone(callback))
        });
        let callback = known.unwrap_or_else(|| {
            // SAFETY: the caller's live request, on its own thread.
            let request_used = unsafe { Request::from_raw(request) };
            let record = attached.detach(|| RequestRecord::of(request_used));
            let callback = RequestCallback::begin(attached, interpreter, request_used, record, None);
            // The module may write to the client as well.
            callback.write_through();
            let callback = Rc::new(callback);
            acquired(|all| {
                if let Some(own) = all.last_mut() {
                    own.requests.push((request, Rc::clone(&callback)));
                }
            });
            callback
        });
        match callback.object() {
            // The request has a reference as long as it is valid.
            Ok(object) => object.as_ptr(),
            Err(raised) => failed(attached, NAME, raised),
        }
    })
}

/// `PyObject *mp_get_server_object(server_rec *s)`: a new reference; NULL without an interpreter.
unsafe extern "C" fn server_object(server: *mut raw::server_rec) -> *mut py::PyObject {
    const NAME: &str = "mp_get_server_object()";
    entry(Place::Server(server), ptr::null_mut(), || {
        let Some((attached, interpreter)) = innermost(NAME, NONE) else { return ptr::null_mut() };
        // SAFETY: null, or the caller's server, which lives as long as the configuration.
        let server = unsafe { Server::from_raw(server) };
        match ServerObject::object(attached, interpreter, server) {
            Ok(object) => object.into_ptr(),
            Err(raised) => failed(attached, NAME, raised),
        }
    })
}

/// `PyObject *mp_get_connection_object(conn_rec *c)`: a new reference, usable until the release; NULL without an interpreter.
unsafe extern "C" fn connection_object(connection: *mut raw::conn_rec) -> *mut py::PyObject {
    const NAME: &str = "mp_get_connection_object()";
    entry(Place::Connection(connection), ptr::null_mut(), || {
        let Some((attached, interpreter)) = innermost(NAME, NONE) else { return ptr::null_mut() };
        let record = ConnectionRecord::new(None);
        // SAFETY: the caller's live connection, on its own thread, until the release.
        unsafe { record.handle.validate(connection) };
        let valid = ValidConnection(Arc::clone(&record), attached);
        let made = ConnectionObject::of_connection(attached, interpreter, record);
        match made {
            Ok(object) => {
                acquired(|all| {
                    if let Some(own) = all.last_mut() {
                        own.connections.push(valid);
                    }
                });
                object.into_ptr()
            }
            Err(raised) => failed(attached, NAME, raised),
        }
    })
}
