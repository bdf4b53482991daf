//! The one way from httpd to Python and back: the interpreter's name → this interpreter, attached → the object for the
//! program → the program → what it has printed is logged, its objects become invalid, detached.
//!
//! A new kind of program adds only what it calls, and how it reads the result.

use std::sync::Arc;

use crate::applications::wsgi::{Exchange, Manner};
use crate::config::{Handler, Selected};
use crate::cpython::{AttachGuard, Attached, Detached, Object, Raised};
use crate::httpd::{Connection, HttpStatus, Output, Request, Status};
use crate::interpreter::{self, CreateError, Interpreter};
use crate::objects::connection::{ConnectionObject, ConnectionRecord};
use crate::objects::logging::write_printed;
use crate::objects::module_state::ModuleState;
use crate::objects::request::{RequestCallback, RequestRecord};

use super::python::python;

/// This thread, attached to the interpreter of a name.
pub struct Entered<'d> {
    pub interpreter: &'static Interpreter,
    guard: AttachGuard<'d>,
}

impl Entered<'_> {
    pub fn attached(&self) -> Attached<'_> {
        self.guard.attached()
    }
}

/// Why no program runs. It was logged.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NotEntered {
    #[error("Python, or the interpreter, cannot be used")]
    Unusable,
    #[error("the child is about to end")]
    Ending,
}

impl NotEntered {
    /// The status for the client.
    pub fn status(self) -> Status {
        match self {
            Self::Unusable => Status::SERVER_ERROR,
            Self::Ending => Status::UNAVAILABLE,
        }
    }
}

/// Attaches this thread to the interpreter of that name, which is created if there is none, or to the one that is `known` to have it. `described`
/// describes the program for messages.
pub fn enter<'d>(
    detached: &'d mut Detached<'_>,
    name: &[u8],
    known: Option<&'static Interpreter>,
    described: &dyn Fn() -> String,
) -> Result<Entered<'d>, NotEntered> {
    let Ok(runtime) = python() else {
        tracing::error!(
            "MP0402: {} is not run: Python cannot be used in this process (MP0101 or MP0107 says why)",
            described()
        );
        return Err(NotEntered::Unusable);
    };
    let interpreter = match known {
        Some(known) => known,
        None => interpreter::get(detached, runtime, name).map_err(|error| not_made(name, &error, described))?,
    };
    let Some(guard) = interpreter.attach(detached) else {
        tracing::info!("MP0404: {} is not run: the child is about to end", described());
        return Err(NotEntered::Ending);
    };
    Ok(Entered { interpreter, guard })
}

#[cold]
fn not_made(name: &[u8], error: &CreateError, described: &dyn Fn() -> String) -> NotEntered {
    tracing::error!(
        "MP0403: {} is not run: interpreter '{}' could not be created: {error}",
        described(),
        String::from_utf8_lossy(name)
    );
    NotEntered::Unusable
}

/// The arguments of a program.
pub struct Running<'c> {
    pub attached: Attached<'c>,
    pub interpreter: &'static Interpreter,
    pub module_state: &'static ModuleState,
}

/// The arguments of a request's program.
pub struct RunningForRequest<'a, 'c> {
    pub running: Running<'c>,
    pub callback: &'a RequestCallback<'c>,
}

impl<'c> RunningForRequest<'_, 'c> {
    /// What an application is called with.
    pub fn exchange<'e>(&'e self, request: &'e Object<'c>, manner: Manner) -> Exchange<'e, 'c> {
        let Running { attached, interpreter, module_state } = self.running;
        Exchange { attached, interpreter, module_state, record: self.callback.record(), request, manner }
    }
}

/// The result of a request's program.
pub struct Done<T> {
    pub result: T,
    /// The output that was not passed on; `None` for a program within another one's callback.
    pub output: Option<Output>,
    /// The request's status before it ran.
    pub status_before: HttpStatus,
}

/// Runs a request's program: the handlers of a phase, with the value of `req.phase`, or a program within any phase.
pub fn for_request<'r, T>(
    detached: &mut Detached<'_>,
    request: Request<'r>,
    name: &[u8],
    described: &dyn Fn() -> String,
    handlers: Option<(&'static str, &Selected<'r>)>,
    program: impl FnOnce(&RunningForRequest<'_, '_>) -> T,
) -> Result<Done<T>, NotEntered> {
    // While detached: within a call for a related request, this thread has the turn only until it is attached.
    let known = RequestRecord::known(request).and_then(|record| record.interpreter(request, name));
    let record = RequestRecord::of(request);
    let ran = enter(detached, name, known, described).and_then(|entered| {
        let running = running(&entered)?;
        let record = Arc::clone(&record);
        let mut callback = RequestCallback::begin(entered.attached(), entered.interpreter, request, record, handlers);
        let result = program(&RunningForRequest { running, callback: &callback });
        let status_before = callback.status_before();
        write_printed(entered.attached());
        Ok(Done { result, output: callback.end(), status_before })
    });
    if ran.is_err() {
        record.leave_unneeded(request);
    }
    ran
}

/// Runs a connection's program.
pub fn for_connection<'c, T>(
    detached: &mut Detached<'_>,
    connection: Connection<'c>,
    name: &[u8],
    handler: &'static Handler<'static>,
    program: impl FnOnce(&Running<'_>, &Object<'_>) -> T,
    failed: impl FnOnce(&Running<'_>, Raised) -> T,
) -> Result<T, NotEntered> {
    let entered = enter(detached, name, None, &|| handler.describe())?;
    let attached = entered.attached();
    let running = running(&entered)?;
    let record = ConnectionRecord::new(Some(*handler));
    // SAFETY: the connection is live during the callback, whose end waits for all threads that use it.
    let valid = unsafe { record.handle.validate_during(attached, connection.as_ptr()) };
    let object = ConnectionObject::of_connection(attached, entered.interpreter, Arc::clone(&record));
    let result = match object {
        Ok(object) => program(&running, &object),
        Err(raised) => failed(&running, raised),
    };
    write_printed(attached);
    drop(valid);
    Ok(result)
}

/// Runs a program that belongs to no request or connection.
pub fn for_server<T>(
    detached: &mut Detached<'_>,
    name: &[u8],
    described: &dyn Fn() -> String,
    program: impl FnOnce(&Running<'_>) -> T,
) -> Result<T, NotEntered> {
    let entered = enter(detached, name, None, described)?;
    let result = program(&running(&entered)?);
    write_printed(entered.attached());
    Ok(result)
}

fn running<'c>(entered: &'c Entered<'_>) -> Result<Running<'c>, NotEntered> {
    let attached = entered.attached();
    let module_state = ModuleState::of(attached, entered.interpreter).map_err(|raised| {
        raised.clear(attached);
        NotEntered::Unusable
    })?;
    Ok(Running { attached, interpreter: entered.interpreter, module_state })
}
