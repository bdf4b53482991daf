//! The MPM, by its properties: nothing here depends on its name.

use std::ffi::CStr;

use crate::ffi::httpd as raw;

/// The MPM that is loaded.
pub struct Mpm;

impl Mpm {
    /// The answer of `ap_mpm_query`, or its error.
    pub fn query(code: i32) -> Result<i32, i32> {
        let mut answer = 0;
        // SAFETY: an out parameter.
        match unsafe { raw::ap_mpm_query(code, &mut answer) } {
            0 => Ok(answer),
            status => Err(status),
        }
    }

    /// Whether several threads of a child serve requests.
    pub fn is_threaded() -> bool {
        Self::query(raw::AP_MPMQ_IS_THREADED as i32).is_ok_and(|answer| answer != raw::AP_MPMQ_NOT_SUPPORTED as i32)
    }

    /// Whether there can be several children.
    pub fn is_forked() -> bool {
        Self::query(raw::AP_MPMQ_IS_FORKED as i32).is_ok_and(|answer| answer != raw::AP_MPMQ_NOT_SUPPORTED as i32)
    }

    /// Whether there can be more than one child, as `wsgi.multiprocess` asks.
    pub fn has_several_children() -> bool {
        Self::query(raw::AP_MPMQ_MAX_DAEMONS as i32).is_ok_and(|answer| answer > 1)
    }

    /// Children times threads at their largest: how many requests can be under way at once.
    pub fn capacity() -> usize {
        let ask = |code: u32| Self::query(code as i32).map_or(1, |answer| answer.max(1) as usize);
        ask(raw::AP_MPMQ_MAX_DAEMONS).saturating_mul(ask(raw::AP_MPMQ_MAX_THREADS))
    }

    /// Whether this process is about to end.
    pub fn is_stopping() -> bool {
        Self::query(raw::AP_MPMQ_MPM_STATE as i32) == Ok(raw::AP_MPMQ_STOPPING as i32)
    }

    /// The MPM's name.
    pub fn name() -> String {
        // SAFETY: returns a static string.
        unsafe { super::bytes_at(raw::ap_show_mpm()) }
            .map_or_else(String::new, |name| String::from_utf8_lossy(name).into_owned())
    }
}

/// The size of the stacks on which requests are served, in bytes: those of threads, or of the process.
pub fn stack_size() -> usize {
    let limit = || {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is filled in.
        unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) };
        usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
    };
    if !Mpm::is_threaded() {
        return limit();
    }
    // SAFETY: a plain global of httpd's.
    match unsafe { raw::ap_thread_stacksize } {
        0 => default_stack_size(),
        size => size,
    }
}

/// The C library's default size of a thread's stack, in bytes.
fn default_stack_size() -> usize {
    let mut attributes = std::mem::MaybeUninit::uninit();
    let mut size = 0;
    // SAFETY: the attributes are initialised before they are read, and destroyed.
    unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_getstacksize(attributes.as_ptr(), &mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
    }
    size
}

/// Sets the size of the stacks of the MPM's threads, in bytes; false if it has no threads. For `post_config`.
pub fn set_thread_stack_size(size: usize) -> bool {
    let is_threaded = Mpm::is_threaded();
    if is_threaded {
        // SAFETY: a plain global of httpd's, which MPMs read when they start a child; the parent has one thread.
        unsafe { raw::ap_thread_stacksize = size };
    }
    is_threaded
}

/// Whether a module is loaded, by the name of its source file.
pub fn is_loaded(source: &CStr) -> bool {
    // SAFETY: httpd compares the name with those of its list, which does not change meanwhile.
    unsafe { !raw::ap_find_linked_module(source.as_ptr()).is_null() }
}

/// The magic number of the httpd that runs: major and minor.
///
/// httpd has no call for it; core's own module record carries what it was compiled with.
pub fn loaded_magic() -> (u32, u32) {
    // SAFETY: httpd's core module, a global that is there before any module is loaded.
    unsafe {
        let core = &raw const raw::core_module;
        ((*core).version as u32, (*core).minor_version as u32)
    }
}
