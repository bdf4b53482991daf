//! The result of a handler as a status for httpd.

use crate::config::Handler;
use crate::cpython::{Attached, Object, Raised};
use crate::httpd::{HttpStatus, Status};
use crate::objects::module_state::ModuleState;

/// `raise SERVER_RETURN(result[, status])` is a return; any other exception is an error.
pub fn server_return(
    attached: Attached<'_>,
    module_state: &ModuleState,
    raised: Raised,
    handler: &Handler<'_>,
    set_status: impl FnOnce(HttpStatus) -> Result<(), Raised>,
) -> Result<Status, Raised> {
    let exception = raised.fetch(attached);
    // SAFETY: the class is this interpreter's.
    if !exception.is(&unsafe { module_state.exceptions.server_return.get(attached) }) {
        return Err(exception.restore());
    }
    let arguments = exception.value().attribute(c"args")?.items()?;
    if let Some(status) = arguments.get(1) {
        if status.is_true()? {
            set_status(HttpStatus(number(status, handler)?.0))?;
        }
    }
    match arguments.first() {
        Some(result) => status_of(result, handler),
        None => Err(exception.restore()),
    }
}

/// The result of a handler: an `int`, such as `apache.OK` or one of `http.HTTPStatus`. A bool is refused, although it is
/// an `int`.
pub fn status_of(value: &Object<'_>, handler: &Handler<'_>) -> Result<Status, Raised> {
    if !value.is_int() || value.is_bool() {
        return Err(Raised::assertion_error(
            value.attached(),
            format!(
                "Handler '{}' returned invalid return code: it must return an int such as apache.OK, not {}",
                handler.text,
                value.type_name()
            ),
        ));
    }
    number(value, handler)
}

fn number(value: &Object<'_>, handler: &Handler<'_>) -> Result<Status, Raised> {
    let attached = value.attached();
    if !value.is_int() {
        return Err(Raised::type_error(attached, format!("a status must be an int, not {}", value.type_name())));
    }
    let number = value.to_i64().map_err(|raised| raised.clear(attached)).ok();
    number.and_then(Status::from_number).ok_or_else(|| {
        let shown = value.display();
        Raised::assertion_error(attached, format!("Handler '{}' returned {shown}, which is not a status", handler.text))
    })
}
