//! Runs a phase's handlers, one after the other.

use std::ffi::c_int;

use crate::config::{DirectoryConfig, Flag, Handler, HandlerList, Phase, Selected, interpreter_name};
use crate::cpython::{Detached, Exception, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Request, Status};
use crate::objects::request::RequestRecord;

use super::callback::{self, Done, RunningForRequest};
use super::hook;
use super::outcome::{Answer, Outcome};
use super::report::{self, Failure};
use super::resolve::{self, Lookup};
use super::result::{server_return, status_of};

/// The hook of one phase. It first checks whether there is anything to do, since httpd calls it for every request.
///
/// # Safety
/// `request` is what httpd called the hook with.
#[inline]
pub unsafe fn run_phase(request: *mut raw::request_rec, phase: Phase) -> c_int {
    if !phase.is_in_use() {
        return raw::DECLINED;
    }
    // SAFETY: the caller's.
    unsafe { run_phase_in_use(request, phase) }
}

/// The same for a phase for which some section has handlers. Not inlined, so that the hooks of the other phases are a few instructions.
#[inline(never)]
unsafe fn run_phase_in_use(request: *mut raw::request_rec, phase: Phase) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        if !has_handlers(Request::from_raw(request), phase) {
            return raw::DECLINED;
        }
        hook::request(request, Status::SERVER_ERROR, |request, detached| run(request, detached, phase)).0
    }
}

/// Whether a phase has handlers for a request, for any extension.
pub fn has_handlers(request: Request<'_>, phase: Phase) -> bool {
    request.directory_config::<DirectoryConfig>().is_some_and(|config| config.handlers(phase).is_some())
        || has_added_handlers(request, phase)
}

/// Whether handlers were added to the request for a phase.
pub fn has_added_handlers(request: Request<'_>, phase: Phase) -> bool {
    RequestRecord::known(request).is_some_and(|record| record.has_added(phase))
}

/// Runs a phase's handlers: those of the configuration, then those that were added to the request.
pub fn run(request: Request<'_>, detached: &mut Detached<'_>, phase: Phase) -> Status {
    run_lists(request, detached, phase, |list| list.select(request.filename()))
}

/// Runs the handlers that were added to the request for a phase, if those of the configuration have run.
pub fn run_added(request: Request<'_>, detached: &mut Detached<'_>, phase: Phase) -> Status {
    run_lists(request, detached, phase, |_| None)
}

fn run_lists<'r>(
    request: Request<'r>,
    detached: &mut Detached<'_>,
    phase: Phase,
    select: impl FnOnce(&HandlerList<'r>) -> Option<Selected<'r>>,
) -> Status {
    let Some(config) = request.directory_config::<DirectoryConfig>() else {
        return Status::DECLINED;
    };
    if phase != Phase::Cleanup {
        expect_end_of_subrequest(request);
    }
    let configured = config.handlers(phase).and_then(select);
    let added = RequestRecord::known(request).map_or(&[] as &[_], |record| record.added(request, phase));
    let selected = match (configured, added) {
        (None, []) => return Status::DECLINED,
        (Some(selected), []) => selected,
        (None, added) => Selected { handlers: added, extension: None },
        (Some(Selected { handlers, extension }), added) => {
            Selected { handlers: request.pool().slice(&[handlers, added].concat()), extension }
        }
    };
    List { request, config, phase, selected }.run(detached)
}

/// A list of handlers that is about to run for a request.
struct List<'r> {
    request: Request<'r>,
    config: &'r DirectoryConfig<'r>,
    phase: Phase,
    selected: Selected<'r>,
}

/// The outcome of a list of handlers, and the description of the one that ran last.
struct Ran {
    outcome: Outcome,
    described: String,
}

impl<'r> List<'r> {
    /// Runs the handlers; the result is the phase's.
    fn run(&self, detached: &mut Detached<'_>) -> Status {
        let first = self.selected.handlers.first();
        let name = interpreter_name(self.request, &self.config.settings, first.map(|handler| &handler.section));
        let described = || first.map_or_else(String::new, Handler::describe);
        let handlers = Some((self.phase.directive(), &self.selected));
        let done =
            callback::for_request(detached, self.request, &name, &described, handlers, |running| self.run_all(running));
        let Done { result: Ran { outcome, described }, output, status_before } = match done {
            Ok(done) => done,
            Err(error) => return error.status(),
        };
        let described = || if described.is_empty() { self.described() } else { described.clone() };
        let output = output.unwrap_or_default();
        Answer { request: self.request, output, status_before, described: &described }.finish(outcome)
    }

    fn described(&self) -> String {
        self.selected.handlers.first().map_or_else(String::new, Handler::describe)
    }

    fn run_all(&self, running: &RunningForRequest<'_, '_>) -> Ran {
        let mut status = Status::DECLINED;
        let mut next = self.selected.handlers.first();
        while let Some(handler) = next {
            match self.run_one(running, handler) {
                Ok(Some(returned)) => {
                    status = returned;
                    if !self.phase.goes_on_after(status) {
                        break;
                    }
                }
                // The module has no function for this phase, which is allowed.
                Ok(None) => {}
                Err(raised) => {
                    let exception = raised.fetch(running.running.attached);
                    let outcome = self.failed(running, handler, exception);
                    let described = report::described(handler, running.running.interpreter);
                    return Ran { outcome, described };
                }
            }
            next = running.callback.advance();
        }
        let is_last = self.phase == Phase::Content;
        // Described only if it is needed for a message.
        let described = match next {
            Some(handler) if status.is_http() => report::described(handler, running.running.interpreter),
            _ => String::new(),
        };
        Ran { outcome: Outcome::Returned { status, is_last }, described }
    }

    fn run_one(&self, running: &RunningForRequest<'_, '_>, handler: &Handler<'_>) -> Result<Option<Status>, Raised> {
        let RunningForRequest { running, callback } = running;
        let object = callback.object()?;
        let lookup = Lookup::of_request(self.request, &self.config.settings);
        match resolve::call(running, &lookup, handler, &object, &[]) {
            Ok(Some(value)) => status_of(&value, handler).map(Some),
            Ok(None) => Ok(None),
            Err(raised) => {
                let set_status = |status| callback.set_status(status);
                server_return(running.attached, running.module_state, raised, handler, set_status).map(Some)
            }
        }
    }

    /// The outcome of an exception.
    fn failed(&self, running: &RunningForRequest<'_, '_>, handler: &Handler<'_>, exception: Exception<'_>) -> Outcome {
        let RunningForRequest { running, callback } = running;
        let failure = Failure { handler, running };
        if self.phase.is_after_response() {
            failure.log(&exception);
            return Outcome::Returned { status: Status::SERVER_ERROR, is_last: false };
        }
        // What a subrequest says before its content could stand in the middle of its main request's response.
        let has_page = self.phase == Phase::Content || !self.request.is_subrequest();
        failure.outcome(&exception, callback, has_page && self.config.settings.is_on(Flag::Debug))
    }
}

// ---- the end of a request ----

/// Registers PythonCleanupHandler to run at the end of a request, if it has one.
pub fn expect_end(request: Request<'_>) {
    if Phase::Cleanup.is_in_use() && has_handlers(request, Phase::Cleanup) {
        RequestRecord::of(request).at_end(request, clean_up);
    }
}

/// The same for a subrequest for which Python is about to run. For main requests the log hook does this, which does not run for subrequests.
pub fn expect_end_of_subrequest(request: Request<'_>) {
    if request.is_subrequest() {
        expect_end(request);
    }
}

/// Runs PythonCleanupHandler, whose result is ignored.
fn clean_up(request: *mut raw::request_rec) {
    // SAFETY: the request's pool runs this, before its memory is freed.
    unsafe { hook::request(request, Status::DECLINED, |request, detached| run(request, detached, Phase::Cleanup)) };
}
