//! The process model, asked of httpd: nothing here knows an MPM by name.

use crate::ffi::httpd as raw;

/// The MPM that is loaded.
pub struct Mpm;

impl Mpm {
    /// The answer of `ap_mpm_query`, or the error that it gave.
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

    /// Whether children serve beside one another.
    pub fn is_forked() -> bool {
        Self::query(raw::AP_MPMQ_IS_FORKED as i32).is_ok_and(|answer| answer != raw::AP_MPMQ_NOT_SUPPORTED as i32)
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

    /// What the MPM calls itself.
    pub fn name() -> String {
        // SAFETY: returns a static string.
        unsafe { super::bytes_at(raw::ap_show_mpm()) }
            .map_or_else(String::new, |name| String::from_utf8_lossy(name).into_owned())
    }
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
