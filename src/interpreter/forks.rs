//! Processes that are forked off a child which runs Python: some process models have one for each connection.
//!
//! CPython's own work after a fork (`PyOS_AfterFork_Child`) deletes all interpreters but the main one. Here they stay: the thread
//! that forked was not in Python, and it goes on with its own thread states. Other threads are not there any more.
//!
//! A handler can fork too, by `os.fork` in the main interpreter while there is no other. There CPython does its work, and only the
//! main one can be used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::cpython;
use crate::httpd::{before_exit_functions, fork, skip_exit_functions};

use super::creation::all;
use super::{Gil, Interpreter, Runtime};

/// How long it may take to find out whether a GIL is free. Nobody but this thread can hold one; a machine can be slow.
const PROBE_BOUND: Duration = Duration::from_secs(3);

/// Whether this process was forked off the child by httpd and has entered Python since.
static SETTLED: AtomicBool = AtomicBool::new(false);

/// Whether Python cannot be used in this process, for the reason that was logged.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether Python itself has forked this process (`os.fork`), or one that this one was forked off.
static BY_PYTHON: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked off the child, by httpd and entering Python since, or by Python.
pub(super) fn was_forked_off() -> bool {
    SETTLED.load(Ordering::Relaxed) || is_by_python()
}

/// Whether Python itself has forked this process: then it has freed all interpreters but the main one.
#[inline]
pub(super) fn is_by_python() -> bool {
    BY_PYTHON.load(Ordering::Relaxed)
}

/// Notes that Python has forked this process; to be called by Python's own hook after a fork, in the main interpreter.
///
/// The C library's hook has noted the fork too, but here nothing is left to do: CPython has done its work.
pub fn forked_by_python() {
    BY_PYTHON.store(true, Ordering::Relaxed);
    fork::settled();
}

/// Makes Python usable in this process if httpd has forked it off the child; to be called before Python is entered.
///
/// `at_exit` is to call `shutdown`: the child's pool is not destroyed in such a process.
///
/// # Errors
/// Python cannot be used: mostly because another thread of the child was in the middle of it at the fork.
#[inline]
pub fn settle_after_fork(runtime: &'static Runtime, at_exit: extern "C" fn()) -> Result<(), &'static str> {
    match fork::is_forked() {
        false => Ok(()),
        true => settle(runtime, at_exit),
    }
}

#[cold]
fn settle(runtime: &'static Runtime, at_exit: extern "C" fn()) -> Result<(), &'static str> {
    const WHY: &str = "Python cannot be used in this process";
    if LOST.load(Ordering::Relaxed) {
        return Err(WHY);
    }
    let inherited = all(runtime);
    if let Err(reason) = gils_are_free(runtime, &inherited) {
        LOST.store(true, Ordering::Relaxed);
        // No thread waits for Python any more, not even to end its states.
        cpython::close();
        tracing::error!(
            "MP0107: Python cannot be used in this process, which was forked off a child with threads in Python: {reason}. Requests for Python handlers on this connection are answered with 500. Start such threads in the handler, not in what a PythonImport imports."
        );
        skip_exit_functions();
        return Err(WHY);
    }
    SETTLED.store(true, Ordering::Relaxed);
    fork::settled();
    before_exit_functions(at_exit);
    for interpreter in inherited {
        interpreter.inherited.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Tells an interpreter that its process was forked off, when this process uses it for the first time.
#[inline]
pub(super) fn tell(runtime: &'static Runtime, interpreter: &'static Interpreter) {
    if interpreter.inherited.load(Ordering::Relaxed) {
        run_hooks(runtime, interpreter);
    }
}

#[cold]
fn run_hooks(runtime: &'static Runtime, interpreter: &'static Interpreter) {
    if !interpreter.inherited.swap(false, Ordering::Relaxed) {
        return;
    }
    let Some(guard) = interpreter.attach() else { return };
    if let Err(raised) = runtime.options.setup.after_fork(guard.attached()) {
        let summary = raised.fetch(guard.attached()).summary();
        tracing::error!(
            "MP0304: interpreter '{}' could not be told that its process was forked off: {summary}. It is used as it is.",
            interpreter.display_name()
        );
    }
}

/// Whether this thread can have the GILs, that of the main interpreter too: importing an extension module takes it in any.
///
/// Only where the child had other threads it is tried, by a thread that is given up if it waits in vain.
///
/// # Errors
/// What is in the way.
fn gils_are_free(runtime: &'static Runtime, inherited: &[&'static Interpreter]) -> Result<(), String> {
    let states = inherited.iter().map(|interpreter| interpreter.state).chain([runtime.main]);
    // SAFETY: interpreters live as long as the process, which has no other thread yet.
    if !states.into_iter().any(|state| unsafe { cpython::has_other_threads(state) }) {
        return Ok(());
    }
    let own: Vec<_> = inherited.iter().copied().filter(|interpreter| interpreter.gil() == Gil::Own).collect();
    let (done, finished) = mpsc::channel();
    let probe = move || {
        drop(runtime.attach_main());
        own.iter().for_each(|interpreter| drop(interpreter.attach()));
        let _ = done.send(());
    };
    let probe = thread::Builder::new().name("mod_python fork".into()).spawn(probe).map_err(|error| {
        format!("whether the GIL is free could not be tried, since no thread could be started ({error})")
    })?;
    match finished.recv_timeout(PROBE_BOUND).is_ok() && probe.join().is_ok() {
        true => Ok(()),
        false => Err(format!("the GIL was not free within {} s", PROBE_BOUND.as_secs())),
    }
}
