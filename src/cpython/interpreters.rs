//! Interpreters in CPython: creating one, and the list of its thread states.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
#[cfg(Py_3_12)]
use std::ptr;

use parking_lot::Mutex;

use crate::ffi::python as py;

use super::attached::{AttachGuard, Attached, Detached, attach};
#[cfg(not(Py_3_12))]
use super::gilstate;
use super::site::PutOff;
#[cfg(Py_3_12)]
use super::startup::status_text;
use super::thread_state::ThreadStates;

/// The result of `new_interpreter`.
pub struct NewInterpreter<'d> {
    pub state: *mut py::PyInterpreterState,
    pub guard: AttachGuard<'d>,
}

/// How an interpreter is made.
#[derive(Clone, Copy)]
pub struct NewOptions {
    /// It has a GIL of its own.
    pub own_gil: bool,
    /// Its `site` is an empty module, which whoever uses the interpreter replaces by the real one. `StartOptions::can_put_site_off` was set.
    pub puts_site_off: bool,
}

/// Held while CPython creates an interpreter: to create two with GILs of their own at once crashes (gh-120524, gh-127108, gh-129817).
static MAKING: Mutex<()> = Mutex::new(());

/// Creates a sub-interpreter, and attaches this thread to it.
///
/// CPython refuses to fork in it from 3.12 on (`Py_NewInterpreterFromConfig`); threads, daemon threads and
/// starting programs are allowed. What was attached before is attached again when the guard is dropped. Waits while another one is created.
///
/// # Errors
/// CPython's message.
///
/// # Safety
/// `main` is the main interpreter, alive, and Python is not finalizing.
pub unsafe fn new_interpreter<'d>(
    detached: &'d mut Detached<'_>,
    main: *mut py::PyInterpreterState,
    options: NewOptions,
) -> Result<NewInterpreter<'d>, String> {
    let _making = MAKING.lock();
    // SAFETY: the caller's.
    let main_guard = unsafe { attach(detached, main) }.ok_or("the process is about to end")?;
    let put_off = options.puts_site_off.then(PutOff::new);
    // SAFETY: attached to the main interpreter, while nobody else makes one.
    let state = unsafe { create(options.own_gil) }?;
    drop(put_off);
    // CPython has detached the main interpreter's state and attached the new one.
    let mut main_guard = ManuallyDrop::new(main_guard);
    let turn = main_guard.turn.take();
    ThreadStates::with(|thread| {
        let previous = if main_guard.is_nested { thread.current() } else { main_guard.previous };
        // SAFETY: the state is alive and attached.
        let interpreter = unsafe { py::PyThreadState_GetInterpreter(state) };
        thread.add_creation(interpreter, state);
        thread.set_current(state);
        let guard =
            AttachGuard { previous, is_nested: false, is_away: main_guard.is_away, turn, detached: PhantomData };
        Ok(NewInterpreter { state: interpreter, guard })
    })
}

#[cfg(Py_3_12)]
unsafe fn create(own_gil: bool) -> Result<*mut py::PyThreadState, String> {
    let own = i32::from(own_gil);
    let config = py::PyInterpreterConfig {
        use_main_obmalloc: 1 - own,
        allow_fork: 0,
        allow_exec: 1,
        allow_threads: 1,
        allow_daemon_threads: 1,
        check_multi_interp_extensions: own,
        gil: if own_gil { py::PyInterpreterConfig_OWN_GIL } else { py::PyInterpreterConfig_SHARED_GIL },
    };
    let mut state = ptr::null_mut();
    // SAFETY: the configuration is a valid one (a GIL of its own with an allocator of its own and the extension check).
    let status = unsafe { py::Py_NewInterpreterFromConfig(&mut state, &config) };
    // SAFETY: the status is CPython's own.
    match unsafe { py::PyStatus_Exception(status) } == 0 && !state.is_null() {
        true => Ok(state),
        false => Err(status_text(&status)),
    }
}

#[cfg(not(Py_3_12))]
unsafe fn create(own_gil: bool) -> Result<*mut py::PyThreadState, String> {
    assert!(!own_gil, "a GIL of its own needs Python 3.12; the configuration refuses it");
    // SAFETY: attached to the main interpreter.
    let state = gilstate::while_making(|| unsafe { py::Py_NewInterpreter() });
    // Also where it is the main interpreter's again.
    ThreadStates::with(ThreadStates::forget_bound);
    match state.is_null() {
        true => Err("Py_NewInterpreter gave no interpreter".into()),
        false => Ok(state),
    }
}

/// How many thread states the attached interpreter has: one for each thread that has run in it and has not ended.
pub fn thread_states(_attached: Attached<'_>) -> usize {
    // SAFETY: attached. States are removed from the list by threads that hold the interpreter's GIL, as this one does, and
    // added at its head.
    unsafe { states_of(py::PyInterpreterState_Get()).count() }
}

/// Whether an interpreter has a thread state of another thread.
///
/// # Safety
/// The interpreter is alive, and no other thread runs Python meanwhile: true in a process that was just forked.
pub unsafe fn has_other_threads(interpreter: *mut py::PyInterpreterState) -> bool {
    // SAFETY: the caller's.
    let mut states = unsafe { states_of(interpreter) };
    ThreadStates::with(|thread| states.any(|state| !thread.has(state)))
}

/// Whether this process has other interpreters than the attached one.
pub fn other_interpreters(_attached: Attached<'_>) -> bool {
    // SAFETY: attached. Interpreters are added at the list's head and never removed.
    unsafe {
        let head = py::PyInterpreterState_Head();
        head != py::PyInterpreterState_Get() || !py::PyInterpreterState_Next(head).is_null()
    }
}

/// # Safety
/// The interpreter is alive, and no state is removed from its list during the iteration.
pub(super) unsafe fn states_of(
    interpreter: *mut py::PyInterpreterState,
) -> impl Iterator<Item = *mut py::PyThreadState> {
    let live = |state: *mut py::PyThreadState| (!state.is_null()).then_some(state);
    // SAFETY: the caller's.
    let first = live(unsafe { py::PyInterpreterState_ThreadHead(interpreter) });
    // SAFETY: as above.
    std::iter::successors(first, move |state| live(unsafe { py::PyThreadState_Next(*state) }))
}
