//! The environment of WSGI applications, and `start_response`.

use std::borrow::Cow;
use std::ffi::CStr;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use crate::config::{DirectoryConfig, Section};
use crate::cpython::{Arguments, Attached, Object, Raised};
use crate::ffi::python as py;
use crate::httpd::{HttpStatus, Mpm, Request, environment, set_field};
use crate::objects::request::record::RequestState;
use crate::objects::request::{RequestInUse, This, current_request};
use crate::objects::table::headers::is_length;
use crate::objects::text::{self, is_token};
use crate::objects::wsgi::running::{self, Split};

/// So many headers take no memory of their own.
const FEW: usize = 8;

const BASE_OPTION: &str = "mod_python.wsgi.base_uri";

pub fn build_wsgi_env<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    let base = base(&this.enter(attached)?).map_err(|base| wrong_base(attached, &base))?;
    let own = &base;
    let found = this.detached(attached, move |request, _| variables(request, own))?;
    let Some(Variables { path_info, others, authorization }) = found else {
        say_why_there_is_none(&base);
        return Ok(Object::none(attached));
    };

    let environment = Object::dict(attached)?;
    let mut is_https = None;
    for (name, value) in &others {
        let Some(value) = value.as_deref() else { continue };
        if is_https.is_none() && name.eq_ignore_ascii_case(b"HTTPS") {
            is_https = Some(!value.eq_ignore_ascii_case(b"off"));
        }
        let (name, value) = (Object::text(attached, name)?, Object::latin1(attached, value)?);
        // SAFETY: attached; a dict, a key and a value. The first of several is kept, as in httpd's own look-up.
        if unsafe { py::PyDict_SetDefault(environment.as_ptr(), name.as_ptr(), value.as_ptr()) }.is_null() {
            return Err(Raised::set(attached));
        }
    }
    environment.set("PATH_INFO", &Object::latin1(attached, &path_info)?)?;
    if let Some(value) = authorization {
        environment.set("HTTP_AUTHORIZATION", &Object::latin1(attached, &value)?)?;
    }
    let scheme = if is_https == Some(true) { "https" } else { "http" };
    environment.set("wsgi.url_scheme", &Object::str(attached, scheme)?)?;
    environment.set("wsgi.input", &this.object())?;
    environment.set("wsgi.errors", &standard_error(attached)?)?;
    environment
        .set("wsgi.version", &Object::tuple(attached, [Object::int(attached, 1)?, Object::int(attached, 0)?])?)?;
    environment.set("wsgi.multithread", &Object::bool(attached, Mpm::is_threaded()))?;
    environment.set("wsgi.multiprocess", &Object::bool(attached, Mpm::is_forked()))?;
    Ok(environment)
}

/// `_run_wsgi(application)`: whether the URL is below the base, and the application was called for it.
pub fn run_wsgi<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let application = arguments.required(0)?;
    let run = running::run().ok_or_else(|| Raised::runtime_error(attached, "nothing calls applications yet"))?;
    let script_name = base(&this.enter(attached)?).map_err(|base| wrong_base(attached, &base))?;
    let served = current_request(attached, this.interpreter())?;
    if served.is_none_or(|served| served.as_ptr() != this.object().as_ptr()) {
        let message = "_run_wsgi() can only be called by the thread that serves the request";
        return Err(Raised::runtime_error(attached, message));
    }
    let uri = this.enter(attached)?.request().uri().unwrap_or_default().to_vec();
    let Some(path_info) = below(&uri, &script_name) else { return Ok(Object::bool(attached, false)) };
    let path_info = path_info.to_vec();
    run(this, &application, Split { script_name, path_info })?;
    Ok(Object::bool(attached, true))
}

#[cold]
fn wrong_base(attached: Attached<'_>, base: &str) -> Raised {
    Raised::value_error(attached, format!("PythonOption '{BASE_OPTION}' ('{base}') must not end with '/'"))
}

/// Once in a child as a warning, since a program that declines such requests has a right to it.
fn say_why_there_is_none(base: &[u8]) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    let base = String::from_utf8_lossy(base);
    let sentence = format!(
        "MP0473: req.build_wsgi_env() returned None, since the URL is not below '{base}' (PythonOption {BASE_OPTION}, or the <Location> of the handler): let the handler return apache.DECLINED for None, or correct the base"
    );
    match WARNED.swap(true, Ordering::Relaxed) {
        false => tracing::warn!("{sentence}"),
        true => tracing::debug!("{sentence}"),
    }
}

/// What follows the base in a URL's path that is below it.
fn below<'u>(uri: &'u [u8], base: &[u8]) -> Option<&'u [u8]> {
    uri.strip_prefix(base).filter(|rest| rest.is_empty() || base.is_empty() || rest.starts_with(b"/"))
}

/// What the environment is made of.
struct Variables {
    path_info: Vec<u8>,
    others: Vec<environment::Variable>,
    authorization: Option<Vec<u8>>,
}

/// `None` if the URL is not below the base.
fn variables(request: Request<'_>, base: &[u8]) -> Option<Variables> {
    let uri = request.uri().unwrap_or_default();
    let path_info = below(uri, base)?;
    set_field!(request, path_info, request.pool().c_string(path_info).as_ptr().cast_mut());
    environment::fill(request, base);
    let others = request.subprocess_env().iter().map(|(name, value)| (name.into(), value.map(Into::into))).collect();
    let authorization = request.headers_in().get(b"Authorization").flatten().map(<[u8]>::to_vec);
    Some(Variables { path_info: path_info.to_vec(), others, authorization })
}

/// SCRIPT_NAME: the part of the path that leads to the application. An error has one that ends with a slash.
fn base(in_use: &RequestInUse<'_>) -> Result<Vec<u8>, String> {
    let options = in_use.request().directory_config::<DirectoryConfig>().and_then(|config| config.settings.options);
    let option = options.and_then(|options| options.get(BASE_OPTION.as_bytes()).flatten());
    if let Some(base) = option.filter(|base| !base.is_empty()) {
        return match base.ends_with(b"/") {
            false => Ok(base.to_vec()),
            true => Err(String::from_utf8_lossy(base).into_owned()),
        };
    }
    let state = in_use.state();
    Ok(match state.running.handlers.get(state.running.current).map(|handler| handler.section) {
        Some(Section::Location(path)) => path.strip_suffix(b"/").unwrap_or(path).to_vec(),
        _ => Vec::new(),
    })
}

fn standard_error(attached: Attached<'_>) -> Result<Object<'_>, Raised> {
    // SAFETY: attached; a borrowed reference or null.
    unsafe {
        let stream = py::PySys_GetObject(c"stderr".as_ptr());
        Ok(if stream.is_null() { Object::none(attached) } else { Object::borrowed(attached, stream) })
    }
}

pub fn wsgi_start_response<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 3)?;
    let (line, headers) = (arguments.required(0)?, arguments.required(1)?);
    let information = arguments.get(2).filter(|value| !value.is_none());
    start_response(this, &line, &headers, information.as_ref(), HopByHop::Passed)?;
    this.object().attribute(c"write")
}

/// What becomes of headers that say how the connection is used (RFC 9110, 7.6.1), which httpd sets itself.
#[derive(Clone, Copy, PartialEq)]
pub enum HopByHop {
    Passed,
    /// As PEP 3333 has it.
    Refused,
}

/// Whether a header is one of those.
fn is_hop_by_hop(name: &[u8]) -> bool {
    const NAMES: [&str; 9] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Sets the status and the headers of the response, in place of those that an earlier call has set.
///
/// # Errors
/// What is wrong with them; or the exception that `information` has, if the response has begun.
pub fn start_response<'i>(
    this: This<'_, 'i>,
    line: &Object<'i>,
    headers: &Object<'i>,
    information: Option<&Object<'i>>,
    hop_by_hop: HopByHop,
) -> Result<(), Raised> {
    let attached = this.attached();
    let wrong = |what: &str, value: &Object<'_>| {
        Err(Raised::type_error(attached, format!("start_response(): {what}, not {}", value.type_name())))
    };
    if !line.is_str() {
        return wrong("the status must be str", line);
    }
    if !headers.is_list() {
        return wrong("the headers must be a list", headers);
    }
    if let Some(information) = information {
        let error = ExcInfo::of(information)?;
        // What has gone out cannot be replaced (PEP 3333).
        let has_begun = {
            let in_use = this.enter(attached)?;
            let is_committed = in_use.state().output.is_committed();
            is_committed || in_use.request().is_response_started()
        };
        if has_begun {
            return Err(error.raise_again());
        }
    }
    let line = text::to_httpd(line, "the status")?;
    text::header_value(attached, line.to_bytes(), "the status")?;
    let Some(status) = status_of(line.to_bytes()) else {
        return Err(Raised::value_error(attached, format!("Invalid status line: {}", line.to_string_lossy())));
    };
    if status.0 < 200 {
        let message = format!("start_response(): {} is no final status: the client would go on waiting", status.0);
        return Err(Raised::value_error(attached, message));
    }
    let mut pairs = SmallVec::<[_; FEW]>::new();
    for item in headers.iterate()? {
        let item = item?;
        if !item.is_exact_tuple() {
            return wrong("each header must be a tuple", &item);
        }
        let Some([name, value]) = item.exact_tuple() else {
            return wrong("each header must be a tuple of name and value", &item);
        };
        for (part, what) in
            [(&name, "a header's name must be str or bytes"), (&value, "a header's value must be str or bytes")]
        {
            if !part.is_exact_text() {
                return wrong(what, part);
            }
        }
        pairs.push((name, value));
    }
    let mut fields = SmallVec::<[_; FEW]>::new();
    for (name, value) in &pairs {
        fields.push(Field::read(attached, name, value, hop_by_hop)?);
    }
    let in_use = this.enter(attached)?;
    let size = fields.iter().fold(line.count_bytes(), |size, field| {
        size.saturating_add(field.name.count_bytes()).saturating_add(field.value.count_bytes())
    });
    text::room(attached, in_use.request().pool(), size)?;
    start(in_use.request(), &mut in_use.state(), status, &line, &fields);
    Ok(())
}

/// Sets status and headers, and removes those that an earlier call has set.
fn start(request: Request<'_>, state: &mut RequestState, status: HttpStatus, line: &CStr, fields: &[Field<'_>]) {
    let pool = request.pool();
    for name in std::mem::take(&mut state.started_headers) {
        match Kind::of(name.to_bytes()) {
            Kind::ContentType => set_field!(request, content_type, std::ptr::null()),
            Kind::ContentLength | Kind::Other => request.headers_out().unset(name),
        }
    }
    let line = pool.c_string(line.to_bytes());
    // Without the number httpd would drop the line.
    set_field!(request, status, status.0);
    set_field!(request, status_line, line.as_ptr());
    state.started_headers.reserve_exact(fields.len());
    for Field { name, value, kind } in fields {
        let name = pool.c_string(name.to_bytes());
        match kind {
            // httpd sends its own field, and chooses filters by it.
            Kind::ContentType => request.set_content_type(value),
            Kind::ContentLength => request.headers_out().set_pooled(name, pool.c_string(value.to_bytes())),
            Kind::Other => request.headers_out().add_pooled(name, pool.c_string(value.to_bytes())),
        }
        // SAFETY: as `RequestState` says, it is used only while the request is valid.
        state.started_headers.push(unsafe { mem::transmute::<&CStr, &'static CStr>(name) });
    }
}

/// Which of httpd's ways a header goes.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    ContentType,
    ContentLength,
    Other,
}

impl Kind {
    fn of(name: &[u8]) -> Self {
        match name.len() {
            // Mostly written like this.
            12 if name == b"Content-Type" => Self::ContentType,
            14 if name == b"Content-Length" => Self::ContentLength,
            12 if name.eq_ignore_ascii_case(b"Content-Type") => Self::ContentType,
            14 if name.eq_ignore_ascii_case(b"Content-Length") => Self::ContentLength,
            _ => Self::Other,
        }
    }
}

/// A header of the response, checked.
struct Field<'v> {
    name: Cow<'v, CStr>,
    value: Cow<'v, CStr>,
    kind: Kind,
}

impl<'v> Field<'v> {
    fn read(
        attached: Attached<'_>,
        name: &'v Object<'_>,
        value: &'v Object<'_>,
        hop_by_hop: HopByHop,
    ) -> Result<Self, Raised> {
        let name = text::to_httpd(name, "a header's name")?;
        if !is_token(name.to_bytes()) {
            let shown = name.to_string_lossy();
            let message = format!("start_response(): {shown:?} is not the name of a header");
            return Err(Raised::value_error(attached, message));
        }
        if hop_by_hop == HopByHop::Refused && is_hop_by_hop(name.to_bytes()) {
            let message = format!(
                "start_response(): the header {} is the server's to set (PEP 3333): leave it out",
                text::Shown(&name)
            );
            return Err(Raised::value_error(attached, message));
        }
        let value = text::to_httpd(value, text::Shown(&name))?;
        text::header_value(attached, value.to_bytes(), text::Shown(&name))?;
        let kind = Kind::of(name.to_bytes());
        if kind == Kind::ContentLength && !is_length(value.to_bytes()) {
            let message = format!(
                "start_response(): Content-Length: {:?} is not a length: it must be a number of bytes, in digits",
                value.to_string_lossy()
            );
            return Err(Raised::value_error(attached, message));
        }
        Ok(Self { name, value, kind })
    }
}

/// The number at the beginning of a status line.
fn status_of(line: &[u8]) -> Option<HttpStatus> {
    let (digits, rest) = line.split_at_checked(3)?;
    let status = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?.parse().ok()?;
    ((100..600).contains(&status) && (rest.is_empty() || rest[0] == b' ')).then_some(HttpStatus(status))
}

/// The tuple of `sys.exc_info()`.
struct ExcInfo<'i> {
    class: Object<'i>,
    value: Object<'i>,
    traceback: Object<'i>,
}

impl<'i> ExcInfo<'i> {
    fn of(given: &Object<'i>) -> Result<Self, Raised> {
        let parts = if given.is_tuple() { given.items()? } else { Vec::new() };
        let [class, value, traceback] = <[_; 3]>::try_from(parts).map_err(|_| {
            let message = "start_response(): exc_info must be the tuple of sys.exc_info()";
            Raised::type_error(given.attached(), message)
        })?;
        Ok(Self { class, value, traceback })
    }

    fn raise_again(&self) -> Raised {
        if !self.traceback.is_none() && self.value.is_exception() {
            if let Err(raised) = self.value.set_attribute(c"__traceback__", &self.traceback) {
                return raised;
            }
        }
        Raised::with_value(&self.class, &self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_begins_with_its_number() {
        assert_eq!(status_of(b"200 OK"), Some(HttpStatus(200)));
        assert_eq!(status_of(b"404"), Some(HttpStatus(404)));
        assert_eq!(status_of(b"599 "), Some(HttpStatus(599)));
        for wrong in ["", "20", "2000 OK", "200OK", "099 x", "600 x", " 200 OK", "+20 x"] {
            assert_eq!(status_of(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
