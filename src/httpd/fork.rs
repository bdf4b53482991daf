//! Processes that are forked off a child: some process models serve each connection in one of its own.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this process was forked off, and nobody has dealt with that yet.
static FORKED: AtomicBool = AtomicBool::new(false);

extern "C" fn note() {
    FORKED.store(true, Ordering::Relaxed);
}

/// Notes from now on, in each process that this one forks, that it was forked off. Once is enough.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function stays mapped (`-z nodelete`) and only stores a flag, which it may right after a fork.
        unsafe { libc::pthread_atfork(None, None, Some(note)) };
    });
}

/// Whether this process was forked off after `watch`, and `settled` has not been called in it.
pub fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// What has to be done after a fork is done.
pub fn settled() {
    FORKED.store(false, Ordering::Relaxed);
}
