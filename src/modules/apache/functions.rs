//! The functions, classes and constants of `_apache`.

use crate::cpython::{Arguments, Method, Object, Raised, function};
use crate::modules::library;
use crate::objects::module_state::ModuleState;
use crate::objects::table::TableObject;

use super::{Apache, constants, exit, forms, logging, mutexes, process, programs, serving, stat, threads};

pub(super) static FUNCTIONS: &[Method] = &[
    function!(
        Apache,
        c"_library_source",
        library_source,
        c"_library_source($module, name, /)\n--\n\n\
          Source, whether it is a package, path; or None."
    ),
    function!(
        Apache,
        c"_library_code",
        library_code,
        c"_library_code($module, name, /)\n--\n\n\
          The code object of a part of the library, or None."
    ),
    function!(
        Apache,
        c"_file_stamp",
        stat::file_stamp,
        c"_file_stamp($module, path, /)\n--\n\n\
          The time of a file's last change and its size, or None."
    ),
    function!(
        Apache,
        c"_form_fields",
        forms::form_fields,
        c"_form_fields($module, data, keep_blank, /)\n--\n\n\
          The fields of a form as a list of pairs."
    ),
    function!(
        Apache,
        c"_string_fields",
        forms::string_fields,
        c"_string_fields($module, kind, pairs, /)\n--\n\n\
          Instances of a class of str, with names: a list, and a dict of lists by name."
    ),
    function!(
        Apache,
        c"_forked_by_python",
        process::forked_by_python,
        c"_forked_by_python($module, /)\n--\n\n\
          Note that os.fork() has made this process."
    ),
    function!(
        Apache,
        c"_inherited_signal_mask",
        programs::inherited_signal_mask,
        c"_inherited_signal_mask($module, /)\n--\n\n\
          The numbers of the signals that were blocked when httpd was started, a list."
    ),
    function!(
        Apache,
        c"_start_program",
        programs::start_program,
        c"_start_program($module, fork_exec, arguments, /)\n--\n\n\
          Call fork_exec(*arguments) so that the program begins with the signal mask that httpd was started with."
    ),
    function!(
        Apache,
        c"_has_other_interpreters",
        process::has_other_interpreters,
        c"_has_other_interpreters($module, /)\n--\n\n\
          Whether the process has interpreters beside this one."
    ),
    function!(
        Apache,
        c"_interpreters_have_own_gils",
        process::interpreters_have_own_gils,
        c"_interpreters_have_own_gils($module, /)\n--\n\n\
          Whether an interpreter of this process can have a GIL of its own."
    ),
    function!(
        Apache,
        c"_current_frames",
        threads::current_frames,
        c"_current_frames($module, /)\n--\n\n\
          The frame that each thread of this interpreter is in, by thread."
    ),
    function!(
        Apache,
        c"_current_exceptions",
        threads::current_exceptions,
        c"_current_exceptions($module, /)\n--\n\n\
          The exception that each thread of this interpreter handles, by thread."
    ),
    function!(
        Apache,
        c"_replace_namespace",
        process::replace_namespace,
        c"_replace_namespace($module, module, namespace, /)\n--\n\n\
          Make a dict the namespace of a module; the one before stays that of the functions made in it."
    ),
    function!(
        Apache,
        c"_log",
        logging::log,
        c"_log($module, level, text, request_only=0, /)\n--\n\n\
          One entry for the request that this thread serves, else for the main server."
    ),
    function!(
        Apache,
        c"_log_write",
        logging::log_write,
        c"_log_write($module, level, text, /)\n--\n\n\
          Lines for the error log."
    ),
    function!(
        Apache,
        c"_log_flush",
        logging::log_flush,
        c"_log_flush($module, level, /)\n--\n\n\
          Log an unfinished line."
    ),
    function!(
        Apache,
        c"config_tree",
        process::config_tree,
        c"config_tree($module, /)\n--\n\n\
          A copy of the configuration as nested lists."
    ),
    function!(Apache, c"server_root", process::server_root, c"server_root($module, /)\n--\n\nServerRoot."),
    function!(
        Apache,
        c"exists_config_define",
        process::exists_config_define,
        c"exists_config_define($module, name, /)\n--\n\n\
          Whether the server was started with -D name."
    ),
    function!(
        Apache,
        c"mpm_query",
        process::mpm_query,
        c"mpm_query($module, code, /)\n--\n\n\
          The MPM's answer to one of AP_MPMQ_*."
    ),
    function!(Apache, c"mpm_name", process::mpm_name, c"mpm_name($module, /)\n--\n\nThe MPM's name."),
    function!(
        Apache,
        c"interpreter_info",
        process::interpreter_info,
        c"interpreter_info($module, /)\n--\n\n\
          A dict about this interpreter."
    ),
    function!(
        Apache,
        c"stat",
        stat::stat,
        c"stat($module, fname, wanted, /)\n--\n\n\
          Information about a file, an mp_finfo."
    ),
    function!(
        Apache,
        c"log_error",
        logging::log_error,
        c"log_error($module, message, level=3, server=None, /)\n--\n\n\
          An entry in a server's error log, or the main one's."
    ),
    function!(
        Apache,
        c"parse_qs",
        forms::parse_qs,
        c"parse_qs($module, qs, keep_blank=0, strict=0, /)\n--\n\n\
          The fields as a dict of lists."
    ),
    function!(
        Apache,
        c"parse_qsl",
        forms::parse_qsl,
        c"parse_qsl($module, qs, keep_blank=0, strict=0, /)\n--\n\n\
          The fields as a list of pairs."
    ),
    function!(
        Apache,
        c"register_cleanup",
        exit::register_cleanup,
        c"register_cleanup($module, interpreter, server, callable, data=None, /)\n--\n\n\
          Call callable(data) when the child exits."
    ),
    function!(
        Apache,
        c"_global_lock",
        mutexes::lock,
        c"_global_lock($module, server, key, index=-1, /)\n--\n\n\
          Wait for a global mutex."
    ),
    function!(
        Apache,
        c"_global_trylock",
        mutexes::try_lock,
        c"_global_trylock($module, server, key, index=-1, /)\n--\n\n\
          Whether a global mutex was free, and is held now."
    ),
    function!(
        Apache,
        c"_global_unlock",
        mutexes::unlock,
        c"_global_unlock($module, server, key, index=-1, /)\n--\n\n\
          Release a global mutex."
    ),
    function!(
        Apache,
        c"_current_request",
        serving::current_request,
        c"_current_request($module, /)\n--\n\n\
          The request that this thread is serving in this interpreter, or None."
    ),
    Method::END,
];

/// Adds the classes and constants.
pub(super) fn add_names(module: &Object<'_>, module_state: &ModuleState) -> Result<(), Raised> {
    let attached = module.attached();
    let exceptions = &module_state.exceptions;
    let kept = [
        (c"SERVER_RETURN", &exceptions.server_return),
        (c"RequestBodyError", &exceptions.body_error),
        (c"ClientGone", &exceptions.client_gone),
    ];
    for (name, class) in kept {
        // SAFETY: just made in this interpreter.
        module.set_attribute(name, &unsafe { class.get(attached) })?;
    }
    module.set_attribute(c"table", &module_state.class::<TableObject>(attached))?;
    constants::add(module)?;
    module.set_attribute(c"MP_VERSION", &Object::str(attached, env!("CARGO_PKG_VERSION"))?)
}

fn library_source<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
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

fn library_code<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    match library::part(arguments.required(0)?.to_utf8()?) {
        None => Ok(Object::none(attached)),
        Some(part) => library::code(attached, part),
    }
}
