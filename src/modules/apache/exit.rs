//! `register_cleanup(interpreter, server, callable[, data])`.

use crate::cpython::{Arguments, Object, Raised};
use crate::objects::cleanup;
use crate::objects::equipment::equipment_of;
use crate::objects::server::ServerObject;

use super::State;

/// Has `callable(data)` called when this child exits.
///
/// The interpreter is the running one whatever name is given: an object can be called in the interpreter that made it only.
pub(super) fn register_cleanup<'i>(state: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(3, 4)?;
    let attached = arguments.attached();
    arguments.text(0)?;
    let interpreter = state.required(attached)?;
    let (server, callable) = (arguments.required(1)?, arguments.required(2)?);
    let Some(server) = ServerObject::from_object(equipment_of(attached, interpreter)?, &server)? else {
        return Err(Raised::value_error(attached, "second argument must be a server object"));
    };
    if !callable.is_callable() {
        return Err(Raised::value_error(attached, "third argument must be a callable object"));
    }
    cleanup::at_child_exit(interpreter, server.server(), callable, arguments.get(3));
    Ok(Object::none(attached))
}
