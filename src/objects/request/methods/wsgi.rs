//! What a WSGI application is called with.

use std::ffi::CStr;

use crate::config::{DirectoryConfig, Section};
use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::httpd as raw;
use crate::ffi::python as py;
use crate::httpd::{Mpm, Request, Table, bytes_at};
use crate::objects::request::{InUse, This};
use crate::objects::text::{self, is_token};

const BASE_OPTION: &str = "mod_python.wsgi.base_uri";

pub fn build_wsgi_env<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let used = this.enter(attached)?;
    let request = used.request();
    let base = base(this, &used)?;
    // SAFETY: a string of the request.
    let uri = unsafe { bytes_at(request.fields().uri) }.unwrap_or_default();
    let Some(path_info) =
        uri.strip_prefix(&*base).filter(|rest| rest.is_empty() || base.is_empty() || rest.starts_with(b"/"))
    else {
        return Ok(Object::none(attached));
    };
    // SAFETY: the record is this thread's; the text lives in its pool.
    unsafe { (*request.as_ptr()).path_info = request.pool().c_string(path_info).as_ptr().cast_mut() };
    attached.detach(|| super::cgi::fill(request, &base));

    let environment = Object::dict(attached)?;
    // SAFETY: the table lives with the request.
    let variables = unsafe { Table::from_raw(request.fields().subprocess_env) };
    for (name, value) in variables.into_iter().flat_map(|table| table.iter()) {
        let Some(value) = value else { continue };
        let (name, value) = (Object::text(attached, name)?, Object::latin1(attached, value)?);
        // SAFETY: attached; a dict, a key and a value. The first of several is kept, as httpd's own look-up has it.
        if unsafe { py::PyDict_SetDefault(environment.as_ptr(), name.as_ptr(), value.as_ptr()) }.is_null() {
            return Err(Raised::set(attached));
        }
    }
    environment.set("PATH_INFO", &Object::latin1(attached, path_info)?)?;
    if let Some(value) = authorization(request) {
        environment.set("HTTP_AUTHORIZATION", &Object::latin1(attached, value)?)?;
    }
    let is_https = variables
        .and_then(|table| table.get(b"HTTPS").flatten())
        .is_some_and(|value| !value.eq_ignore_ascii_case(b"off"));
    environment.set("wsgi.url_scheme", &Object::str(attached, if is_https { "https" } else { "http" })?)?;
    environment.set("wsgi.input", &this.object())?;
    environment.set("wsgi.errors", &standard_error(attached)?)?;
    environment
        .set("wsgi.version", &Object::tuple(attached, [Object::int(attached, 1)?, Object::int(attached, 0)?])?)?;
    environment.set("wsgi.multithread", &Object::bool(attached, Mpm::is_threaded()))?;
    environment.set("wsgi.multiprocess", &Object::bool(attached, Mpm::is_forked()))?;
    Ok(environment)
}

/// The part of the path that is the application's own: SCRIPT_NAME.
fn base(this: This<'_, '_>, used: &InUse<'_>) -> Result<Vec<u8>, Raised> {
    let options = used.request().directory_config::<DirectoryConfig>().and_then(|config| config.settings.options);
    let option = options.and_then(|options| options.get(BASE_OPTION.as_bytes()).flatten());
    if let Some(base) = option.filter(|base| !base.is_empty()) {
        return match base.ends_with(b"/") {
            false => Ok(base.to_vec()),
            true => {
                let base = String::from_utf8_lossy(base);
                let message = format!("PythonOption '{BASE_OPTION}' ('{base}') must not end with '/'");
                Err(Raised::value_error(this.attached(), message))
            }
        };
    }
    let state = used.state();
    Ok(match state.handlers.get(state.current).map(|entry| entry.section) {
        Some(Section::Location(path)) => path.strip_suffix(b"/").unwrap_or(path).to_vec(),
        _ => Vec::new(),
    })
}

fn authorization(request: Request<'_>) -> Option<&[u8]> {
    // SAFETY: the table lives with the request.
    unsafe { Table::from_raw(request.fields().headers_in) }?.get(b"Authorization").flatten()
}

fn standard_error(attached: crate::cpython::Attached<'_>) -> Result<Object<'_>, Raised> {
    // SAFETY: attached; a borrowed reference or null.
    unsafe {
        let stream = py::PySys_GetObject(c"stderr".as_ptr());
        Ok(if stream.is_null() { Object::none(attached) } else { Object::borrowed(attached, stream) })
    }
}

pub fn wsgi_start_response<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 3)?;
    let attached = this.attached();
    let (line, headers) = (arguments.required(0)?, arguments.required(1)?);
    let wrong = |what: &str, value: &Object<'_>| {
        Err(Raised::type_error(attached, format!("wsgi_start_response(): {what}, not {}", value.type_name())))
    };
    if !line.is_str() {
        return wrong("the status must be str", &line);
    }
    if !headers.is_list() {
        return wrong("the headers must be a list", &headers);
    }
    if let Some(information) = arguments.get(2).filter(|value| !value.is_none()) {
        return Err(raise_again(&information));
    }
    let used = this.enter(attached)?;
    let request = used.request();
    let line = text::to_pool(&line, "the status", request.pool())?;
    text::header_value(attached, line.to_bytes(), "the status")?;
    let Some(status) = status_of(line.to_bytes()) else {
        return Err(Raised::value_error(attached, format!("Invalid status line: {}", line.to_string_lossy())));
    };
    let mut fields = Vec::new();
    for item in headers.items()? {
        if !item.is_exact_tuple() {
            return wrong("each header must be a tuple", &item);
        }
        let [name, value] = &item.items()?[..] else {
            return wrong("each header must be a tuple of name and value", &item);
        };
        for (part, what) in
            [(name, "a header's name must be str or bytes"), (value, "a header's value must be str or bytes")]
        {
            if !part.is_exact_text() {
                return wrong(what, part);
            }
        }
        fields.push(header(attached, request, name, value)?);
    }
    for (name, value) in fields {
        add(request, name, value);
    }
    // SAFETY: the record is this thread's; the text lives in its pool. Without the number httpd would drop the line.
    unsafe {
        (*request.as_ptr()).status = status;
        (*request.as_ptr()).status_line = line.as_ptr();
    }
    this.object().attribute(c"write")
}

/// A header of the response that is fit to be sent.
fn header<'r>(
    attached: crate::cpython::Attached<'_>,
    request: Request<'r>,
    name: &Object<'_>,
    value: &Object<'_>,
) -> Result<(&'r CStr, &'r CStr), Raised> {
    let name = text::to_pool(name, "a header's name", request.pool())?;
    if !is_token(name.to_bytes()) {
        let shown = name.to_string_lossy();
        return Err(Raised::value_error(
            attached,
            format!("wsgi_start_response(): {shown:?} is not the name of a header"),
        ));
    }
    let value = text::to_pool(value, &name.to_string_lossy(), request.pool())?;
    text::header_value(attached, value.to_bytes(), &name.to_string_lossy())?;
    Ok((name, value))
}

fn add(request: Request<'_>, name: &CStr, value: &CStr) {
    if name.to_bytes().eq_ignore_ascii_case(b"Content-Type") {
        // httpd sends what it has noted itself, and chooses filters by it.
        request.set_content_type(value);
    } else {
        // SAFETY: the table lives with the request, and so do the texts.
        unsafe { raw::apr_table_addn(request.fields().headers_out, name.as_ptr(), value.as_ptr()) };
    }
}

/// The number at the beginning of a status line.
fn status_of(line: &[u8]) -> Option<i32> {
    let (digits, rest) = line.split_at_checked(3)?;
    let status = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?.parse().ok()?;
    ((100..600).contains(&status) && (rest.is_empty() || rest[0] == b' ')).then_some(status)
}

/// Raises what `sys.exc_info()` gave.
fn raise_again(information: &Object<'_>) -> Raised {
    let attached = information.attached();
    let raise = || -> Result<Raised, Raised> {
        let parts = if information.is_tuple() { information.items()? } else { Vec::new() };
        let [class, value, traceback] = &parts[..] else {
            return Err(Raised::type_error(
                attached,
                "wsgi_start_response(): exc_info must be the tuple of sys.exc_info()",
            ));
        };
        if !traceback.is_none() && value.is_exception() {
            value.set_attribute(c"__traceback__", traceback)?;
        }
        Ok(Raised::with_value(class, value))
    };
    raise().unwrap_or_else(|raised| raised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_begins_with_its_number() {
        assert_eq!(status_of(b"200 OK"), Some(200));
        assert_eq!(status_of(b"404"), Some(404));
        assert_eq!(status_of(b"599 "), Some(599));
        for wrong in ["", "20", "2000 OK", "200OK", "099 x", "600 x", " 200 OK", "+20 x"] {
            assert_eq!(status_of(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
