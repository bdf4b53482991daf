//! Directives that name scripts.

use std::ffi::CStr;

use super::super::Outcome;
use super::super::reading::Reading;
use crate::config::error::ConfigError;
use crate::config::wsgi::{Group, HandlerScript, Pattern, Script, ScriptAlias, ScriptImport, ScriptOptions};
use crate::ffi::httpd as raw;
use crate::httpd::bytes_at;

/// The keys of a script's line.
const PROCESS: &str = "process-group";
const APPLICATION: &str = "application-group";
const CALLABLE: &str = "callable-object";
const PASS: &str = "pass-authorization";

/// `WSGIScriptAlias URL-path script|folder [key=value …]`
pub(super) fn alias(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    let usage =
        "a URL path, then the path of a script or of a folder of scripts, as in 'WSGIScriptAlias / /srv/site/app.wsgi'";
    let [prefix, path, options @ ..] = words else { return Err(missing("WSGIScriptAlias", usage)) };
    let prefix = reading.text(prefix)?;
    if !prefix.starts_with('/') {
        return Err(missing("WSGIScriptAlias", usage));
    }
    let script = script(reading, "WSGIScriptAlias", path, options, &[PROCESS, APPLICATION, CALLABLE, PASS])?;
    add(reading, ScriptAlias { pattern: Pattern::Prefix(prefix.as_bytes()), script });
    Ok(())
}

/// `WSGIScriptAliasMatch expression script|folder [key=value …]`
pub(super) fn alias_match(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    const NAME: &str = "WSGIScriptAliasMatch";
    let usage =
        "an expression, then the path of a script, as in 'WSGIScriptAliasMatch ^/site/([^/]+) /srv/site/$1.wsgi'";
    let [expression, path, options @ ..] = words else { return Err(missing(NAME, usage)) };
    let keys = [PROCESS, APPLICATION, CALLABLE, PASS];
    let script = script(reading, NAME, path, options, &keys)?;
    // SAFETY: a C string; the expression is made in the pool.
    let regex = unsafe { raw::ap_pregcomp(reading.pool().as_ptr(), expression.as_ptr(), raw::AP_REG_EXTENDED as i32) };
    if regex.is_null() {
        let value = expression.to_string_lossy().into_owned();
        return Err(ConfigError::NotAWsgiValue { directive: NAME, value, allowed: "a regular expression" });
    }
    add(reading, ScriptAlias { pattern: Pattern::Match(regex), script });
    Ok(())
}

fn add<'p>(reading: &mut Reading<'p>, alias: ScriptAlias<'p>) {
    let pool = reading.pool();
    let record = reading.server_record();
    record.script_aliases = pool.slice(&[record.script_aliases, &[alias]].concat());
    // With both groups named it is loaded when a child starts, if it is known which file that is.
    let ScriptOptions { process_group, application_group, .. } = alias.script.options;
    let groups = process_group.zip(application_group).filter(|_| alias.is_fixed());
    let groups = groups.and_then(|(process, application)| Some((process.fixed()?, application.fixed()?)));
    if let (Some((process, application)), Some(generation)) = (groups, reading.generation()) {
        generation.wsgi.imports.push(import_of(&alias.script, process, application));
    }
}

fn import_of(script: &Script<'_>, process: &[u8], application: &[u8]) -> ScriptImport {
    ScriptImport {
        directive: script.directive,
        path: script.path.to_bytes().to_vec(),
        process_group: process.to_vec(),
        application_group: application.to_vec(),
        place: format!("{}:{}", script.origin.file, script.origin.line),
    }
}

/// `WSGIHandlerScript name script [key=value …]`
pub(super) fn handler(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    const NAME: &str = "WSGIHandlerScript";
    let [name, path, options @ ..] = words else {
        return Err(missing(NAME, "a name for SetHandler, then the path of a script that has handle_request"));
    };
    let script = script(reading, NAME, path, options, &[PROCESS, APPLICATION, PASS])?;
    let script: &_ = reading.pool().value(script);
    let pool = reading.pool();
    let fresh = HandlerScript { name: pool.slice(name.to_bytes()), script };
    reading.set_wsgi(|settings| settings.handlers = pool.slice(&[&[fresh], settings.handlers].concat()));
    Ok(())
}

/// `WSGIAccessScript script [application-group=name]`
pub(super) fn access(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    let script = checking(reading, "WSGIAccessScript", "allow_access", words)?;
    reading.set_wsgi(|settings| settings.access = Some(script));
    Ok(())
}

/// `WSGIAuthUserScript script [application-group=name]`
pub(super) fn user(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    let script = checking(reading, "WSGIAuthUserScript", "check_password or get_realm_hash", words)?;
    reading.set_wsgi(|settings| settings.user = Some(script));
    Ok(())
}

/// `WSGIAuthGroupScript script [application-group=name]`
pub(super) fn group(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    let script = checking(reading, "WSGIAuthGroupScript", "groups_for_user", words)?;
    reading.set_wsgi(|settings| settings.group = Some(script));
    Ok(())
}

/// A script that is asked about a request. Unless it says so, it is in the main interpreter.
fn checking<'p>(
    reading: &mut Reading<'p>,
    directive: &'static str,
    function: &str,
    words: &[&CStr],
) -> Result<&'p Script<'p>, ConfigError> {
    let [path, options @ ..] = words else {
        return Err(missing(directive, &format!("the path of a script that has {function}")));
    };
    let mut script = script(reading, directive, path, options, &[APPLICATION])?;
    script.options.application_group.get_or_insert(Group::Global);
    Ok(reading.pool().value(script))
}

/// `WSGIImportScript script process-group=name application-group=name`
pub(super) fn import(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    const NAME: &str = "WSGIImportScript";
    let usage = "the path of a script, then process-group= and application-group=, both with a name or %{GLOBAL}";
    reading.expect_main_server(NAME)?;
    let [path, options @ ..] = words else { return Err(missing(NAME, usage)) };
    let script = script(reading, NAME, path, options, &[PROCESS, APPLICATION])?;
    let group = |group: Option<Group<'_>>, server: &[u8]| match group {
        Some(Group::Server) => Some(server.to_vec()),
        group => group?.fixed().map(<[u8]>::to_vec),
    };
    let server = reading.server().hostname();
    let groups = group(script.options.process_group, server).zip(group(script.options.application_group, server));
    let Some((process, application)) = groups else { return Err(missing(NAME, usage)) };
    if let Some(generation) = reading.generation() {
        generation.wsgi.imports.push(import_of(&script, &process, &application));
    }
    Ok(())
}

/// A script with what stands behind it.
fn script<'p>(
    reading: &mut Reading<'p>,
    directive: &'static str,
    path: &CStr,
    options: &[&CStr],
    keys: &[&'static str],
) -> Result<Script<'p>, ConfigError> {
    let pool = reading.pool();
    let mut read = ScriptOptions::default();
    for option in options {
        let option = reading.text(option)?;
        let unknown = || ConfigError::UnknownWsgiKey { directive, option: option.to_owned(), keys: keys.join("=, ") };
        let (key, value) = option.split_once('=').filter(|(key, _)| keys.contains(key)).ok_or_else(unknown)?;
        match key {
            PROCESS => read.process_group = Some(Group::process(value, pool)?),
            APPLICATION => read.application_group = Some(Group::application(value, pool)?),
            CALLABLE => read.callable = Some(value),
            _ => {
                read.pass_authorization = Some(match value {
                    on if on.eq_ignore_ascii_case("on") => true,
                    off if off.eq_ignore_ascii_case("off") => false,
                    _ => return Err(unknown()),
                });
            }
        }
    }
    reading.uses_python();
    let text = reading.text(path)?;
    // SAFETY: a C string; the path is made in the pool, or is null for one that cannot be.
    let absolute = unsafe { bytes_at(raw::ap_server_root_relative(pool.as_ptr(), path.as_ptr())) };
    // What is a folder stays one.
    let slash = if path.to_bytes().ends_with(b"/") { b"/".as_slice() } else { b"" };
    let absolute = absolute.map(|path| path.strip_suffix(b"/").unwrap_or(path));
    let path = pool.c_string(&absolute.map_or(path.to_bytes().to_vec(), |path| [path, slash].concat()));
    Ok(Script { directive, path, text, options: read, origin: reading.origin() })
}

fn missing(directive: &'static str, usage: &str) -> ConfigError {
    ConfigError::MissingScript { directive, usage: usage.to_owned() }
}
