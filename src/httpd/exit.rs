//! The last step of a child: httpd calls `exit`, which runs the exit functions of every library in the process.

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
