//! mod_wsgi's directives, in its contexts: whoever comes from there changes the LoadModule line only.

mod daemon;
mod process;
mod scripts;
mod sections;

pub use daemon::other_user;

use std::ffi::{CStr, c_int};

use super::{ANYWHERE, FILE, Row, SECTIONS, SERVER, Takes};
use crate::ffi::httpd as raw;
use crate::httpd::is_loaded;

/// Sections, and .htaccess files where AllowOverride has AuthConfig.
const USERS: c_int = raw::OR_AUTHCFG as c_int;

const fn row(name: &'static CStr, contexts: c_int, takes: Takes, help: &'static CStr) -> Row {
    Row { name, contexts, takes, help }
}

/// Whether a directive is one of mod_wsgi's.
pub(super) fn is_of_mod_wsgi(row: &Row) -> bool {
    let name = row.name.to_bytes();
    name.starts_with(b"WSGI") || name.starts_with(b"<WSGI")
}

/// Whether mod_wsgi reads it, because it is loaded too.
pub(super) fn is_left_to_mod_wsgi(row: &Row) -> bool {
    is_of_mod_wsgi(row) && is_loaded(c"mod_wsgi.c")
}

const HAS_NO_EFFECT: &CStr = c"taken, and without effect here: docs/migration-mod_wsgi.md";

pub(super) const ROWS: [Row; 51] = [
    row(
        c"WSGIScriptAlias",
        SERVER,
        Takes::Words(scripts::alias),
        c"a URL path, a script or a folder of scripts, and key=value pairs",
    ),
    row(
        c"WSGIScriptAliasMatch",
        SERVER,
        Takes::Words(scripts::alias_match),
        c"an expression for URL paths, a script, and key=value pairs",
    ),
    row(
        c"WSGIHandlerScript",
        SECTIONS,
        Takes::Words(scripts::handler),
        c"a handler's name, a script with handle_request, and key=value pairs",
    ),
    row(c"WSGIAccessScript", USERS, Takes::Words(scripts::access), c"a script with allow_access, and key=value pairs"),
    row(
        c"WSGIAuthUserScript",
        USERS,
        Takes::Words(scripts::user),
        c"a script with check_password or get_realm_hash, and key=value pairs",
    ),
    row(
        c"WSGIAuthGroupScript",
        USERS,
        Takes::Words(scripts::group),
        c"a script with groups_for_user, and key=value pairs",
    ),
    row(
        c"WSGIImportScript",
        SERVER,
        Takes::Words(scripts::import),
        c"a script, and process-group=NAME application-group=NAME",
    ),
    row(c"WSGICallableObject", FILE, Takes::One(sections::callable), c"the name of the application in its script"),
    row(
        c"WSGIApplicationGroup",
        SECTIONS,
        Takes::One(sections::application_group),
        c"%{GLOBAL}, %{SERVER}, %{RESOURCE}, %{ENV:variable} or a name",
    ),
    row(
        c"WSGIProcessGroup",
        SECTIONS,
        Takes::One(sections::process_group),
        c"%{GLOBAL}, %{ENV:variable} or the name of a WSGIDaemonProcess",
    ),
    row(
        c"WSGIRestrictProcess",
        SECTIONS,
        Takes::Words(sections::restrict_process),
        c"the process groups that may be used",
    ),
    row(
        c"WSGIScriptReloading",
        FILE,
        Takes::OnOff(sections::script_reloading),
        c"Off: an edited script is not loaded again",
    ),
    row(
        c"WSGIPassAuthorization",
        FILE,
        Takes::OnOff(sections::pass_authorization),
        c"On: applications get the Authorization header",
    ),
    row(c"WSGIChunkedRequest", FILE, Takes::OnOff(sections::chunked_request), c"Off: a chunked body is refused"),
    row(
        c"WSGIErrorOverride",
        FILE,
        Takes::OnOff(sections::error_override),
        c"On: httpd's error documents replace those of applications",
    ),
    row(c"WSGIEnableSendfile", FILE, Takes::OnOff(sections::enable_sendfile), c"Off: files of applications are read"),
    row(c"WSGIMapHEADToGET", FILE, Takes::One(sections::map_head), c"Auto, On or Off"),
    row(c"WSGIDaemonProcess", SERVER, Takes::Words(daemon::daemon_process), c"a name, and key=value pairs"),
    row(c"WSGIPythonHome", SERVER, Takes::One(process::python_home), c"the folder of a virtual environment"),
    row(c"WSGIPythonPath", SERVER, Takes::One(process::python_path), c"folders for sys.path, separated by colons"),
    row(c"WSGIPythonOptimize", SERVER, Takes::One(process::optimize), c"0, 1 or 2"),
    row(c"WSGIPythonEggs", SERVER, Takes::One(process::eggs), c"PYTHON_EGG_CACHE"),
    row(c"WSGIPythonWarnings", SERVER, Takes::One(process::warnings), c"a filter, as for python -W"),
    row(c"WSGIDontWriteBytecode", SERVER, Takes::OnOff(process::dont_write_bytecode), c"On: as python -B"),
    row(
        c"WSGIPerInterpreterGIL",
        SERVER,
        Takes::OnOff(process::per_interpreter_gil),
        c"On: interpreters have GILs of their own",
    ),
    row(c"WSGISwitchInterval", SERVER, Takes::One(process::switch_interval), c"sys.setswitchinterval(), in seconds"),
    row(
        c"WSGIRestrictEmbedded",
        SERVER,
        Takes::OnOff(process::restrict_embedded),
        c"On: requests without a process group are refused",
    ),
    row(
        c"WSGIRestrictSignal",
        SERVER,
        Takes::OnOff(process::restrict_signal),
        c"Off: scripts may set handlers for signals that httpd does not use",
    ),
    row(c"WSGIRestrictStdin", SERVER, Takes::OnOff(process::restrict_stdin), c"On: sys.stdin cannot be used"),
    row(c"WSGIRestrictStdout", SERVER, Takes::OnOff(process::restrict_stdout), c"On: sys.stdout cannot be used"),
    row(c"WSGILazyInitialization", SERVER, Takes::OnOff(process::lazy_initialization), HAS_NO_EFFECT),
    row(c"WSGIAcceptMutex", SERVER, Takes::Line(process::of_daemons), HAS_NO_EFFECT),
    row(c"WSGISocketPrefix", SERVER, Takes::Line(process::of_daemons), HAS_NO_EFFECT),
    row(c"WSGISocketRotation", SERVER, Takes::Line(process::of_daemons), HAS_NO_EFFECT),
    row(c"WSGIDestroyInterpreter", SERVER, Takes::Line(process::nothing), HAS_NO_EFFECT),
    row(c"WSGICaseSensitivity", SERVER, Takes::Line(process::nothing), HAS_NO_EFFECT),
    row(c"WSGIIgnoreActivity", FILE, Takes::Line(process::of_daemons), HAS_NO_EFFECT),
    row(c"WSGIPassApacheRequest", ANYWHERE, Takes::Line(process::request_object), HAS_NO_EFFECT),
    row(c"WSGIPythonHashSeed", SERVER, Takes::Line(process::hash_seed), HAS_NO_EFFECT),
    row(c"WSGIServerMetrics", SERVER, Takes::Line(process::metrics), HAS_NO_EFFECT),
    row(c"WSGISlowRequests", SERVER, Takes::Line(process::metrics), HAS_NO_EFFECT),
    row(c"WSGITelemetryOptions", SERVER, Takes::Line(process::metrics), HAS_NO_EFFECT),
    row(c"WSGITelemetryService", SERVER, Takes::Line(process::metrics), HAS_NO_EFFECT),
    row(c"WSGIFreeThreading", SERVER, Takes::OnOff(process::free_threading), HAS_NO_EFFECT),
    row(c"WSGIPy3kWarningFlag", SERVER, Takes::Line(process::nothing), HAS_NO_EFFECT),
    row(c"WSGIReloadMechanism", ANYWHERE, Takes::Line(process::nothing), HAS_NO_EFFECT),
    row(c"WSGIVerboseDebugging", SERVER, Takes::Line(process::nothing), HAS_NO_EFFECT),
    row(c"WSGIDispatchScript", FILE, Takes::Line(process::dispatch_script), c"refused: docs/migration-mod_wsgi.md"),
    row(c"WSGITrustedProxies", FILE, Takes::Line(process::trusted_proxies), c"refused: mod_remoteip does it"),
    row(c"WSGITrustedProxyHeaders", FILE, Takes::Line(process::trusted_proxies), c"refused: mod_remoteip does it"),
    row(
        c"<WSGIInterpreterOptions",
        SERVER,
        Takes::Line(process::interpreter_options),
        c"refused: PythonInterpreterOptions does it",
    ),
];
