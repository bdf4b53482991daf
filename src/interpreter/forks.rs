//! Processes that are forked from a child which runs Python: some process models have one for each connection.
//!
//! CPython's own function after a fork (`PyOS_AfterFork_Child`) deletes all interpreters but the main one. Here they stay: the thread
//! that forked was not in Python, and continues with its thread states. Other threads do not exist any more.
//!
//! A handler can fork too, with `os.fork` in the main interpreter if there is no other. Then CPython runs its function, and only the
//! main interpreter can be used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::cpython::{self, Detached};
use crate::process::{exit, fork, stop, thread};

use super::creation::all;
use super::{Gil, Interpreter, Runtime};

/// How long to wait for a GIL to find out whether it is free. No other thread of this process can hold it, but a machine can be slow.
const PROBE_BOUND: Duration = Duration::from_secs(3);

/// Whether httpd has forked this process from the child, and Python was entered since.
static USED_AFTER_FORK: AtomicBool = AtomicBool::new(false);

/// Whether Python cannot be used in this process. The reason was logged.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether Python has forked this process (`os.fork`), or a process that this one was forked from.
static BY_PYTHON: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked from the child: by httpd, and Python was entered since, or by Python.
pub(super) fn was_forked_off() -> bool {
    USED_AFTER_FORK.load(Ordering::Relaxed) || is_by_python()
}

/// Whether Python has forked this process: then it has freed all interpreters but the main one.
#[inline]
pub(super) fn is_by_python() -> bool {
    BY_PYTHON.load(Ordering::Relaxed)
}

/// Notes that Python has forked this process. To be called by Python's hook after a fork, in the main interpreter. Returns false, and
/// notes nothing, in a process that was not forked, or for which `fork::handled` was called.
///
/// The C library's hook has noted the fork too, but nothing is left to do: CPython has run its function.
pub fn forked_by_python() -> bool {
    let is_forked = fork::is_forked();
    if is_forked {
        BY_PYTHON.store(true, Ordering::Relaxed);
        fork::handled();
        stop::serves_here();
    }
    is_forked
}

/// Makes Python usable in this process if httpd has forked it from the child. To be called before Python is entered.
///
/// `at_exit` must call `shutdown`: the child's pool is not destroyed in such a process.
///
/// # Errors
/// Python cannot be used, usually because another thread of the child was running Python code at the fork.
#[inline]
pub fn use_after_fork(runtime: &'static Runtime, at_exit: extern "C" fn()) -> Result<(), &'static str> {
    match fork::is_forked() {
        false => Ok(()),
        true => make_usable(runtime, at_exit),
    }
}

#[cold]
fn make_usable(runtime: &'static Runtime, at_exit: extern "C" fn()) -> Result<(), &'static str> {
    const WHY: &str = "Python cannot be used in this process";
    if LOST.load(Ordering::Relaxed) {
        return Err(WHY);
    }
    let inherited = all(runtime);
    if let Err(reason) = gils_are_free(runtime, &inherited) {
        LOST.store(true, Ordering::Relaxed);
        // From now on no thread attaches, not even to end its states.
        cpython::close();
        tracing::error!(
            "MP0107: Python cannot be used in this process, which was forked from a child with threads in Python: {reason}. Requests for Python handlers on this connection are answered with 500. Start such threads in the handler, not in what a PythonImport imports."
        );
        exit::skip_functions();
        return Err(WHY);
    }
    USED_AFTER_FORK.store(true, Ordering::Relaxed);
    fork::handled();
    exit::before_functions(at_exit);
    for interpreter in inherited {
        interpreter.is_inherited.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Runs the hooks after a fork in an interpreter that was created before this process was forked, when it is first used here.
#[inline]
pub(super) fn run_hooks_once(
    detached: &mut Detached<'_>,
    runtime: &'static Runtime,
    interpreter: &'static Interpreter,
) {
    if interpreter.is_inherited.load(Ordering::Relaxed) {
        run_hooks(detached, runtime, interpreter);
    }
}

#[cold]
fn run_hooks(detached: &mut Detached<'_>, runtime: &'static Runtime, interpreter: &'static Interpreter) {
    if !interpreter.is_inherited.swap(false, Ordering::Relaxed) {
        return;
    }
    let Some(guard) = interpreter.attach(detached) else { return };
    if let Err(raised) = runtime.options.set_up.after_fork(guard.attached()) {
        let summary = raised.fetch(guard.attached()).summary();
        tracing::error!(
            "MP0304: interpreter '{}' could not run the hooks for a process that was forked: {summary}. It is used without them.",
            interpreter.display_name()
        );
    }
}

/// Whether this thread can get the GILs, also that of the main interpreter, which every interpreter takes to import an extension module.
///
/// It is tried only if the child had other threads, by a new thread, which is abandoned if it does not get them in time.
///
/// # Errors
/// Why not.
fn gils_are_free(runtime: &'static Runtime, inherited: &[&'static Interpreter]) -> Result<(), String> {
    let states = inherited.iter().map(|interpreter| interpreter.state).chain([runtime.main]);
    // SAFETY: interpreters live as long as the process, which has no other thread yet.
    if !states.into_iter().any(|state| unsafe { cpython::has_other_threads(state) }) {
        return Ok(());
    }
    let own: Vec<_> = inherited.iter().copied().filter(|interpreter| interpreter.gil() == Gil::Own).collect();
    let (done, finished) = mpsc::channel();
    let probe = move || {
        // SAFETY: a new thread.
        let mut detached = unsafe { Detached::assume() };
        drop(runtime.attach_main(&mut detached));
        own.iter().for_each(|interpreter| drop(interpreter.attach(&mut detached)));
        let _ = done.send(());
    };
    let probe = thread::spawn("mod_python fork", probe).map_err(|error| {
        format!("whether the GIL is free could not be tried, since no thread could be started ({error})")
    })?;
    match finished.recv_timeout(PROBE_BOUND).is_ok() && probe.join().is_ok() {
        true => Ok(()),
        false => Err(format!("the GIL was not free within {} s", PROBE_BOUND.as_secs())),
    }
}
