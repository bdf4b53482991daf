//! Reading the request's body.

use std::mem;

use crate::cpython::{Arguments, Object, Raised};
use crate::httpd::{BodyError, BodyReader, Request};
use crate::objects::request::{InUse, This};

use super::write::client_gone;

pub fn read<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 1)?;
    let most = most(&arguments, 0)?;
    let used = this.enter(this.attached())?;
    if used.state().body.ready().len() < most {
        with_body(this, &used, |body, request| body.gather(request, most))?;
    }
    let count = used.state().body.ready().len().min(most);
    taken(this, &used, count)
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
        // As mod_python does: the hint bounds the lines too, but for the first.
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
    let used = this.enter(this.attached())?;
    let status = with_body(this, &used, |body, request| Ok(body.discard(request)))?;
    Object::int(this.attached(), status.into())
}

/// A number of bytes given as an argument; all of them if it is negative or missing.
fn most(arguments: &Arguments<'_>, index: usize) -> Result<usize, Raised> {
    Ok(usize::try_from(arguments.int_or(index, -1)?).unwrap_or(usize::MAX))
}

fn line<'i>(this: This<'_, 'i>, most: usize) -> Result<Object<'i>, Raised> {
    let used = this.enter(this.attached())?;
    let ready = used.state().body.ready_line(most);
    let length = match ready {
        Some(length) => length,
        None => with_body(this, &used, |body, request| body.gather_line(request, most))?,
    };
    taken(this, &used, length)
}

/// Takes bytes that are ready.
fn taken<'i>(this: This<'_, 'i>, used: &InUse<'_>, count: usize) -> Result<Object<'i>, Raised> {
    let mut state = used.state();
    let bytes = Object::bytes(this.attached(), &state.body.ready()[..count])?;
    state.body.take(count);
    Ok(bytes)
}

/// Reads on, detached: a filter on the body may run Python, which cannot read the same body meanwhile.
fn with_body<R>(
    this: This<'_, '_>,
    used: &InUse<'_>,
    work: impl FnOnce(&mut BodyReader, Request<'_>) -> Result<R, BodyError>,
) -> Result<R, Raised> {
    let attached = this.attached();
    let was_reading = mem::replace(&mut used.state().reading, true);
    if was_reading {
        return Err(Raised::runtime_error(
            attached,
            "the request's body is being read already: a filter on it must read from the filter, not from the request",
        ));
    }
    let mut body = mem::take(&mut used.state().body);
    let request = used.request();
    let outcome: Result<R, BodyError> = attached.detach(|| work(&mut body, request));
    let mut state = used.state();
    (state.body, state.reading) = (body, false);
    if outcome.as_ref().err().is_some_and(|error| error.answered) {
        state.output.end();
    }
    drop(state);
    outcome.map_err(|error| body_error(this, error))
}

/// Raises what a failure to read is in Python.
#[cold]
fn body_error(this: This<'_, '_>, error: BodyError) -> Raised {
    if error.gone {
        return client_gone(this, libc::ECONNRESET, error.text);
    }
    let attached = this.attached();
    let raise = || -> Result<Raised, Raised> {
        // SAFETY: the equipment is this interpreter's.
        let class = unsafe { this.equipment(attached)?.classes.body_error.get(attached) };
        let exception = class.call([&Object::str(attached, error.text)?])?;
        exception.set_attribute(c"status", &Object::int(attached, error.status.into())?)?;
        Ok(Raised::with_value(&class, &exception))
    };
    raise().unwrap_or_else(|raised| raised)
}
