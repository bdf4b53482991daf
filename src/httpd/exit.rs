//! The last step of a child: httpd calls `exit`, which runs the exit functions of every library in the process.

use std::cell::Cell;

/// Makes `exit` end this process at once, with the status it is called with, before the exit functions that are registered
/// so far.
///
/// For a process with threads that go on meanwhile: OpenSSL's exit function, for one, frees what they are using. Where the C
/// library cannot do it (it is glibc's), `exit` stays as it is.
pub fn skip_exit_functions() {
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

/// Lets a stop and a restart of httpd pass this process by: to be called when it is ending by itself.
///
/// httpd does so first of all where it ends a child. Its handler for these signals would begin another end within this one.
pub fn ignore_stops() {
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: may be called at any time.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Has `work` run when this process calls `exit`, before any exit function; to be called on the thread that will call it.
///
/// glibc destroys that thread's thread-locals first of all, so `work` hangs on one of them: an exit function would come after the
/// exit functions of libraries that are loaded later. Elsewhere, and where another thread calls `exit`, `work` runs as an exit
/// function. It is both, and can be called twice.
pub fn before_exit_functions(work: extern "C" fn()) {
    struct AtEnd(Cell<Option<extern "C" fn()>>);

    impl Drop for AtEnd {
        fn drop(&mut self) {
            if let Some(work) = self.0.take() {
                work();
            }
        }
    }

    thread_local!(static AT_END: AtEnd = const { AtEnd(Cell::new(None)) });
    AT_END.with(|end| end.0.set(Some(work)));
    // SAFETY: the function stays mapped (`-z nodelete`).
    unsafe { libc::atexit(work) };
}
