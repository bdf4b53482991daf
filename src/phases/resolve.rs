//! Finding the callable of a handler: once in its module, then in the cache until the module changes.

use crate::config::{Application, Flag, Handler, Settings, Source};
use crate::cpython::{Attached, Object, Raised};
use crate::httpd::{self, Request, field};
use crate::objects::module_state::ModuleState;
use crate::process::time;

use super::callback::Running;
use super::handler_cache::{self, HandlerCache, Target};

/// The data for looking up a handler.
pub struct Lookup<'a> {
    /// The request's file, for the directory of a section with a pattern.
    pub filename: Option<&'a [u8]>,
    /// The time at which the request began, in microseconds.
    pub now: i64,
    pub settings: &'a Settings<'a>,
}

impl<'a> Lookup<'a> {
    pub fn of_request(request: Request<'a>, settings: &'a Settings<'a>) -> Self {
        Self { filename: request.filename(), now: field!(request, request_time), settings }
    }
}

/// Finds a handler and calls it with `argument` and `more`; `None` if it is missing and that is allowed.
pub fn call<'i>(
    running: &Running<'i>,
    lookup: &Lookup<'_>,
    handler: &Handler<'_>,
    argument: &Object<'i>,
    more: &[Object<'i>],
) -> Result<Option<Object<'i>>, Raised> {
    let attached = running.attached;
    let callable = match resolve(running, lookup, handler)? {
        Target::Callable(callable) => callable,
        Target::PerRequest(module) => instantiate(&module, handler.object, argument)?,
        Target::Missing => return Ok(None),
    };
    if lookup.settings.is_on(Flag::Pdb) && httpd::configuration::is_single_process() {
        let debugging = Object::import(attached, c"mod_python._debugging")?;
        let arguments = std::iter::once(&callable).chain([argument]).chain(more);
        return debugging.attribute(c"run")?.call_with(arguments).map(Some);
    }
    match more {
        [] => callable.call([argument]),
        more => callable.call_with(std::iter::once(argument).chain(more)),
    }
    .map(Some)
}

/// Finds a handler, and imports its module if that is needed.
fn resolve<'i>(running: &Running<'i>, lookup: &Lookup<'_>, handler: &Handler<'_>) -> Result<Target<'i>, Raised> {
    let Lookup { settings, now, .. } = *lookup;
    let cache = HandlerCache::of(running.interpreter);
    let key = handler_cache::key(handler, settings, lookup.filename);
    if let Some(known) = cache.find(running.attached, key, settings.is_on(Flag::AutoReload), now) {
        return Ok(known);
    }
    let target = find(running.attached, running.module_state, lookup, handler).inspect_err(|_| cache.doubt(key))?;
    // After the import, which keeps to its own interval by the clock.
    cache.keep(running.attached, key, &target, time::now());
    Ok(target)
}

fn find<'i>(
    attached: Attached<'i>,
    module_state: &ModuleState,
    lookup: &Lookup<'_>,
    handler: &Handler<'_>,
) -> Result<Target<'i>, Raised> {
    let settings = lookup.settings;
    let directory = prepare_path(attached, module_state, lookup, handler)?;
    let module = import(attached, module_state, handler.module, settings, directory.as_ref())?;
    let mut parts = handler.object.split('.');
    let first = attribute(&module, &module, parts.next().unwrap_or_default());
    let mut object = match first {
        Err(raised) if handler.silent => {
            let exception = raised.fetch(attached);
            // SAFETY: a class of CPython's.
            return match unsafe { exception.is_builtin(crate::ffi::python::PyExc_AttributeError) } {
                true => Ok(Target::Missing),
                false => Err(exception.restore()),
            };
        }
        first => first?,
    };
    for part in parts {
        if object.is_type() {
            return Ok(Target::PerRequest(module));
        }
        object = attribute(&module, &object, part)?;
    }
    Ok(Target::Callable(object))
}

/// Has `sys.path` be what the handler's place in the configuration says; the directory that it has added, as Python has it.
fn prepare_path<'i>(
    attached: Attached<'i>,
    module_state: &ModuleState,
    lookup: &Lookup<'_>,
    handler: &Handler<'_>,
) -> Result<Option<Object<'i>>, Raised> {
    let directory = match lookup.settings.path {
        Some(path) => {
            use_path(attached, module_state, path.text)?;
            None
        }
        None if handler.section.is_location() => None,
        None => handler.section.directory_for(lookup.filename),
    };
    directory.map(|directory| add_directory(attached, &directory)).transpose()
}

/// Finds an application, loading its module or file if need be.
pub fn application<'i>(
    running: &Running<'i>,
    lookup: &Lookup<'_>,
    application: &Application<'_>,
) -> Result<Object<'i>, Raised> {
    let (attached, settings, handler) = (running.attached, lookup.settings, &application.handler);
    let cache = HandlerCache::of(running.interpreter);
    let is_reloading = settings.is_on(Flag::AutoReload);
    let key = handler_cache::key(handler, settings, lookup.filename);
    if let Some(Target::Callable(known)) = cache.find(attached, key, is_reloading, lookup.now) {
        return Ok(known);
    }
    let directory = prepare_path(attached, running.module_state, lookup, handler)?;
    let place = match application.source {
        Source::Module => handler.module.as_bytes(),
        Source::File(path) | Source::Script(path) => path.to_bytes(),
    };
    let found = Object::import(attached, c"mod_python._applications")?.attribute(c"load")?.call([
        &Object::file_name(attached, place)?,
        &Object::str(attached, application.source.prefix())?,
        &Object::str(attached, handler.object)?,
        &Object::bool(attached, application.options.is_factory),
        &Object::str(attached, application.options.path.unwrap_or_default())?,
        &Object::bool(attached, is_reloading),
        &Object::bool(attached, settings.is_on(Flag::Debug)),
        &directory.unwrap_or_else(|| Object::none(attached)),
        &path_text(attached, settings)?,
    ]);
    let found = found.inspect_err(|_| cache.doubt(key))?;
    let target = Target::Callable(found.clone());
    cache.keep(attached, key, &target, time::now());
    Ok(found)
}

/// Imports a module, or imports it again if it has changed: that of the directory if it has one of that name.
pub fn import<'i>(
    attached: Attached<'i>,
    module_state: &ModuleState,
    module: &str,
    settings: &Settings<'_>,
    directory: Option<&Object<'i>>,
) -> Result<Object<'i>, Raised> {
    let name = Object::str(attached, module)?;
    let reload = Object::bool(attached, settings.is_on(Flag::AutoReload));
    let log = Object::bool(attached, settings.is_on(Flag::Debug));
    // SAFETY: the library is this interpreter's.
    let import = unsafe { module_state.library(attached)?.import_for_handler.get(attached) };
    import.call([&name, &reload, &log, directory.unwrap_or(&Object::none(attached)), &path_text(attached, settings)?])
}

/// The text of the `PythonPath` in effect, or None.
fn path_text<'i>(attached: Attached<'i>, settings: &Settings<'_>) -> Result<Object<'i>, Raised> {
    match settings.path {
        Some(path) => Object::str(attached, path.text),
        None => Ok(Object::none(attached)),
    }
}

/// Evaluates a `PythonPath`, once for each text and interpreter.
pub fn use_path(attached: Attached<'_>, module_state: &ModuleState, text: &str) -> Result<(), Raised> {
    let text = Object::str(attached, text)?;
    // SAFETY: the library is this interpreter's.
    unsafe { module_state.library(attached)?.use_python_path.get(attached) }.call([&text]).map(drop)
}

/// Puts a directory at the front of `sys.path`, unless it is in it; the directory as Python has it.
fn add_directory<'i>(attached: Attached<'i>, directory: &[u8]) -> Result<Object<'i>, Raised> {
    let path = Object::import(attached, c"sys")?.attribute(c"path")?;
    let directory = Object::file_name(attached, directory)?;
    if !path.call_method(c"__contains__", [&directory])?.is_true()? {
        path.call_method(c"insert", [&Object::int(attached, 0)?, &directory])?;
    }
    Ok(directory)
}

/// The callable of a handler whose path contains a class, which is called with the request.
fn instantiate<'i>(module: &Object<'i>, path: &str, argument: &Object<'i>) -> Result<Object<'i>, Raised> {
    let mut object = module.clone();
    for (index, part) in path.split('.').enumerate() {
        if index > 0 && object.is_type() {
            object = object.call([argument])?;
        }
        object = attribute(module, &object, part)?;
    }
    Ok(object)
}

fn attribute<'i>(module: &Object<'i>, parent: &Object<'i>, name: &str) -> Result<Object<'i>, Raised> {
    parent.attribute_named(name).map_err(|raised| {
        let attached = module.attached();
        let exception = raised.fetch(attached);
        // SAFETY: a class of CPython's.
        if !unsafe { exception.is_builtin(crate::ffi::python::PyExc_AttributeError) } {
            return exception.restore();
        }
        let file = module.attribute(c"__file__").map(|file| file.display()).unwrap_or_else(|raised| {
            raised.clear(attached);
            "without a file".into()
        });
        let advice = if name == DEFAULT_HANDLER { instead_of_handler(module) } else { String::new() };
        // It may be the error of a property on the path.
        Raised::attribute_error(attached, format!("module '{file}' contains no '{name}'{advice}")).caused_by(exception)
    })
}

/// What `PythonHandler` calls in a module unless it names something else.
const DEFAULT_HANDLER: &str = "handler";

/// What to write for a module that has a WSGI application where a handler was looked for; empty if it has none.
fn instead_of_handler(module: &Object<'_>) -> String {
    let attribute = |name: &str| {
        let found = module.attribute_named(name);
        found.map_err(|raised| raised.clear(module.attached())).ok()
    };
    let has = |name: &&str| attribute(name).is_some_and(|object| object.is_callable());
    let Some(object) = ["application", "app"].into_iter().find(has) else { return String::new() };
    let known_as = attribute("__name__").map(|name| name.display()).unwrap_or_default();
    // One that is loaded beside another of its name has its folder behind it.
    let name = known_as.split('@').next().unwrap_or_default();
    format!(
        "; it has '{object}': a WSGI application is served by 'PythonApplication / {name}:{object}', not by PythonHandler"
    )
}
