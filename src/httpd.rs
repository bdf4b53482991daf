//! A safe layer over httpd and APR that knows nothing of Python.
//!
//! Handles borrow what they point to: an object in a pool has the pool's lifetime, and a request does not outlive the
//! callback that got it.

mod brigade;
pub mod configuration;
mod connection;
pub mod environment;
mod file;
mod filter;
mod log;
mod mpm;
mod mutex;
mod pool;
pub mod printed;
mod record;
pub mod request;
mod server;
mod socache;
mod status;
mod table;
mod user;
pub mod variables;

pub use brigade::Brigade;
pub use connection::{Address, Amount, Connection, StreamError};
pub use file::FileInfo;
pub use filter::{
    Asked, ByDirection, Direction, Filter, FilterFunctions, Read, Stream, add_filter, add_filter_with, register_filter,
};
pub use log::{Level, LogScope, Place, TracingToErrorLog, write_entry, write_here};
pub use mpm::{Mpm, is_loaded, loaded_magic, set_thread_stack_size, stack_size};
pub use mutex::GlobalMutexes;
pub use pool::{OwnedPool, Pool};
pub(crate) use record::{field, set_field};
pub use request::{BodyError, BodyReader, FileError, OpenFile, Output, Request, WriteError};
pub use server::Server;
pub use socache::{CacheSpec, Caches, LONGEST_SECONDS, id_of};
pub use status::{AprStatus, Errno, HttpStatus, Status};
pub use table::Table;
pub use user::User;

use std::ffi::{CStr, c_char};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::ffi::httpd as raw;

/// The module record, noted by `register`: httpd's index of this module is in it.
static MODULE: AtomicPtr<raw::module> = AtomicPtr::new(ptr::null_mut());

/// Notes the module record, which lives as long as the library is mapped.
pub fn register(module: *mut raw::module) {
    MODULE.store(module, Ordering::Release);
}

/// httpd's index of this module: where its configuration and its log levels are kept.
pub fn module_index() -> i32 {
    let module = MODULE.load(Ordering::Acquire);
    match module.is_null() {
        true => raw::APLOG_NO_MODULE,
        // SAFETY: a static of this library.
        false => unsafe { (*module).module_index },
    }
}

/// This module's entry in one of httpd's configuration vectors.
///
/// # Safety
/// `vector` is a configuration vector of this generation, with room for all loaded modules.
pub unsafe fn config_entry<T>(vector: *mut raw::ap_conf_vector_t) -> *mut T {
    // SAFETY: the caller's; this is what httpd's ap_get_module_config does.
    unsafe { *vector.cast::<*mut T>().add(module_index() as usize) }
}

/// Sets this module's entry in one of httpd's configuration vectors.
///
/// # Safety
/// As `config_entry`; `entry` lives as long as the vector.
pub unsafe fn set_config_entry<T>(vector: *mut raw::ap_conf_vector_t, entry: *mut T) {
    // SAFETY: the caller's.
    unsafe { *vector.cast::<*mut T>().add(module_index() as usize) = entry }
}

/// The bytes of a C string of httpd's; `None` for null.
///
/// # Safety
/// `text` is null, or NUL-terminated and unchanged for as long as `'a`.
pub unsafe fn bytes_at<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}
