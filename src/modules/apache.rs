//! `_apache`: the builtin module below the Python library.

mod constants;
mod exit;
mod forms;
mod functions;
mod logging;
mod mutexes;
mod process;
mod programs;
mod serving;
mod stat;
mod threads;

use std::sync::atomic::{AtomicPtr, Ordering};

use crate::cpython::{Attached, ModuleSlots, ModuleTable, Object, Raised, State, module_slots, module_state};
use crate::ffi::python as py;
use crate::interpreter::Interpreter;
use crate::objects::connection::ConnectionObject;
use crate::objects::filter::FilterObject;
use crate::objects::finfo::FinfoObject;
use crate::objects::hlist::HlistObject;
use crate::objects::module_state::{Classes, ModuleState, SharedState};
use crate::objects::request::RequestObject;
use crate::objects::server::ServerObject;
use crate::objects::table::TableObject;
use crate::objects::wsgi::{ErrorsObject, InputObject, StartResponseObject};

/// The name under which Python imports it.
pub const NAME: &std::ffi::CStr = c"_apache";

/// The module state of `_apache`.
pub struct Apache {
    module_state: ModuleState,
    /// Null in an interpreter that this module has not created.
    interpreter: AtomicPtr<Interpreter>,
}

impl Apache {
    /// The interpreter of the module; `None` in one that this module has not created.
    pub fn interpreter(&self) -> Option<&'static Interpreter> {
        // SAFETY: null, or an interpreter, which lives as long as the process.
        unsafe { self.interpreter.load(Ordering::Acquire).as_ref() }
    }

    /// The same, or an exception.
    pub fn required(&self, attached: Attached<'_>) -> Result<&'static Interpreter, Raised> {
        self.interpreter().ok_or_else(|| Raised::runtime_error(attached, "_apache is not set up in this interpreter"))
    }

    /// Sets the interpreter of the module, again if the set-up has failed before; returns what the interpreter keeps.
    ///
    /// # Errors
    /// `module` is not `_apache`, or was not executed.
    pub fn adopt(
        attached: Attached<'_>,
        module: &Object<'_>,
        interpreter: &'static Interpreter,
    ) -> Result<SharedState, Raised> {
        // SAFETY: called with `_apache` only, whose definition has this state.
        let own = unsafe { module_state::<Self>(module.as_ptr()) }
            .ok_or_else(|| Raised::runtime_error(attached, "_apache is not initialised"))?;
        own.interpreter.store(std::ptr::from_ref(interpreter).cast_mut(), Ordering::Release);
        // SAFETY: the state is that of this module.
        Ok(unsafe { SharedState::new(&own.module_state, module.clone()) })
    }
}

impl State for Apache {
    fn execute(module: &Object<'_>) -> Result<Self, Raised> {
        let mut classes = Classes::new(module);
        classes.add::<RequestObject>()?;
        classes.add::<ServerObject>()?;
        classes.add::<ConnectionObject>()?;
        classes.add::<TableObject>()?;
        classes.add::<FinfoObject>()?;
        classes.add::<HlistObject>()?;
        classes.add::<FilterObject>()?;
        classes.add::<InputObject>()?;
        classes.add::<ErrorsObject>()?;
        classes.add::<StartResponseObject>()?;
        let module_state = ModuleState::new(classes)?;
        functions::add_names(module, &module_state)?;
        Ok(Self { module_state, interpreter: AtomicPtr::default() })
    }

    fn traverse(&self, visitor: &mut dyn FnMut(*mut py::PyObject)) {
        self.module_state.visit(visitor);
    }
}

static SLOTS: ModuleSlots<{ crate::cpython::module::SLOTS }> = module_slots::<Apache>();
static TABLE: ModuleTable =
    ModuleTable::new::<Apache>(NAME, c"What httpd offers to Python.", functions::FUNCTIONS, &SLOTS);

/// The module's init function, for `PyImport_AppendInittab`.
pub unsafe extern "C" fn init() -> *mut py::PyObject {
    TABLE.init()
}
