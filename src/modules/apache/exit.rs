//! `register_cleanup(interpreter, server, callable[, data])`.

use crate::cpython::{Arguments, Object, Raised};
use crate::objects::child_exit;
use crate::objects::module_state::ModuleState;
use crate::objects::server::ServerObject;

use super::Apache;

/// Calls `callable(data)` when this child exits.
///
/// The name of the interpreter is ignored: an object can be called only in the interpreter that made it.
pub(super) fn register_cleanup<'i>(state: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(3, 4)?;
    let attached = arguments.attached();
    arguments.text(0)?;
    let interpreter = state.required(attached)?;
    let (server, callable) = (arguments.required(1)?, arguments.required(2)?);
    let Some(server) = ModuleState::of(attached, interpreter)?.cast::<ServerObject>(&server) else {
        return Err(Raised::value_error(attached, "second argument must be a server object"));
    };
    if !callable.is_callable() {
        return Err(Raised::value_error(attached, "third argument must be a callable object"));
    }
    child_exit::at_child_exit(interpreter, server.server(), callable, arguments.get(3));
    Ok(Object::none(attached))
}
