//! Processes that are forked off a child which runs Python: some process models have one for each connection.
//!
//! CPython's own work after a fork (`PyOS_AfterFork_Child`) deletes all interpreters but the main one. Here they stay: the thread
//! that forked was not in Python, and it goes on with its own thread states. Other threads are not there any more.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::cpython;
use crate::httpd::{before_exit_functions, fork, skip_exit_functions};

use super::creation::all;
use super::{Gil, Interpreter, Runtime};

/// How long it may take to find out whether a GIL is free: nobody but this thread can hold one.
const PROBE_BOUND: Duration = Duration::from_secs(1);

/// Whether this process was forked off the child and has entered Python since.
static SETTLED: AtomicBool = AtomicBool::new(false);

/// Whether a thread that is not here held a GIL at the fork.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked off the child and has entered Python since.
pub(super) fn was_forked_off() -> bool {
    SETTLED.load(Ordering::Relaxed)
}

/// Makes Python usable in this process if it was forked off the child; to be called before Python is entered.
///
/// `at_exit` is to call `shutdown`: the child's pool is not destroyed in such a process.
///
/// # Errors
/// Another thread of the child was in the middle of Python at the fork: here it holds its GIL for ever.
#[inline]
pub fn settle_after_fork(runtime: &'static Runtime, at_exit: extern "C" fn()) -> Result<(), &'static str> {
    match fork::is_forked() {
        false => Ok(()),
        true => settle(runtime, at_exit),
    }
}

#[cold]
fn settle(runtime: &'static Runtime, at_exit: extern "C" fn()) -> Result<(), &'static str> {
    const WHY: &str = "a thread that is not in this process holds the GIL";
    if LOST.load(Ordering::Relaxed) {
        return Err(WHY);
    }
    let inherited = all(runtime);
    if !gils_are_free(&inherited) {
        LOST.store(true, Ordering::Relaxed);
        tracing::error!(
            "MP0107: Python cannot be used in this process: while it was forked off, a thread that a PythonImport has started was running Python code. Requests for Python handlers on this connection are answered with 500. Start such threads in the handler."
        );
        skip_exit_functions();
        return Err(WHY);
    }
    SETTLED.store(true, Ordering::Relaxed);
    fork::settled();
    before_exit_functions(at_exit);
    for interpreter in inherited {
        let Some(guard) = interpreter.attach() else { continue };
        if let Err(raised) = runtime.options.setup.after_fork(guard.attached()) {
            let summary = raised.fetch(guard.attached()).summary();
            tracing::error!(
                "MP0304: interpreter '{}' could not be told that its process was forked off: {summary}. It is used as it is.",
                interpreter.display_name()
            );
        }
    }
    Ok(())
}

/// Whether this thread can have the GILs of these interpreters. Only where the child had other threads it is tried, by a thread
/// that is given up if it waits in vain.
fn gils_are_free(inherited: &[&'static Interpreter]) -> bool {
    // SAFETY: interpreters live as long as the process, which has no other thread yet.
    if !inherited.iter().any(|interpreter| unsafe { cpython::has_other_threads(interpreter.state) }) {
        return true;
    }
    let mut known = HashSet::new();
    let tried: Vec<_> = inherited
        .iter()
        .copied()
        .filter(|interpreter| known.insert((interpreter.gil() == Gil::Own).then_some(interpreter.id())))
        .collect();
    let (done, finished) = mpsc::channel();
    let probe = move || {
        tried.iter().for_each(|interpreter| drop(interpreter.attach()));
        let _ = done.send(());
    };
    let Ok(probe) = thread::Builder::new().name("mod_python fork".into()).spawn(probe) else { return true };
    finished.recv_timeout(PROBE_BOUND).is_ok() && probe.join().is_ok()
}
