//! WSGI (PEP 3333): the environ, the call, the response.

mod environ;
mod names;
mod response;

use std::sync::Arc;

use crate::cpython::{Attached, Exception, Object, Raised};
use crate::httpd::variables::Variables;
use crate::interpreter::Interpreter;
use crate::objects::module_state::ModuleState;
use crate::objects::request::RequestRecord;
use crate::objects::request::responding::HopByHop;
use crate::objects::wsgi::{ErrorsObject, InputObject, StartResponseObject};

use names::Names;
use response::Response;

/// A request on its way to an application, with this thread attached to the application's interpreter.
pub struct Exchange<'a, 'i> {
    pub attached: Attached<'i>,
    pub interpreter: &'static Interpreter,
    pub module_state: &'static ModuleState,
    pub record: &'a Arc<RequestRecord>,
    /// The request's object.
    pub request: &'a Object<'i>,
    pub manner: Manner,
}

/// How strictly PEP 3333 is kept to.
#[derive(Clone, Copy, PartialEq)]
pub enum Manner {
    Wsgi,
    /// As mod_python's handler has it: `wsgi.input` is the request, text is taken for its UTF-8, headers of the connection are passed on.
    ModPython,
}

/// What an application's environ says beside the request's variables.
#[derive(Clone, Copy, Default)]
pub struct About<'a> {
    /// A number of its own for each application of an interpreter, and for all else that is the same for its requests.
    pub fingerprint: u64,
    /// The name of the object that is called.
    pub object: &'a str,
    /// More keys that are the same for all of its requests.
    pub fixed: &'a [(&'static str, Value<'a>)],
    /// More keys of this request.
    pub more: &'a [(&'static str, Value<'a>)],
    /// httpd is to answer with its own page where the application answers with an error.
    pub overrides_errors: bool,
    /// Files are read rather than given to httpd.
    pub reads_files: bool,
}

/// A value of an environ.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    Text(&'a [u8]),
    Number(i64),
    Seconds(f64),
    Version(i64, i64, i64),
}

impl Value<'_> {
    fn object<'i>(&self, attached: Attached<'i>) -> Result<Object<'i>, Raised> {
        match *self {
            Self::Text(text) => Object::latin1(attached, text),
            Self::Number(number) => Object::int(attached, number),
            Self::Seconds(seconds) => Object::float(attached, seconds),
            Self::Version(major, minor, micro) => {
                let number = |number| Object::int(attached, number);
                Object::tuple(attached, [number(major)?, number(minor)?, number(micro)?])
            }
        }
    }
}

/// How a call has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// The response was sent, or is on its way.
    Sent,
    /// It is an error, and httpd's own page is to be sent.
    Overridden,
}

impl<'i> Exchange<'_, 'i> {
    /// Calls an application, and writes what it returns to the response. What `close()` of that raises when the response is complete
    /// goes to `close_failed`.
    ///
    /// # Errors
    /// What the application raises, or that it does not keep to PEP 3333.
    pub fn run(
        &self,
        application: &Object<'i>,
        about: &About<'_>,
        variables: &Variables<'_>,
        close_failed: impl FnOnce(Exception<'i>),
    ) -> Result<Ending, Raised> {
        let names = Names::of(self.attached, self.interpreter)?;
        let errors = ErrorsObject::create(self.attached, self.module_state, Arc::clone(self.record))?;
        let (input, hop_by_hop) = match self.manner {
            Manner::Wsgi => (InputObject::create(self.attached, self.module_state, self.request)?, HopByHop::Refused),
            Manner::ModPython => (self.request.clone(), HopByHop::Passed),
        };
        let start = StartResponseObject::create(self.attached, self.module_state, self.request, hop_by_hop)?;
        let environ = self.environ(names, about, variables)?;
        names.set(&environ, names::Own::Input, &input)?;
        names.set(&environ, names::Own::Errors, &errors)?;
        names.set(&environ, names::Own::Request, self.request)?;
        let outcome = match application.call([&environ, &start]) {
            Ok(result) => Response { exchange: self, names, about, start: &start, result }.send(close_failed),
            Err(raised) => Err(raised),
        };
        self.flushed(&errors, outcome)
    }

    /// Calls a function that is asked about a request with a shorter environ, one without its body, and with what else is given.
    ///
    /// # Errors
    /// What the function raises.
    pub fn ask(
        &self,
        function: &Object<'i>,
        about: &About<'_>,
        variables: &Variables<'_>,
        more: &[Object<'i>],
    ) -> Result<Object<'i>, Raised> {
        let names = Names::of(self.attached, self.interpreter)?;
        let errors = ErrorsObject::create(self.attached, self.module_state, Arc::clone(self.record))?;
        let environ = self.environ(names, about, variables)?;
        names.set(&environ, names::Own::Errors, &errors)?;
        names.set(&environ, names::Own::Request, self.request)?;
        let outcome = function.call_with(std::iter::once(&environ).chain(more));
        self.flushed(&errors, outcome)
    }

    /// Writes what is left in `wsgi.errors`.
    fn flushed<T>(&self, errors: &Object<'i>, outcome: Result<T, Raised>) -> Result<T, Raised> {
        if let Some(errors) = self.module_state.cast::<ErrorsObject>(errors) {
            match outcome {
                Ok(_) => errors.flush(self.attached),
                Err(raised) => {
                    // Whoever writes runs no Python with an exception set.
                    let exception = raised.fetch(self.attached);
                    errors.flush(self.attached);
                    return Err(exception.restore());
                }
            }
        }
        outcome
    }
}
