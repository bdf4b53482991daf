//! The directives: their names, what they take, and where they may stand.

mod handlers;
mod process;
mod reading;
mod settings;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use crate::ffi::httpd as raw;

use super::phase::Phase;
use reading::{Message, Parameters};

pub use handlers::parse_require;

/// The commands of this module, as httpd's `module` record takes them.
#[repr(transparent)]
pub struct Commands([raw::command_rec; 30]);

// SAFETY: literals and function pointers only; httpd does not write to it.
unsafe impl Sync for Commands {}

impl Commands {
    pub const fn as_ptr(&self) -> *const raw::command_rec {
        self.0.as_ptr()
    }
}

/// Server config, virtual hosts, sections and .htaccess files under any AllowOverride.
const ANYWHERE: c_int = raw::OR_ALL as c_int;
/// Server config and virtual hosts only.
const SERVER: c_int = raw::RSRC_CONF as c_int;
/// Server config, virtual hosts and sections, but no .htaccess file.
const SECTIONS: c_int = (raw::RSRC_CONF | raw::ACCESS_CONF) as c_int;
/// Sections, and .htaccess files where AllowOverride has AuthConfig.
const AUTHENTICATION: c_int = raw::OR_AUTHCFG as c_int;

pub static COMMANDS: Commands = Commands([
    handlers_of(c"PythonPostReadRequestHandler", Phase::PostReadRequest),
    handlers_of(c"PythonTransHandler", Phase::Trans),
    handlers_of(c"PythonInitHandler", Phase::Init),
    handlers_of(c"PythonHeaderParserHandler", Phase::HeaderParser),
    handlers_of(c"PythonAccessHandler", Phase::Access),
    handlers_of(c"PythonAuthenHandler", Phase::Authen),
    handlers_of(c"PythonAuthzHandler", Phase::Authz),
    handlers_of(c"PythonTypeHandler", Phase::Type),
    handlers_of(c"PythonFixupHandler", Phase::Fixup),
    handlers_of(c"PythonHandler", Phase::Content),
    handlers_of(c"PythonLogHandler", Phase::Log),
    handlers_of(c"PythonCleanupHandler", Phase::Cleanup),
    raw_line(
        c"PythonHandlerModule",
        handlers::python_handler_module,
        ANYWHERE,
        c"modules whose functions for every phase are used, those that they have",
    ),
    raw_line(
        c"PythonConnectionHandler",
        handlers::python_connection_handler,
        SERVER,
        c"the handler (module[::object]) of whole connections",
    ),
    one_or_two(
        c"PythonInputFilter",
        handlers::python_input_filter,
        SECTIONS,
        c"the handler (module[::object]) and the filter's name, for SetInputFilter and AddInputFilter",
    ),
    one_or_two(
        c"PythonOutputFilter",
        handlers::python_output_filter,
        SECTIONS,
        c"the handler (module[::object]) and the filter's name, for SetOutputFilter and AddOutputFilter",
    ),
    one(
        c"PythonAuthBasicProvider",
        handlers::python_auth_basic_provider,
        AUTHENTICATION,
        c"the function (module[::object]) behind 'AuthBasicProvider python'",
    ),
    one(
        c"PythonAuthDigestProvider",
        handlers::python_auth_digest_provider,
        AUTHENTICATION,
        c"the function (module[::object]) behind 'AuthDigestProvider python'",
    ),
    one(c"PythonInterpreter", settings::python_interpreter, ANYWHERE, c"the name of the interpreter"),
    flag(
        c"PythonInterpPerDirectory",
        settings::python_interp_per_directory,
        ANYWHERE,
        c"On: an interpreter for each directory of a file",
    ),
    flag(
        c"PythonInterpPerDirective",
        settings::python_interp_per_directive,
        ANYWHERE,
        c"On: an interpreter for each section that holds a handler directive",
    ),
    one(
        c"PythonPath",
        settings::python_path,
        ANYWHERE,
        c"a Python expression for sys.path, such as \"['/srv/app'] + sys.path\"",
    ),
    one_or_two(
        c"PythonOption",
        settings::python_option,
        ANYWHERE,
        c"a name and its value; without a value the option is removed",
    ),
    flag(c"PythonAutoReload", settings::python_auto_reload, ANYWHERE, c"Off: changed modules are not imported again"),
    flag(c"PythonDebug", settings::python_debug, ANYWHERE, c"On: the client is shown the traceback of an error"),
    flag(
        c"PythonEnablePdb",
        settings::python_enable_pdb,
        ANYWHERE,
        c"On: handlers run under Python's debugger when httpd is started with -DONE_PROCESS",
    ),
    two(
        c"PythonImport",
        process::python_import,
        SERVER,
        c"module[::function] and the name of the interpreter to import it in when a child starts",
    ),
    flag(c"PythonOptimize", process::python_optimize, SERVER, c"On: Python runs as with -OO, in the whole process"),
    argv(
        c"PythonInterpreterOptions",
        process::python_interpreter_options,
        SERVER,
        c"an interpreter's name or *, and key=value pairs: gil=shared|own",
    ),
    END,
]);

const END: raw::command_rec = raw::command_rec {
    name: ptr::null(),
    func: raw::cmd_func { no_args: None },
    cmd_data: ptr::null_mut(),
    req_override: 0,
    args_how: raw::cmd_how_NO_ARGS,
    errmsg: ptr::null(),
};

const fn command(
    name: &'static CStr,
    func: raw::cmd_func,
    how: raw::cmd_how,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    raw::command_rec {
        name: name.as_ptr(),
        func,
        cmd_data: ptr::null_mut(),
        req_override: context,
        args_how: how,
        errmsg: help.as_ptr(),
    }
}

/// The directive for a phase's handlers; which phase it is, its function knows by its name.
const fn handlers_of(name: &'static CStr, phase: Phase) -> raw::command_rec {
    let (context, help) = match phase {
        Phase::PostReadRequest | Phase::Trans => (SERVER, c"handlers (module[::object] ...) for this phase"),
        _ => (ANYWHERE, c"handlers (module[::object] ...) for this phase, and optionally '| .ext ...'"),
    };
    raw_line(name, handlers::python_handlers, context, help)
}

const fn raw_line(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, *const c_char) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { raw_args: Some(function) }, raw::cmd_how_RAW_ARGS, context, help)
}

const fn one(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, *const c_char) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { take1: Some(function) }, raw::cmd_how_TAKE1, context, help)
}

const fn one_or_two(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, *const c_char, *const c_char) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { take2: Some(function) }, raw::cmd_how_TAKE12, context, help)
}

const fn two(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, *const c_char, *const c_char) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { take2: Some(function) }, raw::cmd_how_TAKE2, context, help)
}

const fn flag(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, c_int) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { flag: Some(function) }, raw::cmd_how_FLAG, context, help)
}

const fn argv(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, c_int, *const *mut c_char) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { take_argv: Some(function) }, raw::cmd_how_TAKE_ARGV, context, help)
}
