//! Runs a phase's handlers one after the other and turns what they return into httpd's words.

use crate::config::{DirectoryConfig, HandlerEntry, HandlerList, Phase, Selected, interpreter_name};
use crate::cpython::{Attached, Exception, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::Request;
use crate::interpreter::Interpreter;
use crate::objects::{Callback, Equipment, added_handlers, has_added_handlers, write_printed};

use super::enter::{SERVER_ERROR, enter};
use super::entry::request_entry;
use super::report::{Failure, log_failure};
use super::resolve::{self, Lookup};

const OK: i32 = raw::OK as i32;

/// A hook of httpd's for one phase: decided before anything is set up, since httpd calls it for every request.
///
/// # Safety
/// `request` is what httpd called the hook with.
pub unsafe fn run_phase(request: *mut raw::request_rec, phase: Phase) -> i32 {
    // SAFETY: the caller's.
    unsafe {
        if !has_handlers(Request::from_raw(request), phase) {
            return raw::DECLINED;
        }
        request_entry(request, SERVER_ERROR, |request| run(request, phase))
    }
}

/// Whether a phase has handlers for a request, whatever its file is called.
pub fn has_handlers(request: Request<'_>, phase: Phase) -> bool {
    let configured =
        request.directory_config::<DirectoryConfig>().is_some_and(|config| config.handlers(phase).is_some());
    configured || has_added_handlers(request, phase)
}

/// Runs a phase's handlers, those of the configuration and then those that were added to the request.
pub fn run(request: Request<'_>, phase: Phase) -> i32 {
    run_lists(request, phase, |list| list.select(request.filename()))
}

/// Runs the handlers that were added to the request for a phase, where those of the configuration have run.
pub fn run_added(request: Request<'_>, phase: Phase) -> i32 {
    run_lists(request, phase, |_| None)
}

fn run_lists<'r>(
    request: Request<'r>,
    phase: Phase,
    select: impl FnOnce(&HandlerList<'r>) -> Option<Selected<'r>>,
) -> i32 {
    let Some(config) = request.directory_config::<DirectoryConfig>() else {
        return raw::DECLINED;
    };
    super::ending::expect_end_of_subrequest(request);
    let configured = config.handlers(phase).and_then(select);
    let added = added_handlers(request, phase);
    let selected = match (configured, added) {
        (None, []) => return raw::DECLINED,
        (Some(selected), []) => selected,
        (None, added) => Selected { handlers: added, extension: None },
        (Some(Selected { handlers, extension }), added) => {
            Selected { handlers: request.pool().slice(&[handlers, added].concat()), extension }
        }
    };
    Dispatch { request, config, phase, selected }.run()
}

/// A list of handlers about to run for a request.
pub struct Dispatch<'r> {
    pub request: Request<'r>,
    pub config: &'r DirectoryConfig<'r>,
    pub phase: Phase,
    pub selected: Selected<'r>,
}

impl<'r> Dispatch<'r> {
    /// Runs the handlers; the result is the phase's.
    pub fn run(&self) -> i32 {
        let first = self.selected.handlers.first();
        let name = interpreter_name(self.request, &self.config.settings, first.map(|entry| &entry.section));
        let (interpreter, guard) = match enter(&name, || first.map_or_else(String::new, HandlerEntry::describe)) {
            Ok(entered) => entered,
            Err(status) => return status,
        };
        let attached = guard.attached();
        let callback =
            Callback::begin(attached, interpreter, self.request, Some((self.phase.directive(), &self.selected)));
        let status = self.run_all(attached, interpreter, &callback);
        write_printed(attached);
        status
    }

    fn run_all(&self, attached: Attached<'_>, interpreter: &'static Interpreter, callback: &Callback<'r>) -> i32 {
        let mut status = raw::DECLINED;
        let mut turn = callback.current();
        while let Some(entry) = turn {
            match self.run_one(attached, interpreter, callback, entry) {
                Ok(Some(returned)) => {
                    status = returned;
                    if !self.phase.goes_on_after(status) {
                        break;
                    }
                }
                // The module has no function for this phase, which was said to be right.
                Ok(None) => {}
                Err(raised) => {
                    return self.failed(attached, interpreter, callback, entry, raised.fetch(attached));
                }
            }
            turn = callback.advance();
        }
        status
    }

    fn run_one(
        &self,
        attached: Attached<'_>,
        interpreter: &'static Interpreter,
        callback: &Callback<'_>,
        entry: &HandlerEntry<'_>,
    ) -> Result<Option<i32>, Raised> {
        let equipment = crate::objects::equipment::equipment_of(attached, interpreter)?;
        let object = callback.object()?;
        let lookup = Lookup::of_request(self.request, &self.config.settings);
        match resolve::call(attached, equipment, &lookup, entry, &object, &[]) {
            Ok(Some(value)) => status_of(&value, entry).map(Some),
            Ok(None) => Ok(None),
            Err(raised) => {
                server_return(attached, equipment, raised, entry, |status| callback.set_status(status)).map(Some)
            }
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
        if self.phase.is_after_response() {
            log_failure(attached, entry, interpreter, &exception);
            return SERVER_ERROR;
        }
        let failure = Failure { request: self.request, callback, entry, interpreter };
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
        // SAFETY: a class of CPython's.
        let is_os_error = unsafe { exception.is_builtin(crate::ffi::python::PyExc_OSError) };
        if is_os_error && callback.is_answered() {
            return failure.answered(&exception);
        }
        // What a subrequest says before its content could stand in the middle of its main request's response.
        let has_page = self.phase == Phase::Content || self.request.fields().main.is_null();
        failure.report(attached, &exception, has_page && self.config.settings.debug())
    }
}

/// `raise SERVER_RETURN(result[, status])` is a return; anything else stays an error.
pub fn server_return(
    attached: Attached<'_>,
    equipment: &Equipment,
    raised: Raised,
    entry: &HandlerEntry<'_>,
    set_status: impl FnOnce(i32) -> Result<(), Raised>,
) -> Result<i32, Raised> {
    let exception = raised.fetch(attached);
    // SAFETY: the equipment is this interpreter's.
    if !exception.is(&unsafe { equipment.classes.server_return.get(attached) }) {
        return Err(exception.restore());
    }
    let arguments = exception.value().attribute(c"args")?.items()?;
    if let Some(status) = arguments.get(1) {
        if status.is_true()? {
            set_status(status_number(status, entry)?)?;
        }
    }
    match arguments.first() {
        Some(result) => status_of(result, entry),
        None => Err(exception.restore()),
    }
}

/// The result of a handler: exactly an `int`.
pub fn status_of(value: &Object<'_>, entry: &HandlerEntry<'_>) -> Result<i32, Raised> {
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
