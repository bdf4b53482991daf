//! The child: Python starts here, after the fork, and ends with the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::config::Generation;
use crate::cpython;
use crate::ffi::httpd as raw;
use crate::httpd::{Mpm, Pool, Server, fork, ignore_stops};
use crate::interpreter::{self, Runtime, RuntimeOptions};
use crate::modules::apache;
use crate::modules::setup::HandlerSetup;

use super::entry::server_entry;
use super::imports;

/// How long Python's part in the end of a child may take.
const EXIT_BOUND: Duration = Duration::from_secs(3);

/// Whether this process serves: it is a child, or the one process of `httpd -X`.
static SERVES: AtomicBool = AtomicBool::new(false);

/// Whether this process serves, and may so run Python: the parent does not.
pub fn is_child() -> bool {
    SERVES.load(Ordering::Relaxed)
}

/// Python in this process, started now if no directive asked for it before (a .htaccess file can).
pub fn python() -> Result<&'static Runtime, &'static str> {
    let runtime = interpreter::start(|| {
        let generation = Generation::current();
        RuntimeOptions {
            gil: generation.map(|generation| generation.gil.clone()).unwrap_or_default(),
            optimization: if generation.is_some_and(|generation| generation.optimize) { 2 } else { 0 },
            modules: &[(apache::NAME, apache::init)],
            setup: Box::new(HandlerSetup),
        }
    })?;
    interpreter::settle_after_fork(runtime, end_of_forked_process).map(|()| runtime)
}

/// The end of a process that was forked off the child: `exit`, without the pools.
extern "C" fn end_of_forked_process() {
    ignore_stops();
    if let Err(panic) = cpython::caught(|| interpreter::shutdown(EXIT_BOUND)) {
        tracing::error!("MP0102: mod_python has a defect: {panic}. Please report this.");
    }
}

/// httpd's `child_init`; also called once in the one process of `httpd -X`.
pub unsafe extern "C" fn child_init(child: *mut raw::apr_pool_t, server: *mut raw::server_rec) {
    // SAFETY: httpd's hook; the pool lives as long as the child, the server is the main one.
    unsafe {
        server_entry(server, (), || {
            SERVES.store(true, Ordering::Relaxed);
            let pool = Pool::from_raw(child);
            let Some(main) = Server::from_raw(server) else { return };
            let generation = Generation::of(Pool::from_raw((*main.fields().process).pconf));
            if let Some(Err(status)) = generation.mutexes.as_mut().map(|mutexes| mutexes.open_in_child(pool)) {
                tracing::error!(
                    "MP0602: the global mutexes cannot be used in this child: {}. Check the owner and the rights of the files of 'Mutex … python'.",
                    crate::httpd::status_text(status)
                );
                generation.mutexes = None;
            }
            let uses_python = generation.uses_python;
            generation.settle();
            cpython::leave_states_when(Mpm::is_stopping);
            fork::watch();
            pool.before_cleanup(|| interpreter::shutdown(EXIT_BOUND));
            if uses_python {
                if let Ok(runtime) = python() {
                    imports::run(runtime, main);
                }
            }
        });
    }
}
