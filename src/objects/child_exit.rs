//! Functions that run when the child is about to end.

use crate::cpython::{Attached, Object};
use crate::httpd::{LogScope, Place, Server, printed};
use crate::interpreter::Interpreter;

/// Calls `callable(data)` in its interpreter when the child is about to end. Its log entries go to `server`'s log.
pub fn at_child_exit(
    interpreter: &'static Interpreter,
    server: Server<'static>,
    callable: Object<'_>,
    data: Option<Object<'_>>,
) {
    let (callable, data) = (callable.keep(), data.map(Object::keep));
    interpreter.at_exit(Box::new(move |attached| {
        // SAFETY: server records outlive the child.
        let _scope = unsafe { LogScope::enter(Place::Server(server.as_ptr())) };
        // SAFETY: this runs in the interpreter that made both.
        let (callable, data) = unsafe { (callable.get(attached), data.as_ref().map(|data| data.get(attached))) };
        call(attached, &callable, data, interpreter);
        printed::flush(None);
    }));
}

fn call<'i>(attached: Attached<'i>, callable: &Object<'i>, data: Option<Object<'i>>, interpreter: &Interpreter) {
    let Err(raised) = callable.call([&data.unwrap_or_else(|| Object::none(attached))]) else { return };
    let exception = raised.fetch(attached);
    tracing::error!(
        "MP0540: {}, registered for the end of the child in interpreter '{}', raised {}; the others still run",
        name_of(callable),
        interpreter.display_name(),
        exception.summary()
    );
    for line in exception.traceback().iter().flat_map(|entry| entry.lines()) {
        tracing::error!("MP0540: {line}");
    }
}

/// `module.function`, or `str()` of the object.
fn name_of(callable: &Object<'_>) -> String {
    let attached = callable.attached();
    let part = |name| callable.attribute(name).and_then(|text| text.lossy());
    match part(c"__module__").and_then(|module| Ok(format!("{module}.{}", part(c"__qualname__")?))) {
        Ok(name) => name,
        Err(raised) => {
            raised.clear(attached);
            callable.display()
        }
    }
}
