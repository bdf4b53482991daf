//! The process/interpreter model: names, creation, GIL modes, life and end.

mod creation;
mod forks;
mod gil;
mod options;
mod runtime;
mod shutdown;
mod venv;

pub use creation::{CreateError, get};
pub use forks::{forked_by_python, use_after_fork};
pub use gil::Gil;
pub use options::{ByName, InterpreterOptions};
pub use runtime::{Runtime, RuntimeOptions, SetUp, runtime, start};
pub use shutdown::shutdown;
pub use venv::{Venv, VenvError};

use std::any::Any;
use std::borrow::Cow;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use crate::cpython::{self, AttachGuard, Attached, Detached};
use crate::ffi::python as py;

/// A function that runs in an interpreter when the child is about to end.
pub type ExitWork = Box<dyn FnOnce(Attached<'_>) + Send>;

/// The name of the interpreter that Python starts with.
pub const MAIN: &[u8] = b"main_interpreter";

/// The slots for data that other rooms keep for each interpreter.
#[derive(Clone, Copy)]
pub enum DataSlot {
    /// The module state of `_apache`.
    ModuleState,
    /// The handlers that were found in their modules.
    Handlers,
    /// The keys of WSGI environs.
    WsgiNames,
}

impl DataSlot {
    const COUNT: usize = 3;
}

/// Data that another room keeps for each interpreter.
pub trait InterpreterData: Any + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Its slot: one for each type.
    const SLOT: DataSlot;
}

type AnyData = Box<dyn Any + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// One interpreter of this child. It is never ended before the process is, so references to it are `'static`.
pub struct Interpreter {
    name: Box<[u8]>,
    state: *mut py::PyInterpreterState,
    id: i64,
    gil: Gil,
    venv: Option<Venv>,
    data: [OnceLock<AnyData>; DataSlot::COUNT],
    /// With the process that is to run it: a process that is forked inherits the list.
    exit_work: Mutex<Vec<(u32, ExitWork)>>,
    /// Whether it was created before this process was forked, and the hooks after a fork have not run in it.
    is_inherited: AtomicBool,
}

// SAFETY: the state pointer is only used to attach; everything else can be shared.
unsafe impl Send for Interpreter {}
// SAFETY: as above.
unsafe impl Sync for Interpreter {}
impl RefUnwindSafe for Interpreter {}

impl Interpreter {
    /// The name as the configuration gives it.
    #[inline]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The name for messages.
    pub fn display_name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// CPython's id; that of the main interpreter is 0.
    pub fn id(&self) -> i64 {
        self.id
    }

    pub fn gil(&self) -> Gil {
        self.gil
    }

    /// Its virtual environment, if it has one.
    pub fn venv(&self) -> Option<&Venv> {
        self.venv.as_ref()
    }

    pub fn is_main(&self) -> bool {
        &*self.name == MAIN
    }

    /// Whether CPython has freed it, in a process that Python has forked.
    fn is_gone(&self) -> bool {
        forks::is_by_python() && !self.is_main()
    }

    /// Attaches this thread; `None` when the child is about to end, or the interpreter is not in this process.
    #[inline]
    pub fn attach<'d>(&'static self, detached: &'d mut Detached<'_>) -> Option<AttachGuard<'d>> {
        if self.is_gone() {
            return None;
        }
        // SAFETY: the interpreter is not gone and so lives as long as the process, which never finalizes Python.
        unsafe { cpython::attach(detached, self.state) }
    }

    /// The data of another room.
    #[inline]
    pub fn data<T: InterpreterData>(&self) -> Option<&T> {
        let data: &(dyn Any + Send + Sync + UnwindSafe + RefUnwindSafe) = &**self.data[T::SLOT as usize].get()?;
        (data as &dyn Any).downcast_ref()
    }

    /// The same, created by the first call.
    #[inline]
    pub fn data_or_insert<T: InterpreterData>(&self, make: impl FnOnce() -> T) -> &T {
        let data: &(dyn Any + Send + Sync + UnwindSafe + RefUnwindSafe) =
            &**self.data[T::SLOT as usize].get_or_init(|| Box::new(make()));
        (data as &dyn Any).downcast_ref().unwrap_or_else(|| unreachable!("each slot has one type"))
    }

    /// Runs `work` in this interpreter when this process is about to end, in reverse order of the calls.
    pub fn at_exit(&self, work: ExitWork) {
        self.exit_work.lock().push((process::id(), work));
    }
}
