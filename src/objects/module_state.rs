//! The module state of `_apache` in one interpreter: the classes, the exceptions, the objects of servers.

use std::collections::HashMap;
use std::panic::RefUnwindSafe;
use std::sync::OnceLock;

use parking_lot::Mutex;

use crate::cpython::{Attached, Class, Instance, Kept, Object, Raised, class_of, new_instance, state_of};
use crate::ffi::python as py;
use crate::interpreter::{DataSlot, Interpreter, InterpreterData};

/// The classes of this folder, by their index in the module state.
#[derive(Clone, Copy)]
pub enum ClassId {
    Request,
    Server,
    Connection,
    Table,
    Finfo,
    Hlist,
    Filter,
    WsgiInput,
    WsgiErrors,
    WsgiStartResponse,
}

impl ClassId {
    const COUNT: usize = 10;
}

/// A class of `_apache`. Each type names its own class, so that the classes do not depend on each other.
pub trait ApacheClass: Class {
    const ID: ClassId;
}

/// The exceptions of `_apache`.
pub struct Exceptions {
    /// `apache.SERVER_RETURN`
    pub server_return: Kept,
    /// `RequestBodyError`, an `OSError`
    pub body_error: Kept,
    /// `ClientGone`, a `ConnectionError`
    pub client_gone: Kept,
}

/// What a server has once in an interpreter.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerPart {
    /// Its `mp_server`
    Server,
    /// The table of its options
    Options,
}

/// The module state.
pub struct ModuleState {
    classes: [Kept; ClassId::COUNT],
    pub exceptions: Exceptions,
    /// Functions of the library that Rust code calls, once it is imported.
    library: OnceLock<Library>,
    /// The objects of servers, by server record: each server has one object of a kind in an interpreter.
    servers: Locked<HashMap<(ServerPart, usize), Kept>>,
}

/// Functions of the Python library.
pub struct Library {
    /// `apache._import_for_handler`
    pub import_for_handler: Kept,
    /// `apache._use_python_path`
    pub use_python_path: Kept,
}

/// Collects the classes while `_apache` is initialised.
pub struct Classes<'m, 'i> {
    module: &'m Object<'i>,
    made: [Option<Kept>; ClassId::COUNT],
}

impl<'m, 'i> Classes<'m, 'i> {
    pub fn new(module: &'m Object<'i>) -> Self {
        Self { module, made: Default::default() }
    }

    /// Makes the class of `T`.
    pub fn add<T: ApacheClass>(&mut self) -> Result<(), Raised> {
        self.made[T::ID as usize] = Some(class_of::<T>(self.module)?.keep());
        Ok(())
    }
}

impl ModuleState {
    /// # Errors
    /// A class is missing, or an exception could not be made.
    pub fn new(classes: Classes<'_, '_>) -> Result<Self, Raised> {
        let attached = classes.module.attached();
        let missing = || Raised::system_error(attached, "a class of _apache was not made");
        let made: Vec<_> = classes.made.into_iter().flatten().collect();
        Ok(Self {
            classes: made.try_into().map_err(|_| missing())?,
            exceptions: Exceptions::make(attached)?,
            library: OnceLock::new(),
            servers: Locked::new(HashMap::new()),
        })
    }

    /// The module state of an interpreter.
    ///
    /// # Errors
    /// `RuntimeError` while the interpreter is being set up.
    #[inline]
    pub fn of(attached: Attached<'_>, interpreter: &'static Interpreter) -> Result<&'static Self, Raised> {
        interpreter.data::<SharedState>().map(|shared| shared.state).ok_or_else(|| not_set_up(attached))
    }

    /// The class made from `T`.
    #[inline]
    pub fn class<'i, T: ApacheClass>(&self, attached: Attached<'i>) -> Object<'i> {
        // SAFETY: the module state is used by its own interpreter only.
        unsafe { self.classes[T::ID as usize].get(attached) }
    }

    /// Makes an instance of the class made from `T`.
    #[inline]
    pub fn instance<'i, T: ApacheClass>(&self, attached: Attached<'i>, value: T) -> Result<Object<'i>, Raised> {
        // SAFETY: the class was made from `T` in this interpreter.
        unsafe { new_instance(attached, self.classes[T::ID as usize].as_ptr(), value) }
    }

    /// An object as an instance of `T`, if it is one.
    pub fn cast<'o, 'i, T: ApacheClass>(&self, object: &'o Object<'i>) -> Option<Instance<'o, T>>
    where
        'i: 'o,
    {
        let attached = object.attached();
        let is_one = object.is_instance(&self.class::<T>(attached));
        // SAFETY: an instance of the class, as just asked.
        is_one.then(|| unsafe { state_of(attached, object.as_ptr()) })
    }

    /// The functions of the library; `RuntimeError` before it is imported.
    pub fn library(&self, attached: Attached<'_>) -> Result<&Library, Raised> {
        self.library.get().ok_or_else(|| not_set_up(attached))
    }

    /// Sets the functions of the library. Once is enough.
    pub fn set_library(&self, library: Library) {
        let _ = self.library.set(library);
    }

    /// An object of a server record, created by the first call.
    pub fn of_server<'i>(
        &self,
        attached: Attached<'i>,
        part: ServerPart,
        address: usize,
        make: impl FnOnce() -> Result<Object<'i>, Raised>,
    ) -> Result<Object<'i>, Raised> {
        // SAFETY: made in the interpreter that this belongs to.
        let known = self.servers.with(|known| known.get(&(part, address)).map(|kept| unsafe { kept.get(attached) }));
        if let Some(known) = known {
            return Ok(known);
        }
        let made = make()?;
        Ok(self.servers.with(|known| {
            // Another thread may have been faster.
            let kept = known.entry((part, address)).or_insert_with(|| made.clone().keep());
            // SAFETY: as above.
            unsafe { kept.get(attached) }
        }))
    }

    /// Raises `ClientGone`.
    #[cold]
    pub fn client_gone(&self, attached: Attached<'_>) -> Raised {
        // SAFETY: the class is this interpreter's.
        let class = unsafe { self.exceptions.client_gone.get(attached) };
        Raised::new(&class, "Client has closed the connection.")
    }

    /// The same with an errno: `ClientGone(errno, text)`.
    #[cold]
    pub fn client_gone_with(&self, attached: Attached<'_>, errno: i32) -> Raised {
        let raise = || -> Result<Raised, Raised> {
            let text = Object::str(attached, "Client has closed the connection.")?;
            let arguments = Object::tuple(attached, [Object::int(attached, errno.into())?, text])?;
            // SAFETY: the class is this interpreter's.
            let class = unsafe { self.exceptions.client_gone.get(attached) };
            Ok(Raised::with_value(&class, &arguments))
        };
        raise().unwrap_or_else(|raised| raised)
    }

    /// Visits every Python object in it, for the garbage collector.
    pub fn visit(&self, visitor: &mut dyn FnMut(*mut py::PyObject)) {
        let exceptions = [&self.exceptions.server_return, &self.exceptions.body_error, &self.exceptions.client_gone];
        self.classes.iter().chain(exceptions).for_each(|kept| visitor(kept.as_ptr()));
    }
}

#[cold]
fn not_set_up(attached: Attached<'_>) -> Raised {
    Raised::runtime_error(attached, "the interpreter is not set up yet")
}

/// The reference of an interpreter to the module state.
pub struct SharedState {
    state: &'static ModuleState,
    /// The state lives in the module object, which is kept until the process ends.
    _module: Kept,
}

impl SharedState {
    /// # Safety
    /// `state` is the module state of `module`.
    pub unsafe fn new(state: &ModuleState, module: Object<'_>) -> Self {
        // SAFETY: the module is kept as long as this, which is as long as the process.
        let state = unsafe { std::mem::transmute::<&ModuleState, &'static ModuleState>(state) };
        Self { state, _module: module.keep() }
    }
}

impl InterpreterData for SharedState {
    const SLOT: DataSlot = DataSlot::ModuleState;
}

impl Exceptions {
    fn make(attached: Attached<'_>) -> Result<Self, Raised> {
        let exception = |name: &std::ffi::CStr, base: *mut py::PyObject| {
            // SAFETY: attached; the name is `module.class`, the base an exception class, which lives as long as Python.
            unsafe { Object::owned(attached, py::PyErr_NewException(name.as_ptr(), base, std::ptr::null_mut())) }
                .map(Object::keep)
        };
        // SAFETY: the exception classes live as long as Python.
        let (plain, os_error, connection_error) =
            unsafe { (py::PyExc_Exception, py::PyExc_OSError, py::PyExc_ConnectionError) };
        Ok(Self {
            server_return: exception(c"_apache.SERVER_RETURN", plain)?,
            body_error: exception(c"_apache.RequestBodyError", os_error)?,
            client_gone: exception(c"_apache.ClientGone", connection_error)?,
        })
    }
}

/// Data of one interpreter that its threads share. Python must not be called while it is used: other threads wait for it while attached.
#[derive(Default)]
pub struct Locked<T>(Mutex<T>);

impl<T> RefUnwindSafe for Locked<T> {}

impl<T> Locked<T> {
    pub fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Uses the data. `work` must not call Python.
    #[inline]
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.0.lock())
    }
}
