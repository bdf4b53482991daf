//! The end of the child: what was registered for it runs, bounded in time, and Python threads are held still.

use std::convert::Infallible;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::cpython;
use crate::httpd::{configuration, fork, skip_exit_functions};

use super::creation::{all, has_exit_work, take_exit_work};
use super::forks::was_forked_off;
use super::{Gil, Interpreter, Runtime, runtime};

/// Ends Python's part in this process, in `bound` at most.
///
/// CPython is not finalized: that would wait for every thread a handler has started. Nothing is run if this thread is
/// inside a callback, as when a signal handler ends a prefork child in the middle of a request.
///
/// A handler's threads may be inside an extension module, without the GIL: then the process ends without the exit functions of
/// its libraries, which would pull the ground from under them.
///
/// A process that was forked off the child does the same for what was registered in it, and nothing if Python was never
/// entered there. In one that Python has forked, only the main interpreter is there.
pub fn shutdown(bound: Duration) {
    static DONE: AtomicBool = AtomicBool::new(false);
    let Some(runtime) = runtime() else { return };
    // Called twice where a signal stops a forked process (by its pool and by `exit`), and where both ways of `exit` work.
    if fork::is_forked() || DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    let quiet = end_interpreters(runtime, bound);
    // A single process has an exit function that cleans up the configuration: that is for itself to do, not for those that it
    // forks. The MPMs know `httpd -X` by the first of these.
    let single = [c"DEBUG", c"ONE_PROCESS"].map(configuration::is_defined);
    let skips = match was_forked_off() {
        true => !quiet || single.contains(&true),
        false => !quiet && !single[1],
    };
    if skips {
        skip_exit_functions();
    }
}

/// Says whether nothing is running in this process any more but this thread.
fn end_interpreters(runtime: &'static Runtime, bound: Duration) -> bool {
    cpython::close();
    if cpython::is_in_python() {
        tracing::debug!(
            "MP0103: the child ends in the middle of a Python handler: what was registered for its exit is not run"
        );
        return false;
    }
    let all = all(runtime);
    if threads() == Some(1) && !all.iter().any(|interpreter| has_exit_work(interpreter)) {
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
        let started = thread::Builder::new().name("mod_python exit".into()).spawn(move || end(&group, &done, &others));
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
                "MP0104: Python code was still busy after {} s when the child ended, in {}: some of what was registered for its exit has not run",
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
    // This thread, and those that keep the locks.
    threads().is_some_and(|threads| threads <= 1 + groups)
}

/// How many threads this process has; `None` where the system does not tell.
fn threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}

/// The interpreters of a group, for a message.
fn named(group: &[&'static Interpreter]) -> String {
    group.iter().map(|interpreter| format!("'{}'", interpreter.display_name())).collect::<Vec<_>>().join(", ")
}

/// Runs the exit work of interpreters that share a GIL, and when no group has any left, keeps that GIL, so that no Python
/// thread runs into the process's own exit.
///
/// Not before: since CPython 3.13 an interpreter with a GIL of its own takes the main one too, each time that it imports an
/// extension module (gh-117953).
fn end(group: &[&'static Interpreter], done: &mpsc::Sender<String>, others: &mpsc::Receiver<Infallible>) {
    // SAFETY: the interpreter lives as long as the process, which never finalizes Python.
    let attach = |interpreter: &Interpreter| unsafe { cpython::attach_at_exit(interpreter.state) };
    for interpreter in group {
        let guard = attach(interpreter);
        for work in take_exit_work(interpreter).into_iter().rev() {
            let _ = cpython::caught(|| work(guard.attached()));
        }
    }
    let _ = done.send(named(group));
    // Ends when the other side is dropped.
    let _ = others.recv();
    let _kept = group.last().map(|last| attach(last));
    let _ = done.send(named(group));
    loop {
        thread::park();
    }
}
