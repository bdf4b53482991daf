//! `_apache`: the builtin module under the Python library.

mod constants;
mod entries;
mod exit;
mod forms;
mod functions;
mod mutexes;
mod process;
mod serving;
mod stat;

use std::sync::atomic::{AtomicPtr, Ordering};

use crate::cpython::{Attached, ModuleSlots, ModuleState, ModuleTable, Object, Raised, module_slots, module_state};
use crate::ffi::python as py;
use crate::interpreter::Interpreter;
use crate::objects::Classes;

/// The name under which Python imports it.
pub const NAME: &std::ffi::CStr = c"_apache";

/// One interpreter's `_apache`.
pub struct State {
    classes: Classes,
    /// Null in an interpreter that the module did not make.
    interpreter: AtomicPtr<Interpreter>,
}

impl State {
    /// The interpreter that the module belongs to; none in one that the module did not make.
    pub fn interpreter(&self) -> Option<&'static Interpreter> {
        // SAFETY: null, or an interpreter, which lives as long as the process.
        unsafe { self.interpreter.load(Ordering::Acquire).as_ref() }
    }

    /// The same where there is no going on without one.
    pub fn required(&self, attached: Attached<'_>) -> Result<&'static Interpreter, Raised> {
        self.interpreter().ok_or_else(|| Raised::runtime_error(attached, "_apache is not set up in this interpreter"))
    }

    /// The state of a module object.
    pub fn of<'a>(module: &Object<'a>) -> Option<&'a Self> {
        // SAFETY: called with `_apache` only, whose definition has this state; it lives as long as the interpreter.
        unsafe { module_state::<Self>(module.as_ptr()) }
    }

    /// Ties the module to its interpreter, again if its set-up has failed before, and shares its classes.
    pub fn adopt(&self, attached: Attached<'_>, interpreter: &'static Interpreter) -> Classes {
        self.interpreter.store(std::ptr::from_ref(interpreter).cast_mut(), Ordering::Release);
        self.classes.share(attached)
    }
}

impl ModuleState for State {
    fn execute(module: &Object<'_>) -> Result<Self, Raised> {
        let classes = Classes::make(module)?;
        functions::add_names(module, &classes)?;
        Ok(Self { classes, interpreter: AtomicPtr::default() })
    }

    fn traverse(&self, visitor: &mut dyn FnMut(*mut py::PyObject)) {
        self.classes.all().iter().for_each(|class| visitor(class.as_ptr()));
    }
}

static SLOTS: ModuleSlots<{ crate::cpython::module::SLOTS }> = module_slots::<State>();
static TABLE: ModuleTable =
    ModuleTable::new::<State>(NAME, c"What httpd offers to Python.", functions::FUNCTIONS, &SLOTS);

/// The module's init function, for `PyImport_AppendInittab`.
pub unsafe extern "C" fn init() -> *mut py::PyObject {
    TABLE.init()
}
