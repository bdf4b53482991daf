//! Providers for httpd's authentication and authorization: `AuthBasicProvider python`, `AuthDigestProvider python`,
//! `Require python`.

use std::ffi::{c_char, c_void};
use std::ptr;

use crate::config::{DirectoryConfig, Handler, Requirement, Selected, interpreter_name, parse_require};
use crate::cpython::{Attached, Detached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Request, bytes_at};

use super::callback::{self, Done, RunningForRequest};
use super::hook;
use super::list::expect_end_of_subrequest;
use super::report::Failure;
use super::resolve::{self, Lookup};

/// The name of the providers in httpd's configuration.
const NAME: &std::ffi::CStr = c"python";

/// A record that httpd only reads.
#[repr(transparent)]
struct Provider<T>(T);

// SAFETY: function pointers only.
unsafe impl<T> Sync for Provider<T> {}

static AUTHENTICATION: Provider<raw::authn_provider> =
    Provider(raw::authn_provider { check_password: Some(check_password), get_realm_hash: Some(get_realm_hash) });

static AUTHORIZATION: Provider<raw::authz_provider> = Provider(raw::authz_provider {
    check_authorization: Some(check_authorization),
    parse_require_line: Some(parse_require),
});

/// Registers the providers.
///
/// # Safety
/// Called while httpd registers the module's hooks, with the pool that it gives.
pub unsafe fn register(pool: *mut raw::apr_pool_t) {
    // SAFETY: names and records are statics. They depend on the URI, as the hooks of the phases.
    unsafe {
        let by_uri = raw::AP_AUTH_INTERNAL_PER_URI as i32;
        raw::ap_register_auth_provider(
            pool,
            raw::AUTHN_PROVIDER_GROUP.as_ptr().cast(),
            NAME.as_ptr(),
            raw::AUTHN_PROVIDER_VERSION.as_ptr().cast(),
            ptr::from_ref(&AUTHENTICATION.0).cast(),
            by_uri,
        );
        raw::ap_register_auth_provider(
            pool,
            raw::AUTHZ_PROVIDER_GROUP.as_ptr().cast(),
            NAME.as_ptr(),
            raw::AUTHZ_PROVIDER_VERSION.as_ptr().cast(),
            ptr::from_ref(&AUTHORIZATION.0).cast(),
            by_uri,
        );
    }
}

/// mod_auth_basic asks whether a password is right.
unsafe extern "C" fn check_password(
    request: *mut raw::request_rec,
    user: *const c_char,
    password: *const c_char,
) -> raw::authn_status {
    // SAFETY: httpd's call: the request is live, the texts are strings of it.
    unsafe {
        let (user, password) = (bytes_at(user).unwrap_or_default(), bytes_at(password).unwrap_or_default());
        hook::request(request, raw::authn_status_AUTH_GENERAL_ERROR, |request, detached| {
            let handler = request.directory_config::<DirectoryConfig>().and_then(|config| config.basic_provider);
            let Some(handler) = handler else { return unnamed("AuthBasicProvider python", "PythonAuthBasicProvider") };
            let answer = ask(
                request,
                detached,
                handler,
                |attached| Ok(vec![Object::text(attached, user)?, Object::text(attached, password)?]),
                |answer| {
                    if answer.is_none() {
                        return Ok(raw::authn_status_AUTH_USER_NOT_FOUND);
                    }
                    truth_or(answer, handler, &BASIC_ANSWERS).map(|answer| match answer {
                        Answer::Truth(true) => raw::authn_status_AUTH_GRANTED,
                        Answer::Truth(false) => raw::authn_status_AUTH_DENIED,
                        Answer::Number(number) => number,
                    })
                },
            );
            answer.unwrap_or(raw::authn_status_AUTH_GENERAL_ERROR)
        })
    }
}

/// mod_auth_digest asks for the hash of user, realm and password.
unsafe extern "C" fn get_realm_hash(
    request: *mut raw::request_rec,
    user: *const c_char,
    realm: *const c_char,
    hash: *mut *mut c_char,
) -> raw::authn_status {
    // SAFETY: httpd's call: the request is live, the texts are strings of it, and the place is for the result.
    unsafe {
        let (user, realm) = (bytes_at(user).unwrap_or_default(), bytes_at(realm).unwrap_or_default());
        hook::request(request, raw::authn_status_AUTH_GENERAL_ERROR, |request, detached| {
            let handler = request.directory_config::<DirectoryConfig>().and_then(|config| config.digest_provider);
            let Some(handler) = handler else {
                return unnamed("AuthDigestProvider python", "PythonAuthDigestProvider");
            };
            let answer = ask(
                request,
                detached,
                handler,
                |attached| Ok(vec![Object::text(attached, user)?, Object::text(attached, realm)?]),
                |answer| {
                    if answer.is_none() {
                        return Ok(Err(raw::authn_status_AUTH_USER_NOT_FOUND));
                    }
                    if !answer.is_str() {
                        return match truth_or(answer, handler, &DIGEST_ANSWERS)? {
                            Answer::Number(number) => Ok(Err(number)),
                            Answer::Truth(_) => Err(wrong_answer(answer, handler, &DIGEST_ANSWERS)),
                        };
                    }
                    let text = answer.to_utf8()?;
                    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                        return Err(wrong_answer(answer, handler, &DIGEST_ANSWERS));
                    }
                    Ok(Ok(text.to_ascii_lowercase()))
                },
            );
            match answer.unwrap_or(Err(raw::authn_status_AUTH_GENERAL_ERROR)) {
                Ok(text) => {
                    *hash = request.pool().c_string(text.as_bytes()).as_ptr().cast_mut();
                    raw::authn_status_AUTH_USER_FOUND
                }
                Err(status) => status,
            }
        })
    }
}

/// mod_authz_core asks whether a `Require python` is met.
unsafe extern "C" fn check_authorization(
    request: *mut raw::request_rec,
    _line: *const c_char,
    requirement: *const c_void,
) -> raw::authz_status {
    // SAFETY: httpd's call: the request is live, the requirement is what `parse_require` made.
    unsafe {
        let Some(Requirement { handler, arguments }) = requirement.cast::<Requirement>().as_ref() else {
            return raw::authz_status_AUTHZ_GENERAL_ERROR;
        };
        hook::request(request, raw::authz_status_AUTHZ_GENERAL_ERROR, |request, detached| {
            let answer = ask(
                request,
                detached,
                handler,
                |attached| arguments.iter().map(|argument| Object::str(attached, argument)).collect(),
                |answer| truth_or(answer, handler, &REQUIRE_ANSWERS),
            );
            match answer {
                None => raw::authz_status_AUTHZ_GENERAL_ERROR,
                Some(Answer::Truth(true)) => raw::authz_status_AUTHZ_GRANTED,
                // If there is authentication, httpd authenticates the user first, and asks again.
                Some(Answer::Truth(false)) if request.user().is_none() && request.auth_type().is_some() => {
                    raw::authz_status_AUTHZ_DENIED_NO_USER
                }
                Some(Answer::Truth(false)) => raw::authz_status_AUTHZ_DENIED,
                Some(Answer::Number(number)) => number,
            }
        })
    }
}

const BASIC_ANSWERS: Answers = Answers {
    known: &[
        raw::authn_status_AUTH_DENIED,
        raw::authn_status_AUTH_GRANTED,
        raw::authn_status_AUTH_USER_NOT_FOUND,
        raw::authn_status_AUTH_GENERAL_ERROR,
    ],
    allowed: "True, False, None for an unknown user, or one of apache.AUTH_GRANTED, AUTH_DENIED, AUTH_USER_NOT_FOUND, AUTH_GENERAL_ERROR",
};

const DIGEST_ANSWERS: Answers = Answers {
    known: &[
        raw::authn_status_AUTH_DENIED,
        raw::authn_status_AUTH_USER_NOT_FOUND,
        raw::authn_status_AUTH_GENERAL_ERROR,
    ],
    allowed: "the 32 hexadecimal digits of md5('user:realm:password') as a str, None for an unknown user, or one of apache.AUTH_DENIED, AUTH_USER_NOT_FOUND, AUTH_GENERAL_ERROR",
};

const REQUIRE_ANSWERS: Answers = Answers {
    known: &[
        raw::authz_status_AUTHZ_DENIED,
        raw::authz_status_AUTHZ_GRANTED,
        raw::authz_status_AUTHZ_NEUTRAL,
        raw::authz_status_AUTHZ_GENERAL_ERROR,
        raw::authz_status_AUTHZ_DENIED_NO_USER,
    ],
    allowed: "True, False, or one of apache.AUTHZ_GRANTED, AUTHZ_DENIED, AUTHZ_DENIED_NO_USER, AUTHZ_NEUTRAL, AUTHZ_GENERAL_ERROR",
};

/// The allowed results of a function.
struct Answers {
    known: &'static [u32],
    allowed: &'static str,
}

/// The result of a function.
enum Answer {
    Truth(bool),
    Number(u32),
}

/// A bool, or one of httpd's codes.
fn truth_or(answer: &Object<'_>, handler: &Handler<'_>, answers: &Answers) -> Result<Answer, Raised> {
    let attached = answer.attached();
    // A bool is an int too.
    if answer.is_bool() {
        return answer.is_true().map(Answer::Truth);
    }
    let number = match answer.is_int() {
        true => answer.to_i64().map_err(|raised| raised.clear(attached)).ok(),
        false => None,
    };
    let known = number.and_then(|number| answers.known.iter().find(|known| i64::from(**known) == number));
    known.map(|known| Answer::Number(*known)).ok_or_else(|| wrong_answer(answer, handler, answers))
}

/// The exception for a wrong result. It does not show texts, which may be secret.
fn wrong_answer(answer: &Object<'_>, handler: &Handler<'_>, answers: &Answers) -> Raised {
    let shown = match answer.is_int() {
        true => answer.display(),
        false => format!("an object of the class {}", answer.type_name()),
    };
    Raised::type_error(answer.attached(), format!("'{}' must return {}, not {shown}", handler.text, answers.allowed))
}

/// Logs that no directive names the provider's function.
fn unnamed(provider: &str, directive: &str) -> raw::authn_status {
    tracing::error!(
        "MP0415: '{provider}' has no function to call: write '{directive} module[::object]' in the same section"
    );
    raw::authn_status_AUTH_GENERAL_ERROR
}

/// Calls a function with the request and `more`; `None` if that failed, which is logged.
fn ask<'r, T>(
    request: Request<'r>,
    detached: &mut Detached<'_>,
    handler: &Handler<'r>,
    more: impl for<'i> FnOnce(Attached<'i>) -> Result<Vec<Object<'i>>, Raised>,
    read: impl for<'i> FnOnce(&Object<'i>) -> Result<T, Raised>,
) -> Option<T> {
    let config = request.directory_config::<DirectoryConfig>()?;
    let name = interpreter_name(request, &config.settings, Some(&handler.section));
    consult(request, detached, request.pool().value(*handler), &name, |running, lookup, object| {
        let more = more(running.running.attached)?;
        match resolve::call(&running.running, lookup, handler, object, &more)? {
            Some(answer) => read(&answer),
            None => {
                let message = format!("there is no '{}'", handler.text);
                Err(Raised::attribute_error(running.running.attached, message))
            }
        }
    })
}

/// Has a program say something about a request, with the request's object; `None` if that failed, which is logged.
pub(super) fn consult<'r, T>(
    request: Request<'r>,
    detached: &mut Detached<'_>,
    handler: &'r Handler<'r>,
    interpreter: &[u8],
    program: impl for<'c> FnOnce(&RunningForRequest<'_, 'c>, &Lookup<'r>, &Object<'c>) -> Result<T, Raised>,
) -> Option<T> {
    let config = request.directory_config::<DirectoryConfig>()?;
    expect_end_of_subrequest(request);
    let lookup = Lookup::of_request(request, &config.settings);
    let selected = Selected { handlers: std::slice::from_ref(handler), extension: None };
    let handlers = Some((handler.directive, &selected));
    let done = callback::for_request(detached, request, interpreter, &|| handler.describe(), handlers, |running| {
        let said = running.callback.object().and_then(|object| program(running, &lookup, &object));
        let running = &running.running;
        said.map_err(|raised| Failure { handler, running }.log(&raised.fetch(running.attached))).ok()
    });
    let Done { result, output, .. } = done.ok()?;
    // The next write reports a failure.
    let _ = output.map(|mut output| output.pass(request));
    result
}
