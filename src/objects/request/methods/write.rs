//! Sending the response.

use std::time::Duration;

use crate::cpython::{Arguments, Attached, Object, Raised, UsedDetached};
use crate::httpd::{LogScope, Output, Place, Request, WriteError};
use crate::objects::filter::is_free;
use crate::objects::request::record::RequestRecord;
use crate::objects::request::{RequestObject, This};

/// A write up to this size is only added to the buffer, without detaching this thread, if there is room; in bytes.
const SMALL: usize = 4096;

pub fn write<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let data = arguments.required(0)?;
    let soon = arguments.flag_or(1, true)?;
    data.with_written(|bytes| send(this, bytes, soon))
}

pub fn flush<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    flush_all(this)?;
    Ok(Object::none(this.attached()))
}

/// Sends what was written.
pub fn flush_all(this: This<'_, '_>) -> Result<(), Raised> {
    let flushed = with_output(this, this.attached(), |output, request, _| output.flush(request))?;
    flushed.map_err(|error| write_error(this, error))
}

/// Writes bytes to the response. With `soon`, they are to leave although nothing follows.
pub fn send<'i>(this: This<'_, 'i>, bytes: &[u8], soon: bool) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    if let Some(page) = page(this)? {
        page.call_method(c"write", [&Object::bytes(attached, bytes)?])?;
        this.enter(attached)?.state().queued += bytes.len() as u64;
        return Ok(Object::none(attached));
    }
    if bytes.len() <= SMALL && note_down(this, bytes, soon)? {
        return Ok(Object::none(attached));
    }
    let written = with_output(this, attached, move |output, request, record| {
        output.write(request, bytes, soon, is_counted(record))?;
        record.state().queued += bytes.len() as u64;
        if record.state().is_passed_at_once() {
            output.pass(request)?;
        }
        if output.is_due() {
            record.due.note();
        }
        Ok(())
    })?;
    written.map_err(|error| write_error(this, error))?;
    Ok(Object::none(attached))
}

/// The filter to which what is written is redirected, while a tag in a page runs.
fn page<'i>(this: This<'_, 'i>) -> Result<Option<Object<'i>>, Raised> {
    let attached = this.attached();
    let in_use = this.enter(attached)?;
    let page = in_use
        .state()
        .known_extras()
        .and_then(|extras| extras.page.as_ref())
        .filter(|(interpreter, _)| std::ptr::eq(*interpreter, this.interpreter()))
        .map(
            // SAFETY: made in this interpreter.
            |(_, kept)| unsafe { kept.get(attached) },
        );
    drop(in_use);
    // A filter after the page's, called while a tag flushes, writes to the client.
    // SAFETY: it is a filter's object.
    Ok(page.filter(|page| unsafe { is_free(attached, page) }))
}

/// Adds a few bytes to the buffer if there is room, without blocking or calling filters; else returns false.
fn note_down(this: This<'_, '_>, bytes: &[u8], soon: bool) -> Result<bool, Raised> {
    let in_use = this.enter(this.attached())?;
    let mut state = in_use.state();
    if state.is_output_in_use || state.is_passed_at_once() {
        return Ok(false);
    }
    if !state.output.note_down(in_use.request(), bytes, soon) {
        return Ok(false);
    }
    state.queued += bytes.len() as u64;
    if state.output.is_due() {
        this.record().due.note();
    }
    Ok(true)
}

/// Whether what is written now is part of the body that Content-Length counts: what a filter writes to its request is not.
fn is_counted(record: &RequestRecord) -> bool {
    record.state().filters_running == 0
}

/// Uses the output with this thread detached: a filter may run Python, which may write to the same request.
pub fn with_output<R>(
    this: This<'_, '_>,
    attached: Attached<'_>,
    work: impl FnOnce(&mut Output, Request<'_>, &RequestRecord) -> R + UsedDetached,
) -> Result<R, Raised> {
    RequestObject::detached(this, attached, move |request, record| use_output(record, request, work))
}

/// Uses the output, for a thread that has the request's turn and is not attached.
pub fn use_output<R>(
    record: &RequestRecord,
    request: Request<'_>,
    work: impl FnOnce(&mut Output, Request<'_>, &RequestRecord) -> R,
) -> R {
    /// The output, put back when dropped, also by a panic.
    struct Taken<'a>(&'a RequestRecord, Output, bool);

    impl Drop for Taken<'_> {
        fn drop(&mut self) {
            if self.2 {
                let mut state = self.0.state();
                state.output = std::mem::take(&mut self.1);
                state.is_output_in_use = false;
            }
        }
    }

    if record.state().is_being_sent {
        wait_until_sent(record, request);
    }
    let mut taken = {
        let mut state = record.state();
        // If a write is under way, further out on this thread's stack or in another thread, this one is passed on at once.
        let is_free = !std::mem::replace(&mut state.is_output_in_use, true);
        Taken(record, if is_free { std::mem::take(&mut state.output) } else { Output::in_between() }, is_free)
    };
    // SAFETY: the request is live, and so is its record with the turn.
    let _scope = unsafe { LogScope::enter_shared(Place::Request(request.as_ptr()), record.handle.turn()) };
    let result = work(&mut taken.1, request, record);
    if !taken.2 {
        // It is not kept for later. The next write reports a failure.
        let _ = taken.1.pass(request);
    }
    if let Some(announced) = taken.1.take_excess() {
        tracing::warn!(
            "MP0421: more was written to the response than its Content-Length of {announced} bytes: the rest is dropped. Leave out req.set_content_length() and the header Content-Length, or set them to what is written"
        );
    }
    result
}

/// Lets the thread that sends what was written before go first, if it runs a filter in Python now. A filter that waits for this very
/// thread has it come in between at last.
#[cold]
fn wait_until_sent(record: &RequestRecord, request: Request<'_>) {
    const LONGEST: Duration = Duration::from_secs(10);
    let subject = request.as_ptr().cast_const().cast();
    let taken = record.handle.turn().take(subject);
    if !taken.is_inside(subject) {
        taken.wait_within(LONGEST, || record.state().is_being_sent);
    }
}

/// Sends what a request has to send, for the thread that looks after it.
pub fn send_what_is_due(record: &RequestRecord, request: Request<'_>) {
    let is_due = {
        let state = record.state();
        !state.is_output_in_use && state.output.is_due()
    };
    if is_due {
        /// It is being sent until this is dropped.
        struct Sending<'a>(&'a RequestRecord);

        impl Drop for Sending<'_> {
            fn drop(&mut self) {
                self.0.state().is_being_sent = false;
            }
        }

        // A failure is noticed by whoever writes next.
        let _ = use_output(record, request, |output, request, record| {
            record.state().is_being_sent = true;
            let _sending = Sending(record);
            output.flush(request)
        });
    }
}

/// Raises the exception for a failure to write.
#[cold]
pub fn write_error(this: This<'_, '_>, error: WriteError) -> Raised {
    match error {
        WriteError::Gone => client_gone(this, libc::EPIPE),
        WriteError::Refused(_) => Raised::os_error(this.attached(), error.to_string()),
    }
}

/// Raises `ClientGone(errno, text)`.
#[cold]
pub fn client_gone(this: This<'_, '_>, errno: i32) -> Raised {
    match this.module_state(this.attached()) {
        Ok(state) => state.client_gone_with(this.attached(), errno),
        Err(raised) => raised,
    }
}
