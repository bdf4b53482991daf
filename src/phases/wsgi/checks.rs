//! Scripts that are asked about a request: `WSGIAccessScript`, `WSGIAuthUserScript`, `WSGIAuthGroupScript`.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use crate::applications::wsgi::{About, Manner};
use crate::config::wsgi::{self, Group, Script};
use crate::config::{DirectoryConfig, fingerprint};
use crate::cpython::{Attached, Detached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::variables::{Name, Passed, Variables};
use crate::httpd::{Request, Status, bytes_at, is_loaded, set_field};
use crate::objects::text;
use crate::phases::hook;
use crate::phases::providers::consult;
use crate::phases::resolve;

use super::{application, with_process};

const FORBIDDEN: Status = Status(raw::HTTP_FORBIDDEN as c_int);

/// A record that httpd reads and never writes.
#[repr(transparent)]
struct Provider<T>(T);

// SAFETY: function pointers only.
unsafe impl<T> Sync for Provider<T> {}

static AUTHENTICATION: Provider<raw::authn_provider> =
    Provider(raw::authn_provider { check_password: Some(check_password), get_realm_hash: Some(get_realm_hash) });

static AUTHORIZATION: Provider<raw::authz_provider> =
    Provider(raw::authz_provider { check_authorization: Some(check_authorization), parse_require_line: None });

/// Makes the providers known, unless they are mod_wsgi's: what is registered last counts, and mod_wsgi may come later.
///
/// # Safety
/// Called while httpd registers the module's hooks, with the pool that it gives.
pub unsafe fn register(pool: *mut raw::apr_pool_t) {
    if is_loaded(c"mod_wsgi.c") {
        return;
    }
    // SAFETY: names and records are statics.
    unsafe {
        let by_uri = raw::AP_AUTH_INTERNAL_PER_URI as i32;
        raw::ap_register_auth_provider(
            pool,
            raw::AUTHN_PROVIDER_GROUP.as_ptr().cast(),
            c"wsgi".as_ptr(),
            raw::AUTHN_PROVIDER_VERSION.as_ptr().cast(),
            ptr::from_ref(&AUTHENTICATION.0).cast(),
            by_uri,
        );
        raw::ap_register_auth_provider(
            pool,
            raw::AUTHZ_PROVIDER_GROUP.as_ptr().cast(),
            c"wsgi-group".as_ptr(),
            raw::AUTHZ_PROVIDER_VERSION.as_ptr().cast(),
            ptr::from_ref(&AUTHORIZATION.0).cast(),
            by_uri,
        );
    }
}

/// httpd's `access_checker` hook.
pub unsafe extern "C" fn access_checker(request: *mut raw::request_rec) -> c_int {
    if !wsgi::is_in_use() {
        return raw::DECLINED;
    }
    // SAFETY: httpd's hook.
    unsafe {
        let script = |request: Request<'_>| request.directory_config::<DirectoryConfig>()?.wsgi?.access.copied();
        if script(Request::from_raw(request)).is_none() {
            return raw::DECLINED;
        }
        hook::request(request, Status::SERVER_ERROR, |request, detached| {
            let config = request.directory_config::<DirectoryConfig>();
            let Some(script) = config.and_then(|config| config.wsgi().access) else { return Status::DECLINED };
            let answer = ask(
                request,
                detached,
                script,
                "allow_access",
                |attached| {
                    let name = raw::REMOTE_NAME as i32;
                    let host = bytes_at(raw::ap_get_useragent_host(request.as_ptr(), name, ptr::null_mut()));
                    Ok(vec![Object::latin1(attached, host.unwrap_or_default())?])
                },
                |answer| truth(answer, "allow_access()"),
            );
            match answer {
                Some(Some(true)) => Status::OK,
                Some(Some(false)) => FORBIDDEN,
                Some(None) => Status::DECLINED,
                None => Status::SERVER_ERROR,
            }
        })
        .0
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
            let script = request.directory_config::<DirectoryConfig>().and_then(|config| config.wsgi().user);
            let Some(script) = script else { return unnamed("AuthBasicProvider wsgi", "WSGIAuthUserScript") };
            let answer = ask(
                request,
                detached,
                script,
                "check_password",
                |attached| Ok(vec![Object::latin1(attached, user)?, Object::latin1(attached, password)?]),
                |answer| {
                    let name = match answer.is_str() {
                        true => {
                            Some(text::latin1_to_httpd(answer, "the user's name from check_password()")?.into_owned())
                        }
                        false => None,
                    };
                    match name.filter(|name| !name.is_empty()) {
                        Some(name) => Ok((Some(true), Some(name))),
                        None => Ok((truth(answer, "check_password()")?, None)),
                    }
                },
            );
            match answer {
                Some((Some(true), name)) => {
                    if let Some(name) = name {
                        set_field!(request, user, request.pool().c_string(name.to_bytes()).as_ptr().cast_mut());
                    }
                    raw::authn_status_AUTH_GRANTED
                }
                Some((Some(false), _)) => raw::authn_status_AUTH_DENIED,
                Some((None, _)) => raw::authn_status_AUTH_USER_NOT_FOUND,
                None => raw::authn_status_AUTH_GENERAL_ERROR,
            }
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
            let script = request.directory_config::<DirectoryConfig>().and_then(|config| config.wsgi().user);
            let Some(script) = script else { return unnamed("AuthDigestProvider wsgi", "WSGIAuthUserScript") };
            let answer = ask(
                request,
                detached,
                script,
                "get_realm_hash",
                |attached| Ok(vec![Object::latin1(attached, user)?, Object::latin1(attached, realm)?]),
                |answer| match answer {
                    none if none.is_none() => Ok(None),
                    text if text.is_str() => Ok(Some(text.to_utf8()?.to_ascii_lowercase())),
                    other => Err(wrong(other, "get_realm_hash()", "the MD5 of user:realm:password as a str, or None")),
                },
            );
            match answer {
                Some(Some(text)) => {
                    *hash = request.pool().c_string(text.as_bytes()).as_ptr().cast_mut();
                    raw::authn_status_AUTH_USER_FOUND
                }
                Some(None) => raw::authn_status_AUTH_USER_NOT_FOUND,
                None => raw::authn_status_AUTH_GENERAL_ERROR,
            }
        })
    }
}

/// mod_authz_core asks whether a `Require wsgi-group` is met.
unsafe extern "C" fn check_authorization(
    request: *mut raw::request_rec,
    line: *const c_char,
    _parsed: *const c_void,
) -> raw::authz_status {
    // SAFETY: httpd's call: the request is live, the line a string of the configuration.
    unsafe {
        hook::request(request, raw::authz_status_AUTHZ_GENERAL_ERROR, |request, detached| {
            let script = request.directory_config::<DirectoryConfig>().and_then(|config| config.wsgi().group);
            let Some(script) = script else {
                unnamed("Require wsgi-group", "WSGIAuthGroupScript");
                return raw::authz_status_AUTHZ_GENERAL_ERROR;
            };
            let Some(user) = request.user() else { return raw::authz_status_AUTHZ_DENIED_NO_USER };
            let mut wanted = Vec::new();
            let mut rest = line;
            while !rest.is_null() && *rest != 0 {
                wanted.extend(bytes_at(raw::ap_getword_conf(request.pool().as_ptr(), &mut rest)));
            }
            let answer = ask(
                request,
                detached,
                script,
                "groups_for_user",
                |attached| Ok(vec![Object::latin1(attached, user)?]),
                |answer| {
                    if answer.is_none() {
                        return Ok(false);
                    }
                    if answer.is_str() {
                        return Err(wrong(answer, "groups_for_user()", "a list of names"));
                    }
                    for group in answer.iterate()? {
                        let group = group?;
                        if !group.is_str() {
                            return Err(wrong(&group, "groups_for_user()", "a list of names"));
                        }
                        if wanted.contains(&group.to_utf8()?.as_bytes()) {
                            return Ok(true);
                        }
                    }
                    Ok(false)
                },
            );
            match answer {
                Some(true) => raw::authz_status_AUTHZ_GRANTED,
                Some(false) => raw::authz_status_AUTHZ_DENIED,
                None => raw::authz_status_AUTHZ_GENERAL_ERROR,
            }
        })
    }
}

/// Whether an answer is yes, no or none.
fn truth(answer: &Object<'_>, function: &str) -> Result<Option<bool>, Raised> {
    match answer {
        none if none.is_none() => Ok(None),
        truth if truth.is_bool() => truth.is_true().map(Some),
        other => Err(wrong(other, function, "True, False or None")),
    }
}

fn wrong(answer: &Object<'_>, function: &str, allowed: &str) -> Raised {
    // The value may be half a password.
    let message = format!("{function} must return {allowed}, not an object of the class {}", answer.type_name());
    Raised::type_error(answer.attached(), message)
}

/// A provider that is asked where no directive names its script.
fn unnamed(provider: &str, directive: &str) -> raw::authn_status {
    tracing::error!(
        "MP0469: '{provider}' has no script to ask: write '{directive} /path/of/script' in the same section"
    );
    raw::authn_status_AUTH_GENERAL_ERROR
}

/// Calls a script's function with a short environ and `more`; `None` when that failed, which the log says.
fn ask<'r, T>(
    request: Request<'r>,
    detached: &mut Detached<'_>,
    script: &'r Script<'r>,
    function: &'static str,
    more: impl for<'i> FnOnce(Attached<'i>) -> Result<Vec<Object<'i>>, Raised>,
    read: impl for<'i> FnOnce(&Object<'i>) -> Result<T, Raised>,
) -> Option<T> {
    let group = script.options.application_group.unwrap_or(Group::Global).name(request, b"");
    let name = with_process(|process| process.interpreter(b"", &group));
    let key = fingerprint((script.directive, script.path, function));
    let application = application(script, function, key, request.pool());
    let mut variables = Variables::of(request, request.uri().unwrap_or_default(), b"", Passed::default());
    // As with mod_wsgi: what a .htaccess file can set has no say in who may do what.
    variables.all.retain(|(name, _)| !matches!(name, Name::Environment(_)));
    let about = About { fingerprint: key, object: function, ..About::default() };
    consult(request, detached, &application.handler, &name, |running, lookup, object| {
        let found = resolve::application(&running.running, lookup, application)?;
        let exchange = running.exchange(object, Manner::Wsgi);
        read(&exchange.ask(&found, &about, &variables, &more(running.running.attached)?)?)
    })
}
