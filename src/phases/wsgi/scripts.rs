//! Scripts that make the response: `WSGIScriptAlias`, `SetHandler wsgi-script`, `WSGIHandlerScript`.

use std::ffi::{CStr, c_int};

use crate::applications::wsgi::{About, Value};
use crate::config::wsgi::{
    self, Daemon, Group, HandlerScript, MapHead, Pattern, Script, ScriptAlias, ScriptOptions, WsgiSettings,
};
use crate::config::{DirectoryConfig, Flag, Origin, fingerprint, server_config};
use crate::cpython::Detached;
use crate::ffi::httpd as raw;
use crate::httpd::variables::{Known, Passed, Variables};
use crate::httpd::{HttpStatus, Request, Status, bytes_at, field, set_field};
use crate::phases::application::{Call, mapping};
use crate::phases::{access_log, hook};
use crate::process::time;

use super::{application, is_mod_wsgi_loaded, with_process};

/// The note that says which alias has mapped a request, by its number.
const ALIAS: &CStr = c"mod_python.wsgi_alias";

/// What is called unless `WSGICallableObject` says so.
const CALLABLE: &str = "application";

/// What is called of a `WSGIHandlerScript`.
const HANDLE: &str = "handle_request";

const FORBIDDEN: Status = Status(raw::HTTP_FORBIDDEN as c_int);
const NOT_FOUND: Status = Status(raw::HTTP_NOT_FOUND as c_int);
const LENGTH_REQUIRED: Status = Status(raw::HTTP_LENGTH_REQUIRED as c_int);

/// httpd's `translate_name` hook, after mod_alias: the first alias that fits.
pub unsafe extern "C" fn translate_name(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe { mapping(request, wsgi::is_in_use(), map) }
}

fn map(request: Request<'_>) -> Status {
    if field!(request, proxyreq) != 0 || !field!(request, handler).is_null() {
        return Status::DECLINED;
    }
    let Some(path) = request.uri().filter(|path| path.starts_with(b"/")) else { return Status::DECLINED };
    let aliases = server_config(request.server()).map_or(&[] as &[_], |config| config.script_aliases);
    let found = aliases.iter().enumerate().find_map(|(index, alias)| Some((index, alias.file_for(request, path)?)));
    let Some((index, file)) = found else { return Status::DECLINED };
    let pool = request.pool();
    // SAFETY: a C string; the path is made in the pool, or is null for one that cannot be.
    let file = unsafe { raw::ap_server_root_relative(pool.as_ptr(), file.as_ptr()) };
    if file.is_null() {
        return FORBIDDEN;
    }
    set_field!(request, filename, file);
    set_field!(request, handler, wsgi::HANDLER.as_ptr());
    let number = pool.c_string(index.to_string().as_bytes());
    // SAFETY: the request's table; name and number live as long.
    unsafe { raw::apr_table_setn(field!(request, notes), ALIAS.as_ptr(), number.as_ptr()) };
    Status::OK
}

/// The alias that has mapped a request.
fn alias_of<'r>(request: Request<'r>) -> Option<&'r ScriptAlias<'r>> {
    // SAFETY: the table and its texts live with the request.
    let number = unsafe { bytes_at(raw::apr_table_get(field!(request, notes), ALIAS.as_ptr())) }?;
    server_config(request.server())?.script_aliases.get(std::str::from_utf8(number).ok()?.parse::<usize>().ok()?)
}

/// What a request's handler names.
enum Named<'r> {
    /// The request's file.
    Itself,
    Handler(&'r HandlerScript<'r>),
}

fn named<'r>(request: Request<'r>) -> Option<Named<'r>> {
    let handler = request.handler()?;
    if handler == wsgi::HANDLER.to_bytes() {
        return (!is_mod_wsgi_loaded()).then_some(Named::Itself);
    }
    if !wsgi::is_in_use() {
        return None;
    }
    let settings = request.directory_config::<DirectoryConfig>()?.wsgi?;
    settings.handler(handler).map(Named::Handler)
}

/// httpd's `handler` hook.
pub unsafe extern "C" fn handler(request: *mut raw::request_rec) -> c_int {
    // SAFETY: httpd's hook.
    unsafe {
        match named(Request::from_raw(request)) {
            Some(_) => hook::request(request, Status::SERVER_ERROR, serve).0,
            None => raw::DECLINED,
        }
    }
}

fn serve(request: Request<'_>, detached: &mut Detached<'_>) -> Status {
    let (Some(named), Some(config)) = (named(request), request.directory_config::<DirectoryConfig>()) else {
        return Status::DECLINED;
    };
    let settings = config.wsgi();
    let found = match named {
        Named::Handler(handler) => Ok((*handler.script, handler.script.options, HANDLE)),
        Named::Itself => itself(request, &settings),
    };
    let served = found.and_then(|(script, options, callable)| {
        check_body(request, &settings)?;
        Ok(Served { request, config, settings, script, options, callable }.serve(detached))
    });
    served.unwrap_or_else(|status| status)
}

/// The request's file as a script, what holds for it, and what is called of it.
fn itself<'r>(
    request: Request<'r>,
    settings: &WsgiSettings<'r>,
) -> Result<(Script<'r>, ScriptOptions<'r>, &'r str), Status> {
    let alias = alias_of(request);
    let path = request.pool().c_string(request.filename().unwrap_or_default());
    let text = request.pool().text(&path.to_string_lossy());
    // SAFETY: the request is live.
    if alias.is_none() && unsafe { raw::ap_allow_options(request.as_ptr()) } & raw::OPT_EXECCGI as c_int == 0 {
        tracing::error!(
            "MP0461: '{text}' is not run, because there is no ExecCGI in Options where it stands: write 'Options +ExecCGI' in its section, or mount it with WSGIScriptAlias"
        );
        return Err(FORBIDDEN);
    }
    match field!(request, finfo.filetype) {
        raw::apr_filetype_e_APR_NOFILE => {
            tracing::error!("MP0462: there is no script '{text}', which the URL was mapped to");
            return Err(NOT_FOUND);
        }
        raw::apr_filetype_e_APR_DIR => {
            tracing::error!(
                "MP0463: '{text}' is a folder, and the URL names no script in it: name one in the URL, or the script in WSGIScriptAlias"
            );
            return Err(FORBIDDEN);
        }
        _ => {}
    }
    let (directive, origin, options) = match alias {
        Some(ScriptAlias { script, .. }) => (script.directive, script.origin, script.options.over(&settings.options)),
        None => ("wsgi-script", Origin { file: "", line: 0 }, settings.options),
    };
    Ok((Script { directive, path, text, options, origin }, options, options.callable.unwrap_or(CALLABLE)))
}

/// Refuses a body that is too long or, where that is said, one of unknown length, before anybody reads it.
fn check_body(request: Request<'_>, settings: &WsgiSettings<'_>) -> Result<(), Status> {
    let headers = request.headers_in();
    if settings.chunked_request == Some(false) && headers.value(c"Transfer-Encoding").is_some() {
        tracing::info!("MP0464: a chunked body is refused: 'WSGIChunkedRequest Off'");
        return Err(LENGTH_REQUIRED);
    }
    // SAFETY: the request is live.
    let limit = unsafe { raw::ap_get_limit_req_body(request.as_ptr()) };
    let length = headers.value(c"Content-Length").and_then(|text| std::str::from_utf8(text).ok()?.parse::<i64>().ok());
    match length {
        Some(length) if limit > 0 && length > limit => Err(Status::http(HttpStatus::ENTITY_TOO_LARGE)),
        _ => Ok(()),
    }
}

/// A script that is to make a response.
struct Served<'r> {
    request: Request<'r>,
    config: &'r DirectoryConfig<'r>,
    settings: WsgiSettings<'r>,
    script: Script<'r>,
    options: ScriptOptions<'r>,
    callable: &'r str,
}

impl<'r> Served<'r> {
    fn serve(&self, detached: &mut Detached<'_>) -> Status {
        let request = self.request;
        let path = request.uri().unwrap_or_default();
        let path_info = request.path_info().unwrap_or_default();
        // A match can make a file's path of something else than what the URL ends with.
        let end = match path_info {
            b"" => path.len(),
            // SAFETY: strings of the request's.
            _ => unsafe { raw::ap_find_path_info(field!(request, uri), field!(request, path_info)) as usize },
        };
        let script_name = &path[..end.min(path.len())];
        let resource = self.resource(script_name, path_info);
        let process_group = self.options.process_group.unwrap_or(Group::Global).name(request, &resource);
        let application_group = self.options.application_group.unwrap_or(Group::Resource).name(request, &resource);
        let interpreter = with_process(|process| {
            self.check_group(process, &process_group)?;
            Ok(process.interpreter(&process_group, &application_group))
        });
        match interpreter {
            Ok(interpreter) => {
                let noted = request.pool().c_string(&interpreter);
                // SAFETY: the table and the texts live with the request.
                unsafe { raw::apr_table_setn(field!(request, notes), access_log::NOTE.as_ptr(), noted.as_ptr()) };
                let groups = (process_group.as_ref(), application_group.as_ref());
                self.call(detached, script_name, path_info, groups, &interpreter)
            }
            Err(status) => status,
        }
    }

    /// What `%{RESOURCE}` says of the script: of a `WSGIScriptAlias` the part of the URL that is its own, without what clients could vary it
    /// by; of others its path, since any number of URLs can be mapped to it. Clients could have as many interpreters made.
    fn resource(&self, script_name: &[u8], path_info: &[u8]) -> Vec<u8> {
        let is_prefix = alias_of(self.request).is_some_and(|alias| matches!(alias.pattern, Pattern::Prefix(_)));
        let is_part_of_url = self.request.uri().unwrap_or_default().ends_with(path_info);
        if self.callable == HANDLE || !is_prefix || !is_part_of_url {
            return self.script.path.to_bytes().to_vec();
        }
        let mut name = script_name.to_vec();
        name.dedup_by(|next, before| *next == b'/' && *before == b'/');
        name
    }

    /// Whether a request may run in a process group, as mod_wsgi has it.
    fn check_group(&self, process: &wsgi::WsgiProcess, group: &[u8]) -> Result<(), Status> {
        let shown = String::from_utf8_lossy(group);
        let what = self.script.text;
        if group.is_empty() {
            if process.restrict_embedded {
                tracing::error!(
                    "MP0465: '{what}' is not run: 'WSGIRestrictEmbedded On' asks for a process group, and none is named for it: write WSGIProcessGroup, or process-group= behind the script"
                );
                return Err(Status::SERVER_ERROR);
            }
        } else if process.daemon_for(group, self.request.server()).is_none() {
            tracing::error!(
                "MP0466: '{what}' is not run: there is no 'WSGIDaemonProcess {shown}' in this server, in a virtual host of its name, or outside of them"
            );
            return Err(Status::SERVER_ERROR);
        }
        if self.settings.process_groups.is_some_and(|allowed| !allowed.contains(&group)) {
            tracing::error!(
                "MP0467: '{what}' is not run: WSGIRestrictProcess does not name the process group '{shown}'"
            );
            return Err(Status::SERVER_ERROR);
        }
        match process.daemon(group) {
            Some(daemon) => self.check_owner(daemon),
            None => Ok(()),
        }
    }

    /// Whether the script's file belongs to whom its process group says.
    fn check_owner(&self, daemon: &Daemon) -> Result<(), Status> {
        let (user, group) = (field!(self.request, finfo.user), field!(self.request, finfo.group));
        let is_right = daemon.script_user.is_none_or(|wanted| wanted == user)
            && daemon.script_group.is_none_or(|wanted| wanted == group);
        if !is_right {
            tracing::error!(
                "MP0468: '{}' is not run: it belongs to the user {user} and the group {group}, and 'WSGIDaemonProcess {}' ({}) says otherwise with script-user= or script-group=",
                self.script.text,
                String::from_utf8_lossy(&daemon.name),
                daemon.place
            );
            return Err(FORBIDDEN);
        }
        Ok(())
    }

    fn call(
        &self,
        detached: &mut Detached<'_>,
        script_name: &'r [u8],
        path_info: &'r [u8],
        (process_group, application_group): (&[u8], &[u8]),
        interpreter: &[u8],
    ) -> Status {
        let (request, config) = (self.request, self.config);
        let authorization = self.options.pass_authorization;
        let authorization = authorization.unwrap_or_else(|| config.settings.is_on(Flag::PassAuthorization));
        let mut variables =
            Variables::of(request, script_name, path_info, Passed { authorization, underscores: false });
        if is_head_a_get(request, self.settings.map_head.unwrap_or_default()) {
            variables.replace(Known::RequestMethod, b"GET");
        }
        let digit = |is_on: bool| Value::Text(if is_on { b"1" } else { b"0" });
        let handler_script = if self.callable == HANDLE { self.script.path.to_bytes() } else { b"" };
        let is_reloading = config.settings.is_on(Flag::AutoReload);
        let reads_files = self.settings.enable_sendfile == Some(false);
        let pid = std::process::id().to_string();
        let fixed = [
            ("mod_wsgi.version", Value::Version(6, 1, 1)),
            ("mod_wsgi.process_group", Value::Text(process_group)),
            ("mod_wsgi.application_group", Value::Text(application_group)),
            ("mod_wsgi.handler_script", Value::Text(handler_script)),
            ("mod_wsgi.script_reloading", digit(is_reloading)),
            ("mod_wsgi.enable_sendfile", digit(self.settings.enable_sendfile == Some(true))),
            ("mod_wsgi.ignore_activity", digit(false)),
            ("mod_wsgi.server_pid", Value::Text(pid.as_bytes())),
            ("mod_wsgi.queue_start", Value::Seconds(0.0)),
            ("mod_wsgi.daemon_start", Value::Seconds(0.0)),
        ];
        let more = self.facts(script_name, path_info);
        let about = About {
            fingerprint: fingerprint((
                self.script.path,
                self.callable,
                process_group,
                application_group,
                (is_reloading, reads_files, self.settings.enable_sendfile),
            )),
            object: self.callable,
            fixed: &fixed,
            more: &more,
            overrides_errors: self.settings.error_override == Some(true),
            reads_files,
        };
        let key = fingerprint((wsgi::HANDLER, self.script.path, self.callable));
        let application = application(&self.script, self.callable, key, request.pool());
        let call = Call { application, settings: &config.settings, interpreter, variables: &variables, about };
        call.answer(request, detached)
    }

    /// What mod_wsgi says of each request.
    fn facts(&self, script_name: &'r [u8], path_info: &'r [u8]) -> Vec<(&'static str, Value<'r>)> {
        let (request, connection) = (self.request, self.request.connection());
        let seconds = |time: i64| Value::Seconds(time as f64 / 1e6);
        let mut facts = vec![
            ("mod_wsgi.script_name", Value::Text(script_name)),
            ("mod_wsgi.path_info", Value::Text(path_info)),
            // SAFETY: the system's number of this thread.
            ("mod_wsgi.thread_id", Value::Number(unsafe { raw::apr_os_thread_current() } as i64)),
            ("mod_wsgi.request_start", seconds(field!(request, request_time))),
            ("mod_wsgi.application_start", seconds(time::now())),
        ];
        // SAFETY: the request and its connection are live, and so are their texts; httpd makes the id of one that has none yet.
        unsafe {
            if field!(request, log_id).is_null() {
                let mut id = std::ptr::null();
                raw::ap_run_generate_log_id(connection.as_ptr(), request.as_ptr(), &mut id);
                set_field!(request, log_id, id);
            }
            let port = field!(connection, local_addr).as_ref().map_or(0, |address| address.port);
            let port = bytes_at(raw::apr_itoa(request.pool().as_ptr(), port.into()));
            let texts = [
                ("mod_wsgi.request_id", bytes_at(field!(request, log_id))),
                ("mod_wsgi.connection_id", bytes_at(field!(connection, log_id))),
                ("mod_wsgi.listener_host", bytes_at(field!(connection, local_ip))),
                ("mod_wsgi.listener_port", port),
            ];
            facts.extend(texts.into_iter().filter_map(|(name, text)| Some((name, Value::Text(text?)))));
        }
        facts
    }
}

/// Whether the application is to take a HEAD request for a GET.
fn is_head_a_get(request: Request<'_>, map: MapHead) -> bool {
    let is_head = field!(request, header_only) != 0 && field!(request, method_number) == raw::M_GET as c_int;
    is_head
        && match map {
            MapHead::Off => false,
            MapHead::On => true,
            // SAFETY: the filters live with the request.
            MapHead::Auto => unsafe {
                let first = field!(request, output_filters).as_ref().and_then(|filter| filter.frec.as_ref());
                first.is_some_and(|record| record.ftype < raw::ap_filter_type_AP_FTYPE_PROTOCOL)
            },
        }
}
