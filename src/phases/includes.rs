//! Server-side includes: `<!--#python eval="…" -->` and `<!--#python exec="…" -->` in mod_include's pages.

use std::ffi::CStr;
use std::ptr;

use crate::config::{DirectoryConfig, interpreter_name};
use crate::cpython::{Attached, Exception, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Brigade, Direction, Filter, Request, Stream, bytes_at};
use crate::interpreter::Interpreter;
use crate::objects::filter::{FilterContext, FilterObject};
use crate::objects::{Callback, write_printed};

use super::enter::enter;
use super::entry::request_entry;
use super::report::{log_traceback, summary, titled_page};
use super::resolve;

const TAG: &CStr = c"python";
const OK: i32 = raw::APR_SUCCESS as i32;

/// Gives mod_include the tag, if it is loaded. It has its own tags ready by then (it registers its hook as the very first).
///
/// # Safety
/// Called in httpd's `post_config`.
pub unsafe fn register() {
    // SAFETY: mod_include keeps both, which are static.
    unsafe { raw::mp_shim_ssi_register(TAG.as_ptr(), Some(python)) };
}

/// What a tag wants.
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
        request_entry((*filter).r, raw::APR_EGENERAL as i32, |request| {
            let flags = (*context).flags as u32;
            if flags & raw::SSI_FLAG_PRINTING == 0 {
                return OK;
            }
            let done = match flags & raw::SSI_FLAG_NO_EXEC != 0 {
                true => {
                    tracing::error!(
                        "MP0416: <!--#python --> in {} is not run: Options IncludesNoExec is set for it; Options Includes allows it",
                        page(request)
                    );
                    false
                }
                false => match parameters(context, request) {
                    Some(wanted) => run(request, filter, brigade, &wanted),
                    None => false,
                },
            };
            if !done {
                raw::mp_shim_ssi_error(context, filter, brigade);
            }
            OK
        })
    }
}

/// The page, for messages.
fn page(request: Request<'_>) -> String {
    String::from_utf8_lossy(request.filename().unwrap_or_default()).into_owned()
}

/// The tag's one parameter; `None` when it is not as it must be, which the log says.
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
        // All of them are read, as mod_include expects.
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

/// Runs the code; whether that went well. The log says what did not.
unsafe fn run(
    request: Request<'_>,
    filter: *mut raw::ap_filter_t,
    brigade: *mut raw::apr_bucket_brigade,
    wanted: &Wanted,
) -> bool {
    let Some(config) = request.directory_config::<DirectoryConfig>() else { return false };
    let name = interpreter_name(request, &config.settings, None);
    let Ok((interpreter, guard)) = enter(&name, || described(request)) else { return false };
    let attached = guard.attached();
    let callback = Callback::begin(attached, interpreter, request, None);
    // SAFETY: mod_include's brigade is live during its call.
    let stream = Stream::within(unsafe { Brigade::from_raw(brigade) }, request);
    let mut context = FilterContext::within(filter, stream);
    let ran = call(attached, interpreter, &callback, &mut context, config, wanted);
    let done = match ran {
        Ok(()) => true,
        Err(raised) => {
            let exception = raised.fetch(attached);
            // SAFETY: mod_include's filter is live during its call.
            let filter = unsafe { Filter::from_raw(filter) };
            let failure = Failure { request, interpreter, callback: &callback, filter };
            failure.report(attached, &mut context, config.settings.debug(), &exception)
        }
    };
    drop(callback);
    write_printed(attached);
    done
}

/// A tag whose code has failed.
struct Failure<'a> {
    request: Request<'a>,
    interpreter: &'static Interpreter,
    callback: &'a Callback<'a>,
    filter: Filter<'a>,
}

impl Failure<'_> {
    /// Logs the error, and with `PythonDebug On` shows it in the page; false for mod_include's error text.
    fn report(
        &self,
        attached: Attached<'_>,
        context: &mut FilterContext,
        debug: bool,
        exception: &Exception<'_>,
    ) -> bool {
        let described = described(self.request);
        let (summary, traceback) = (summary(exception), exception.traceback());
        self.callback.take_back();
        attached.detach(|| {
            if context.failed.is_some() {
                // Not the code's fault: what it writes to has failed.
                tracing::info!("MP0414: {described} in interpreter '{}': {summary}", self.interpreter.display_name());
                return true;
            }
            tracing::error!(
                "MP0418: {described} in interpreter '{}' raised {summary}",
                self.interpreter.display_name()
            );
            log_traceback(&described, &traceback);
            if debug {
                self.show(context, &titled_page(&described, &traceback));
            }
            false
        })
    }

    fn show(&self, context: &mut FilterContext, page: &str) {
        if let Some(stream) = &mut context.stream {
            // A client that is gone is noticed by whoever writes next.
            let _ = stream.write(self.filter, page.as_bytes());
        }
    }
}

fn described(request: Request<'_>) -> String {
    format!("<!--#python --> in {}", page(request))
}

fn call(
    attached: Attached<'_>,
    interpreter: &'static Interpreter,
    callback: &Callback<'_>,
    context: &mut FilterContext,
    config: &DirectoryConfig<'_>,
    wanted: &Wanted,
) -> Result<(), Raised> {
    let equipment = crate::objects::equipment::equipment_of(attached, interpreter)?;
    if let Some(path) = config.settings.path {
        resolve::use_path(attached, equipment, path.text)?;
    }
    let request = callback.object()?;
    let (object, lease) = FilterObject::create(attached, interpreter, callback.shared(), Direction::Output, &request)?;
    // SAFETY: the context outlives this function.
    let lent = unsafe { lease.lend_during(attached, context) };
    callback.write_to(Some(&object));
    let ran = (|| {
        let includes = Object::import(attached, c"mod_python._includes")?;
        let code = Object::text(attached, &wanted.code)?;
        let is_exec = Object::bool(attached, wanted.is_exec);
        includes.call_method(c"run", [&object, &is_exec, &code])
    })();
    callback.write_to(None);
    drop(lent);
    ran.map(drop)
}
