//! Processes that are forked from a child: some process models serve each connection in a process of its own.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::signals;

/// Whether this process was forked, and `handled` has not been called yet.
static FORKED: AtomicBool = AtomicBool::new(false);

/// How many forks there were between this process and the one that called `watch`.
static GENERATION: AtomicUsize = AtomicUsize::new(0);

extern "C" fn note() {
    FORKED.store(true, Ordering::Relaxed);
    GENERATION.fetch_add(1, Ordering::Relaxed);
    signals::forked();
}

/// A number that differs in each process that this one forks. For data that belongs to one process and its threads.
#[inline]
pub fn generation() -> usize {
    GENERATION.load(Ordering::Relaxed)
}

/// Has each process that this one forks from now on note that it was forked. Once is enough.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function stays mapped (`-z nodelete`), and does only what is allowed right after a fork.
        unsafe { libc::pthread_atfork(None, None, Some(note)) };
    });
}

/// Whether this process was forked after `watch`, and `handled` has not been called in it.
#[inline]
pub fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// Notes that all that has to be done after a fork has been done.
pub fn handled() {
    FORKED.store(false, Ordering::Relaxed);
}
