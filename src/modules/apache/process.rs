//! Information about httpd and the interpreter.

use std::ffi::CString;

use crate::cpython::{self, Arguments, Attached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::Mpm;
use crate::httpd::configuration::{self, Directive};
use crate::interpreter;
use crate::objects::text;

use super::Apache;

/// `config_tree()`: a copy of the configuration. Each line is `(directive, arguments)`; a list after a section has its lines.
pub(super) fn config_tree<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    // SAFETY: a child's configuration does not change.
    tree(arguments.attached(), unsafe { Directive::first() })
}

fn tree<'i>(attached: Attached<'i>, first: Option<Directive<'_>>) -> Result<Object<'i>, Raised> {
    let list = Object::list(attached, [])?;
    for directive in first.into_iter().flat_map(Directive::with_following) {
        let name = text::from_httpd(attached, directive.name())?;
        let arguments = text::from_httpd(attached, directive.arguments())?;
        list.append(&Object::tuple(attached, [name, arguments])?)?;
        if let Some(child) = directive.child() {
            list.append(&tree(attached, Some(child))?)?;
        }
    }
    Ok(list)
}

/// `server_root()`.
pub(super) fn server_root<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    text::from_httpd(arguments.attached(), configuration::server_root())
}

/// `exists_config_define(name)`.
pub(super) fn exists_config_define<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let name =
        CString::new(arguments.text(0)?).map_err(|_| Raised::value_error(attached, "embedded null character"))?;
    Ok(Object::bool(attached, configuration::is_defined(&name)))
}

/// `mpm_query(code)`: 0, which is `AP_MPMQ_NOT_SUPPORTED`, if the MPM has no answer.
pub(super) fn mpm_query<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let code = arguments.required(0)?;
    if !code.is_int() {
        let message = format!("mpm_query() argument must be int, not {}", code.type_name());
        return Err(Raised::type_error(attached, message));
    }
    let answer = i32::try_from(code.to_i64()?).ok().and_then(|code| Mpm::query(code).ok());
    Object::int(attached, answer.unwrap_or(raw::AP_MPMQ_NOT_SUPPORTED as i32).into())
}

/// `mpm_name()`.
pub(super) fn mpm_name<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    Object::str(arguments.attached(), &Mpm::name())
}

/// `interpreter_info()`: a dict about this interpreter.
pub(super) fn interpreter_info<'i>(state: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = arguments.attached();
    let interpreter = state.required(attached)?;
    let info = Object::dict(attached)?;
    info.set("name", &Object::text(attached, interpreter.name())?)?;
    info.set("id", &Object::int(attached, interpreter.id())?)?;
    info.set("gil", &Object::str(attached, &interpreter.gil().to_string())?)?;
    info.set("python", &Object::str(attached, &cpython::full_version())?)?;
    info.set("main", &Object::bool(attached, interpreter.is_main()))?;
    info.set("thread_states", &Object::int(attached, cpython::thread_states(attached) as i64)?)?;
    Ok(info)
}

/// `_forked_by_python()`.
pub(super) fn forked_by_python<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = arguments.attached();
    match interpreter::forked_by_python() {
        true => Ok(Object::none(attached)),
        false => Err(Raised::runtime_error(
            attached,
            "_forked_by_python() is for the hook of os.fork() in a new process: nobody has forked this one",
        )),
    }
}

/// `_has_other_interpreters()`.
pub(super) fn has_other_interpreters<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = arguments.attached();
    Ok(Object::bool(attached, cpython::other_interpreters(attached)))
}

/// `_interpreters_have_own_gils()`.
pub(super) fn interpreters_have_own_gils<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let has_own_gils = interpreter::runtime().is_some_and(|runtime| runtime.has_own_gils());
    Ok(Object::bool(arguments.attached(), has_own_gils))
}

/// `_replace_namespace(module, namespace)`.
pub(super) fn replace_namespace<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let attached = arguments.attached();
    arguments.required(0)?.replace_namespace(&arguments.required(1)?)?;
    Ok(Object::none(attached))
}
