//! What the threads of this interpreter do.

use crate::cpython::{self, Arguments, Attached, Object, Raised};

use super::Apache;

/// `_current_frames()`.
pub(super) fn current_frames<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    audit(arguments.attached(), "sys._current_frames")?;
    cpython::current_frames(arguments.attached())
}

/// `_current_exceptions()`.
pub(super) fn current_exceptions<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    audit(arguments.attached(), "sys._current_exceptions")?;
    cpython::current_exceptions(arguments.attached())
}

/// Raises the event for hooks of `sys.addaudithook()`, under the name of Python's own function.
fn audit(attached: Attached<'_>, event: &str) -> Result<(), Raised> {
    let event = Object::str(attached, event)?;
    Object::import(attached, c"sys")?.call_method(c"audit", [&event]).map(drop)
}
