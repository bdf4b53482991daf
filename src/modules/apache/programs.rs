//! Starting other programs.

use crate::cpython::{Arguments, Object, Raised};
use crate::process::signals::{self, ChangedSignals, SignalMask, StartsProgram};

use super::Apache;

/// `_inherited_signal_mask()`: a list of signal numbers, for `posix_spawn`.
pub(super) fn inherited_signal_mask<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = arguments.attached();
    Object::list(attached, signals::inherited().numbers().map(|number| Object::int(attached, number.into())))
}

/// `_start_program(fork_exec, arguments)`: `fork_exec` is that of `_posixsubprocess`. Up to Python 3.14 its last argument says whether it
/// may use `vfork`; since then that is not asked.
pub(super) fn start_program<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let attached = arguments.attached();
    let (fork_exec, given) = (arguments.required(0)?, arguments.required(1)?);
    let mut given = given.items()?;
    if SignalMask::current() == signals::inherited() {
        return fork_exec.call_with(&given);
    }
    match given.last_mut().filter(|last| last.is_bool()) {
        // The mask is changed by a hook in the new process, which does not run after a vfork.
        Some(may_vfork) => {
            *may_vfork = Object::bool(attached, false);
            let _starts_program = StartsProgram::begin();
            fork_exec.call_with(&given)
        }
        // The new process gets the mask of this thread. A signal to this process still goes to the first thread, which waits for it:
        // the kernel asks that one first.
        None => {
            let _changed = ChangedSignals::to(&signals::inherited());
            fork_exec.call_with(&given)
        }
    }
}
