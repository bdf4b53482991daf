//! Filters: `PythonInputFilter`, `PythonOutputFilter`, and those that requests register for themselves.

use std::sync::Arc;

use crate::config::{DirectoryConfig, Flag, Handler, Settings, interpreter_name};
use crate::cpython::{Detached, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{
    AprStatus, Asked, Brigade, Direction, Filter, FilterFunctions, HttpStatus, Request, Stream, StreamError,
    register_filter,
};
use crate::objects::filter::{DYNAMIC, FilterContext, FilterObject, Taken};
use crate::process::caught;

use super::callback::{self, Done, RunningForRequest};
use super::hook;
use super::report::{log_traceback, page, summary, traceback};
use super::resolve::{self, Lookup};
use super::result::server_return;

/// Sets the functions for the directives, and registers the filter for requests. Called while httpd registers the module's hooks.
pub fn register() {
    FilterFunctions { input, output }.install();
    register_filter(Direction::Input, DYNAMIC);
    register_filter(Direction::Output, DYNAMIC);
}

/// httpd's call of an output filter, which takes the buckets.
unsafe extern "C" fn output(filter: *mut raw::ap_filter_t, brigade: *mut raw::apr_bucket_brigade) -> raw::apr_status_t {
    let work = || {
        // SAFETY: httpd's call: both are live.
        let (this, brigade) =
            unsafe { (Filter::from_raw(Filter::from_raw(filter).out_of_harness(output)), Brigade::from_raw(brigade)) };
        let Some(request) = this.request() else { return this.pass(brigade) };
        // SAFETY: this is a call of the filter.
        unsafe {
            let context = FilterContext::of(this, request, Direction::Output);
            hook::request(request.as_ptr(), AprStatus::ANSWERED, |request, detached| {
                Call { filter: this, request, context }.output(detached, brigade)
            })
        }
    };
    caught(work).unwrap_or(AprStatus::GENERAL).0
}

/// httpd's call of an input filter, which puts buckets into the empty brigade.
unsafe extern "C" fn input(
    filter: *mut raw::ap_filter_t,
    brigade: *mut raw::apr_bucket_brigade,
    mode: raw::ap_input_mode_t,
    block: raw::apr_read_type_e,
    most: raw::apr_off_t,
) -> raw::apr_status_t {
    let work = || {
        // SAFETY: httpd's call: both are live.
        let (this, brigade) = unsafe { (Filter::from_raw(filter), Brigade::from_raw(brigade)) };
        let asked = Asked { mode, block, most };
        let carries_data = !matches!(mode, raw::ap_input_mode_t_AP_MODE_INIT | raw::ap_input_mode_t_AP_MODE_EATCRLF);
        let Some(request) = this.request().filter(|_| carries_data) else { return this.fetch(brigade, asked) };
        // SAFETY: this is a call of the filter.
        unsafe {
            let context = FilterContext::of(this, request, Direction::Input);
            hook::request(request.as_ptr(), AprStatus::ANSWERED, |request, detached| {
                Call { filter: this, request, context }.input(detached, brigade, asked)
            })
        }
    };
    caught(work).unwrap_or(AprStatus::GENERAL).0
}

/// One call of a filter.
struct Call<'r> {
    filter: Filter<'r>,
    request: Request<'r>,
    context: *mut FilterContext,
}

/// After a panic in a filter's call, no more data passes: data must not bypass the filter.
struct PanicGuard<'a>(&'a Call<'a>);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Not `ANSWERED`: no response was sent.
            self.0.with(|context| context.failed = Some(AprStatus::GENERAL));
            // The response, or the body, has no end.
            self.0.request.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
        }
    }
}

/// A handler is running for the filter until this is dropped.
struct FilterRuns<'a>(&'a Call<'a>);

impl<'a> FilterRuns<'a> {
    fn begin(call: &'a Call<'a>) -> Self {
        call.with(|context| context.is_running = true);
        Self(call)
    }
}

impl Drop for FilterRuns<'_> {
    fn drop(&mut self) {
        self.0.with(|context| context.is_running = false);
    }
}

/// The text of an exception, without Python objects.
struct RaisedText {
    summary: String,
    traceback: Vec<String>,
    /// The interpreter in which it was raised.
    interpreter: String,
}

/// The outcome of a handler.
enum Outcome {
    Returned,
    /// No more data passes; the status for httpd.
    Failed(AprStatus),
}

/// How a call of an input filter continues.
enum Next {
    Again,
    /// Once more, with the data that there is.
    AtLast,
    Status(AprStatus),
}

impl<'r> Call<'r> {
    /// Uses the context. Neither Python nor other filters run meanwhile.
    fn with<R>(&self, work: impl FnOnce(&mut FilterContext) -> R) -> R {
        // SAFETY: it lives as long as the request, only this thread uses it, and no reference is held beyond this.
        work(unsafe { &mut *self.context })
    }

    /// Uses the stream, between two runs of the handler.
    fn stream<R>(&self, work: impl FnOnce(&mut Stream) -> R) -> Option<R> {
        // SAFETY: as in `with`; users of the stream do not use the rest of the context.
        let mut taken = unsafe { Taken::from(self.context) }?;
        Some(work(&mut taken.stream))
    }

    fn output(&self, detached: &mut Detached<'_>, brigade: Brigade) -> AprStatus {
        let _guard = PanicGuard(self);
        if let Some(status) = self.with(|context| context.failed) {
            brigade.clear();
            return status;
        }
        // What the handler writes to the request bypasses its own filter, after what it has written to the filter.
        if self.with(|context| context.is_running || context.stream.is_none()) {
            self.with(|context| context.forget_length(self.request));
            return match self.stream(|stream| stream.pass_written(self.filter)) {
                Some(Err(error)) => self.refused(error.status()),
                _ => self.filter.pass(brigade),
            };
        }
        if self.with(|context| context.is_disabled) {
            return self.filter.pass(brigade);
        }
        self.stream(|stream| {
            if !stream.is_closed() && brigade.is_ending() {
                self.request.hold_end();
            }
            stream.receive(brigade);
        });
        loop {
            let goes_on = self.stream(|stream| -> Result<bool, StreamError> {
                if stream.forward_metadata() {
                    stream.pass_written(self.filter)?;
                }
                if stream.is_closed() {
                    stream.drop_unread();
                }
                Ok(stream.has_unread())
            });
            match goes_on {
                Some(Ok(true)) => {}
                Some(Ok(false)) | None => break,
                Some(Err(error)) => return self.refused(error.status()),
            }
            if let Outcome::Failed(status) = self.run(detached, None) {
                return status;
            }
            if let Some(status) = self.with(|context| context.failed) {
                return self.stopped(status);
            }
            if let Some(status) = self.after_output() {
                return status;
            }
        }
        match self.stream(|stream| stream.pass_written(self.filter)) {
            Some(Err(error)) => self.refused(error.status()),
            _ => AprStatus::SUCCESS,
        }
    }

    /// Completes a call of an output filter's handler; a status ends httpd's call.
    fn after_output(&self) -> Option<AprStatus> {
        if self.with(|context| context.is_disabled) {
            let passed = self.stream(|stream| {
                stream.forward_rest(self.filter)?;
                stream.pass_written(self.filter)
            });
            let failed = passed.and_then(Result::err);
            return Some(failed.map_or(AprStatus::SUCCESS, |error| self.refused(error.status())));
        }
        let left = self.stream(|stream| {
            // After it has written the end, it need not read.
            !stream.has_consumed() && !stream.is_closed() && stream.has_unread() && stream.drop_unread()
        });
        if left == Some(true) {
            self.with(|context| context.forget_length(self.request));
            self.warn_once(
                "MP0411",
                "returned without reading: the data of this call is dropped. It must read until it gets b'' or None, or call filter.pass_on()",
            );
        }
        let closed = self.stream(|stream| match stream.has_ended() {
            true => stream.close(self.filter),
            false => Ok(()),
        });
        closed.and_then(Result::err).map(|error| self.refused(error.status()))
    }

    fn input(&self, detached: &mut Detached<'_>, to: Brigade, asked: Asked) -> AprStatus {
        let _guard = PanicGuard(self);
        if self.with(|context| context.is_running) {
            // The handler reads its request's body while it filters that.
            return AprStatus::GENERAL;
        }
        if let Some(status) = self.with(|context| context.failed) {
            return status;
        }
        // No more data will be written.
        let mut at_last = self.with(|context| context.is_disabled);
        loop {
            let ready = self.stream(|stream| match (stream.has_written(), stream.is_closed()) {
                (true, is_closed) if is_closed || at_last || stream.is_ready(asked) => {
                    Some(stream.hand_over(to, asked))
                }
                (false, true) => {
                    to.append_end();
                    Some(AprStatus::SUCCESS)
                }
                _ => None,
            });
            if let Some(status) = ready.flatten() {
                return status;
            }
            if self.with(|context| context.is_disabled) {
                return self.filter.fetch(to, asked);
            }
            if let Outcome::Failed(status) = self.run(detached, Some(asked)) {
                return status;
            }
            if let Some(status) = self.with(|context| context.failed) {
                return status;
            }
            match self.after_input(asked) {
                Next::Again => {}
                Next::AtLast => at_last = true,
                Next::Status(status) => return status,
            }
        }
    }

    /// Completes a call of an input filter's handler.
    fn after_input(&self, asked: Asked) -> Next {
        if self.with(|context| context.is_disabled) {
            let forwarded = self.stream(|stream| stream.forward_rest(self.filter));
            return match forwarded {
                Some(Err(error)) => Next::Status(self.refused(error.status())),
                _ => Next::AtLast,
            };
        }
        let state = self.stream(|stream| {
            if stream.has_ended() {
                // Writing the end of a body does not fail.
                let _ = stream.close(self.filter);
            }
            let is_ready = stream.is_closed() || stream.is_ready(asked);
            (is_ready, stream.has_consumed(), stream.has_written())
        });
        match state.unwrap_or_default() {
            (true, ..) => Next::Again,
            _ if asked.block == raw::apr_read_type_e_APR_NONBLOCK_READ => Next::Status(AprStatus::AGAIN),
            (_, true, _) => Next::Again,
            (_, false, true) => Next::AtLast,
            // As without this filter: the reader of the body asks again.
            _ if self.stream(|stream| stream.has_found_nothing()) == Some(true) => Next::Status(AprStatus::SUCCESS),
            (_, false, false) => {
                self.warn_once(
                    "MP0412",
                    "returned without reading, writing or closing: the request's body cannot be read. It must read until it gets b'' or None and close the filter at None, or call filter.pass_on()",
                );
                Next::Status(self.fail(HttpStatus::SERVER_ERROR))
            }
        }
    }

    /// The next filter has refused the data, or the client has closed the connection.
    fn refused(&self, status: AprStatus) -> AprStatus {
        self.with(|context| context.failed = Some(status));
        // Unless an error page is the whole response, it has no end, and the next response must not be taken for the rest of it.
        if status != AprStatus::ANSWERED && self.request.is_response_started() {
            self.request.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
        }
        status
    }

    /// Reading or writing of the handler has failed.
    fn stopped(&self, status: AprStatus) -> AprStatus {
        let is_unreadable = self.stream(|stream| {
            stream.drop_unread();
            stream.is_unreadable()
        });
        match is_unreadable {
            Some(true) => self.fail(HttpStatus::SERVER_ERROR),
            _ => self.refused(status),
        }
    }

    /// Ends the stream with an error.
    fn fail(&self, status: HttpStatus) -> AprStatus {
        self.stream(|stream| stream.fail(self.filter, self.request, status));
        self.with(|context| context.failed = Some(AprStatus::ANSWERED));
        AprStatus::ANSWERED
    }

    fn warn_once(&self, number: &str, what: &str) {
        if !self.with(|context| std::mem::replace(&mut context.is_warned_of, true)) {
            let described = self.with(|context| context.handler()).as_ref().map(Handler::describe).unwrap_or_default();
            tracing::warn!("{number}: {described} {what}");
        }
    }

    /// Runs the handler once.
    fn run(&self, detached: &mut Detached<'_>, asked: Option<Asked>) -> Outcome {
        let Some(handler) = self.with(|context| context.handler()) else {
            tracing::error!(
                "MP0413: the filter '{}' is not run: it was added to a request for which no directive names its handler; have PythonInputFilter or PythonOutputFilter hold for the same section",
                String::from_utf8_lossy(self.filter.name())
            );
            return Outcome::Failed(self.fail(HttpStatus::SERVER_ERROR));
        };
        let Some(config) = self.request.directory_config::<DirectoryConfig>() else {
            return Outcome::Failed(self.fail(HttpStatus::SERVER_ERROR));
        };
        let name = interpreter_name(self.request, &config.settings, Some(&handler.section));
        self.stream(|stream| stream.begin(asked));
        let direction = self.stream(|stream| stream.direction()).unwrap_or(Direction::Output);
        // Before the request is valid: other threads of its handlers may write to it, and call this filter.
        let runs = FilterRuns::begin(self);
        let done = callback::for_request(detached, self.request, &name, &|| handler.describe(), None, |running| {
            let called = self.call(running, direction, &handler, &config.settings);
            called.map_err(|raised| {
                let exception = raised.fetch(running.running.attached);
                let interpreter = running.running.interpreter.display_name().into_owned();
                RaisedText { summary: summary(&exception), traceback: traceback(&exception), interpreter }
            })
        });
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                drop(runs);
                return Outcome::Failed(self.fail(HttpStatus(error.status().0)));
            }
        };
        let Done { result, output, .. } = done;
        // What the handler has written to its request bypasses its own filter. The next write reports a failure.
        let _ = output.map(|mut output| output.pass(self.request));
        drop(runs);
        match result {
            Ok(()) => Outcome::Returned,
            Err(text) => self.raised(&handler, config.settings.is_on(Flag::Debug), &text),
        }
    }

    fn call(
        &self,
        running: &RunningForRequest<'_, '_>,
        direction: Direction,
        handler: &Handler<'_>,
        settings: &Settings<'_>,
    ) -> Result<(), Raised> {
        let RunningForRequest { running, callback } = running;
        let attached = running.attached;
        let request = callback.object()?;
        let record = callback.record();
        let (object, handle) =
            FilterObject::create(attached, running.interpreter, Arc::clone(record), direction, &request)?;
        record.lock(attached).filters_running += 1;
        // SAFETY: the context lives as long as the request.
        let valid = unsafe { handle.validate_during(attached, self.context) };
        let lookup = Lookup::of_request(self.request, settings);
        let called = resolve::call(running, &lookup, handler, &object, &[]);
        drop(valid);
        record.lock(attached).filters_running -= 1;
        match called {
            Ok(_) => Ok(()),
            // The result is ignored, but it may set the request's status.
            Err(raised) => {
                let set_status = |status| callback.set_status(status);
                server_return(attached, running.module_state, raised, handler, set_status).map(drop)
            }
        }
    }

    /// Handles an exception of the handler.
    fn raised(&self, handler: &Handler<'_>, is_debugging: bool, text: &RaisedText) -> Outcome {
        let RaisedText { summary, traceback, interpreter } = text;
        let described = format!("{} in interpreter '{interpreter}'", handler.describe());
        if let Some(status) = self.with(|context| context.failed) {
            // Reading or writing has failed, so this is not an error of the handler.
            tracing::info!("MP0414: {described}: {summary}");
            return Outcome::Failed(self.stopped(status));
        }
        tracing::error!("MP0401: {described} raised {summary}");
        log_traceback(&format!("{} {}", handler.directive, handler.text), traceback);
        match is_debugging && self.show(handler, traceback) {
            true => Outcome::Returned,
            false => Outcome::Failed(self.fail(HttpStatus::SERVER_ERROR)),
        }
    }

    /// Writes the traceback instead of the rest of the response; false if that is not possible.
    fn show(&self, handler: &Handler<'_>, traceback: &[String]) -> bool {
        let request = self.request;
        let is_started = request.is_response_started();
        if request.is_response_complete() || (is_started && request.has_length()) {
            return false;
        }
        if !is_started {
            request.forget_body_headers();
            request.set_status(HttpStatus::SERVER_ERROR);
            request.set_content_type(c"text/html");
        }
        let shown = self.stream(|stream| {
            if stream.direction() == Direction::Input || stream.is_closed() {
                return false;
            }
            stream.drop_unread();
            stream.write(self.filter, page(handler, traceback).as_bytes()).is_ok() && stream.close(self.filter).is_ok()
        });
        shown == Some(true)
    }
}
