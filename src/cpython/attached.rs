//! Attaching to an interpreter and detaching from it: the proofs of both states, and the guards that change between them.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::panic::UnwindSafe;
use std::ptr;

use crate::ffi::python as py;
use crate::process::turn::{self, GivenUp};

use super::thread_state::{self, ThreadStates};

/// This thread has a thread state attached and may call Python.
///
/// It is made only where that is known: by `AttachGuard`, and where CPython calls a callback. It cannot be sent to
/// another thread, nothing that borrows it outlives it, and it cannot be used within `detach`.
#[derive(Clone, Copy)]
pub struct Attached<'i>(PhantomData<(&'i mut (), *mut (), UnsafeCell<()>)>);

/// This thread has no thread state attached, as far as the code around it knows, and may attach one.
///
/// A guard borrows it for as long as the thread is attached, so that guards end in the order in which they nest.
pub struct Detached<'d>(PhantomData<(&'d mut (), *mut ())>);

impl Detached<'_> {
    /// # Safety
    /// The calling thread is in a callback that httpd, or the C library, has called; no `Attached` of this thread is used while this
    /// is alive.
    pub unsafe fn assume() -> Self {
        Self(PhantomData)
    }
}

/// Types that can be used within `Attached::detach`: all but `Attached` and those that contain or borrow it.
///
/// Stable Rust does not allow new auto traits. `UnwindSafe` is an auto trait that a type can opt out of: `Attached` does, so types that
/// contain it are not `UnwindSafe` either.
pub trait UsedDetached: UnwindSafe {}

impl<T: UnwindSafe> UsedDetached for T {}

impl<'i> Attached<'i> {
    /// # Safety
    /// The calling thread has an attached thread state for as long as `'i`.
    pub unsafe fn assume() -> Self {
        Self(PhantomData)
    }

    /// Runs `work` with the thread state detached, so that other threads of the interpreter can run.
    ///
    /// For every call that can block or run other handlers. The thread state is attached again even if `work` panics.
    pub fn detach<T>(self, work: impl FnOnce() -> T + UsedDetached) -> T {
        let _again = Reattach::new(self);
        work()
    }

    /// The same for functions that attach this thread to an interpreter.
    pub fn detach_to_attach<T>(self, work: impl FnOnce(&mut Detached<'_>) -> T + UsedDetached) -> T {
        let _again = Reattach::new(self);
        work(&mut Detached(PhantomData))
    }

    /// Whether an exception is set on this thread state.
    pub fn has_error(self) -> bool {
        // SAFETY: attached.
        unsafe { !py::PyErr_Occurred().is_null() }
    }
}

/// Keeps this thread attached; on drop, what was attached before is attached again.
pub struct AttachGuard<'d> {
    /// What this thread had attached before, by a guard further out; null for none.
    pub(super) previous: *mut py::PyThreadState,
    /// `previous` is of the same interpreter, and has stayed attached.
    pub(super) is_nested: bool,
    /// Other code had detached `previous` for the time of a call (`Py_BEGIN_ALLOW_THREADS`).
    pub(super) is_away: bool,
    /// The turn that this thread held, during a call into httpd.
    pub(super) turn: Option<GivenUp>,
    pub(super) detached: PhantomData<&'d mut Detached<'d>>,
}

/// Attaches this thread to an interpreter. Nests, also across interpreters.
///
/// `None` when the process is about to end.
///
/// # Safety
/// The interpreter is alive and stays so for as long as the guard; Python is not finalizing.
pub unsafe fn attach<'d>(
    _detached: &'d mut Detached<'_>,
    interpreter: *mut py::PyInterpreterState,
) -> Option<AttachGuard<'d>> {
    // SAFETY: the caller's.
    thread_state::is_open().then(|| unsafe { attach_at_exit(interpreter) })
}

/// The same even when the process is about to end.
///
/// # Safety
/// As `attach`; no `Attached` of this thread is used while the guard is alive.
pub unsafe fn attach_at_exit<'d>(interpreter: *mut py::PyInterpreterState) -> AttachGuard<'d> {
    ThreadStates::with(|thread| {
        thread.enter();
        let turn = turn::give_up();
        let previous = thread.current();
        let known = thread.find(interpreter);
        let is_away = !previous.is_null() && !thread_state::is_attached(previous);
        if !previous.is_null() && !is_away {
            if known == Some(previous) {
                return AttachGuard { previous, is_nested: true, is_away, turn, detached: PhantomData };
            }
            // SAFETY: `previous` is attached on this thread.
            unsafe { py::PyEval_SaveThread() };
        }
        let state = known.unwrap_or_else(|| {
            // SAFETY: the interpreter is alive; making a state needs no attached one.
            let state = unsafe { py::PyThreadState_New(interpreter) };
            assert!(!state.is_null(), "no memory for a Python thread state");
            thread.add_own(interpreter, state);
            state
        });
        // SAFETY: the state is this thread's own for this interpreter, and none is attached now.
        unsafe { py::PyEval_RestoreThread(state) };
        thread.set_current(state);
        AttachGuard { previous, is_nested: false, is_away, turn, detached: PhantomData }
    })
}

impl AttachGuard<'_> {
    /// The proof, for as long as the guard lives.
    #[inline]
    pub fn attached(&self) -> Attached<'_> {
        // SAFETY: the guard keeps this thread attached, and cannot be sent to another.
        unsafe { Attached::assume() }
    }
}

impl Drop for AttachGuard<'_> {
    fn drop(&mut self) {
        ThreadStates::with(|thread| {
            let is_attached_again = self.is_nested || (!self.previous.is_null() && !self.is_away);
            if !self.is_nested || self.turn.is_some() {
                // SAFETY: the state that this guard attached, or that it found attached, is attached now.
                let state = unsafe { py::PyEval_SaveThread() };
                // While detached, since another thread may have the turn and wait for the GIL.
                drop(self.turn.take());
                if is_attached_again {
                    let previous = if self.is_nested { state } else { self.previous };
                    // SAFETY: a state of this thread's own; none is attached now.
                    unsafe { py::PyEval_RestoreThread(previous) };
                }
            }
            if !self.is_nested {
                thread.set_current(self.previous);
            }
            // Last: until here a signal handler must see that this thread may hold the GIL.
            thread.leave();
        });
    }
}

/// Attaches the same state again on drop.
struct Reattach {
    state: *mut py::PyThreadState,
    current: *mut py::PyThreadState,
    is_borrowed: bool,
}

impl Reattach {
    fn new(_attached: Attached<'_>) -> Self {
        debug_assert!(!turn::is_held(), "a thread that is attached holds a turn that is taken detached");
        // SAFETY: attached; the saved state is not null then.
        let state = unsafe { py::PyEval_SaveThread() };
        ThreadStates::with(|thread| {
            let current = thread.current();
            thread.clear_current();
            // A thread that Python started: if it attaches again to the same interpreter within `work`, it uses this state.
            let is_borrowed = current.is_null() && thread.borrow_from_python(state);
            Self { state, current, is_borrowed }
        })
    }
}

impl Drop for Reattach {
    fn drop(&mut self) {
        ThreadStates::with(|thread| {
            if self.is_borrowed {
                thread.give_back(self.state);
            }
            // SAFETY: the state was saved on this thread and nothing is attached now.
            unsafe { py::PyEval_RestoreThread(self.state) };
            thread.set_current(self.current);
            // Of a thread that Python started, too: what was attached meanwhile is what GILState means until now.
            thread.bind_if_other(self.state);
        });
    }
}

/// The id of the interpreter that `attach` has attached this thread to, if it is attached at the moment.
pub fn attached_id() -> Option<i64> {
    let current = ThreadStates::with(ThreadStates::current);
    // SAFETY: an attached state is alive, and so is its interpreter.
    (!ptr::eq(current, ptr::null()) && thread_state::is_attached(current))
        .then(|| unsafe { py::PyInterpreterState_GetID(py::PyThreadState_GetInterpreter(current)) })
}

/// Runs a function that can block, with this thread detached if it is attached. For `process::blocking`.
pub(super) fn run_detached(work: &mut dyn FnMut()) {
    struct Again(*mut py::PyThreadState);

    impl Drop for Again {
        fn drop(&mut self) {
            // SAFETY: saved on this thread, on which nothing is attached now.
            unsafe { py::PyEval_RestoreThread(self.0) };
        }
    }

    // SAFETY: attached, as just found; an exception that is set stays on the thread state.
    let _again = thread_state::is_any_attached().then(|| Again(unsafe { py::PyEval_SaveThread() }));
    work();
}
