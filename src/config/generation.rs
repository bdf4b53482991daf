//! The settings of a configuration for the whole process. They live in the configuration's pool.

use std::ffi::c_void;
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::ffi::httpd as raw;
use crate::httpd::{Caches, GlobalMutexes, Pool};
use crate::interpreter::InterpreterOptions;
use crate::process::caught;

use super::wsgi::WsgiProcess;

/// The generation of this child, which keeps it until it ends.
static CURRENT: AtomicPtr<Generation> = AtomicPtr::new(ptr::null_mut());

const KEY: &std::ffi::CStr = c"mod_python generation";

/// One configuration's settings for the process.
#[derive(Default)]
pub struct Generation {
    /// A directive uses Python: children start it at once, not at the first request.
    pub uses_python: bool,
    /// As `python -O`: 0, 1 or 2, the highest that is asked for.
    pub optimization: i32,
    /// How many `PythonImport`s have been read.
    pub imports: usize,
    /// How interpreters are made, by their names.
    pub interpreters: InterpreterOptions,
    /// `PythonHome`, where it is no virtual environment.
    pub home: Option<String>,
    /// The folders that children read Python's modules from.
    pub folders: Vec<Folder>,
    /// mod_wsgi's directives.
    pub wsgi: WsgiProcess,
    pub mutexes: Option<GlobalMutexes>,
    /// Stores that are caches of httpd's, by their names and locations.
    pub caches: Option<(Vec<(String, String)>, Caches)>,
    /// Where the stores without a location are; none if that folder cannot be used.
    pub stores: Option<PathBuf>,
}

/// A folder that a directive names, which the children's user has to be able to read.
pub struct Folder {
    /// The directive.
    pub said: String,
    /// Its file and line.
    pub place: String,
    pub needs: Vec<PathBuf>,
}

impl Generation {
    /// The generation of a configuration pool, created by the first call.
    ///
    /// # Safety
    /// `pool` is the configuration's (`process->pconf`), and no other reference to its generation is in use: httpd reads
    /// its configuration in one thread.
    pub unsafe fn of<'p>(pool: Pool<'p>) -> &'p mut Self {
        // SAFETY: the entry, if any, was set here; the pool drops it when it is cleared.
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
        // SAFETY: the argument of `make_current`.
        unsafe { CURRENT.load(Ordering::Acquire).as_ref() }
    }

    /// Makes this the generation of this child.
    ///
    /// # Safety
    /// It lives and does not change from now on: true in a child, which keeps its configuration until it ends.
    pub unsafe fn make_current(&mut self) {
        CURRENT.store(self, Ordering::Release);
    }
}

unsafe extern "C" fn dispose(generation: *mut c_void) -> raw::apr_status_t {
    // SAFETY: the box of `of`, once.
    let _ = caught(|| drop(unsafe { Box::from_raw(generation.cast::<Generation>()) }));
    0
}
