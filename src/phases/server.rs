//! The parent: checks, mutexes, the Server header. No user code and no Python runs here.

use std::ffi::c_int;

use crate::config::{Generation, misspelled, server_config};
use crate::cpython::{self, Detached};
use crate::ffi::httpd as raw;
use crate::httpd::{self, GlobalMutexes, Mpm, Pool, Server, Status, TracingToErrorLog, configuration};

use super::{access_log, hook};

/// How many global mutexes are created unless `PythonOption mod_python.mutex_locks` says otherwise.
const MUTEXES: usize = 8;

/// Before the directives are looked at.
pub unsafe extern "C" fn pre_config(
    configuration: *mut raw::apr_pool_t,
    _log: *mut raw::apr_pool_t,
    _temporary: *mut raw::apr_pool_t,
) -> c_int {
    let work = |_: &mut Detached<'_>| {
        TracingToErrorLog::install();
        if let Err(sentence) = check_versions() {
            tracing::error!("MP0106: {sentence}");
            return Status::SERVER_ERROR;
        }
        // SAFETY: httpd's hook; the pool is the configuration's.
        let pool = unsafe { Pool::from_raw(configuration) };
        GlobalMutexes::register_type(pool);
        access_log::register(pool);
        // SAFETY: in the parent; httpd has read the configuration, and goes through it after this hook.
        if let Some(first) = unsafe { configuration::Directive::first() } {
            say_what_is_misspelled(first);
        }
        Status::OK
    };
    // SAFETY: httpd's hook.
    unsafe { hook::server(None, Status::SERVER_ERROR, work).0 }
}

/// httpd itself says only that a directive is unknown, and ends.
fn say_what_is_misspelled(first: configuration::Directive<'_>) {
    for found in misspelled(first) {
        tracing::error!("MP0254: {found}");
    }
}

/// Compares the loaded httpd and libpython with those that the module was built for.
fn check_versions() -> Result<(), String> {
    let built = (raw::MODULE_MAGIC_NUMBER_MAJOR, raw::MODULE_MAGIC_NUMBER_MINOR);
    let loaded = httpd::loaded_magic();
    // A new minor number only adds functions (ap_mmn.h): an older httpd may lack some.
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

/// After the configuration has been read. httpd reads it twice when it starts; only the second time has an effect.
pub unsafe extern "C" fn post_config(
    configuration: *mut raw::apr_pool_t,
    _log: *mut raw::apr_pool_t,
    _temporary: *mut raw::apr_pool_t,
    server: *mut raw::server_rec,
) -> c_int {
    // SAFETY: httpd's hook; the pool is the configuration's, the server its main one.
    let (pool, main) = unsafe { (Pool::from_raw(configuration), Server::from_raw(server)) };
    // SAFETY: as above.
    unsafe { hook::server(main, Status::SERVER_ERROR, |_| configured(pool, main)).0 }
}

fn configured(pool: Pool<'_>, main: Option<Server<'_>>) -> Status {
    // SAFETY: only asks.
    let state = unsafe { raw::ap_state_query(raw::AP_SQ_MAIN_STATE as c_int) };
    if state == raw::AP_SQ_MS_CREATE_PRE_CONFIG as c_int {
        return Status::OK;
    }
    let Some(main) = main else { return Status::SERVER_ERROR };
    for component in [concat!("mod_python/", env!("CARGO_PKG_VERSION")).to_owned(), python_component()] {
        // SAFETY: the pool is the configuration's, the text is in it.
        unsafe { raw::ap_add_version_component(pool.as_ptr(), pool.c_string(component.as_bytes()).as_ptr()) };
    }
    // SAFETY: the pool is the configuration's, which httpd reads in one thread.
    let generation = unsafe { Generation::of(pool) };
    if generation.uses_python && runs_mod_wsgi_in_children() {
        tracing::error!(
            "MP0108: mod_wsgi is loaded too, and both modules would start Python in httpd's children: a process can have only one Python, and would abort at its end. Remove the line 'LoadModule wsgi_module …', or, if mod_wsgi uses only daemon processes, write 'WSGIRestrictEmbedded On': then both modules work"
        );
        return Status::SERVER_ERROR;
    }
    if generation.uses_python {
        super::wsgi::starting::notice(&generation.wsgi);
        enlarge_stacks();
        let prepared = super::stores::prepare(pool, main, generation);
        if prepared != Status::OK {
            return prepared;
        }
        let prepared = super::caches::prepare(pool, main, generation);
        if prepared != Status::OK {
            return prepared;
        }
    }
    let count = mutex_count(main);
    let (mutexes, failure) = GlobalMutexes::create(count, "", main, pool);
    if let Some(status) = failure {
        tracing::error!(
            "MP0601: only {} of {count} global mutexes could be created: {status}. Check the Mutex directive ('Mutex … python') and the limits of the system; sessions need at least one.",
            mutexes.len(),
        );
    }
    generation.mutexes = Some(mutexes);
    // SAFETY: in httpd's `post_config`.
    unsafe {
        super::includes::register();
        super::exports::register();
    }
    Status::OK
}

/// The size of a thread's stack with which recursion in Python ends in `RecursionError`, in bytes.
///
/// Python limits the number of calls; from 3.14 on it checks the size of the stack. Measured with calls that use much of it
/// (a key function of `sorted` that calls `sorted`): 3.11 used less than 2 MiB, 3.12 and 3.13 less than 4.
const STACK: usize = if cfg!(Py_3_14) {
    1 << 20
} else if cfg!(Py_3_12) {
    6 << 20
} else {
    3 << 20
};

/// Makes the stacks of the threads that serve requests large enough for Python.
fn enlarge_stacks() {
    let size = httpd::stack_size();
    if size >= STACK {
        return;
    }
    if httpd::set_thread_stack_size(STACK) {
        tracing::warn!(
            "MP0109: the stacks of httpd's threads get {STACK} bytes, not {size}: with less, a recursion in Python would crash the child instead of raising RecursionError. Write 'ThreadStackSize {STACK}' or more, or leave it out"
        );
    } else {
        tracing::warn!(
            "MP0109: the stack of httpd's processes is limited to {size} bytes: a recursion in Python may crash a child instead of raising RecursionError. Start httpd with a limit of {STACK} bytes or more ('ulimit -s', or LimitSTACK= of systemd)"
        );
    }
}

/// Whether mod_wsgi starts Python in every child, which it does even if nothing uses it.
fn runs_mod_wsgi_in_children() -> bool {
    let is_restricted = |line: configuration::Directive<'_>| {
        line.name().is_some_and(|name| name.eq_ignore_ascii_case(b"WSGIRestrictEmbedded"))
            && line.arguments().is_some_and(|value| value.eq_ignore_ascii_case(b"On"))
    };
    // SAFETY: in the parent, after the configuration has been read.
    let lines = unsafe { configuration::Directive::first() };
    let is_restricted_somewhere = lines.is_some_and(|first| first.with_following().any(is_restricted));
    httpd::is_loaded(c"mod_wsgi.c") && !is_restricted_somewhere
}

fn python_component() -> String {
    format!("Python/{}", cpython::full_version())
}

/// The number of mutexes: that of requests that can be served at once, up to the limit.
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
                "MP0606: PythonOption mod_python.mutex_locks '{}' is not a positive number: {MUTEXES} is used",
                String::from_utf8_lossy(text)
            );
            MUTEXES
        })
    });
    Mpm::capacity().min(limit).max(1)
}
