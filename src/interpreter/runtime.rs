//! Python in this child: it is started once, after the fork.

use std::collections::HashMap;
use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::cpython::{self, AttachGuard, Attached, Detached, Home, Raised, StartOptions};
use crate::ffi::python as py;

use super::creation::Slot;
use super::{Interpreter, InterpreterOptions, MAIN};

/// Prepares a new interpreter, before it is published.
pub trait SetUp: Send + Sync {
    /// Runs attached to the interpreter.
    fn set_up(&self, attached: Attached<'_>, interpreter: &'static Interpreter) -> Result<(), Raised>;

    /// Runs attached to an interpreter that was created before this process was forked.
    fn after_fork(&self, attached: Attached<'_>) -> Result<(), Raised>;
}

/// The settings with which Python is started.
pub struct RuntimeOptions {
    pub interpreters: InterpreterOptions,
    pub home: Home,
    /// `sys.executable`, where interpreters have no virtual environment.
    pub executable: String,
    /// As `python -O`: 0, 1 or 2.
    pub optimization: i32,
    pub modules: &'static [(&'static CStr, unsafe extern "C" fn() -> *mut py::PyObject)],
    pub set_up: Box<dyn SetUp>,
    /// How many of the module's own threads are idle at the moment: the exit of the process need not wait for them.
    pub resting_threads: fn() -> usize,
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
    pub(super) fn attach_main<'d>(&'static self, detached: &'d mut Detached<'_>) -> Option<AttachGuard<'d>> {
        // SAFETY: the main interpreter is alive and Python is never finalized.
        unsafe { cpython::attach(detached, self.main) }
    }

    /// Python's optimization level: 0, or 2 as with -OO.
    pub fn optimization(&self) -> i32 {
        self.options.optimization
    }

    /// Whether an interpreter can have a GIL of its own.
    pub fn has_own_gils(&self) -> bool {
        self.options.interpreters.has_own_gil()
    }

    /// The environment that the child started with: each interpreter's `os.environ` is a copy of it.
    pub fn environment(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.environment
    }
}

/// Starts Python in this process, unless that was tried before.
///
/// Other threads wait meanwhile. The environment is copied before Python can change it.
pub fn start(options: impl FnOnce() -> RuntimeOptions) -> Result<&'static Runtime, &'static str> {
    let runtime = RUNTIME.get_or_init(|| {
        let options = options();
        let environment = std::env::vars_os().map(|(name, value)| (bytes(name), bytes(value))).collect();
        let started = cpython::start(&StartOptions {
            home: &options.home,
            executable: &options.executable,
            optimization: options.optimization,
            can_put_site_off: options.interpreters.has_venvs(),
            puts_site_off: options.interpreters.venv(MAIN).is_some(),
            modules: options.modules,
        });
        match started {
            Ok(main) => Ok(Runtime { main, slots: Mutex::default(), options, environment }),
            Err(error) => {
                tracing::error!(
                    "MP0101: Python could not be started in this child: {error}. Requests for Python handlers are answered with 500."
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
