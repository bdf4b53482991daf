//! Applications: which requests are theirs, and the call.

use std::borrow::Cow;
use std::ffi::c_int;
use std::mem;
use std::ptr;

use crate::applications::wsgi::{About, Ending, Exchange, Manner};
use crate::config::{
    Application, Choice, DirectoryConfig, Flag, Phase, Section, Selected, Settings, Source, application,
    interpreter_name, server_config,
};
use crate::cpython::{Detached, Instance, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::variables::{Passed, Variables};
use crate::httpd::{Request, Status, bytes_at, field, set_field};
use crate::objects::request::RequestObject;
use crate::objects::wsgi::running::{self, Split};
use crate::process::caught;

use super::callback::{self, Done, RunningForRequest};
use super::hook;
use super::list::expect_end_of_subrequest;
use super::outcome::{Answer, Outcome};
use super::report::{self, Failure};
use super::resolve::{self, Lookup};

/// A hook of httpd's that maps requests, decided before anything is set up, since httpd calls it for every request.
///
/// # Safety
/// `request` is what httpd called the hook with.
#[inline]
pub(super) unsafe fn mapping(
    request: *mut raw::request_rec,
    is_in_use: bool,
    work: fn(Request<'_>) -> Status,
) -> c_int {
    if !is_in_use {
        return raw::DECLINED;
    }
    // SAFETY: the caller's. The work allocates from the pool of the request, which nobody else uses yet.
    let status = caught(|| work(unsafe { Request::from_raw(request) })).unwrap_or_else(|panic| {
        tracing::error!("MP0102: mod_python has a defect: {panic}. The request is answered with 500, the child goes on; please report this.");
        Status::SERVER_ERROR
    });
    status.0
}

/// httpd's `translate_name` hook, after mod_alias: what nobody has mapped.
pub unsafe extern "C" fn translate_name(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe {
        mapping(request, application::is_in_use(), |request| match mounted(request) {
            Some(mount) => {
                mount.map(request);
                Status::OK
            }
            None => Status::DECLINED,
        })
    }
}

/// httpd's `map_to_storage` hook, before the core's: an application that is a module has no file, so there is none to look for.
pub unsafe extern "C" fn map_to_storage(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe {
        mapping(request, application::is_in_use(), |request| {
            // An Alias can have mapped a part of the URL space that an application has a part of.
            if let Some(mount) = mounted_within_alias(request) {
                mount.map(request);
            }
            let is_ours = request.handler() == Some(application::HANDLER.to_bytes());
            let has_no_file = request.filename().is_some_and(|name| name.starts_with(application::NO_FILE));
            if is_ours && has_no_file { Status::OK } else { Status::DECLINED }
        })
    }
}

/// httpd's `fixups` hook: the application of a section, unless another handler was chosen.
pub unsafe extern "C" fn fixups(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe {
        mapping(request, application::is_in_use(), |request| {
            if let Some(mount) = belongs(request).filter(|mount| mount.is_mapped(request)) {
                // An AddHandler for the extension of the application's file is not meant for it.
                set_handler(request, mount.application);
                return Status::DECLINED;
            }
            let config = request.directory_config::<DirectoryConfig>();
            let Some(Choice::Application(application)) = config.and_then(|config| config.application) else {
                return Status::DECLINED;
            };
            if !field!(request, handler).is_null() {
                return Status::DECLINED;
            }
            // A Location's has been mapped, unless an Alias has the request. httpd asks for a Location's configuration only now again.
            match within_location(application, request.uri().unwrap_or_default()) {
                None => set_handler(request, application),
                Some(mount) if mount.is_within_alias(request) => mount.map(request),
                Some(_) => {}
            }
            Status::DECLINED
        })
    }
}

/// httpd's `handler` hook.
pub unsafe extern "C" fn handler(request: *mut raw::request_rec) -> c_int {
    if !application::is_in_use() {
        return raw::DECLINED;
    }
    // SAFETY: httpd's hook.
    unsafe {
        match of_request(Request::from_raw(request)) {
            Some(_) => hook::request(request, Status::SERVER_ERROR, serve).0,
            None => raw::DECLINED,
        }
    }
}

/// The application that a request was mapped to, or that its section has if httpd's configuration says that this is the handler.
fn of_request<'r>(request: Request<'r>) -> Option<&'r Application<'r>> {
    let handler = field!(request, handler);
    if request.handler() != Some(application::HANDLER.to_bytes()) {
        return None;
    }
    let config = request.directory_config::<DirectoryConfig>();
    let mounted = server_config(request.server()).and_then(|config| config.application_named(handler));
    mounted.or_else(|| match config?.application? {
        Choice::Application(application) => Some(application),
        Choice::None => None,
    })
}

/// An application that a request's URL belongs to.
struct Mount<'r> {
    application: &'r Application<'r>,
    /// How much of the URL's path is the application's own.
    script_name: usize,
}

/// The application that a request is to be mapped to, unless another module has it already.
fn mounted<'r>(request: Request<'r>) -> Option<Mount<'r>> {
    if field!(request, handler).is_null() { belongs(request) } else { None }
}

/// The same for a request that an Alias has mapped, with less of its URL than the application has.
fn mounted_within_alias<'r>(request: Request<'r>) -> Option<Mount<'r>> {
    if !field!(request, handler).is_null() || alias_of(request).is_empty() {
        return None;
    }
    // httpd has put the configuration of the server in place of that of the request's sections, and puts them together again later.
    let configuration = field!(request, per_dir_config);
    // SAFETY: the request is live, in the midst of being mapped, which is when httpd itself calls this.
    let walked = Status(unsafe { raw::ap_location_walk(request.as_ptr()) });
    let mount = if walked == Status::OK { mounted(request) } else { None };
    set_field!(request, per_dir_config, configuration);
    mount.filter(|mount| mount.is_within_alias(request))
}

/// The prefix of the Alias that has mapped a request; empty without one.
fn alias_of<'r>(request: Request<'r>) -> &'r [u8] {
    // SAFETY: the request is live; a string of its, or a literal.
    unsafe { bytes_at(raw::ap_context_prefix(request.as_ptr())) }.unwrap_or_default()
}

/// The application that a request's URL belongs to: that of a `<Location>`, or one under a prefix; of both the longer one.
fn belongs<'r>(request: Request<'r>) -> Option<Mount<'r>> {
    // Another module has taken it over, or has it by SetHandler in a <Location>.
    if field!(request, proxyreq) != 0 || has_other_handler(request) {
        return None;
    }
    let path = request.uri().filter(|path| path.starts_with(b"/"))?;
    let choice = request.directory_config::<DirectoryConfig>().and_then(|config| config.application);
    let of_section = match choice {
        Some(Choice::None) => return None,
        Some(Choice::Application(application)) => within_location(application, path),
        None => None,
    };
    let of_server = server_config(request.server()).and_then(|config| config.application_for(path));
    let of_server = of_server.map(|(application, rest)| Mount { application, script_name: path.len() - rest.len() });
    match (of_section, of_server) {
        (Some(section), Some(server)) if server.script_name > section.script_name => Some(server),
        (section, server) => section.or(server),
    }
}

/// Whether the sections that apply say `SetHandler` to something else.
fn has_other_handler(request: Request<'_>) -> bool {
    // SAFETY: the request is live. The core has a record in every configuration; the handler is a string or null, or an expression that
    // gives one.
    let handler = unsafe {
        let core = raw::ap_get_core_module_config(field!(request, per_dir_config)).cast::<raw::core_dir_config>();
        core.as_ref().and_then(|core| {
            if core.expr_handler.is_null() {
                return bytes_at(core.handler);
            }
            let mut error = ptr::null();
            bytes_at(raw::ap_expr_str_exec(request.as_ptr(), core.expr_handler, &mut error))
        })
    };
    let is_other =
        |handler: &[u8]| handler != application::HANDLER.to_bytes() && !handler.eq_ignore_ascii_case(b"none");
    handler.is_some_and(is_other)
}

/// The place of an application that a `<Location>` has; what a pattern matches is no prefix.
fn within_location<'r>(application: &'r Application<'r>, path: &[u8]) -> Option<Mount<'r>> {
    let Section::Location(text) = application.handler.section else { return None };
    let text = text.strip_suffix(b"/").unwrap_or(text);
    let is_prefix = path.strip_prefix(text).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
    Some(Mount { application, script_name: if is_prefix { text.len() } else { 0 } })
}

impl Mount<'_> {
    /// Maps the request to the application.
    fn map(&self, request: Request<'_>) {
        let pool = request.pool();
        let path = request.uri().unwrap_or_default();
        set_field!(request, filename, pool.c_string(self.application.file.to_bytes()).as_ptr().cast_mut());
        set_field!(request, canonical_filename, field!(request, filename));
        set_field!(request, path_info, pool.c_string(&path[self.script_name.min(path.len())..]).as_ptr().cast_mut());
        set_handler(request, self.application);
    }

    /// Whether the request was mapped to the application.
    fn is_mapped(&self, request: Request<'_>) -> bool {
        !matches!(self.application.source, Source::Script(_))
            && request.filename() == Some(self.application.file.to_bytes())
    }

    /// Whether an Alias has the request, for less of its URL than the application has.
    fn is_within_alias(&self, request: Request<'_>) -> bool {
        let alias = alias_of(request);
        let length = alias.strip_suffix(b"/").unwrap_or(alias).len();
        !alias.is_empty() && length < self.script_name
    }
}

fn set_handler(request: Request<'_>, application: &Application<'_>) {
    set_field!(request, handler, application.name.as_ptr());
    // It is no folder, whatever there is: mod_dir would look for an index.
    // SAFETY: the request is live, and this thread the only one to use it.
    unsafe { (*request.as_ptr()).finfo.filetype = raw::apr_filetype_e_APR_NOFILE };
}

/// The URL's path as SCRIPT_NAME and PATH_INFO.
fn split<'r>(request: Request<'r>, application: &Application<'_>) -> (&'r [u8], &'r [u8]) {
    let path = request.uri().unwrap_or_default();
    let path_info = request.path_info().filter(|rest| path.ends_with(rest)).unwrap_or_default();
    let split = path.split_at(path.len() - path_info.len());
    if application.prefix.is_some() || application.handler.section.is_location() {
        return split;
    }
    // In a folder: what follows its own path, whether or not there are such files.
    let directory = application.handler.section.directory_for(request.filename());
    let rest = directory.and_then(|directory| {
        let directory = directory.strip_suffix(b"/").unwrap_or(&directory);
        let file = [request.filename()?, path_info].concat();
        let rest = file.strip_prefix(directory)?;
        path.ends_with(rest).then_some(rest.len())
    });
    rest.map_or(split, |length| path.split_at(path.len() - length))
}

/// The name of the interpreter of the application that a request was mapped to.
pub fn interpreter_of<'r>(request: Request<'r>) -> Option<Cow<'r, [u8]>> {
    if !application::is_in_use() {
        return None;
    }
    let settings = &request.directory_config::<DirectoryConfig>()?.settings;
    of_request(request).map(|application| name_for(request, settings, application))
}

fn name_for<'r>(request: Request<'r>, settings: &Settings<'r>, application: &Application<'r>) -> Cow<'r, [u8]> {
    match application.options.interpreter {
        Some(name) => Cow::Borrowed(name),
        None => interpreter_name(request, settings, Some(&application.handler.section)),
    }
}

fn serve(request: Request<'_>, detached: &mut Detached<'_>) -> Status {
    let (Some(application), Some(config)) = (of_request(request), request.directory_config::<DirectoryConfig>()) else {
        return Status::DECLINED;
    };
    let (settings, handler) = (&config.settings, &application.handler);
    let name = name_for(request, settings, application);
    let (script_name, path_info) = split(request, application);
    let passed = Passed {
        authorization: settings.is_on(Flag::PassAuthorization),
        underscores: application.options.has_underscores,
    };
    let variables = Variables::of(request, script_name, path_info, passed);
    let about = About { fingerprint: handler.fingerprint, object: handler.object, ..About::default() };
    Call { application, settings, interpreter: &name, variables: &variables, about }.answer(request, detached)
}

/// An application that is to answer a request.
pub(super) struct Call<'r, 'a> {
    pub application: &'r Application<'r>,
    pub settings: &'a Settings<'r>,
    /// The interpreter's name.
    pub interpreter: &'a [u8],
    pub variables: &'a Variables<'r>,
    pub about: About<'a>,
}

impl<'r> Call<'r, '_> {
    /// Calls it, and gives httpd what it returns.
    pub fn answer(&self, request: Request<'r>, detached: &mut Detached<'_>) -> Status {
        expect_end_of_subrequest(request);
        // The type and the like of the application's file are not those of its responses.
        set_field!(request, content_type, ptr::null());
        set_field!(request, content_encoding, ptr::null());
        set_field!(request, content_languages, ptr::null_mut());
        let (settings, handler) = (self.settings, &self.application.handler);
        let selected = Selected { handlers: std::slice::from_ref(handler), extension: None };
        let described = || handler.describe();
        let run = |running: &RunningForRequest<'_, '_>| {
            let outcome = self.call(running, &Lookup::of_request(request, settings));
            outcome.unwrap_or_else(|raised| {
                let exception = raised.fetch(running.running.attached);
                Failure { handler, running: &running.running }.outcome(
                    &exception,
                    running.callback,
                    settings.is_on(Flag::Debug),
                )
            })
        };
        let phase = Some((Phase::Content.directive(), &selected));
        let Done { result: outcome, output, status_before } =
            match callback::for_request(detached, request, self.interpreter, &described, phase, run) {
                Ok(done) => done,
                Err(error) => return error.status(),
            };
        Answer { request, output: output.unwrap_or_default(), status_before, described: &described }.finish(outcome)
    }

    /// Finds the application, calls it, and sends what it returns.
    fn call(&self, running: &RunningForRequest<'_, '_>, lookup: &Lookup<'_>) -> Result<Outcome, Raised> {
        let object = running.callback.object()?;
        let exchange = running.exchange(&object, Manner::Wsgi);
        let running = &running.running;
        let found = resolve::application(running, lookup, self.application)?;
        let handler = &self.application.handler;
        let ending = exchange.run(&found, &self.about, self.variables, |exception| {
            Failure { handler, running }.log(&exception);
        })?;
        Ok(match ending {
            Ending::Sent => Outcome::Returned { status: Status::OK, is_last: true },
            Ending::Overridden => Outcome::Overridden,
        })
    }
}

/// Has handlers call applications: `PythonHandler mod_python.wsgi`.
pub fn offer_to_handlers() {
    running::set_run(run_for_handler);
}

fn run_for_handler<'i>(
    this: &Instance<'i, RequestObject>,
    application: &Object<'i>,
    split: Split,
) -> Result<(), Raised> {
    let attached = this.attached();
    let variables = this.detached(attached, move |request, _| {
        let settings = request.directory_config::<DirectoryConfig>().map(|config| config.settings);
        let is_passed = settings.is_none_or(|settings| settings.flags.given(Flag::PassAuthorization) != Some(false));
        let pool = request.pool();
        let (script_name, path_info) = (pool.slice(&split.script_name), pool.slice(&split.path_info));
        set_field!(request, path_info, pool.c_string(path_info).as_ptr().cast_mut());
        // mod_python has always passed it on.
        let passed = Passed { authorization: is_passed, underscores: false };
        let variables = Variables::of(request, script_name, path_info, passed);
        // SAFETY: what they borrow lies in the memory of the request, which its own thread, which this is (`_run_wsgi` refuses any other), does not end meanwhile.
        unsafe { mem::transmute::<Variables<'_>, Variables<'static>>(variables) }
    })?;
    let exchange = Exchange {
        attached,
        interpreter: this.interpreter(),
        module_state: this.module_state(attached)?,
        record: this.record(),
        request: &this.object(),
        manner: Manner::ModPython,
    };
    let ran = exchange.run(application, &About::default(), &variables, |exception| {
        let text = report::summary(&exception);
        tracing::error!("MP0427: close() of a WSGI application's response raised {text}; the response is complete");
        report::log_traceback("PythonHandler mod_python.wsgi", &report::traceback(&exception));
    });
    ran.map(drop)
}
