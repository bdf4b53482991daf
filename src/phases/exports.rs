//! Optional functions: what other modules of httpd can call to run Python in this module's interpreters.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::mem::{self, ManuallyDrop};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use crate::cpython::{self, AttachGuard, Attached, Raised};
use crate::ffi::httpd as raw;
use crate::ffi::python as py;
use crate::httpd::{LogScope, Place, Request, bytes_at};
use crate::interpreter::{Interpreter, MAIN};
use crate::objects::connection::{ConnectionObject, ConnectionShared};
use crate::objects::equipment::equipment_of;
use crate::objects::server::ServerObject;
use crate::objects::{Callback, write_printed};

use super::child;
use super::enter::enter;

/// What comes of a call on the wrong thread.
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
        // SAFETY: the functions stay mapped; callers take them for what `include/mod_python.h` says they are.
        unsafe {
            let function = mem::transmute::<*const c_void, raw::apr_opt_fn_t>(function);
            raw::apr_dynamic_fn_register(name.as_ptr(), function);
        }
    }
}

/// An interpreter that another module has acquired on this thread.
struct Acquired {
    /// What is lent to Python until the release, ended before this thread is detached.
    requests: Vec<(*mut raw::request_rec, Rc<Callback<'static>>)>,
    connections: Vec<Lent>,
    interpreter: &'static Interpreter,
    guard: AttachGuard,
}

/// A connection lent until dropped.
struct Lent(Arc<ConnectionShared>, Attached<'static>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.lease.suspend(Some(self.1));
    }
}

thread_local! {
    /// The innermost last: they nest. Without a destructor: what a module forgets is not released at the end of the thread, when
    /// its requests are gone.
    static ACQUIRED: ManuallyDrop<RefCell<Vec<Acquired>>> = const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

fn acquired<R>(work: impl FnOnce(&mut Vec<Acquired>) -> R) -> R {
    ACQUIRED.with(|all| work(&mut all.borrow_mut()))
}

/// `PyInterpreterState *mp_acquire_interpreter(const char *name)`: attaches this thread to an interpreter, which is made if need
/// be; NULL is the main one. NULL comes back when that is not possible, and the log says why.
unsafe extern "C" fn acquire(name: *const c_char) -> *mut py::PyInterpreterState {
    entry(LogScope::current(), ptr::null_mut(), || {
        if !child::is_child() {
            log_misuse(
                "a module has called mp_acquire_interpreter() in httpd's parent process, which runs no Python: it gets NULL. It must call it in the children, in child_init or later",
            );
            return ptr::null_mut();
        }
        // SAFETY: null or the caller's string.
        let name = unsafe { bytes_at(name) }.unwrap_or(MAIN);
        let described = || "mp_acquire_interpreter()".to_owned();
        if cpython::attached_id().is_some() {
            // SAFETY: as just found.
            let attached = unsafe { Attached::assume() };
            // Who makes an interpreter may wait for the GIL that this thread has, so it lets go before it waits for them.
            if attached.detach(|| enter(name, described).is_err()) {
                return ptr::null_mut();
            }
        }
        let Ok((interpreter, guard)) = enter(name, described) else { return ptr::null_mut() };
        acquired(|all| all.push(Acquired { requests: Vec::new(), connections: Vec::new(), interpreter, guard }));
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
        // Ended outside of the borrow, since that can run Python.
        if let Some(Acquired { mut requests, connections, guard, .. }) = acquired(Vec::pop) {
            drop(connections);
            // They nest.
            while requests.pop().is_some() {}
            write_printed(guard.attached());
            drop(guard);
        }
    });
}

/// Runs a function for another module; what it logs belongs to `place`, which is alive.
fn entry<T>(place: Place, failure: T, work: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's.
    let _scope = unsafe { LogScope::enter(place) };
    cpython::caught(work).unwrap_or_else(|panic| {
        tracing::error!("MP0102: mod_python has a defect: {panic}. Please report this.");
        failure
    })
}

/// The innermost interpreter that this thread has acquired, if the thread is attached to it.
fn innermost(function: &str, outcome: &str) -> Option<(Attached<'static>, &'static Interpreter)> {
    let interpreter = acquired(|all| all.last().map(|acquired| acquired.interpreter));
    let problem = match interpreter {
        Some(interpreter) if cpython::attached_id() == Some(interpreter.id()) => {
            // SAFETY: attached until the release, and what is made with the proof is dropped by then.
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

/// Logs what a module gets wrong, on a thread that may be attached: the log can be a pipe that somebody reads slowly.
fn log_misuse(what: &str) {
    let log = || tracing::error!("MP0419: {what}");
    match cpython::attached_id() {
        // SAFETY: as just found.
        Some(_) => unsafe { Attached::assume() }.detach(log),
        None => log(),
    }
}

/// What is returned of an object that could not be made.
fn failed(attached: Attached<'_>, function: &str, raised: Raised) -> *mut py::PyObject {
    let summary = super::report::summary(&raised.fetch(attached));
    attached.detach(|| tracing::error!("MP0419: {function} has no object to give: {summary}"));
    ptr::null_mut()
}

/// `PyObject *mp_get_request_object(request_rec *r)`: a borrowed reference, good until the release; NULL without an interpreter.
unsafe extern "C" fn request_object(request: *mut raw::request_rec) -> *mut py::PyObject {
    const NAME: &str = "mp_get_request_object()";
    entry(Place::Request(request), ptr::null_mut(), || {
        let Some((attached, interpreter)) = innermost(NAME, NONE) else { return ptr::null_mut() };
        let known = acquired(|all| {
            let lent = &all.last()?.requests;
            lent.iter().find(|(known, _)| *known == request).map(|(_, callback)| Rc::clone(callback))
        });
        let callback = known.unwrap_or_else(|| {
            // SAFETY: the caller's live request, on its own thread.
            let callback = Callback::begin(attached, interpreter, unsafe { Request::from_raw(request) }, None);
            let callback = Rc::new(callback);
            acquired(|all| {
                if let Some(own) = all.last_mut() {
                    own.requests.push((request, Rc::clone(&callback)));
                }
            });
            callback
        });
        match callback.object() {
            // The request keeps it as long as it is lent.
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
        let made = equipment_of(attached, interpreter).and_then(|equipment| {
            // SAFETY: the caller's server, which lives as long as the configuration.
            unsafe { ServerObject::object(attached, equipment, interpreter, server) }
        });
        match made {
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
        let shared = ConnectionShared::new(None);
        // SAFETY: the caller's live connection, on its own thread, until the release.
        unsafe { shared.lease.lend(connection) };
        let lent = Lent(Arc::clone(&shared), attached);
        let made = equipment_of(attached, interpreter)
            .and_then(|equipment| ConnectionObject::of_connection(attached, equipment, interpreter, shared));
        match made {
            Ok(object) => {
                acquired(|all| {
                    if let Some(own) = all.last_mut() {
                        own.connections.push(lent);
                    }
                });
                object.into_ptr()
            }
            Err(raised) => failed(attached, NAME, raised),
        }
    })
}
