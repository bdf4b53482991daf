//! Server-side includes: `<!--#python eval="…" -->` and `<!--#python exec="…" -->` in mod_include's pages.

use std::ffi::CStr;
use std::ptr;
use std::sync::Arc;

use crate::config::{DirectoryConfig, Flag, interpreter_name};
use crate::cpython::{Detached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{AprStatus, Brigade, Direction, Filter, Request, Stream, bytes_at};
use crate::objects::filter::{FilterContext, FilterObject};

use super::callback::{self, Done, RunningForRequest};
use super::hook;
use super::report::{log_traceback, summary, titled_page, traceback};
use super::resolve;

const TAG: &CStr = c"python";

/// Registers the tag with mod_include, if that is loaded. Its table of tags exists by then, since its hook runs first.
///
/// # Safety
/// Called in httpd's `post_config`.
pub unsafe fn register() {
    // SAFETY: mod_include keeps both, which are static.
    unsafe { raw::mp_shim_ssi_register(TAG.as_ptr(), Some(python)) };
}

/// The parameter of a tag.
struct Wanted {
    is_exec: bool,
    code: Vec<u8>,
}

/// mod_include's call for a tag.
unsafe extern "C" fn python(
    context: *mut raw::include_ctx_t,
    filter: *mut raw::ap_filter_t,
    brigade: *mut raw::apr_bucket_brigade,
) -> raw::apr_status_t {
    // SAFETY: mod_include's call: all are live.
    unsafe {
        let status = hook::request((*filter).r, AprStatus::GENERAL, |request, detached| {
            let flags = (*context).flags as u32;
            if flags & raw::SSI_FLAG_PRINTING == 0 {
                return AprStatus::SUCCESS;
            }
            let is_done = match flags & raw::SSI_FLAG_NO_EXEC != 0 {
                true => {
                    tracing::error!(
                        "MP0416: <!--#python --> in {} is not run: Options IncludesNoExec is set for it; Options Includes allows it",
                        page(request)
                    );
                    false
                }
                false => match parameters(context, request) {
                    Some(wanted) => run(request, detached, filter, brigade, &wanted),
                    None => false,
                },
            };
            if !is_done {
                raw::mp_shim_ssi_error(context, filter, brigade);
            }
            AprStatus::SUCCESS
        });
        status.0
    }
}

/// The page, for messages.
fn page(request: Request<'_>) -> String {
    String::from_utf8_lossy(request.filename().unwrap_or_default()).into_owned()
}

/// The tag's parameter; `None` if the parameters are wrong, which is logged.
unsafe fn parameters(context: *mut raw::include_ctx_t, request: Request<'_>) -> Option<Wanted> {
    let mut wanted = None;
    let mut problem = None;
    loop {
        let (mut name, mut value) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: mod_include fills both with strings of its own pools.
        let (name, value) = unsafe {
            raw::mp_shim_ssi_next(context, &mut name, &mut value);
            (bytes_at(name), bytes_at(value))
        };
        // All parameters have to be read.
        let Some(name) = name else { break };
        let shown = String::from_utf8_lossy(name).into_owned();
        let found = match (name, value) {
            (_, None | Some(b"")) => Err(format!("{shown} is empty")),
            (b"eval" | b"exec", Some(_)) if wanted.is_some() => Err(format!("{shown} follows another eval or exec")),
            (b"eval" | b"exec", Some(code)) => Ok(Wanted { is_exec: name == b"exec", code: code.to_vec() }),
            _ => Err(format!("'{shown}' is not known")),
        };
        match found {
            Ok(found) => wanted = Some(found),
            Err(sentence) => problem = problem.or(Some(sentence)),
        }
        if value.is_none() {
            break;
        }
    }
    let problem = problem.or_else(|| wanted.is_none().then(|| "it has no parameter".to_owned()));
    match problem {
        None => wanted,
        Some(sentence) => {
            tracing::error!(
                "MP0417: <!--#python --> in {} is not run: {sentence}; it takes one of eval=\"expression\" and exec=\"statements\", once",
                page(request)
            );
            None
        }
    }
}

/// Runs the code; false if it failed, which is logged.
unsafe fn run(
    request: Request<'_>,
    detached: &mut Detached<'_>,
    filter: *mut raw::ap_filter_t,
    brigade: *mut raw::apr_bucket_brigade,
    wanted: &Wanted,
) -> bool {
    let Some(config) = request.directory_config::<DirectoryConfig>() else { return false };
    let name = interpreter_name(request, &config.settings, None);
    // SAFETY: mod_include's brigade is live during its call.
    let stream = Stream::within(unsafe { Brigade::from_raw(brigade) }, request);
    let mut context = FilterContext::within(filter, stream);
    let done = callback::for_request(detached, request, &name, &|| described(request), None, |running| {
        call(running, &raw mut context, config, wanted).map_err(|raised| {
            let exception = raised.fetch(running.running.attached);
            (summary(&exception), traceback(&exception), running.running.interpreter.display_name().into_owned())
        })
    });
    let Ok(Done { result, .. }) = done else { return false };
    let Err((summary, traceback, interpreter)) = result else { return true };
    let described = described(request);
    if context.failed.is_some() {
        // Writing has failed, so this is not an error of the code.
        tracing::info!("MP0414: {described} in interpreter '{interpreter}': {summary}");
        return true;
    }
    tracing::error!("MP0418: {described} in interpreter '{interpreter}' raised {summary}");
    log_traceback(&described, &traceback);
    if config.settings.is_on(Flag::Debug) {
        if let Some(stream) = &mut context.stream {
            // The next write reports that the client has closed the connection.
            // SAFETY: mod_include's filter is live during its call.
            let _ = stream.write(unsafe { Filter::from_raw(filter) }, titled_page(&described, &traceback).as_bytes());
        }
    }
    false
}

fn described(request: Request<'_>) -> String {
    format!("<!--#python --> in {}", page(request))
}

fn call(
    running: &RunningForRequest<'_, '_>,
    context: *mut FilterContext,
    config: &DirectoryConfig<'_>,
    wanted: &Wanted,
) -> Result<(), Raised> {
    let RunningForRequest { running, callback } = running;
    let attached = running.attached;
    if let Some(path) = config.settings.path {
        resolve::use_path(attached, running.module_state, path.text)?;
    }
    let request = callback.object()?;
    let record = Arc::clone(callback.record());
    let (object, handle) = FilterObject::create(attached, running.interpreter, record, Direction::Output, &request)?;
    // SAFETY: the context outlives this function.
    let valid = unsafe { handle.validate_during(attached, context) };
    callback.write_to(Some(&object));
    let run = || {
        let includes = Object::import(attached, c"mod_python._includes")?;
        let code = Object::text(attached, &wanted.code)?;
        let is_exec = Object::bool(attached, wanted.is_exec);
        includes.call_method(c"run", [&object, &is_exec, &code])
    };
    let ran = run();
    callback.write_to(None);
    drop(valid);
    ran.map(drop)
}
