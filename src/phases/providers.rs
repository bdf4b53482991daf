//! Python behind httpd's own authentication and authorization: `AuthBasicProvider python`, `AuthDigestProvider python`,
//! `Require python`.

use std::ffi::{c_char, c_void};
use std::ptr;

use crate::config::{DirectoryConfig, HandlerEntry, Requirement, Selected, interpreter_name, parse_require};
use crate::cpython::{Attached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Request, bytes_at};
use crate::objects::{Callback, write_printed};

use super::enter::enter;
use super::entry::request_entry;
use super::report::log_failure;
use super::resolve::{self, Lookup};

/// The name of the providers in httpd's configuration.
const NAME: &std::ffi::CStr = c"python";

/// A record that httpd reads and never writes.
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

/// Makes the providers known.
///
/// # Safety
/// Called while httpd registers the module's hooks, with the pool that it gives.
pub unsafe fn register(pool: *mut raw::apr_pool_t) {
    // SAFETY: names and records are statics. They decide by URI, as the phases' hooks.
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
        let status = request_entry(request, raw::authn_status_AUTH_GENERAL_ERROR as i32, |request| {
            let entry = request.directory_config::<DirectoryConfig>().and_then(|config| config.basic_provider);
            let Some(entry) = entry else { return unnamed("AuthBasicProvider python", "PythonAuthBasicProvider") };
            let answer = ask(
                request,
                entry,
                |attached| Ok(vec![Object::text(attached, user)?, Object::text(attached, password)?]),
                |answer| {
                    if answer.is_none() {
                        return Ok(raw::authn_status_AUTH_USER_NOT_FOUND);
                    }
                    truth_or(answer, entry, &BASIC_ANSWERS).map(|answer| match answer {
                        Answer::Truth(true) => raw::authn_status_AUTH_GRANTED,
                        Answer::Truth(false) => raw::authn_status_AUTH_DENIED,
                        Answer::Number(number) => number,
                    })
                },
            );
            answer.unwrap_or(raw::authn_status_AUTH_GENERAL_ERROR) as i32
        });
        status as raw::authn_status
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
        let status = request_entry(request, raw::authn_status_AUTH_GENERAL_ERROR as i32, |request| {
            let entry = request.directory_config::<DirectoryConfig>().and_then(|config| config.digest_provider);
            let Some(entry) = entry else { return unnamed("AuthDigestProvider python", "PythonAuthDigestProvider") };
            let answer = ask(
                request,
                entry,
                |attached| Ok(vec![Object::text(attached, user)?, Object::text(attached, realm)?]),
                |answer| {
                    if answer.is_none() {
                        return Ok(raw::authn_status_AUTH_USER_NOT_FOUND);
                    }
                    if !answer.is_str() {
                        return match truth_or(answer, entry, &DIGEST_ANSWERS)? {
                            Answer::Number(number) => Ok(number),
                            Answer::Truth(_) => Err(wrong_answer(answer, entry, &DIGEST_ANSWERS)),
                        };
                    }
                    let text = answer.to_utf8()?;
                    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                        return Err(wrong_answer(answer, entry, &DIGEST_ANSWERS));
                    }
                    *hash = request.pool().c_string(text.to_ascii_lowercase().as_bytes()).as_ptr().cast_mut();
                    Ok(raw::authn_status_AUTH_USER_FOUND)
                },
            );
            answer.unwrap_or(raw::authn_status_AUTH_GENERAL_ERROR) as i32
        });
        status as raw::authn_status
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
        let status = request_entry(request, raw::authz_status_AUTHZ_GENERAL_ERROR as i32, |request| {
            let answer = ask(
                request,
                handler,
                |attached| arguments.iter().map(|argument| Object::str(attached, argument)).collect(),
                |answer| {
                    truth_or(answer, handler, &REQUIRE_ANSWERS).map(|answer| match answer {
                        Answer::Truth(true) => raw::authz_status_AUTHZ_GRANTED,
                        // Where users are known, it has to be said first who it is: httpd has them authenticated, and asks again.
                        Answer::Truth(false) if request.fields().user.is_null() && request.auth_type().is_some() => {
                            raw::authz_status_AUTHZ_DENIED_NO_USER
                        }
                        Answer::Truth(false) => raw::authz_status_AUTHZ_DENIED,
                        Answer::Number(number) => number,
                    })
                },
            );
            answer.unwrap_or(raw::authz_status_AUTHZ_GENERAL_ERROR) as i32
        });
        status as raw::authz_status
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

/// What a function may return.
struct Answers {
    known: &'static [u32],
    allowed: &'static str,
}

/// What a function has returned.
enum Answer {
    Truth(bool),
    Number(u32),
}

/// A truth value, or one of httpd's numbers.
fn truth_or(answer: &Object<'_>, entry: &HandlerEntry<'_>, answers: &Answers) -> Result<Answer, Raised> {
    let attached = answer.attached();
    // A bool is an int too, so it is told by its class.
    if answer.is_int() && !answer.is_exact_int() && answer.type_name() == "bool" {
        return answer.is_true().map(Answer::Truth);
    }
    let number = match answer.is_int() {
        true => answer.to_i64().map_err(|raised| raised.clear(attached)).ok(),
        false => None,
    };
    let known = number.and_then(|number| answers.known.iter().find(|known| i64::from(**known) == number));
    known.map(|known| Answer::Number(*known)).ok_or_else(|| wrong_answer(answer, entry, answers))
}

/// The exception for what a function must not return. Of a text, only that it is one: it may be half a password.
fn wrong_answer(answer: &Object<'_>, entry: &HandlerEntry<'_>, answers: &Answers) -> Raised {
    let shown = match answer.is_int() {
        true => answer.display(),
        false => format!("an object of the class {}", answer.type_name()),
    };
    Raised::type_error(answer.attached(), format!("'{}' must return {}, not {shown}", entry.text, answers.allowed))
}

/// A provider that is asked where no directive names its function.
fn unnamed(provider: &str, directive: &str) -> i32 {
    tracing::error!(
        "MP0415: '{provider}' has no function to ask: write '{directive} module[::object]' in the same section"
    );
    raw::authn_status_AUTH_GENERAL_ERROR as i32
}

/// Calls a function with the request and `more`; `None` when that failed, which the log says.
fn ask<'r, T>(
    request: Request<'r>,
    entry: &HandlerEntry<'r>,
    more: impl for<'i> FnOnce(Attached<'i>) -> Result<Vec<Object<'i>>, Raised>,
    read: impl for<'i> FnOnce(&Object<'i>) -> Result<T, Raised>,
) -> Option<T> {
    let config = request.directory_config::<DirectoryConfig>()?;
    super::ending::expect_end_of_subrequest(request);
    let name = interpreter_name(request, &config.settings, Some(&entry.section));
    let (interpreter, guard) = enter(&name, || entry.describe()).ok()?;
    let attached = guard.attached();
    let selected = Selected { handlers: request.pool().slice(&[*entry]), extension: None };
    let callback = Callback::begin(attached, interpreter, request, Some((entry.directive, &selected)));
    let answered = (|| {
        let equipment = crate::objects::equipment::equipment_of(attached, interpreter)?;
        let lookup = Lookup::of_request(request, &config.settings);
        let object = callback.object()?;
        let more = more(attached)?;
        match resolve::call(attached, equipment, &lookup, entry, &object, &more)? {
            Some(answer) => read(&answer),
            None => Err(Raised::attribute_error(attached, format!("there is no '{}'", entry.text))),
        }
    })();
    let answer = match answered {
        Ok(answer) => Some(answer),
        Err(raised) => {
            log_failure(attached, entry, interpreter, &raised.fetch(attached));
            None
        }
    };
    drop(callback);
    write_printed(attached);
    answer
}
