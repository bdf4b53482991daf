//! Sending the response.

use std::mem;

use crate::cpython::{Arguments, Attached, Object, Raised};
use crate::httpd::{Output, Request, WriteError, status_text};
use crate::objects::filter::is_free;
use crate::objects::request::{InUse, This};

pub fn write<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let data = arguments.required(0)?;
    let flush = arguments.flag_or(1, true)?;
    data.with_written(|bytes| send(this, bytes, flush))
}

pub fn flush<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let used = this.enter(attached)?;
    with_output(attached, &used, Output::flush).map_err(|error| write_error(this, error))?;
    Ok(Object::none(attached))
}

fn send<'i>(this: This<'_, 'i>, bytes: &[u8], flush: bool) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    let used = this.enter(attached)?;
    // What a tag of a page writes stands in the place of the tag.
    let page =
        used.state().page.as_ref().filter(|(interpreter, _)| std::ptr::eq(*interpreter, this.interpreter())).map(
            // SAFETY: made in this interpreter.
            |(_, kept)| unsafe { kept.get(attached) },
        );
    // A filter behind the page, called while a tag flushes, writes to the client.
    // SAFETY: what is kept there is a filter's object.
    let page = page.filter(|page| unsafe { is_free(attached, page) });
    if let Some(page) = page {
        page.call_method(c"write", [&Object::bytes(attached, bytes)?])?;
        used.state().queued += bytes.len() as u64;
    } else if !bytes.is_empty() {
        with_output(attached, &used, |output, request| output.write(request, bytes, flush))
            .map_err(|error| write_error(this, error))?;
        used.state().queued += bytes.len() as u64;
    }
    Ok(Object::none(attached))
}

/// Uses the way of the response, detached: a filter on it may run Python, which may write to the same request.
pub fn with_output<R>(attached: Attached<'_>, used: &InUse<'_>, work: impl FnOnce(&mut Output, Request<'_>) -> R) -> R {
    let mut output = mem::take(&mut used.state().output);
    let request = used.request();
    let result = attached.detach(|| work(&mut output, request));
    used.state().output = output;
    result
}

/// Raises what a failure to write is in Python.
#[cold]
pub fn write_error(this: This<'_, '_>, error: WriteError) -> Raised {
    match error {
        WriteError::Gone => client_gone(this, libc::EPIPE, "Client has closed the connection."),
        WriteError::Refused(status) => {
            // The negative ones are httpd's own, of which APR knows nothing.
            let why = status.filter(|status| *status > 0).map(|status| format!(": {}", status_text(status)));
            let text = format!("an output filter of httpd refused the response{}", why.unwrap_or_default());
            Raised::os_error(this.attached(), text)
        }
    }
}

/// Raises `ClientGone(errno, text)`.
#[cold]
pub fn client_gone(this: This<'_, '_>, errno: i32, text: &str) -> Raised {
    let attached = this.attached();
    let raise = || -> Result<Raised, Raised> {
        let arguments = Object::tuple(attached, [Object::int(attached, errno.into())?, Object::str(attached, text)?])?;
        // SAFETY: the equipment is this interpreter's.
        let class = unsafe { this.equipment(attached)?.classes.client_gone.get(attached) };
        Ok(Raised::with_value(&class, &arguments))
    };
    raise().unwrap_or_else(|raised| raised)
}
