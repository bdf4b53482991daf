//! The end of the child: registered functions run, within a time limit, and Python threads are stopped.

use std::convert::Infallible;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::cpython;
use crate::httpd::{LogScope, Place, configuration};
use crate::process::{blocking, caught, exit, fork, thread};

use super::creation::{all, has_exit_work, take_exit_work};
use super::forks::was_forked_off;
use super::{Gil, Interpreter, Runtime, runtime};

/// Runs the functions registered for the exit, and stops Python, within `bound`.
///
/// CPython is not finalized: that would wait for every thread that a handler has started. Nothing is run if this thread is
/// inside a callback, as when a signal handler ends a prefork child in the middle of a request.
///
/// A handler's threads may be inside an extension module, without the GIL: then the process ends without the exit functions of
/// its libraries, which would free what those threads are using.
///
/// A process that was forked from the child does the same for functions that were registered in it, and nothing if Python was never
/// entered there. In a process that Python has forked there is only the main interpreter.
pub fn shutdown(bound: Duration) {
    static DONE: AtomicBool = AtomicBool::new(false);
    let Some(runtime) = runtime() else { return };
    // Called twice if a signal stops a forked process (by its pool and by `exit`), and if both functions for `exit` run.
    if fork::is_forked() || DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    let quiet = end_interpreters(runtime, bound);
    // A single process has an exit function that cleans up the configuration. It must run in that process, and not in those that it
    // forks. `httpd -X` defines DEBUG.
    let single = [c"DEBUG", c"ONE_PROCESS"].map(configuration::is_defined);
    let skips = match was_forked_off() {
        true => !quiet || single.contains(&true),
        false => !quiet && !single[1],
    };
    if skips {
        exit::skip_functions();
    }
}

/// Returns whether only this thread is still running in this process.
fn end_interpreters(runtime: &'static Runtime, bound: Duration) -> bool {
    cpython::close();
    if cpython::is_in_python() {
        // A signal has interrupted this thread anywhere: nothing is released, and the request is not touched.
        blocking::never_again();
        // SAFETY: nothing to point to.
        let _scope = unsafe { LogScope::enter(Place::Process) };
        tracing::debug!(
            "MP0103: the child ends in the middle of a Python handler: functions registered for its exit do not run"
        );
        return false;
    }
    let all = all(runtime);
    if threads() == Some(1 + (runtime.options.resting_threads)())
        && !all.iter().any(|interpreter| has_exit_work(interpreter))
    {
        return true;
    }
    let (own, shared): (Vec<_>, Vec<_>) = all.into_iter().partition(|interpreter| interpreter.gil() == Gil::Own);
    let groups = own.into_iter().map(|interpreter| vec![interpreter]).chain((!shared.is_empty()).then_some(shared));
    let (done, finished) = mpsc::channel();
    let mut busy = Vec::new();
    let mut under_way = Vec::new();
    for group in groups {
        let done = done.clone();
        let named = named(&group);
        let (others_busy, others) = mpsc::channel();
        let started = thread::spawn("mod_python exit", move || end(&group, &done, &others));
        if started.is_ok() {
            busy.push(named);
            under_way.push(others_busy);
        }
    }
    let groups = busy.len();
    let deadline = Instant::now() + bound;
    let next = || finished.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    while !busy.is_empty() {
        let Ok(ended) = next() else {
            tracing::warn!(
                "MP0104: Python code was still running after {} s when the child ended, in {}: some functions registered for its exit have not run",
                bound.as_secs(),
                busy.join(" or ")
            );
            return false;
        };
        busy.retain(|named| *named != ended);
    }
    drop(under_way);
    if !(0..groups).all(|_| next().is_ok()) {
        return false;
    }
    // This thread, those that hold the GILs, and those that are idle.
    threads().is_some_and(|threads| threads <= 1 + groups + (runtime.options.resting_threads)())
}

/// How many threads this process has; `None` if that is not known.
fn threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}

/// The interpreters of a group, for a message.
fn named(group: &[&'static Interpreter]) -> String {
    group.iter().map(|interpreter| format!("'{}'", interpreter.display_name())).collect::<Vec<_>>().join(", ")
}

/// Runs the exit functions of interpreters that share a GIL. When all groups have run theirs, it keeps that GIL, so that no Python
/// thread runs while the process exits.
///
/// Not before: since CPython 3.13 an interpreter with a GIL of its own also takes the main one, each time that it imports an
/// extension module (gh-117953).
fn end(group: &[&'static Interpreter], done: &mpsc::Sender<String>, others: &mpsc::Receiver<Infallible>) {
    // SAFETY: the interpreter lives as long as the process, which never finalizes Python.
    let attach = |interpreter: &Interpreter| unsafe { cpython::attach_at_exit(interpreter.state) };
    for interpreter in group {
        let guard = attach(interpreter);
        for work in take_exit_work(interpreter).into_iter().rev() {
            let _ = caught(|| work(guard.attached()));
        }
    }
    let _ = done.send(named(group));
    // Returns when the other side is dropped.
    let _ = others.recv();
    let _kept = group.last().map(|last| attach(last));
    let _ = done.send(named(group));
    loop {
        std::thread::park();
    }
}
