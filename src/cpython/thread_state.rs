//! Thread states: one for each OS thread and interpreter, made on that thread and never moved.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ffi::python as py;

use super::gilstate;

/// Whether threads may attach: from the start of Python until the process is about to end.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Lets threads attach.
pub(super) fn open() {
    OPEN.store(true, Ordering::Release);
}

/// Lets no thread attach any more. Threads that are attached stay so.
pub fn close() {
    OPEN.store(false, Ordering::Release);
}

#[inline]
pub(super) fn is_open() -> bool {
    OPEN.load(Ordering::Acquire)
}

/// Whether the whole process is about to end. Asked when a thread ends.
static ENDING: OnceLock<fn() -> bool> = OnceLock::new();

/// Sets how to tell that a thread ends because the process does. Its states are not ended then: that takes the GIL, and a child would
/// wait as long as another thread holds it.
pub fn leave_states_when(is_ending: fn() -> bool) {
    let _ = ENDING.set(is_ending);
}

/// A thread state that this OS thread has for an interpreter.
struct State {
    interpreter: *mut py::PyInterpreterState,
    state: *mut py::PyThreadState,
    owner: Owner,
}

#[derive(Clone, Copy, PartialEq)]
enum Owner {
    /// Made by `attach`: deleted when the OS thread ends.
    Us,
    /// The interpreter's first state: never deleted (CPython 3.12 reuses its memory for the next state and aborts).
    Creation,
    /// Made by Python for a thread that Python has started: only borrowed while that thread is detached.
    Python,
}

/// The thread states of this OS thread.
pub(super) struct ThreadStates {
    states: RefCell<Vec<State>>,
    /// The interpreter that was looked up last, and its state.
    latest: Cell<(*mut py::PyInterpreterState, *mut py::PyThreadState)>,
    /// The state that `attach` has attached on this thread, null when none.
    current: Cell<*mut py::PyThreadState>,
    /// The state that this module has set for `PyGILState_*` on this thread.
    bound: Cell<*mut py::PyThreadState>,
    /// The number of attach guards of this thread, attached or detached at the moment.
    depth: Cell<usize>,
}

thread_local! {
    /// Without a destructor, so that exit functions of the process can use it: they run after the destructors of thread-locals.
    static THREAD: ManuallyDrop<ThreadStates> = const {
        ManuallyDrop::new(ThreadStates {
            states: RefCell::new(Vec::new()),
            latest: Cell::new((ptr::null_mut(), ptr::null_mut())),
            current: Cell::new(ptr::null_mut()),
            bound: Cell::new(ptr::null_mut()),
            depth: Cell::new(0),
        })
    };
    static END: EndOfThread = const { EndOfThread };
}

/// Ends this thread's states when it is dropped.
struct EndOfThread;

impl ThreadStates {
    #[inline]
    pub(super) fn with<R>(work: impl FnOnce(&Self) -> R) -> R {
        THREAD.with(|thread| work(thread))
    }

    /// Another guard begins.
    #[inline]
    pub(super) fn enter(&self) {
        self.depth.set(self.depth.get() + 1);
    }

    /// A guard has ended.
    #[inline]
    pub(super) fn leave(&self) {
        self.depth.set(self.depth.get() - 1);
    }

    /// The state that this thread has for an interpreter.
    #[inline]
    pub(super) fn find(&self, interpreter: *mut py::PyInterpreterState) -> Option<*mut py::PyThreadState> {
        let (latest, state) = self.latest.get();
        if latest == interpreter { Some(state) } else { self.search(interpreter) }
    }

    fn search(&self, interpreter: *mut py::PyInterpreterState) -> Option<*mut py::PyThreadState> {
        let states = self.states.borrow();
        let found = states.iter().find(|known| known.interpreter == interpreter).map(|known| known.state)?;
        self.latest.set((interpreter, found));
        Some(found)
    }

    #[inline]
    pub(super) fn current(&self) -> *mut py::PyThreadState {
        self.current.get()
    }

    /// Notes the state that is attached on this thread now, if it is not null.
    #[inline]
    pub(super) fn set_current(&self, state: *mut py::PyThreadState) {
        self.current.set(state);
        if !state.is_null() {
            self.bind_if_other(state);
        }
    }

    /// What GILState means was changed by others.
    #[cfg(not(Py_3_12))]
    pub(super) fn forget_bound(&self) {
        self.bound.set(ptr::null_mut());
    }

    /// Has GILState mean this state, which belongs to this thread.
    #[inline]
    pub(super) fn bind_if_other(&self, state: *mut py::PyThreadState) {
        if self.bound.get() != state {
            self.bind(state);
        }
    }

    #[inline]
    pub(super) fn clear_current(&self) {
        self.current.set(ptr::null_mut());
    }

    #[cold]
    fn bind(&self, state: *mut py::PyThreadState) {
        self.bound.set(state);
        gilstate::bind(state);
    }

    /// Adds a state that was made for this thread.
    pub(super) fn add_own(&self, interpreter: *mut py::PyInterpreterState, state: *mut py::PyThreadState) {
        self.add(interpreter, state, Owner::Us);
    }

    /// Adds the first state of an interpreter.
    pub(super) fn add_creation(&self, interpreter: *mut py::PyInterpreterState, state: *mut py::PyThreadState) {
        self.add(interpreter, state, Owner::Creation);
    }

    /// Adds the state of a thread that Python has started, unless this thread has one for that interpreter; returns whether it was added.
    pub(super) fn borrow_from_python(&self, state: *mut py::PyThreadState) -> bool {
        // SAFETY: the state is alive; only its interpreter pointer is read.
        let interpreter = unsafe { py::PyThreadState_GetInterpreter(state) };
        let is_new = self.find(interpreter).is_none();
        if is_new {
            self.add(interpreter, state, Owner::Python);
        }
        is_new
    }

    /// Removes a state that was borrowed.
    pub(super) fn give_back(&self, state: *mut py::PyThreadState) {
        self.latest.set((ptr::null_mut(), ptr::null_mut()));
        self.states.borrow_mut().retain(|known| known.state != state);
    }

    fn add(&self, interpreter: *mut py::PyInterpreterState, state: *mut py::PyThreadState, owner: Owner) {
        // After the first access it is dropped when the thread ends.
        let _ = END.try_with(|_| ());
        self.states.borrow_mut().push(State { interpreter, state, owner });
    }

    pub(super) fn has(&self, state: *mut py::PyThreadState) -> bool {
        self.states.borrow().iter().any(|known| known.state == state)
    }
}

/// Whether this thread is inside a callback that runs Python, attached or detached at the moment.
///
/// True in a signal handler that interrupted such a callback: Python must not be entered then.
pub fn is_in_python() -> bool {
    ThreadStates::with(|thread| thread.depth.get() > 0)
}

/// Whether a state of this thread is attached. Up to Python 3.11 the current state is one of the process, not of the thread.
#[inline]
pub(super) fn is_attached(own: *mut py::PyThreadState) -> bool {
    // SAFETY: only reads which state is current.
    unsafe { py::compat::PyThreadState_GetUnchecked() == own }
}

/// Whether any state is attached on this thread, also one that other code has attached.
pub(super) fn is_any_attached() -> bool {
    // SAFETY: only reads which state is current.
    let current = unsafe { py::compat::PyThreadState_GetUnchecked() };
    // Up to Python 3.11 it may be another thread's.
    let is_mine = || cfg!(Py_3_12) || ThreadStates::with(|thread| thread.has(current)) || gilstate::is_bound(current);
    !current.is_null() && is_mine()
}

/// Whether this is the first thread of the process, which ends with the process.
fn is_main_thread() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: both only return a number.
    return unsafe { libc::gettid() == libc::getpid() };
    #[cfg(not(target_os = "linux"))]
    false
}

impl Drop for EndOfThread {
    /// Ends the thread states of an OS thread that ends, unless the whole process ends.
    fn drop(&mut self) {
        for known in ThreadStates::with(|thread| thread.states.take()) {
            let is_ending = || is_main_thread() || ENDING.get().is_some_and(|is_ending| is_ending());
            if known.owner == Owner::Us && is_open() && !is_ending() {
                // SAFETY: the state is this thread's own, and attached while it is cleared.
                unsafe {
                    py::PyEval_RestoreThread(known.state);
                    gilstate::bind(known.state);
                    py::PyThreadState_Clear(known.state);
                    py::PyThreadState_DeleteCurrent();
                }
            }
        }
    }
}
