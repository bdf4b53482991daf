//! Interpreters by name: each is created once, on first use, and published when it is ready.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::process;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;
use parking_lot::Mutex;

use crate::cpython::{self, AttachGuard, Attached, Detached, NewOptions, Object, Raised};
use crate::ffi::python as py;

use super::runtime::Runtime;
use super::{Gil, Interpreter, MAIN, VenvError, forks};

/// Why there is no interpreter of that name. The log has the details.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CreateError {
    #[error("this process was forked by os.fork()")]
    ForkedByPython,
    #[error("{0}")]
    Refused(String),
    #[error("the child is about to end")]
    Ending,
}

/// The slot of one name.
#[derive(Default)]
pub(super) struct Slot {
    interpreter: OnceCell<&'static Interpreter>,
    back_off: BackOff,
}

/// Keeps tries to make an interpreter apart that fail: what was made of one cannot be ended safely and stays.
#[derive(Default)]
struct BackOff(Mutex<Option<Failure>>);

/// The last try, which has failed.
struct Failure {
    error: CreateError,
    at: Instant,
    /// How many tries have failed, one after the other.
    count: u32,
}

impl BackOff {
    /// Begins a try; how long nobody tries again if it fails. It has failed unless it ends otherwise: it may panic.
    ///
    /// # Errors
    /// That of the last one, if it is too early for another.
    fn begin(&self, now: Instant) -> Result<Duration, CreateError> {
        let mut last = self.0.lock();
        let failed = match &*last {
            Some(failure) if now < failure.at + Self::pause(failure.count) => return Err(failure.error.clone()),
            Some(failure) => failure.count,
            None => 0,
        };
        let error = CreateError::Refused("its creation panicked".into());
        *last = Some(Failure { error, at: now, count: failed + 1 });
        Ok(Self::pause(failed + 1))
    }

    /// The try that was begun has failed.
    fn fail(&self, error: &CreateError, now: Instant) {
        if let Some(failure) = &mut *self.0.lock() {
            (failure.error, failure.at) = (error.clone(), now);
        }
    }

    /// It has not.
    fn succeed(&self) {
        *self.0.lock() = None;
    }

    /// How long after so many failures the next request tries again: twice as long each time.
    fn pause(count: u32) -> Duration {
        const FIRST: Duration = Duration::from_secs(10);
        const LONGEST: Duration = Duration::from_secs(300);
        FIRST.saturating_mul(1 << count.saturating_sub(1).min(16)).min(LONGEST)
    }
}

thread_local! {
    /// The interpreters that this thread has used, the latest first.
    // Never dropped: the pools of a process that ends go after the variables of its thread, and run callbacks.
    static RECENT: ManuallyDrop<RefCell<Vec<&'static Interpreter>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

/// How many names a thread remembers.
const REMEMBERED: usize = 16;

/// The interpreter of that name, created if there is none.
///
/// Threads that need it while it is being created wait for it; others do not.
///
/// # Errors
/// It could not be created, now or a short time ago.
pub fn get(
    detached: &mut Detached<'_>,
    runtime: &'static Runtime,
    name: &[u8],
) -> Result<&'static Interpreter, CreateError> {
    if forks::is_by_python() && name != MAIN {
        return Err(not_here(name));
    }
    let interpreter = match recent(name) {
        Some(known) => known,
        None => {
            let interpreter = slot(runtime, name).get_or_create(detached, runtime, name)?;
            RECENT.with(|recent| {
                let mut recent = recent.borrow_mut();
                recent.truncate(REMEMBERED - 1);
                recent.insert(0, interpreter);
            });
            interpreter
        }
    };
    forks::run_hooks_once(detached, runtime, interpreter);
    Ok(interpreter)
}

#[cold]
fn not_here(name: &[u8]) -> CreateError {
    tracing::error!(
        "MP0305: interpreter '{}' cannot be used in this process: a handler has forked it with os.fork(), and Python keeps only the main interpreter there. Use subprocess, or end such a process with os._exit().",
        String::from_utf8_lossy(name)
    );
    CreateError::ForkedByPython
}

#[inline]
fn recent(name: &[u8]) -> Option<&'static Interpreter> {
    RECENT.with(|recent| {
        let mut recent = recent.borrow_mut();
        let index = recent.iter().position(|known| known.name() == name)?;
        if index > 0 {
            recent.swap(0, index);
        }
        Some(recent[0])
    })
}

fn slot(runtime: &Runtime, name: &[u8]) -> Arc<Slot> {
    let mut slots = runtime.slots.lock();
    match slots.get(name) {
        Some(slot) => Arc::clone(slot),
        None => Arc::clone(slots.entry(name.into()).or_default()),
    }
}

/// Every interpreter of this process that is ready; none if the lock is taken: a signal handler may have interrupted
/// this thread while it held the lock.
pub(super) fn all(runtime: &Runtime) -> Vec<&'static Interpreter> {
    let Some(slots) = runtime.slots.try_lock() else { return Vec::new() };
    let ready = slots.values().filter_map(|slot| slot.interpreter.get().copied());
    ready.filter(|interpreter| !interpreter.is_gone()).collect()
}

impl Slot {
    fn get_or_create(
        &self,
        detached: &mut Detached<'_>,
        runtime: &'static Runtime,
        name: &[u8],
    ) -> Result<&'static Interpreter, CreateError> {
        let create = || {
            let begun = Instant::now();
            let pause = self.back_off.begin(begun)?;
            let made = create(detached, runtime, name, pause);
            match &made {
                Ok(interpreter) => {
                    self.back_off.succeed();
                    tracing::info!(
                        "MP0301: interpreter '{}' (id {}, {} GIL) created in {} ms",
                        interpreter.display_name(),
                        interpreter.id(),
                        interpreter.gil(),
                        begun.elapsed().as_millis()
                    );
                }
                Err(error) => self.back_off.fail(error, Instant::now()),
            }
            made
        };
        self.interpreter.get_or_try_init(create).copied()
    }
}

/// Creates an interpreter. `pause` is the time until the next attempt if that fails.
fn create(
    detached: &mut Detached<'_>,
    runtime: &'static Runtime,
    name: &[u8],
    pause: Duration,
) -> Result<&'static Interpreter, CreateError> {
    let shown = String::from_utf8_lossy(name);
    let venv = runtime.options.interpreters.venv(name);
    if let Some(error) = venv.and_then(|venv| venv.check().err()) {
        return Err(report_venv(name, &error, pause));
    }
    let gil = usable_gil(detached, runtime, name);
    let new = NewOptions { own_gil: gil == Gil::Own, puts_site_off: venv.is_some() };
    let (state, guard) = enter_new(detached, runtime, name, new).inspect_err(|error| {
        tracing::error!(
            "MP0302: interpreter '{shown}' ({gil} GIL) could not be created: {error}. Requests for it are answered with 500; the next attempt is made after {} s.",
            pause.as_secs()
        );
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
        venv: venv.cloned(),
        data: Default::default(),
        exit_work: Mutex::default(),
        is_inherited: AtomicBool::new(false),
    }));
    match runtime.options.set_up.set_up(attached, interpreter) {
        Ok(()) => Ok(interpreter),
        Err(raised) => Err(report_set_up(attached, raised, interpreter, pause)),
    }
}

/// The GIL that an interpreter is to have, or the shared one while memory is traced: `tracemalloc` keeps objects of all interpreters in tables
/// that only one GIL guards.
fn usable_gil(detached: &mut Detached<'_>, runtime: &'static Runtime, name: &[u8]) -> Gil {
    let gil = runtime.options.interpreters.gil(name);
    if gil == Gil::Shared || !is_memory_traced(detached, runtime) {
        return gil;
    }
    tracing::warn!(
        "MP0330: interpreter '{}' shares the main interpreter's GIL although it is to have its own: tracemalloc is tracing, which is safe under one GIL only. Take PYTHONTRACEMALLOC out of httpd's environment, or tracemalloc.start() out of what runs in interpreters with the shared GIL.",
        String::from_utf8_lossy(name)
    );
    Gil::Shared
}

fn is_memory_traced(detached: &mut Detached<'_>, runtime: &'static Runtime) -> bool {
    let Some(guard) = runtime.attach_main(detached) else { return false };
    let attached = guard.attached();
    let ask = || Object::import(attached, c"_tracemalloc")?.call_method(c"is_tracing", [])?.is_true();
    ask().unwrap_or_else(|raised| {
        raised.clear(attached);
        false
    })
}

fn enter_new<'d>(
    detached: &'d mut Detached<'_>,
    runtime: &'static Runtime,
    name: &[u8],
    options: NewOptions,
) -> Result<(*mut py::PyInterpreterState, AttachGuard<'d>), CreateError> {
    if name == MAIN {
        let guard = runtime.attach_main(detached).ok_or(CreateError::Ending)?;
        return Ok((runtime.main, guard));
    }
    prepare_main(detached, runtime, options.own_gil);
    prepare_main_for_extensions(detached, runtime);
    // SAFETY: the main interpreter is alive and Python is never finalized.
    let made = unsafe { cpython::new_interpreter(detached, runtime.main, options) };
    let made = made.map_err(CreateError::Refused)?;
    Ok((made.state, made.guard))
}

/// Imports in the main interpreter, once, modules that CPython must not import first in another one.
///
/// Up to 3.11 `_thread.interrupt_main()` uses `_signal` of the main interpreter, and crashes if it was never imported there.
///
/// With GILs of their own: in 3.12 a second interpreter that refuses the C parts of `datetime` or `decimal` frees memory twice
/// if the main interpreter has never imported them (seen with 3.12.1). From 3.13 on they are not refused, but two interpreters that import
/// `_datetime` at the same time can crash if the main one has not initialised its static types (gh-136421; seen with 3.13.5).
fn prepare_main(detached: &mut Detached<'_>, runtime: &'static Runtime, own_gil: bool) {
    static DONE: OnceLock<()> = OnceLock::new();
    static DONE_FOR_OWN: OnceLock<()> = OnceLock::new();
    let mut load = |modules: &[&std::ffi::CStr]| {
        let Some(guard) = runtime.attach_main(detached) else { return };
        for name in modules {
            if let Err(raised) = Object::import(guard.attached(), name) {
                raised.clear(guard.attached());
            }
        }
    };
    DONE.get_or_init(|| load(&[c"_signal"]));
    if own_gil {
        let modules: &[_] = if cfg!(Py_3_13) { &[c"_datetime"] } else { &[c"datetime", c"decimal"] };
        DONE_FOR_OWN.get_or_init(|| load(modules));
    }
}

/// Has the main interpreter in its virtual environment, if it has one, before another one imports anything.
///
/// From 3.13 on an extension module that cannot be imported more than once is made in the main interpreter (gh-117953), and may import there
/// what belongs to it.
fn prepare_main_for_extensions(detached: &mut Detached<'_>, runtime: &'static Runtime) {
    if cfg!(Py_3_13) && runtime.options.interpreters.venv(MAIN).is_some() {
        // What is wrong with it is in the log, and its own requests are told.
        let _ = get(detached, runtime, MAIN);
    }
}

/// It was checked when httpd started, and has changed since; or not every child runs as the user that it was checked for.
#[cold]
fn report_venv(name: &[u8], error: &VenvError, pause: Duration) -> CreateError {
    tracing::error!(
        "MP0340: interpreter '{}' could not be created, since its virtual environment cannot be used: {error}. Requests for it are answered with 500; the next attempt is made after {} s.",
        String::from_utf8_lossy(name),
        pause.as_secs()
    );
    CreateError::Refused(error.to_string())
}

fn report_set_up(attached: Attached<'_>, raised: Raised, interpreter: &Interpreter, pause: Duration) -> CreateError {
    let exception = raised.fetch(attached);
    let summary = exception.summary();
    tracing::error!(
        "MP0303: interpreter '{}' could not be set up: {summary}. Requests for it are answered with 500; the next attempt is made after {} s.",
        interpreter.display_name(),
        pause.as_secs()
    );
    for line in exception.traceback().iter().flat_map(|entry| entry.lines()) {
        tracing::error!("MP0303: {line}");
    }
    CreateError::Refused(summary)
}

/// Takes the functions that this process is to run at its end.
pub(super) fn take_exit_work(interpreter: &Interpreter) -> Vec<super::ExitWork> {
    let this = process::id();
    let mut all = interpreter.exit_work.lock();
    let (own, inherited) = std::mem::take(&mut *all).into_iter().partition(|(process, _)| *process == this);
    *all = inherited;
    own.into_iter().map(|(_, work)| work).collect()
}

/// Whether this process has functions to run at its end.
pub(super) fn has_exit_work(interpreter: &Interpreter) -> bool {
    let this = process::id();
    interpreter.exit_work.lock().iter().any(|(process, _)| *process == this)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds in which requests, one a second, try for an hour; a try takes so long, and its outcome is by its number.
    fn tries(takes: u64, outcome: impl Fn(usize) -> Result<(), CreateError>) -> Vec<u64> {
        let (back_off, start) = (BackOff::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        let mut begun = Vec::new();
        let mut second = 0;
        while second < 3600 {
            if back_off.begin(at(second)).is_ok() {
                begun.push(second);
                second += takes;
                match outcome(begun.len()) {
                    Ok(()) => back_off.succeed(),
                    Err(error) => back_off.fail(&error, at(second)),
                }
            }
            second += 1;
        }
        begun
    }

    fn gaps(times: &[u64]) -> Vec<u64> {
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn tries_that_fail_are_further_apart_each_time() {
        let failed = |_| Err(CreateError::Ending);
        let times = tries(0, failed);
        assert_eq!(times[0], 0);
        let expected = [10, 20, 40, 80, 160].into_iter().chain(std::iter::repeat_n(300, times.len() - 6));
        assert!(gaps(&times).into_iter().eq(expected), "{times:?}");
        // From the end of one to the beginning of the next.
        assert_eq!(gaps(&tries(7, failed))[..6], [17, 27, 47, 87, 167, 307]);
        assert_eq!(BackOff::pause(u32::MAX).as_secs(), 300);
    }

    #[test]
    fn one_that_succeeds_begins_anew() {
        let times = tries(0, |number| if number == 3 { Ok(()) } else { Err(CreateError::Ending) });
        assert_eq!(gaps(&times)[..4], [10, 20, 1, 10]);
    }

    #[test]
    fn meanwhile_the_error_is_that_of_the_last_one() {
        let (back_off, now) = (BackOff::default(), Instant::now());
        assert_eq!(back_off.begin(now), Ok(Duration::from_secs(10)));
        assert_eq!(back_off.begin(now), Err(CreateError::Refused("its creation panicked".into())));
        back_off.fail(&CreateError::Ending, now);
        assert_eq!(back_off.begin(now), Err(CreateError::Ending));
        assert_eq!(back_off.begin(now + Duration::from_secs(10)), Ok(Duration::from_secs(20)));
    }
}
