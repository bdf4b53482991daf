//! The process/interpreter model: names, creation, GIL modes, life and end.

mod creation;
mod forks;
mod gil;
mod runtime;
mod shutdown;

pub use creation::get;
pub use forks::{forked_by_python, settle_after_fork};
pub use gil::{Gil, GilOptions};
pub use runtime::{Runtime, RuntimeOptions, Setup, runtime, start};
pub use shutdown::shutdown;

use std::any::Any;
use std::borrow::Cow;
use std::process;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::cpython::{self, AttachGuard, Attached};
use crate::ffi::python as py;

/// What runs in an interpreter when the child is about to end.
pub type ExitWork = Box<dyn FnOnce(Attached<'_>) + Send>;

/// The name of the interpreter that Python starts with.
pub const MAIN: &[u8] = b"main_interpreter";

/// One interpreter of this child. It is never ended before the process is, so references to it are `'static`.
pub struct Interpreter {
    name: Box<[u8]>,
    state: *mut py::PyInterpreterState,
    id: i64,
    gil: Gil,
    /// What the rooms below keep for it: the classes, the library's functions.
    equipment: OnceLock<Box<dyn Any + Send + Sync>>,
    /// With the process that is to do it: one that is forked off inherits the list.
    exit_work: Mutex<Vec<(u32, ExitWork)>>,
    /// Whether it came from the process that forked this one off, and has not been told so.
    inherited: AtomicBool,
}

// SAFETY: the state pointer is only used to attach; everything else is made for sharing.
unsafe impl Send for Interpreter {}
// SAFETY: as above.
unsafe impl Sync for Interpreter {}

impl Interpreter {
    /// The name as the configuration gives it.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The name for messages.
    pub fn display_name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// CPython's number for it; the main interpreter's is 0.
    pub fn id(&self) -> i64 {
        self.id
    }

    pub fn gil(&self) -> Gil {
        self.gil
    }

    pub fn is_main(&self) -> bool {
        &*self.name == MAIN
    }

    /// Whether CPython has freed it, in a process that Python itself has forked.
    fn is_gone(&self) -> bool {
        forks::is_by_python() && !self.is_main()
    }

    /// Attaches this thread; `None` when the child is about to end, or the interpreter is not in this process.
    pub fn attach(&'static self) -> Option<AttachGuard> {
        if self.is_gone() {
            return None;
        }
        // SAFETY: the interpreter is not gone and so lives as long as the process, which never finalizes Python.
        unsafe { cpython::attach(self.state) }
    }

    /// What `Setup` made for it. A published interpreter always has it.
    pub fn equipment<T: 'static>(&self) -> Option<&T> {
        self.equipment.get().and_then(|equipment| equipment.downcast_ref())
    }

    /// Runs `work` in this interpreter when this process is about to end, last given first.
    pub fn at_exit(&self, work: ExitWork) {
        self.exit_work.lock().unwrap_or_else(PoisonError::into_inner).push((process::id(), work));
    }
}
