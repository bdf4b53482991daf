//! Interpreters by name: made once on first use, whoever comes first, and published when ready.

use std::cell::RefCell;
use std::fmt;
use std::mem;
use std::process;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::cpython::{self, AttachGuard, Attached, Object, Raised};
use crate::ffi::python as py;

use super::runtime::Runtime;
use super::{Gil, Interpreter, MAIN, forks};

/// Why there is no interpreter of that name. The log has the details.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateError(pub String);

impl fmt::Display for CreateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The place of one name.
#[derive(Default)]
pub(super) struct Slot {
    state: Mutex<SlotState>,
    changed: Condvar,
}

#[derive(Default)]
enum SlotState {
    /// Nobody has asked yet.
    #[default]
    Empty,
    /// The last try failed, at this time. A failed interpreter cannot be ended safely, so tries are kept apart.
    Failed(CreateError, Instant),
    /// A thread is making it.
    Creating,
    Ready(&'static Interpreter),
}

thread_local! {
    /// The interpreters that this thread has used, the latest first.
    static RECENT: RefCell<Vec<&'static Interpreter>> = const { RefCell::new(Vec::new()) };
}

/// How long after a failure the next request tries again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How many names a thread remembers.
const REMEMBERED: usize = 16;

/// The interpreter of that name, made now if need be.
///
/// Threads that come while it is being made wait for it, and only for it. This thread must not be attached.
pub fn get(runtime: &'static Runtime, name: &[u8]) -> Result<&'static Interpreter, CreateError> {
    if forks::is_by_python() && name != MAIN {
        return Err(not_here(name));
    }
    let interpreter = match recent(name) {
        Some(known) => known,
        None => {
            let interpreter = slot(runtime, name).get_or_create(runtime, name)?;
            RECENT.with_borrow_mut(|recent| {
                recent.truncate(REMEMBERED - 1);
                recent.insert(0, interpreter);
            });
            interpreter
        }
    };
    forks::tell(runtime, interpreter);
    Ok(interpreter)
}

#[cold]
fn not_here(name: &[u8]) -> CreateError {
    tracing::error!(
        "MP0305: interpreter '{}' cannot be used in this process: a handler has forked it by os.fork(), and Python keeps only the main interpreter there. Use subprocess, or end such a process with os._exit().",
        String::from_utf8_lossy(name)
    );
    CreateError("this process was forked by os.fork()".into())
}

fn recent(name: &[u8]) -> Option<&'static Interpreter> {
    RECENT.with_borrow_mut(|recent| {
        let index = recent.iter().position(|known| known.name() == name)?;
        if index > 0 {
            recent.swap(0, index);
        }
        Some(recent[0])
    })
}

fn slot(runtime: &Runtime, name: &[u8]) -> Arc<Slot> {
    let mut slots = locked(&runtime.slots);
    match slots.get(name) {
        Some(slot) => Arc::clone(slot),
        None => Arc::clone(slots.entry(name.into()).or_default()),
    }
}

/// Every interpreter of this process that is ready now, as far as that can be told without waiting: a signal handler may have interrupted
/// this very thread while it held a lock.
pub(super) fn all(runtime: &Runtime) -> Vec<&'static Interpreter> {
    let Ok(slots) = runtime.slots.try_lock() else { return Vec::new() };
    slots.values().filter_map(|slot| slot.ready()).filter(|interpreter| !interpreter.is_gone()).collect()
}

impl Slot {
    fn ready(&self) -> Option<&'static Interpreter> {
        match self.state.try_lock().as_deref() {
            Ok(SlotState::Ready(interpreter)) => Some(interpreter),
            _ => None,
        }
    }

    fn get_or_create(&self, runtime: &'static Runtime, name: &[u8]) -> Result<&'static Interpreter, CreateError> {
        let mut state = locked(&self.state);
        loop {
            match &*state {
                SlotState::Ready(interpreter) => return Ok(interpreter),
                SlotState::Creating => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                SlotState::Failed(error, at) if at.elapsed() < RETRY_AFTER => return Err(error.clone()),
                SlotState::Empty | SlotState::Failed(..) => {
                    *state = SlotState::Creating;
                    drop(state);
                    return Creation { slot: self, outcome: Err(CreateError("its creation panicked".into())) }
                        .run(runtime, name);
                }
            }
        }
    }
}

/// A creation under way; on drop, also by a panic, whoever waits is told.
struct Creation<'a> {
    slot: &'a Slot,
    outcome: Result<&'static Interpreter, CreateError>,
}

impl Creation<'_> {
    fn run(mut self, runtime: &'static Runtime, name: &[u8]) -> Result<&'static Interpreter, CreateError> {
        let begun = Instant::now();
        self.outcome = create(runtime, name);
        let interpreter = self.outcome.clone()?;
        tracing::info!(
            "MP0301: interpreter '{}' (id {}, {} GIL) created in {} ms",
            interpreter.display_name(),
            interpreter.id(),
            interpreter.gil(),
            begun.elapsed().as_millis()
        );
        Ok(interpreter)
    }
}

impl Drop for Creation<'_> {
    fn drop(&mut self) {
        *locked(&self.slot.state) = match &self.outcome {
            Ok(interpreter) => SlotState::Ready(interpreter),
            Err(error) => SlotState::Failed(error.clone(), Instant::now()),
        };
        self.slot.changed.notify_all();
    }
}

fn create(runtime: &'static Runtime, name: &[u8]) -> Result<&'static Interpreter, CreateError> {
    let shown = String::from_utf8_lossy(name);
    let gil = runtime.options.gil.of(name);
    let (state, guard) = enter_new(runtime, name, gil).map_err(|sentence| {
        tracing::error!(
            "MP0302: interpreter '{shown}' ({gil} GIL) could not be created: {sentence}. Requests for it are answered with 500; after 10 s the next one tries again."
        );
        CreateError(sentence)
    })?;
    let attached = guard.attached();
    // SAFETY: attached; the interpreter is alive.
    let id = unsafe { py::PyInterpreterState_GetID(state) };
    // Interpreters live as long as the process: leaked on purpose, also one that failed, since it cannot be ended safely.
    let interpreter: &'static Interpreter = Box::leak(Box::new(Interpreter {
        name: name.into(),
        state,
        id,
        gil,
        equipment: OnceLock::new(),
        exit_work: Mutex::default(),
        inherited: AtomicBool::new(false),
    }));
    match runtime.options.setup.set_up(attached, interpreter) {
        Ok(equipment) => {
            let _ = interpreter.equipment.set(equipment);
            Ok(interpreter)
        }
        Err(raised) => Err(report_setup(attached, raised, interpreter)),
    }
}

fn enter_new(
    runtime: &'static Runtime,
    name: &[u8],
    gil: Gil,
) -> Result<(*mut py::PyInterpreterState, AttachGuard), String> {
    if name == MAIN {
        let guard = runtime.attach_main().ok_or("the child is about to end")?;
        return Ok((runtime.main, guard));
    }
    if gil == Gil::Own {
        prepare_main(runtime);
    }
    // SAFETY: the main interpreter is alive and Python is never finalized.
    let made = unsafe { cpython::new_interpreter(runtime.main, gil == Gil::Own) }?;
    Ok((made.state, made.guard))
}

/// Loads in the main interpreter, once, what CPython must not meet first in interpreters with GILs of their own.
///
/// In 3.12 a second such interpreter's refused import of the C parts of `datetime` or `decimal` frees memory twice if the main
/// interpreter has never loaded them (seen with 3.12.1). From 3.13 on they are not refused, but two interpreters that import
/// `_datetime` at the same time before the main one has made its static types ready can crash (gh-136421; seen with 3.13.5).
fn prepare_main(runtime: &'static Runtime) {
    static DONE: OnceLock<()> = OnceLock::new();
    let modules: &[_] = if cfg!(Py_3_13) { &[c"_datetime"] } else { &[c"datetime", c"decimal"] };
    DONE.get_or_init(|| {
        let Some(guard) = runtime.attach_main() else { return };
        for name in modules {
            if let Err(raised) = Object::import(guard.attached(), name) {
                raised.clear(guard.attached());
            }
        }
    });
}

fn report_setup(attached: Attached<'_>, raised: Raised, interpreter: &Interpreter) -> CreateError {
    let exception = raised.fetch(attached);
    let summary = exception.summary();
    tracing::error!(
        "MP0303: interpreter '{}' could not be set up: {summary}. Requests for it are answered with 500; after 10 s the next one tries again.",
        interpreter.display_name()
    );
    for line in exception.traceback().iter().flat_map(|entry| entry.lines()) {
        tracing::error!("MP0303: {line}");
    }
    CreateError(summary)
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the work that this process is to do at its end.
pub(super) fn take_exit_work(interpreter: &Interpreter) -> Vec<super::ExitWork> {
    let this = process::id();
    let mut all = locked(&interpreter.exit_work);
    let (own, inherited) = mem::take(&mut *all).into_iter().partition(|(process, _)| *process == this);
    *all = inherited;
    own.into_iter().map(|(_, work)| work).collect()
}

/// Whether this process has work to do at its end.
pub(super) fn has_exit_work(interpreter: &Interpreter) -> bool {
    let this = process::id();
    locked(&interpreter.exit_work).iter().any(|(process, _)| *process == this)
}
