//! The child: Python is started here, after the fork, and ends with the process.

use crate::config::Generation;
use crate::cpython;
use crate::ffi::httpd as raw;
use crate::httpd::{Mpm, Pool, Server, configuration, field};
use crate::process::{fork, stop};

use tracing::Level;

use super::{hook, imports, python, wsgi};

/// Written without a time: a signal handler cannot format one.
const ENDS_WITHIN: &str = "[python:debug] MP0103: a child was stopped in the middle of a Python handler that did not end within 0.25 s: functions registered for its exit do not run";

/// httpd's `child_init`; also called once in the one process of `httpd -X`.
pub unsafe extern "C" fn child_init(child: *mut raw::apr_pool_t, server: *mut raw::server_rec) {
    // SAFETY: httpd's hook; the pool lives as long as the child, the server is the main one.
    let (pool, main) = unsafe { (Pool::from_raw(child), Server::from_raw(server)) };
    // SAFETY: as above.
    unsafe {
        hook::server(main, (), |detached| {
            python::serve();
            let Some(main) = main else { return };
            let generation = Generation::of(Pool::from_raw((*field!(main, process)).pconf));
            if let Some(Err(status)) = generation.mutexes.as_mut().map(|mutexes| mutexes.open_in_child(pool)) {
                tracing::error!(
                    "MP0602: the global mutexes cannot be used in this child: {status}. Check the owner and the rights of the files of 'Mutex … python'."
                );
                generation.mutexes = None;
            }
            if let Some(Err(status)) = generation.caches.as_mut().map(|(_, caches)| caches.open_in_child(pool)) {
                tracing::error!(
                    "MP0602: the global mutexes of httpd's caches cannot be used in this child: {status}. Check the owner and the rights of the files of 'Mutex … python'."
                );
                generation.caches = None;
            }
            let uses_python = generation.uses_python;
            generation.make_current();
            cpython::leave_states_when(Mpm::is_stopping);
            fork::watch();
            // A single process (`httpd -X`) only notes the signal.
            if !Mpm::is_threaded() && !configuration::is_single_process() {
                stop::take_over(tracing::event_enabled!(Level::DEBUG).then_some(ENDS_WITHIN));
            }
            pool.before_cleanup(python::shutdown);
            if let Some(generation) = Generation::current() {
                wsgi::starting::enter_home(&generation.wsgi);
            }
            if uses_python && python::python().is_ok() {
                imports::run(detached, main);
                wsgi::imports::run(detached);
            }
        });
    }
}
