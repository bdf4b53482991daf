//! The exit of a process: `exit` runs the exit functions of all libraries.

use std::cell::Cell;
use std::thread::JoinHandle;

use super::thread;

/// Makes `exit` end this process at once, with the given status, without the exit functions that have been registered
/// so far.
///
/// For a process whose other threads are still running: OpenSSL's exit function, for example, frees what they are using. Only glibc
/// can do this; with another C library `exit` is not changed.
pub fn skip_functions() {
    #[cfg(target_env = "gnu")]
    {
        use std::ffi::{c_int, c_void};

        unsafe extern "C" {
            fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
        }

        extern "C" fn end(status: c_int, _argument: *mut c_void) {
            // SAFETY: ends the process.
            unsafe { libc::_exit(status) }
        }

        // SAFETY: the function stays mapped (`-z nodelete`) and takes no argument.
        unsafe { on_exit(end, std::ptr::null_mut()) };
    }
}

/// Ignores the signals for a stop and a restart of httpd. To be called when the process ends by itself.
///
/// httpd does the same when it ends a child: its handler for these signals would begin another exit within this one.
pub fn ignore_stops() {
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: may be called at any time.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Runs `work` when this process calls `exit`, before any exit function. To be called on the thread that will call `exit`.
///
/// glibc destroys that thread's thread-locals first, so `work` runs in the destructor of one: an exit function would run after the
/// exit functions of libraries that are loaded later. With another C library, and if another thread calls `exit`, `work` runs as an exit
/// function. It is registered for both, and may be called twice.
pub fn before_functions(work: extern "C" fn()) {
    struct AtEnd(Cell<Option<extern "C" fn()>>);

    impl Drop for AtEnd {
        fn drop(&mut self) {
            if let Some(work) = self.0.take() {
                work();
            }
        }
    }

    thread_local!(static AT_END: AtEnd = const { AtEnd(Cell::new(None)) });
    // What `work` uses of this thread must be there before: the last one to be made is destroyed first. Rust's standard library has a
    // variable for starting threads, without which it panics up to 1.86 (rust-lang/rust#138696).
    let _ = thread::spawn("mod_python", || ()).map(JoinHandle::join);
    AT_END.with(|end| end.0.set(Some(work)));
    // SAFETY: the function stays mapped (`-z nodelete`).
    unsafe { libc::atexit(work) };
}
