//! Optional functions: what other modules of httpd can call to run Python in this module's interpreters.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::mem;
use std::ptr;

use crate::cpython::{AttachGuard, Attached};
use crate::ffi::httpd as raw;
use crate::ffi::python as py;
use crate::httpd::{Request, bytes_at};
use crate::interpreter::{Interpreter, MAIN};
use crate::objects::Callback;
use crate::objects::connection::{ConnectionObject, ConnectionShared};
use crate::objects::equipment::equipment_of;
use crate::objects::server::ServerObject;

use super::enter::enter;
use super::entry::server_entry;

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
    requests: Vec<Callback<'static>>,
    connections: Vec<Lent>,
    interpreter: &'static Interpreter,
    guard: AttachGuard,
}

/// A connection lent until dropped.
struct Lent(std::sync::Arc<ConnectionShared>, Attached<'static>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.lease.suspend(Some(self.1));
    }
}

thread_local! {
    /// The innermost last: they nest.
    static ACQUIRED: RefCell<Vec<Acquired>> = const { RefCell::new(Vec::new()) };
}

/// `PyInterpreterState *mp_acquire_interpreter(const char *name)`: attaches this thread to an interpreter, which is made if need
/// be; NULL is the main one. NULL comes back when that is not possible, and the log says why.
unsafe extern "C" fn acquire(name: *const c_char) -> *mut py::PyInterpreterState {
    // SAFETY: null or the caller's string; there is no server to log to but the main one.
    unsafe {
        server_entry(ptr::null_mut(), ptr::null_mut(), || {
            let name = bytes_at(name).unwrap_or(MAIN);
            let Ok((interpreter, guard)) = enter(name, || "mp_acquire_interpreter()".to_owned()) else {
                return ptr::null_mut();
            };
            let acquired = Acquired { requests: Vec::new(), connections: Vec::new(), interpreter, guard };
            ACQUIRED.with_borrow_mut(|all| all.push(acquired));
            py::PyInterpreterState_Get()
        })
    }
}

/// `void mp_release_interpreter(void)`: undoes the latest `mp_acquire_interpreter` of this thread that gave an interpreter.
unsafe extern "C" fn release() {
    // SAFETY: as above.
    unsafe {
        server_entry(ptr::null_mut(), (), || {
            // Ended outside of the borrow, since that can run Python.
            let acquired = ACQUIRED.with_borrow_mut(Vec::pop);
            match acquired {
                Some(Acquired { requests, connections, guard, .. }) => {
                    drop((requests, connections));
                    drop(guard);
                }
                None => tracing::error!(
                    "MP0419: a module has called mp_release_interpreter() on a thread that holds no interpreter of mp_acquire_interpreter(): nothing was released"
                ),
            }
        });
    }
}

/// The innermost interpreter that this thread has acquired.
fn innermost() -> Option<(Attached<'static>, &'static Interpreter)> {
    let interpreter = ACQUIRED.with_borrow(|all| all.last().map(|acquired| acquired.interpreter));
    if interpreter.is_none() {
        tracing::error!(
            "MP0419: a module has asked for a Python object on a thread that holds no interpreter: it must call mp_acquire_interpreter() first, and mp_release_interpreter() when it is done"
        );
    }
    // SAFETY: this thread is attached until the release, and what is made with the proof is dropped by then.
    interpreter.map(|interpreter| (unsafe { Attached::assume() }, interpreter))
}

/// `PyObject *mp_get_request_object(request_rec *r)`: a borrowed reference, good until the release; NULL without an interpreter.
unsafe extern "C" fn request_object(request: *mut raw::request_rec) -> *mut py::PyObject {
    // SAFETY: the caller's live request, on its own thread.
    unsafe {
        server_entry((*request).server, ptr::null_mut(), || {
            let Some((attached, interpreter)) = innermost() else { return ptr::null_mut() };
            let callback = Callback::begin(attached, interpreter, Request::from_raw(request), None);
            match callback.object() {
                Ok(object) => {
                    // The request keeps it as long as the callback goes on.
                    let pointer = object.as_ptr();
                    ACQUIRED.with_borrow_mut(|all| all.last_mut().map(|acquired| acquired.requests.push(callback)));
                    pointer
                }
                Err(raised) => {
                    raised.clear(attached);
                    ptr::null_mut()
                }
            }
        })
    }
}

/// `PyObject *mp_get_server_object(server_rec *s)`: a new reference; NULL without an interpreter.
unsafe extern "C" fn server_object(server: *mut raw::server_rec) -> *mut py::PyObject {
    // SAFETY: the caller's server, which lives as long as the configuration.
    unsafe {
        server_entry(server, ptr::null_mut(), || {
            let Some((attached, interpreter)) = innermost() else { return ptr::null_mut() };
            let made = equipment_of(attached, interpreter)
                .and_then(|equipment| ServerObject::object(attached, equipment, interpreter, server));
            match made {
                Ok(object) => object.into_ptr(),
                Err(raised) => {
                    raised.clear(attached);
                    ptr::null_mut()
                }
            }
        })
    }
}

/// `PyObject *mp_get_connection_object(conn_rec *c)`: a new reference, usable until the release; NULL without an interpreter.
unsafe extern "C" fn connection_object(connection: *mut raw::conn_rec) -> *mut py::PyObject {
    // SAFETY: the caller's live connection, on its own thread.
    unsafe {
        server_entry((*connection).base_server, ptr::null_mut(), || {
            let Some((attached, interpreter)) = innermost() else { return ptr::null_mut() };
            let shared = ConnectionShared::new(None);
            shared.lease.lend(connection);
            let lent = Lent(std::sync::Arc::clone(&shared), attached);
            let made = equipment_of(attached, interpreter)
                .and_then(|equipment| ConnectionObject::of_connection(attached, equipment, interpreter, shared));
            match made {
                Ok(object) => {
                    ACQUIRED.with_borrow_mut(|all| all.last_mut().map(|acquired| acquired.connections.push(lent)));
                    object.into_ptr()
                }
                Err(raised) => {
                    raised.clear(attached);
                    ptr::null_mut()
                }
            }
        })
    }
}
