//! Python in this child: started once, after the fork.

use std::any::Any;
use std::collections::HashMap;
use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, Mutex, OnceLock};

use crate::cpython::{self, AttachGuard, Attached, Raised, StartOptions};
use crate::ffi::python as py;

use super::creation::Slot;
use super::{GilOptions, Interpreter};

/// Makes a fresh interpreter fit for use, before it is published.
pub trait Setup: Send + Sync {
    /// Runs attached to the interpreter. What it returns is the interpreter's `equipment`.
    fn set_up(
        &self,
        attached: Attached<'_>,
        interpreter: &'static Interpreter,
    ) -> Result<Box<dyn Any + Send + Sync>, Raised>;

    /// Runs attached to an interpreter that this process has inherited from the one that forked it off.
    fn after_fork(&self, attached: Attached<'_>) -> Result<(), Raised>;
}

/// What Python is started with.
pub struct RuntimeOptions {
    pub gil: GilOptions,
    /// As `python -O`: 0, 1 or 2.
    pub optimization: i32,
    pub modules: &'static [(&'static CStr, unsafe extern "C" fn() -> *mut py::PyObject)],
    pub setup: Box<dyn Setup>,
}

/// Python in this process.
pub struct Runtime {
    pub(super) main: *mut py::PyInterpreterState,
    pub(super) slots: Mutex<HashMap<Box<[u8]>, Arc<Slot>>>,
    pub(super) options: RuntimeOptions,
    environment: Vec<(Vec<u8>, Vec<u8>)>,
}

// SAFETY: the interpreter pointer is only used to attach.
unsafe impl Send for Runtime {}
// SAFETY: as above.
unsafe impl Sync for Runtime {}

static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();

impl Runtime {
    /// Attaches this thread to the main interpreter; `None` when the child is about to end.
    pub(super) fn attach_main(&'static self) -> Option<AttachGuard> {
        // SAFETY: the main interpreter is alive and Python is never finalized.
        unsafe { cpython::attach(self.main) }
    }

    /// How much Python optimises: 0, or 2 as with -OO.
    pub fn optimization(&self) -> i32 {
        self.options.optimization
    }

    /// The environment that the child started with: each interpreter's `os.environ` is a copy of it.
    pub fn environment(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.environment
    }
}

/// Starts Python in this process, unless it has been tried before.
///
/// Whoever comes meanwhile waits. The environment is noted before Python can change it.
pub fn start(options: impl FnOnce() -> RuntimeOptions) -> Result<&'static Runtime, &'static str> {
    let runtime = RUNTIME.get_or_init(|| {
        let options = options();
        let environment = std::env::vars_os().map(|(name, value)| (bytes(name), bytes(value))).collect();
        let started = cpython::start(&StartOptions {
            home: env!("MOD_PYTHON_PY_HOME"),
            executable: env!("MOD_PYTHON_PY_EXECUTABLE"),
            optimization: options.optimization,
            modules: options.modules,
        });
        match started {
            Ok(main) => Ok(Runtime { main, slots: Mutex::default(), options, environment }),
            Err(error) => {
                tracing::error!(
                    "MP0101: Python could not be started in this child: {error}. Its home is {}: is it there, and can the user of httpd read it? Requests for Python handlers are answered with 500 until this is mended.",
                    env!("MOD_PYTHON_PY_HOME")
                );
                Err(error.to_string())
            }
        }
    });
    runtime.as_ref().map_err(String::as_str)
}

/// Python in this process, if it has been started.
pub fn runtime() -> Option<&'static Runtime> {
    RUNTIME.get().and_then(|runtime| runtime.as_ref().ok())
}

fn bytes(text: OsString) -> Vec<u8> {
    text.into_vec()
}
