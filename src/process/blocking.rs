//! Calls that can block: this thread releases what others may wait for (for Python, the GIL) during such a call.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs a function while this thread holds nothing that other threads may wait for.
pub type Runner = fn(&mut dyn FnMut());

static RUNNER: OnceLock<Runner> = OnceLock::new();

/// Whether this thread holds something that other threads may wait for.
static HOLDS: OnceLock<fn() -> bool> = OnceLock::new();

/// Sets how to release it, for Python by detaching this thread, and how to tell whether this thread holds it. Only the first call has an effect.
pub fn set_runner(runner: Runner, holds: fn() -> bool) {
    let _ = RUNNER.set(runner);
    let _ = HOLDS.set(holds);
}

/// Whether this thread may block: it holds nothing that other threads may wait for. For assertions.
pub fn is_allowed() -> bool {
    HOLDS.get().is_none_or(|holds| NEVER.load(Ordering::Relaxed) || !holds())
}

/// Whether nothing is released any more.
static NEVER: AtomicBool = AtomicBool::new(false);

/// From now on, `run` releases nothing: the process is ending, perhaps in a signal handler that has interrupted this thread anywhere.
pub fn never_again() {
    NEVER.store(true, Ordering::Relaxed);
}

/// Runs `work`, which can block.
pub fn run<T>(work: impl FnOnce() -> T) -> T {
    let Some(runner) = RUNNER.get().filter(|_| !NEVER.load(Ordering::Relaxed)) else { return work() };
    let (mut work, mut result) = (Some(work), None);
    runner(&mut || result = work.take().map(|work| work()));
    // A runner runs it once.
    result.unwrap_or_else(|| unreachable!("the runner has not called the function"))
}
