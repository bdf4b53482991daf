//! On the way to a handler: the interpreter of a name, and this thread attached to it.

use crate::cpython::AttachGuard;
use crate::ffi::httpd as raw;
use crate::interpreter::{self, Interpreter};

use super::child;

/// The status of a callback that could not be run.
pub const SERVER_ERROR: i32 = raw::HTTP_INTERNAL_SERVER_ERROR as i32;
pub const UNAVAILABLE: i32 = raw::HTTP_SERVICE_UNAVAILABLE as i32;

/// Attaches this thread to the interpreter of that name, which is made if need be. `described` is what wants to run.
///
/// # Errors
/// The status for the client; the log says why.
pub fn enter(name: &[u8], described: impl Fn() -> String) -> Result<(&'static Interpreter, AttachGuard), i32> {
    let Ok(runtime) = child::python() else {
        tracing::error!(
            "MP0402: {} is not run: Python cannot be used in this process (MP0101 or MP0107 says why)",
            described()
        );
        return Err(SERVER_ERROR);
    };
    let interpreter = interpreter::get(runtime, name).map_err(|error| {
        tracing::error!(
            "MP0403: {} is not run: interpreter '{}' could not be made: {error}",
            described(),
            String::from_utf8_lossy(name)
        );
        SERVER_ERROR
    })?;
    let Some(guard) = interpreter.attach() else {
        tracing::info!("MP0404: {} is not run: the child is about to end", described());
        return Err(UNAVAILABLE);
    };
    Ok((interpreter, guard))
}
