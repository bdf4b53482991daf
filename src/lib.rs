//! mod_python reborn: an Apache httpd module that runs Python inside whatever MPM is loaded.
//!
//! This file is the module record: the names of hooks and directives, nothing else.

mod applications;
mod config;
mod cpython;
mod ffi;
mod httpd;
mod interpreter;
mod modules;
mod objects;
mod phases;
mod process;
#[cfg(debug_assertions)]
#[doc(hidden)]
pub mod proofs;
mod store;

use std::ptr;

use ffi::httpd as raw;

/// httpd writes to the record while it loads and unloads the module, in one thread.
#[repr(transparent)]
pub struct ModuleRecord(std::cell::UnsafeCell<raw::module>);

// SAFETY: see above.
unsafe impl Sync for ModuleRecord {}

/// The symbol that `LoadModule python_module …` names.
#[unsafe(no_mangle)]
pub static python_module: ModuleRecord = ModuleRecord(std::cell::UnsafeCell::new(raw::module {
    version: raw::MODULE_MAGIC_NUMBER_MAJOR as i32,
    minor_version: raw::MODULE_MAGIC_NUMBER_MINOR as i32,
    module_index: -1,
    name: c"mod_python.c".as_ptr(),
    dynamic_load_handle: ptr::null_mut(),
    next: ptr::null_mut(),
    magic: raw::MODULE_MAGIC_COOKIE as _,
    rewrite_args: None,
    create_dir_config: Some(config::create_directory),
    merge_dir_config: Some(config::merge_directory),
    create_server_config: Some(config::create_server),
    merge_server_config: Some(config::merge_server),
    cmds: config::COMMANDS.as_ptr(),
    register_hooks: Some(register_hooks),
    flags: 0,
}));

unsafe extern "C" fn register_hooks(pool: *mut raw::apr_pool_t) {
    httpd::register(python_module.0.get());
    // SAFETY: httpd's own call, passed on.
    unsafe { phases::register_hooks(pool) }
}
