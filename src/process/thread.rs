//! Threads that the module starts.

use std::io;
use std::thread::{Builder, JoinHandle};

use super::signals::ChangedSignals;

/// Starts a thread that blocks all signals: httpd's signal handlers expect to run on threads of httpd.
///
/// # Errors
/// The system cannot start another thread.
pub fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    // A thread begins with the signal mask of the one that starts it.
    let _blocked = ChangedSignals::blocked();
    Builder::new().name(name.to_owned()).spawn(work)
}
