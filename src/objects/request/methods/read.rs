//! Reading the request's body.

use std::mem;

use crate::cpython::{Arguments, Object, Raised, UsedDetached};
use crate::httpd::{BodyError, BodyReader, Request};
use crate::objects::request::record::RequestRecord;
use crate::objects::request::{RequestInUse, This};

use super::write::{client_gone, use_output};

pub fn read<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 1)?;
    read_bytes(this, most(&arguments, 0)?)
}

/// At most so many bytes of the body; fewer at its end only.
pub fn read_bytes<'i>(this: This<'_, 'i>, most: usize) -> Result<Object<'i>, Raised> {
    let ready = this.enter(this.attached())?.state().extras().body.ready().len();
    if ready < most {
        with_body(this, move |body, request| body.gather(request, most))?;
    }
    let in_use = this.enter(this.attached())?;
    let count = in_use.state().extras().body.ready().len().min(most);
    taken(this, &in_use, count)
}

pub fn readline<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 1)?;
    line(this, most(&arguments, 0)?)
}

pub fn readlines<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 1)?;
    let attached = this.attached();
    let wanted = most(&arguments, 0)?;
    let lines = Object::list(attached, [])?;
    let (mut size, mut longest) = (0, usize::MAX);
    loop {
        let line = line(this, longest)?;
        size += line.to_bytes()?.len();
        if line.to_bytes()?.is_empty() {
            return Ok(lines);
        }
        lines.append(&line)?;
        if size >= wanted {
            return Ok(lines);
        }
        // As in mod_python: the hint limits the lines too, except for the first.
        longest = wanted;
    }
}

/// The next line of the body, as `for line in req` gets it.
pub fn next_line<'i>(this: This<'_, 'i>) -> Result<Option<Object<'i>>, Raised> {
    let line = line(this, usize::MAX)?;
    Ok((!line.to_bytes()?.is_empty()).then_some(line))
}

pub fn discard_request_body<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let status = with_body(this, |body, request| Ok(body.discard(request)))?;
    Object::int(this.attached(), status.0.into())
}

/// A number of bytes given as an argument; all of them if it is negative or missing.
fn most(arguments: &Arguments<'_>, index: usize) -> Result<usize, Raised> {
    Ok(usize::try_from(arguments.int_or(index, -1)?).unwrap_or(usize::MAX))
}

/// The next line of the body, or at most so many bytes of it; empty at the body's end.
pub fn line<'i>(this: This<'_, 'i>, most: usize) -> Result<Object<'i>, Raised> {
    let ready = this.enter(this.attached())?.state().extras().body.ready_line(most);
    let length = match ready {
        Some(length) => length,
        None => with_body(this, move |body, request| body.gather_line(request, most))?,
    };
    taken(this, &this.enter(this.attached())?, length)
}

/// Takes bytes that are ready, at most `count`.
fn taken<'i>(this: This<'_, 'i>, in_use: &RequestInUse<'_>, count: usize) -> Result<Object<'i>, Raised> {
    let mut state = in_use.state();
    // Another thread may have taken some meanwhile.
    let count = count.min(state.extras().body.ready().len());
    let bytes = Object::bytes(this.attached(), &state.extras().body.ready()[..count])?;
    state.extras().body.take(count);
    Ok(bytes)
}

/// Reads more, detached: a filter of the body may run Python, which cannot read the same body meanwhile.
fn with_body<R>(
    this: This<'_, '_>,
    work: impl FnOnce(&mut BodyReader, Request<'_>) -> Result<R, BodyError> + UsedDetached,
) -> Result<R, Raised> {
    let attached = this.attached();
    match this.detached(attached, move |request, record| read_on(record, request, work))? {
        Some(outcome) => outcome.map_err(|error| body_error(this, error)),
        None => Err(Raised::runtime_error(
            attached,
            "the request's body is being read already: a filter on it must read from the filter, not from the request",
        )),
    }
}

/// The same for a thread that has the turn and is not attached; `None` if the body is being read.
fn read_on<R>(
    record: &RequestRecord,
    request: Request<'_>,
    work: impl FnOnce(&mut BodyReader, Request<'_>) -> Result<R, BodyError>,
) -> Option<Result<R, BodyError>> {
    /// The body, put back when dropped, also by a panic.
    struct Taken<'a>(&'a RequestRecord, BodyReader);

    impl Drop for Taken<'_> {
        fn drop(&mut self) {
            let mut state = self.0.state();
            let extras = state.extras();
            (extras.body, extras.is_reading) = (mem::take(&mut self.1), false);
        }
    }

    if mem::replace(&mut record.state().extras().is_reading, true) {
        return None;
    }
    let mut taken = Taken(record, mem::take(&mut record.state().extras().body));
    // The client may wait for what was written before it sends more.
    if record.state().output.is_due() {
        // The next write reports a failure.
        let _ = use_output(record, request, |output, request, _| output.flush(request));
    }
    let outcome = work(&mut taken.1, request);
    drop(taken);
    if outcome.as_ref().err() == Some(&BodyError::Answered) {
        record.state().output.end();
    }
    Some(outcome)
}

/// Raises the exception for a failure to read.
#[cold]
fn body_error(this: This<'_, '_>, error: BodyError) -> Raised {
    let attached = this.attached();
    let status = match error {
        BodyError::Gone => return client_gone(this, libc::ECONNRESET),
        BodyError::NoMemory => return Raised::memory_error(attached),
        error => error.status(),
    };
    let raise = || -> Result<Raised, Raised> {
        // SAFETY: the class is this interpreter's.
        let class = unsafe { this.module_state(attached)?.exceptions.body_error.get(attached) };
        let exception = class.call([&Object::str(attached, &error.to_string())?])?;
        exception.set_attribute(c"status", &Object::int(attached, status.0.into())?)?;
        Ok(Raised::with_value(&class, &exception))
    };
    raise().unwrap_or_else(|raised| raised)
}
