//! Runs a phase's handlers one after the other and turns what they return into httpd's words.

use crate::config::{DirectoryConfig, HandlerEntry, Phase, Selected, interpreter_name};
use crate::cpython::{Attached, Exception, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::Request;
use crate::interpreter::{self, Interpreter};
use crate::objects::{Callback, Equipment, write_printed};

use super::child;
use super::report::Failure;
use super::resolve::{self, Target};

const OK: i32 = raw::OK as i32;
pub const SERVER_ERROR: i32 = raw::HTTP_INTERNAL_SERVER_ERROR as i32;
const UNAVAILABLE: i32 = raw::HTTP_SERVICE_UNAVAILABLE as i32;

/// A list of handlers about to run for a request.
pub struct Dispatch<'r> {
    pub request: Request<'r>,
    pub config: &'r DirectoryConfig<'r>,
    pub phase: Phase,
    pub selected: Selected<'r>,
    /// The results after which the next handler of the list runs.
    pub continues: fn(i32) -> bool,
}

impl<'r> Dispatch<'r> {
    /// Runs the handlers; the result is the phase's.
    pub fn run(&self) -> i32 {
        let Ok(runtime) = child::python() else {
            tracing::error!(
                "MP0402: {} is not run: Python cannot be used in this process (MP0101 or MP0107 says why)",
                self.first()
            );
            return SERVER_ERROR;
        };
        let section = self.selected.handlers.first().map(|entry| &entry.section);
        let name = interpreter_name(self.request, &self.config.settings, section);
        let interpreter = match interpreter::get(runtime, &name) {
            Ok(interpreter) => interpreter,
            Err(error) => {
                tracing::error!(
                    "MP0403: {} is not run: interpreter '{}' could not be made: {error}",
                    self.first(),
                    String::from_utf8_lossy(&name)
                );
                return SERVER_ERROR;
            }
        };
        let Some(guard) = interpreter.attach() else {
            tracing::info!("MP0404: {} is not run: the child is about to end", self.first());
            return UNAVAILABLE;
        };
        let attached = guard.attached();
        let callback = Callback::begin(attached, interpreter, self.request, self.phase, &self.selected);
        let status = self.run_all(attached, interpreter, &callback);
        write_printed(attached);
        status
    }

    fn first(&self) -> String {
        self.selected.handlers.first().map_or_else(String::new, |entry| describe(self.phase, entry))
    }

    fn run_all(&self, attached: Attached<'_>, interpreter: &'static Interpreter, callback: &Callback<'_>) -> i32 {
        let mut status = raw::DECLINED;
        let mut index = 0;
        while let Some(entry) = self.selected.handlers.get(index) {
            status = match self.run_one(attached, interpreter, callback, entry) {
                Ok(status) => status,
                Err(raised) => self.failed(attached, interpreter, callback, entry, raised.fetch(attached)),
            };
            if !(self.continues)(status) {
                break;
            }
            index = callback.advance();
        }
        status
    }

    fn run_one(
        &self,
        attached: Attached<'_>,
        interpreter: &'static Interpreter,
        callback: &Callback<'_>,
        entry: &HandlerEntry<'_>,
    ) -> Result<i32, Raised> {
        let equipment = crate::objects::equipment::equipment_of(attached, interpreter)?;
        let object = callback.object()?;
        let target = resolve::resolve(attached, equipment, self.request, &self.config.settings, entry)?;
        let returned = match &target {
            Target::Callable(callable) => callable.call([&object]),
            Target::PerRequest(module) => {
                resolve::instantiate(module, entry.object, &object).and_then(|callable| callable.call([&object]))
            }
        };
        match returned {
            Ok(value) => self.status_of(&value, entry),
            Err(raised) => self.server_return(attached, equipment, callback, raised, entry),
        }
    }

    /// The result of a handler: exactly an `int`.
    fn status_of(&self, value: &Object<'_>, entry: &HandlerEntry<'_>) -> Result<i32, Raised> {
        let attached = value.attached();
        if !value.is_exact_int() {
            return Err(Raised::assertion_error(
                attached,
                format!(
                    "Handler '{}' returned invalid return code: it must return an int such as apache.OK, not {}",
                    entry.text,
                    value.type_name()
                ),
            ));
        }
        status_number(value, entry)
    }

    /// `raise SERVER_RETURN(result[, status])` is a return; anything else stays an error.
    fn server_return(
        &self,
        attached: Attached<'_>,
        equipment: &Equipment,
        callback: &Callback<'_>,
        raised: Raised,
        entry: &HandlerEntry<'_>,
    ) -> Result<i32, Raised> {
        let exception = raised.fetch(attached);
        // SAFETY: the equipment is this interpreter's.
        if !exception.is(&unsafe { equipment.classes.server_return.get(attached) }) {
            return Err(exception.restore());
        }
        let arguments = exception.value().attribute(c"args")?.items()?;
        if let Some(status) = arguments.get(1) {
            if status.is_true()? {
                let status = status_number(status, entry)?;
                let _used = callback.enter()?;
                self.request.set_status(status);
            }
        }
        match arguments.first() {
            Some(result) => self.status_of(result, entry),
            None => Err(exception.restore()),
        }
    }

    /// What an exception of a handler means for the request.
    fn failed(
        &self,
        attached: Attached<'_>,
        interpreter: &'static Interpreter,
        callback: &Callback<'_>,
        entry: &HandlerEntry<'_>,
        exception: Exception<'_>,
    ) -> i32 {
        let failure = Failure { request: self.request, callback, phase: self.phase, entry, interpreter };
        if let Some(equipment) = interpreter.equipment::<Equipment>() {
            // SAFETY: the equipment is this interpreter's.
            let (gone, body) =
                unsafe { (equipment.classes.client_gone.get(attached), equipment.classes.body_error.get(attached)) };
            if exception.is(&gone) {
                return failure.client_gone(&exception);
            }
            if exception.is(&body) {
                return failure.broken_body(attached, &exception);
            }
        }
        failure.report(attached, &exception, self.config.settings.debug())
    }
}

/// A handler as messages name it: its directive, its text, and where it stands.
pub fn describe(phase: Phase, entry: &HandlerEntry<'_>) -> String {
    format!("{} '{}' ({}:{})", phase.directive(), entry.text, entry.origin.file, entry.origin.line)
}

/// What a handler may return: httpd's own words and HTTP statuses. httpd would wait for ever on a request that says it is
/// suspended (-3), and answers 500 to most other numbers.
fn is_status(number: i32) -> bool {
    matches!(number, OK | raw::DECLINED | raw::DONE | raw::AP_FILTER_ERROR | 100..600)
}

/// An `int` as a status.
fn status_number(value: &Object<'_>, entry: &HandlerEntry<'_>) -> Result<i32, Raised> {
    let attached = value.attached();
    if !value.is_int() {
        return Err(Raised::type_error(attached, format!("a status must be an int, not {}", value.type_name())));
    }
    let number = value.to_i64().map_err(|raised| raised.clear(attached)).ok();
    number.and_then(|number| i32::try_from(number).ok()).filter(|number| is_status(*number)).ok_or_else(|| {
        let shown = value.display();
        Raised::assertion_error(attached, format!("Handler '{}' returned {shown}, which is not a status", entry.text))
    })
}

/// Whether the content phase goes on to the next handler.
pub fn content_continues(status: i32) -> bool {
    status == OK
}
