//! Thread states: one for each OS thread and interpreter, made on that thread and never moved.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ffi::python as py;

use super::attached::Attached;

/// Whether threads may attach: from the start of Python until the process is about to end.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Lets threads attach.
pub(super) fn open() {
    OPEN.store(true, Ordering::Release);
}

/// Lets no thread attach any more; those that are attached are left alone.
pub fn close() {
    OPEN.store(false, Ordering::Release);
}

/// Says whether the whole process is about to end, when a thread ends.
static ENDING: OnceLock<fn() -> bool> = OnceLock::new();

/// Leaves the states of threads alone that end because the process does: to end them takes the GIL, for which an old child
/// would wait as long as somebody keeps it.
pub fn leave_states_when(is_ending: fn() -> bool) {
    let _ = ENDING.set(is_ending);
}

/// A thread state that this OS thread has for an interpreter.
struct Entry {
    interpreter: *mut py::PyInterpreterState,
    state: *mut py::PyThreadState,
    owner: Owner,
}

#[derive(Clone, Copy, PartialEq)]
enum Owner {
    /// Made by `attach`: deleted when the OS thread ends.
    Us,
    /// Came with the interpreter: never deleted (CPython 3.12 reuses its memory for the next state and aborts).
    Creation,
    /// Made by Python for a thread of its own: only borrowed while that thread is detached.
    Python,
}

struct ThreadStates {
    entries: RefCell<Vec<Entry>>,
    /// The state that `attach` has attached on this thread, null when none.
    current: Cell<*mut py::PyThreadState>,
    /// Attach guards alive on this thread, attached or detached at the moment.
    depth: Cell<usize>,
}

thread_local! {
    /// Without a destructor, so that the process's exit functions find it, which run after those of thread-locals.
    static THREAD: ManuallyDrop<ThreadStates> = const {
        ManuallyDrop::new(ThreadStates {
            entries: RefCell::new(Vec::new()),
            current: Cell::new(ptr::null_mut()),
            depth: Cell::new(0),
        })
    };
    static END: EndOfThread = const { EndOfThread };
}

/// Ends this thread's states when it is dropped.
struct EndOfThread;

impl ThreadStates {
    fn find(&self, interpreter: *mut py::PyInterpreterState) -> Option<*mut py::PyThreadState> {
        let entries = self.entries.borrow();
        entries.iter().find(|entry| entry.interpreter == interpreter).map(|entry| entry.state)
    }

    fn add(&self, interpreter: *mut py::PyInterpreterState, state: *mut py::PyThreadState, owner: Owner) {
        // The first access has it dropped when the thread ends.
        let _ = END.try_with(|_| ());
        self.entries.borrow_mut().push(Entry { interpreter, state, owner });
    }
}

/// Keeps this thread attached; on drop, what was attached before is attached again.
pub struct AttachGuard {
    previous: *mut py::PyThreadState,
    nested: bool,
    /// Somebody's own code had detached `previous` for a while (`Py_BEGIN_ALLOW_THREADS`).
    away: bool,
}

/// Attaches this thread to an interpreter. Nests, also across interpreters.
///
/// `None` when the process is about to end.
///
/// # Safety
/// The interpreter is alive and stays so for as long as the guard; Python is not finalizing.
pub unsafe fn attach(interpreter: *mut py::PyInterpreterState) -> Option<AttachGuard> {
    // SAFETY: the caller's.
    OPEN.load(Ordering::Acquire).then(|| unsafe { attach_at_exit(interpreter) })
}

/// The same even when the process is about to end.
///
/// # Safety
/// As `attach`.
pub unsafe fn attach_at_exit(interpreter: *mut py::PyInterpreterState) -> AttachGuard {
    THREAD.with(|thread| {
        thread.depth.set(thread.depth.get() + 1);
        let previous = thread.current.get();
        let known = thread.find(interpreter);
        let away = !previous.is_null() && !is_attached(previous);
        if !previous.is_null() && !away {
            if known == Some(previous) {
                return AttachGuard { previous, nested: true, away };
            }
            // SAFETY: `previous` is attached on this thread.
            unsafe { py::PyEval_SaveThread() };
        }
        let state = known.unwrap_or_else(|| {
            // SAFETY: the interpreter is alive; making a state needs no attached one.
            let state = unsafe { py::PyThreadState_New(interpreter) };
            assert!(!state.is_null(), "no memory for a Python thread state");
            thread.add(interpreter, state, Owner::Us);
            state
        });
        // SAFETY: the state is this thread's own for this interpreter, and none is attached now.
        unsafe { py::PyEval_RestoreThread(state) };
        thread.current.set(state);
        AttachGuard { previous, nested: false, away }
    })
}

impl AttachGuard {
    /// The proof, for as long as the guard lives.
    pub fn attached(&self) -> Attached<'_> {
        // SAFETY: the guard keeps this thread attached, and cannot be sent to another.
        unsafe { Attached::assume() }
    }
}

impl Drop for AttachGuard {
    fn drop(&mut self) {
        THREAD.with(|thread| {
            if !self.nested {
                // SAFETY: the state this guard attached is attached now; the one before is this thread's own.
                unsafe {
                    py::PyEval_SaveThread();
                    if !self.previous.is_null() && !self.away {
                        py::PyEval_RestoreThread(self.previous);
                    }
                }
                thread.current.set(self.previous);
            }
            // Last: until here a signal handler must not take this thread for one without the GIL.
            thread.depth.set(thread.depth.get() - 1);
        });
    }
}

/// Notes the thread state that an interpreter came with as this thread's own.
pub(super) fn adopt(interpreter: *mut py::PyInterpreterState, state: *mut py::PyThreadState) {
    THREAD.with(|thread| thread.add(interpreter, state, Owner::Creation));
}

/// Keeps this thread detached; attaches the same state again on drop.
pub(super) struct Detached {
    state: *mut py::PyThreadState,
    current: *mut py::PyThreadState,
    borrowed: bool,
}

impl Detached {
    pub(super) fn new(_py: Attached<'_>) -> Self {
        // SAFETY: attached; the saved state is not null then.
        let state = unsafe { py::PyEval_SaveThread() };
        THREAD.with(|thread| {
            let current = thread.current.replace(ptr::null_mut());
            // A thread that Python started: what is attached below it in the same interpreter uses its state.
            let borrowed = current.is_null() && {
                // SAFETY: the state is alive; only its interpreter pointer is read.
                let interpreter = unsafe { py::PyThreadState_GetInterpreter(state) };
                let unknown = thread.find(interpreter).is_none();
                if unknown {
                    thread.add(interpreter, state, Owner::Python);
                }
                unknown
            };
            Self { state, current, borrowed }
        })
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        THREAD.with(|thread| {
            if self.borrowed {
                thread.entries.borrow_mut().retain(|entry| entry.state != self.state);
            }
            thread.current.set(self.current);
        });
        // SAFETY: the state was saved on this thread and nothing is attached now.
        unsafe { py::PyEval_RestoreThread(self.state) };
    }
}

/// Whether this thread is inside a callback that runs Python, attached or detached at the moment.
///
/// True in a signal handler that interrupted such a callback: Python must not be entered then.
pub fn is_in_python() -> bool {
    THREAD.with(|thread| thread.depth.get() > 0)
}

/// Whether a state of this thread is attached. Up to Python 3.11 the current state is one of the process, not of the thread.
fn is_attached(own: *mut py::PyThreadState) -> bool {
    // SAFETY: only reads which state is current.
    unsafe { py::compat::PyThreadState_GetUnchecked() == own }
}

/// The number of the interpreter that `attach` has attached this thread to, if it is attached at the moment.
pub fn attached_id() -> Option<i64> {
    let current = THREAD.with(|thread| thread.current.get());
    // SAFETY: an attached state is alive, and so is its interpreter.
    (!current.is_null() && is_attached(current))
        .then(|| unsafe { py::PyInterpreterState_GetID(py::PyThreadState_GetInterpreter(current)) })
}

/// How many thread states the attached interpreter has: one for each thread that has run in it and is still there.
pub fn thread_states(_py: Attached<'_>) -> usize {
    // SAFETY: attached. States are taken out of the list by threads that hold the interpreter's GIL, as this one does, and
    // added at its head.
    unsafe { states_of(py::PyInterpreterState_Get()).count() }
}

/// Whether an interpreter has a thread state of another thread than this one.
///
/// # Safety
/// The interpreter is alive, and no other thread runs Python meanwhile: true in a process that was just forked off.
pub unsafe fn has_other_threads(interpreter: *mut py::PyInterpreterState) -> bool {
    THREAD.with(|thread| {
        let entries = thread.entries.borrow();
        // SAFETY: the caller's.
        unsafe { states_of(interpreter) }.any(|state| entries.iter().all(|entry| entry.state != state))
    })
}

/// Whether this process has interpreters beside the attached one.
pub fn other_interpreters(_py: Attached<'_>) -> bool {
    // SAFETY: attached. Interpreters are added at the list's head and never taken out.
    unsafe {
        let head = py::PyInterpreterState_Head();
        head != py::PyInterpreterState_Get() || !py::PyInterpreterState_Next(head).is_null()
    }
}

/// # Safety
/// The interpreter is alive, and no state is taken out of its list during the iteration.
unsafe fn states_of(interpreter: *mut py::PyInterpreterState) -> impl Iterator<Item = *mut py::PyThreadState> {
    let live = |state: *mut py::PyThreadState| (!state.is_null()).then_some(state);
    // SAFETY: the caller's.
    let first = live(unsafe { py::PyInterpreterState_ThreadHead(interpreter) });
    // SAFETY: as above.
    std::iter::successors(first, move |state| live(unsafe { py::PyThreadState_Next(*state) }))
}

/// Whether this is the thread that the process began with, or that forked it off: the two end together.
fn is_main_thread() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: both only return a number.
    return unsafe { libc::gettid() == libc::getpid() };
    #[cfg(not(target_os = "linux"))]
    false
}

impl Drop for EndOfThread {
    /// Ends the thread states of an OS thread that ends, unless the whole process does.
    fn drop(&mut self) {
        for entry in THREAD.with(|thread| thread.entries.take()) {
            let is_ending = || is_main_thread() || ENDING.get().is_some_and(|is_ending| is_ending());
            if entry.owner == Owner::Us && OPEN.load(Ordering::Acquire) && !is_ending() {
                // SAFETY: the state is this thread's own, and attached while it is cleared.
                unsafe {
                    py::PyEval_RestoreThread(entry.state);
                    py::PyThreadState_Clear(entry.state);
                    py::PyThreadState_DeleteCurrent();
                }
            }
        }
    }
}

/// What `new_interpreter` makes.
pub struct NewInterpreter {
    pub state: *mut py::PyInterpreterState,
    pub guard: AttachGuard,
}

/// Makes a sub-interpreter, with a GIL of its own if `own_gil`, and attaches this thread to it.
///
/// Forking is refused in it where the version can (`Py_NewInterpreterFromConfig`, CPython 3.12); threads, daemon threads and
/// starting programs are allowed. What was attached before comes back when the guard is dropped.
///
/// # Errors
/// The sentence CPython gives.
///
/// # Safety
/// `main` is the main interpreter, alive, and Python is not finalizing.
pub unsafe fn new_interpreter(main: *mut py::PyInterpreterState, own_gil: bool) -> Result<NewInterpreter, String> {
    // SAFETY: the caller's.
    let main_guard = unsafe { attach(main) }.ok_or("the process is about to end")?;
    // SAFETY: attached to the main interpreter.
    let created = unsafe { create(own_gil) };
    THREAD.with(|thread| match created {
        Ok(state) => {
            // CPython has detached the main interpreter's state and attached the new one.
            let previous = match main_guard.nested {
                true => thread.current.get(),
                false => main_guard.previous,
            };
            let away = main_guard.away;
            std::mem::forget(main_guard);
            // SAFETY: the state is alive and attached.
            let interpreter = unsafe { py::PyThreadState_GetInterpreter(state) };
            thread.add(interpreter, state, Owner::Creation);
            thread.current.set(state);
            Ok(NewInterpreter { state: interpreter, guard: AttachGuard { previous, nested: false, away } })
        }
        Err(sentence) => Err(sentence),
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
    // SAFETY: the configuration keeps CPython's rules (an own GIL with an own allocator and the extension check).
    let status = unsafe { py::Py_NewInterpreterFromConfig(&mut state, &config) };
    // SAFETY: the status is CPython's own.
    match unsafe { py::PyStatus_Exception(status) } == 0 && !state.is_null() {
        true => Ok(state),
        false => Err(status_text(&status)),
    }
}

#[cfg(not(Py_3_12))]
unsafe fn create(own_gil: bool) -> Result<*mut py::PyThreadState, String> {
    assert!(!own_gil, "an own GIL needs Python 3.12 and is refused by the configuration before");
    // SAFETY: attached to the main interpreter.
    let state = unsafe { py::Py_NewInterpreter() };
    match state.is_null() {
        true => Err("Py_NewInterpreter gave no interpreter".into()),
        false => Ok(state),
    }
}

/// What CPython says in a status, as `function: message`.
pub(super) fn status_text(status: &py::PyStatus) -> String {
    let text = |pointer: *const std::ffi::c_char| match pointer.is_null() {
        true => String::new(),
        // SAFETY: a status holds literals of CPython's.
        false => unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned(),
    };
    match (text(status.func), text(status.err_msg)) {
        (function, message) if function.is_empty() => message,
        (function, message) => format!("{function}: {message}"),
    }
}
