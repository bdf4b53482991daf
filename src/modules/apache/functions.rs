//! The functions and names of `_apache`.

use crate::cpython::{Arguments, Method, Object, Raised, function};
use crate::modules::library;
use crate::objects::Classes;

use super::{State, constants, entries, exit, forms, mutexes, process, serving, stat};

pub(super) static FUNCTIONS: &[Method] = &[
    function!(
        State,
        c"_library_source",
        library_source,
        c"_library_source(name): source, whether a package, path; or None."
    ),
    function!(State, c"_library_code", library_code, c"_library_code(name): marshalled code, or None."),
    function!(State, c"_keep_library_code", keep_library_code, c"_keep_library_code(name, code)"),
    function!(
        State,
        c"_forked_by_python",
        process::forked_by_python,
        c"_forked_by_python(): note that os.fork() has made this process."
    ),
    function!(
        State,
        c"_has_other_interpreters",
        process::has_other_interpreters,
        c"_has_other_interpreters(): whether the process has interpreters beside this one."
    ),
    function!(State, c"_log", entries::log, c"_log(level, text): one entry on the request that this thread serves."),
    function!(State, c"_log_write", entries::log_write, c"_log_write(level, text): lines for the error log."),
    function!(State, c"_log_flush", entries::log_flush, c"_log_flush(level): log an unfinished line."),
    function!(
        State,
        c"config_tree",
        process::config_tree,
        c"config_tree(): a copy of the configuration as nested lists."
    ),
    function!(State, c"server_root", process::server_root, c"server_root(): what ServerRoot says."),
    function!(
        State,
        c"exists_config_define",
        process::exists_config_define,
        c"exists_config_define(name): whether the server was started with -D name."
    ),
    function!(State, c"mpm_query", process::mpm_query, c"mpm_query(code): what the MPM says to one of AP_MPMQ_*."),
    function!(State, c"mpm_name", process::mpm_name, c"mpm_name(): what the MPM calls itself."),
    function!(
        State,
        c"interpreter_info",
        process::interpreter_info,
        c"interpreter_info(): a dict about this interpreter."
    ),
    function!(State, c"stat", stat::stat, c"stat(fname, wanted): what the system says of a file, an mp_finfo."),
    function!(
        State,
        c"log_error",
        entries::log_error,
        c"log_error(message, level=APLOG_ERR, server=None): an entry in a server's error log, or the main one's."
    ),
    function!(
        State,
        c"parse_qs",
        forms::parse_qs,
        c"parse_qs(qs, keep_blank=0, strict=0): the fields as a dict of lists."
    ),
    function!(
        State,
        c"parse_qsl",
        forms::parse_qsl,
        c"parse_qsl(qs, keep_blank=0, strict=0): the fields as a list of pairs."
    ),
    function!(
        State,
        c"register_cleanup",
        exit::register_cleanup,
        c"register_cleanup(interpreter, server, callable, data=None): have callable(data) called when the child exits."
    ),
    function!(State, c"_global_lock", mutexes::lock, c"_global_lock(server, key, index=-1): wait for a global mutex."),
    function!(
        State,
        c"_global_trylock",
        mutexes::try_lock,
        c"_global_trylock(server, key, index=-1): whether a global mutex was free, and is held now."
    ),
    function!(
        State,
        c"_global_unlock",
        mutexes::unlock,
        c"_global_unlock(server, key, index=-1): release a global mutex."
    ),
    function!(
        State,
        c"_current_request",
        serving::current_request,
        c"_current_request(): the request that this thread is serving in this interpreter, or None."
    ),
    Method::END,
];

/// Adds the classes and constants.
pub(super) fn add_names(module: &Object<'_>, classes: &Classes) -> Result<(), Raised> {
    let attached = module.attached();
    let exceptions = [
        (c"SERVER_RETURN", &classes.server_return),
        (c"RequestBodyError", &classes.body_error),
        (c"ClientGone", &classes.client_gone),
        (c"table", &classes.table),
    ];
    for (name, class) in exceptions {
        // SAFETY: just made in this interpreter.
        module.set_attribute(name, &unsafe { class.get(attached) })?;
    }
    constants::add(module)?;
    module.set_attribute(c"MP_VERSION", &Object::str(attached, env!("CARGO_PKG_VERSION"))?)
}

fn library_source<'i>(_: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let name = arguments.required(0)?;
    match library::part(name.to_utf8()?) {
        None => Ok(Object::none(attached)),
        Some(part) => Object::tuple(
            attached,
            [
                Object::bytes(attached, part.source)?,
                Object::bool(attached, part.is_package),
                Object::str(attached, &part.path())?,
            ],
        ),
    }
}

fn library_code<'i>(_: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let name = arguments.required(0)?;
    match library::code(arguments.attached(), name.to_utf8()?) {
        None => Ok(Object::none(arguments.attached())),
        Some(code) => Object::bytes(arguments.attached(), &code),
    }
}

fn keep_library_code<'i>(_: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    library::keep_code(arguments.required(0)?.to_utf8()?, arguments.required(1)?.to_bytes()?);
    Ok(Object::none(arguments.attached()))
}
