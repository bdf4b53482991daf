//! What a configuration says about the process as a whole. Kept in the configuration's own pool, and gone with it.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::ffi::httpd as raw;
use crate::httpd::{GlobalMutexes, Pool};
use crate::interpreter::GilOptions;

/// This process's generation, which outlives everything in a child.
static CURRENT: AtomicPtr<Generation> = AtomicPtr::new(ptr::null_mut());

const KEY: &std::ffi::CStr = c"mod_python generation";

/// One configuration's settings for the process.
#[derive(Default)]
pub struct Generation {
    /// A directive needs Python: children start it at once, not at the first request.
    pub uses_python: bool,
    /// `PythonOptimize On`.
    pub optimize: bool,
    /// How many `PythonImport`s have been read.
    pub imports: usize,
    pub gil: GilOptions,
    pub mutexes: Option<GlobalMutexes>,
}

impl Generation {
    /// The generation of a configuration pool, made at the first call.
    ///
    /// # Safety
    /// `pool` is the configuration's (`process->pconf`), and no other reference to its generation is in use: httpd reads
    /// its configuration in one thread.
    pub unsafe fn of<'p>(pool: Pool<'p>) -> &'p mut Self {
        // SAFETY: the entry, if any, is what is put here; the pool drops it when it is cleared.
        unsafe {
            let mut found: *mut c_void = ptr::null_mut();
            raw::apr_pool_userdata_get(&mut found, KEY.as_ptr(), pool.as_ptr());
            if found.is_null() {
                found = Box::into_raw(Box::new(Self::default())).cast();
                raw::apr_pool_userdata_setn(found, KEY.as_ptr(), Some(dispose), pool.as_ptr());
            }
            &mut *found.cast::<Self>()
        }
    }

    /// The generation of this child; none before it is initialised.
    pub fn current() -> Option<&'static Self> {
        // SAFETY: what `settle` was given.
        unsafe { CURRENT.load(Ordering::Acquire).as_ref() }
    }

    /// Makes this the generation of this child.
    ///
    /// # Safety
    /// It stays and does not change from now on: true in a child, which keeps its configuration for good.
    pub unsafe fn settle(&mut self) {
        CURRENT.store(self, Ordering::Release);
    }
}

unsafe extern "C" fn dispose(generation: *mut c_void) -> raw::apr_status_t {
    // SAFETY: the box that `of` gave away, once.
    drop(unsafe { Box::from_raw(generation.cast::<Generation>()) });
    0
}
