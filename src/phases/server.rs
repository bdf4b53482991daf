//! The parent: checks, mutexes, the server's name. No user code and no Python runs here.

use std::ffi::c_int;

use crate::config::{Generation, server_config};
use crate::cpython;
use crate::ffi::httpd as raw;
use crate::httpd::{self, GlobalMutexes, Mpm, Pool, Server, TracingToErrorLog};

use super::entry::server_entry;

/// How many global mutexes are made unless `PythonOption mod_python.mutex_locks` says otherwise.
const MUTEXES: usize = 8;

/// Before the configuration is read.
pub unsafe extern "C" fn pre_config(
    configuration: *mut raw::apr_pool_t,
    _log: *mut raw::apr_pool_t,
    _temporary: *mut raw::apr_pool_t,
) -> c_int {
    // SAFETY: httpd's hook; the pool is the configuration's.
    unsafe {
        server_entry(std::ptr::null_mut(), raw::HTTP_INTERNAL_SERVER_ERROR as c_int, || {
            TracingToErrorLog::install();
            if let Err(sentence) = check_versions() {
                tracing::error!("MP0106: {sentence}");
                return raw::HTTP_INTERNAL_SERVER_ERROR as c_int;
            }
            GlobalMutexes::register_type(Pool::from_raw(configuration));
            raw::OK as c_int
        })
    }
}

/// Compares what is loaded with what the module was built for.
fn check_versions() -> Result<(), String> {
    let built = (raw::MODULE_MAGIC_NUMBER_MAJOR, raw::MODULE_MAGIC_NUMBER_MINOR);
    let loaded = httpd::loaded_magic();
    // Minor numbers only add (ap_mmn.h): an older httpd may lack what this was built with.
    if loaded.0 != built.0 || loaded.1 < built.1 {
        return Err(format!(
            "this mod_python was built for httpd with the module magic number {}:{} but this httpd has {}:{}; build the module for this httpd (apxs/install) or update httpd",
            built.0, built.1, loaded.0, loaded.1
        ));
    }
    let python = cpython::loaded_version();
    if python != env!("MOD_PYTHON_PY_VERSION") {
        return Err(format!(
            "this mod_python was built for Python {} but the libpython in this httpd is {python}; another module (mod_wsgi?) has loaded it first: load only one of them, or build both for the same Python",
            env!("MOD_PYTHON_PY_VERSION")
        ));
    }
    Ok(())
}

/// When the configuration has been read. httpd reads it twice when it starts; only the second reading counts.
pub unsafe extern "C" fn post_config(
    configuration: *mut raw::apr_pool_t,
    _log: *mut raw::apr_pool_t,
    _temporary: *mut raw::apr_pool_t,
    server: *mut raw::server_rec,
) -> c_int {
    // SAFETY: httpd's hook; the pool is the configuration's, the server its main one.
    unsafe {
        server_entry(server, raw::HTTP_INTERNAL_SERVER_ERROR as c_int, || {
            if raw::ap_state_query(raw::AP_SQ_MAIN_STATE as c_int) == raw::AP_SQ_MS_CREATE_PRE_CONFIG as c_int {
                return raw::OK as c_int;
            }
            let pool = Pool::from_raw(configuration);
            let Some(main) = Server::from_raw(server) else {
                return raw::HTTP_INTERNAL_SERVER_ERROR as c_int;
            };
            for component in [concat!("mod_python/", env!("CARGO_PKG_VERSION")).to_owned(), python_component()] {
                raw::ap_add_version_component(configuration, pool.c_string(component.as_bytes()).as_ptr());
            }
            let generation = Generation::of(pool);
            let count = mutex_count(main);
            let (mutexes, failure) = GlobalMutexes::create(count, main, pool);
            if let Some(status) = failure {
                tracing::error!(
                    "MP0601: only {} of {count} global mutexes could be made: {}. Check the Mutex directive ('Mutex … python') and the limits of the system; sessions need at least one.",
                    mutexes.len(),
                    httpd::status_text(status)
                );
            }
            generation.mutexes = Some(mutexes);
            super::includes::register();
            super::exports::register();
            raw::OK as c_int
        })
    }
}

fn python_component() -> String {
    format!("Python/{}", cpython::full_version())
}

/// As many mutexes as requests can be under way, up to the limit.
fn mutex_count(main: Server<'_>) -> usize {
    let options = server_config(main).and_then(|config| config.settings.options);
    let option = |name: &[u8]| options.and_then(|options| options.get(name)).flatten().filter(|text| !text.is_empty());
    if option(b"mod_python.mutex_directory").is_some() {
        tracing::warn!(
            "MP0605: PythonOption mod_python.mutex_directory has no effect: write 'Mutex file:/the/folder python' instead"
        );
    }
    let limit = option(b"mod_python.mutex_locks").map_or(MUTEXES, |text| {
        let limit = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).filter(|limit| *limit > 0);
        limit.unwrap_or_else(|| {
            tracing::warn!(
                "MP0606: PythonOption mod_python.mutex_locks '{}' is not a number above 0: {MUTEXES} is used",
                String::from_utf8_lossy(text)
            );
            MUTEXES
        })
    });
    Mpm::capacity().min(limit).max(1)
}
