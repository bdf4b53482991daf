//! Putting `site` off: CPython imports it while it makes an interpreter, and it looks for packages then. An interpreter with a virtual
//! environment gets an empty module in its place, and imports the real one when it has been told where it is.

use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::ffi::python as py;

/// The empty module's code, marshalled.
static CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/empty_module.code"));

const SITE: &CStr = c"site";
/// What nobody imports.
const NOTHING: &CStr = c"mod_python has no site";

/// CPython's list of frozen modules of the embedder's, which come before its own: one entry and the end.
struct Table(UnsafeCell<[py::_frozen; 2]>);

// SAFETY: CPython only reads it; only the name of the first entry changes, at once, between two strings that are always there.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new([entry(NOTHING.as_ptr(), CODE), entry(ptr::null(), &[])]));

const fn entry(name: *const std::ffi::c_char, code: &'static [u8]) -> py::_frozen {
    py::_frozen {
        name,
        code: code.as_ptr(),
        size: code.len() as i32,
        is_package: 0,
        #[cfg(not(Py_3_13))]
        get_code: None,
    }
}

/// Has CPython look into the list from now on.
///
/// # Safety
/// Python is not initialised, and nobody initialises it meanwhile.
pub(super) unsafe fn register() {
    // SAFETY: the caller's; other threads read the pointer only after this.
    unsafe { py::PyImport_FrozenModules = TABLE.0.get().cast() };
}

/// While it lives, importing `site` for the first time gives the empty module, in any interpreter. One lives at a time.
pub(super) struct PutOff(());

impl PutOff {
    pub fn new() -> Self {
        Self::name(SITE);
        Self(())
    }

    fn name(name: &'static CStr) {
        // SAFETY: the table's, as large and as aligned as a pointer; see `Table`.
        let place = unsafe { AtomicPtr::from_ptr((&raw mut (*TABLE.0.get())[0].name).cast()) };
        place.store(name.as_ptr().cast_mut(), Ordering::Release);
    }
}

impl Drop for PutOff {
    fn drop(&mut self) {
        Self::name(NOTHING);
    }
}
