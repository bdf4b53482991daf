//! Filters: `PythonInputFilter`, `PythonOutputFilter`, and those that requests register for themselves.

use crate::config::{DirectoryConfig, HandlerEntry, Settings, interpreter_name};
use crate::cpython::{Attached, Exception, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Asked, Brigade, Direction, Filter, FilterFunctions, Request, Stream, StreamError, register_filter};
use crate::interpreter::Interpreter;
use crate::objects::filter::{DYNAMIC, FilterContext, FilterObject, Taken};
use crate::objects::{Callback, write_printed};

use super::dispatch::server_return;
use super::enter::{SERVER_ERROR, enter};
use super::entry::request_entry;
use super::report::{log_failure, page, summary};
use super::resolve::{self, Lookup};

/// What a filter returns when it has sent an error page itself.
const ANSWERED: i32 = raw::AP_FILTER_ERROR;

/// Makes the functions known to the directives and to requests.
/// Called while httpd registers the module's hooks.
pub fn register() {
    FilterFunctions { input, output }.install();
    register_filter(Direction::Input, DYNAMIC);
    register_filter(Direction::Output, DYNAMIC);
}

/// httpd's call of an output filter: the buckets are the filter's to take.
unsafe extern "C" fn output(filter: *mut raw::ap_filter_t, brigade: *mut raw::apr_bucket_brigade) -> raw::apr_status_t {
    // SAFETY: httpd's call: both are live.
    unsafe {
        let this = Filter::from_raw(Filter::from_raw(filter).out_of_harness(output));
        let brigade = Brigade::from_raw(brigade);
        let Some(request) = this.request() else { return this.pass(brigade) };
        let context = FilterContext::of(this, request, Direction::Output);
        request_entry(request.as_ptr(), ANSWERED, |request| Call { filter: this, request, context }.output(brigade))
    }
}

/// httpd's call of an input filter: the buckets are to be put into the empty brigade.
unsafe extern "C" fn input(
    filter: *mut raw::ap_filter_t,
    brigade: *mut raw::apr_bucket_brigade,
    mode: raw::ap_input_mode_t,
    block: raw::apr_read_type_e,
    most: raw::apr_off_t,
) -> raw::apr_status_t {
    // SAFETY: httpd's call: both are live.
    unsafe {
        let (this, brigade) = (Filter::from_raw(filter), Brigade::from_raw(brigade));
        let asked = Asked { mode, block, most };
        let carries_data = !matches!(mode, raw::ap_input_mode_t_AP_MODE_INIT | raw::ap_input_mode_t_AP_MODE_EATCRLF);
        let Some(request) = this.request().filter(|_| carries_data) else { return this.fetch(brigade, asked) };
        let context = FilterContext::of(this, request, Direction::Input);
        request_entry(request.as_ptr(), ANSWERED, |request| {
            Call { filter: this, request, context }.input(brigade, asked)
        })
    }
}

/// One call of httpd's.
struct Call<'r> {
    filter: Filter<'r>,
    request: Request<'r>,
    context: *mut FilterContext,
}

/// Has nothing more go through a filter in whose call we panic: what comes next must not go past it.
struct PanicGuard<'a>(&'a Call<'a>);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Not as answered: nobody has.
            self.0.with(|context| context.failed = Some(raw::APR_EGENERAL as i32));
            // The response, or the body, has no end.
            self.0.request.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
        }
    }
}

/// A handler is running for the filter until this is dropped.
struct Running<'a>(&'a Call<'a>);

impl<'a> Running<'a> {
    fn begin(call: &'a Call<'a>) -> Self {
        call.with(|context| context.running = true);
        Self(call)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.with(|context| context.running = false);
    }
}

/// How a handler has ended.
enum Outcome {
    Returned,
    /// Nothing more goes through; the status for httpd.
    Failed(i32),
}

/// How a call of an input filter goes on.
enum Next {
    Again,
    /// With what there is.
    AtLast,
    Status(i32),
}

impl<'r> Call<'r> {
    /// Uses the context. Neither Python nor other filters run meanwhile.
    fn with<R>(&self, work: impl FnOnce(&mut FilterContext) -> R) -> R {
        // SAFETY: it lives as long as the request, only this thread uses it, and no reference is held beyond this.
        work(unsafe { &mut *self.context })
    }

    /// The data, for this thread to use between two runs of the handler.
    fn stream<R>(&self, work: impl FnOnce(&mut Stream) -> R) -> Option<R> {
        // SAFETY: as in `with`; what uses the stream does not touch the rest of the context.
        let mut taken = unsafe { Taken::from(self.context) }?;
        Some(work(&mut taken.stream))
    }

    fn output(&self, brigade: Brigade) -> i32 {
        let _guard = PanicGuard(self);
        if let Some(status) = self.with(|context| context.failed) {
            brigade.clear();
            return status;
        }
        // What the handler writes to the request itself comes past its own filter, behind what it has written to that.
        if self.with(|context| context.running || context.stream.is_none()) {
            self.with(|context| context.forget_length(self.request));
            return match self.stream(|stream| stream.pass_written(self.filter)) {
                Some(Err(error)) => self.refused(error.status),
                _ => self.filter.pass(brigade),
            };
        }
        if self.with(|context| context.disabled) {
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
                Some(Err(error)) => return self.refused(error.status),
            }
            if let Outcome::Failed(status) = self.run(None) {
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
            Some(Err(error)) => self.refused(error.status),
            _ => 0,
        }
    }

    /// What is left to do when a handler of the response has returned; a status ends the call.
    fn after_output(&self) -> Option<i32> {
        if self.with(|context| context.disabled) {
            let passed = self.stream(|stream| {
                stream.forward_rest(self.filter)?;
                stream.pass_written(self.filter)
            });
            return Some(passed.and_then(Result::err).map_or(0, |error| self.refused(error.status)));
        }
        let left = self.stream(|stream| {
            // Behind the end that it has given out, nothing is to be read.
            !stream.has_consumed() && !stream.is_closed() && stream.has_unread() && stream.drop_unread()
        });
        if left == Some(true) {
            self.with(|context| context.forget_length(self.request));
            self.tell_once(
                "MP0411",
                "returned without reading: the response is dropped as far as it came by. It must read until it gets b'' or None, or call filter.pass_on()",
            );
        }
        let closed = self.stream(|stream| match stream.has_ended() {
            true => stream.close(self.filter),
            false => Ok(()),
        });
        closed.and_then(Result::err).map(|error| self.refused(error.status))
    }

    fn input(&self, to: Brigade, asked: Asked) -> i32 {
        let _guard = PanicGuard(self);
        if self.with(|context| context.running) {
            // A handler that reads its request's body in the midst of filtering it.
            return raw::APR_EGENERAL as i32;
        }
        if let Some(status) = self.with(|context| context.failed) {
            return status;
        }
        // Nothing better is to come than what there is.
        let mut at_last = self.with(|context| context.disabled);
        loop {
            let ready = self.stream(|stream| match (stream.has_written(), stream.is_closed()) {
                (true, is_closed) if is_closed || at_last || stream.is_ready(asked) => {
                    Some(stream.hand_over(to, asked))
                }
                (false, true) => {
                    to.append_end();
                    Some(0)
                }
                _ => None,
            });
            if let Some(status) = ready.flatten() {
                return status;
            }
            if self.with(|context| context.disabled) {
                return self.filter.fetch(to, asked);
            }
            if let Outcome::Failed(status) = self.run(Some(asked)) {
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

    /// What is left to do when a handler of the body has returned.
    fn after_input(&self, asked: Asked) -> Next {
        if self.with(|context| context.disabled) {
            let forwarded = self.stream(|stream| stream.forward_rest(self.filter));
            return match forwarded {
                Some(Err(error)) => Next::Status(self.refused(error.status)),
                _ => Next::AtLast,
            };
        }
        let state = self.stream(|stream| {
            if stream.has_ended() {
                // To write the end of a body does not fail.
                let _ = stream.close(self.filter);
            }
            let is_ready = stream.is_closed() || stream.is_ready(asked);
            (is_ready, stream.has_consumed(), stream.has_written())
        });
        match state.unwrap_or_default() {
            (true, ..) => Next::Again,
            _ if asked.block == raw::apr_read_type_e_APR_NONBLOCK_READ => Next::Status(libc::EAGAIN),
            (_, true, _) => Next::Again,
            (_, false, true) => Next::AtLast,
            (_, false, false) => {
                self.tell_once(
                    "MP0412",
                    "returned without reading, writing or closing: the request's body cannot be read. It must read until it gets b'' or None and close the filter at None, or call filter.pass_on()",
                );
                Next::Status(self.fail(SERVER_ERROR))
            }
        }
    }

    /// A filter behind this one has refused what it got, or the client is gone.
    fn refused(&self, status: i32) -> i32 {
        self.with(|context| context.failed = Some(status));
        // Unless an error page is the whole response, it has no end, and another one must not be taken for the rest of it.
        if status != ANSWERED && self.request.is_response_started() {
            self.request.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
        }
        status
    }

    /// What the handler reads from or writes to has failed.
    fn stopped(&self, status: i32) -> i32 {
        let is_unreadable = self.stream(|stream| {
            stream.drop_unread();
            stream.is_unreadable()
        });
        match is_unreadable {
            Some(true) => self.fail(SERVER_ERROR),
            _ => self.refused(status),
        }
    }

    /// Ends the stream with an error.
    fn fail(&self, status: i32) -> i32 {
        self.stream(|stream| stream.fail(self.filter, self.request, status));
        self.with(|context| context.failed = Some(ANSWERED));
        ANSWERED
    }

    fn tell_once(&self, number: &str, what: &str) {
        if !self.with(|context| std::mem::replace(&mut context.told, true)) {
            let described =
                self.with(|context| context.entry()).as_ref().map(HandlerEntry::describe).unwrap_or_default();
            tracing::warn!("{number}: {described} {what}");
        }
    }

    /// Runs the handler once.
    fn run(&self, asked: Option<Asked>) -> Outcome {
        let Some(entry) = self.with(|context| context.entry()) else {
            tracing::error!(
                "MP0413: the filter '{}' is not run: it was added to a request for which no directive names its handler; have PythonInputFilter or PythonOutputFilter hold for the same section",
                String::from_utf8_lossy(self.filter.name())
            );
            return Outcome::Failed(self.fail(SERVER_ERROR));
        };
        let Some(config) = self.request.directory_config::<DirectoryConfig>() else {
            return Outcome::Failed(self.fail(SERVER_ERROR));
        };
        let name = interpreter_name(self.request, &config.settings, Some(&entry.section));
        let (interpreter, guard) = match enter(&name, || entry.describe()) {
            Ok(entered) => entered,
            Err(status) => return Outcome::Failed(self.fail(status)),
        };
        self.stream(|stream| stream.begin(asked));
        let attached = guard.attached();
        let direction = self.stream(|stream| stream.direction()).unwrap_or(Direction::Output);
        // Before the request is lent: threads that handlers have left behind come into this filter when they write to that.
        let running = Running::begin(self);
        let callback = Callback::begin(attached, interpreter, self.request, None);
        let called = self.call(attached, interpreter, &callback, direction, &entry, &config.settings);
        callback.take_back();
        drop(running);
        let outcome = match called {
            Ok(()) => Outcome::Returned,
            Err(raised) => {
                let exception = raised.fetch(attached);
                self.raised(attached, interpreter, &entry, config.settings.debug(), &exception)
            }
        };
        drop(callback);
        write_printed(attached);
        outcome
    }

    fn call(
        &self,
        attached: Attached<'_>,
        interpreter: &'static Interpreter,
        callback: &Callback<'_>,
        direction: Direction,
        entry: &HandlerEntry<'_>,
        settings: &Settings<'_>,
    ) -> Result<(), Raised> {
        let equipment = crate::objects::equipment::equipment_of(attached, interpreter)?;
        let request = callback.object()?;
        let (object, lease) = FilterObject::create(attached, interpreter, callback.shared(), direction, &request)?;
        // SAFETY: the context lives as long as the request.
        let lent = unsafe { lease.lend_during(attached, self.context) };
        let lookup = Lookup::of_request(self.request, settings);
        let called = resolve::call(attached, equipment, &lookup, entry, &object, &[]);
        drop(lent);
        match called {
            Ok(_) => Ok(()),
            // Its result is of no use here, but it may set the request's status.
            Err(raised) => {
                server_return(attached, equipment, raised, entry, |status| callback.set_status(status)).map(drop)
            }
        }
    }

    /// What an exception means for the stream.
    fn raised(
        &self,
        attached: Attached<'_>,
        interpreter: &'static Interpreter,
        entry: &HandlerEntry<'_>,
        debug: bool,
        exception: &Exception<'_>,
    ) -> Outcome {
        if let Some(status) = self.with(|context| context.failed) {
            // Not its own: what it reads from or writes to has failed.
            let summary = summary(exception);
            return attached.detach(|| {
                tracing::info!(
                    "MP0414: {} in interpreter '{}': {summary}",
                    entry.describe(),
                    interpreter.display_name()
                );
                Outcome::Failed(self.stopped(status))
            });
        }
        let traceback = log_failure(attached, entry, interpreter, exception);
        attached.detach(|| {
            if debug && self.show(entry, &traceback) {
                return Outcome::Returned;
            }
            Outcome::Failed(self.fail(SERVER_ERROR))
        })
    }

    /// Writes the traceback in the place of the rest of the response; false where that cannot be.
    fn show(&self, entry: &HandlerEntry<'_>, traceback: &[String]) -> bool {
        let request = self.request;
        let is_started = request.is_response_started();
        if request.is_response_complete() || (is_started && request.has_length()) {
            return false;
        }
        if !is_started {
            request.forget_body_headers();
            request.set_status(SERVER_ERROR);
            request.set_content_type(c"text/html");
        }
        let shown = self.stream(|stream| {
            if stream.direction() == Direction::Input || stream.is_closed() {
                return false;
            }
            stream.drop_unread();
            stream.write(self.filter, page(entry, traceback).as_bytes()).is_ok() && stream.close(self.filter).is_ok()
        });
        shown == Some(true)
    }
}
