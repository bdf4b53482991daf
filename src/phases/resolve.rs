//! From a handler's text to what is called: found once in its module, and kept until the module changes.

use crate::config::{HandlerEntry, PathExpression, Settings};
use crate::cpython::{Attached, Object, Raised};
use crate::httpd::{self, Request};
use crate::objects::Equipment;
use crate::objects::equipment::{CachedHandler, Resolved};

/// How often a module's file is looked at, in microseconds (as httpd counts time).
const CHECK_INTERVAL: i64 = 1_000_000;

/// What is called for a handler.
pub enum Target<'i> {
    Callable(Object<'i>),
    /// The module: the path goes through a class, of which each request gets an instance.
    PerRequest(Object<'i>),
    /// The module has no such function, and need not have it.
    Missing,
}

/// What a handler is looked up with.
pub struct Lookup<'a> {
    /// The request's file, which a pattern's directory follows from.
    pub filename: Option<&'a [u8]>,
    /// The time, in microseconds, as of the request's beginning.
    pub now: i64,
    pub settings: &'a Settings<'a>,
}

impl<'a> Lookup<'a> {
    pub fn of_request(request: Request<'a>, settings: &'a Settings<'a>) -> Self {
        Self { filename: request.filename(), now: request.fields().request_time, settings }
    }
}

/// Finds a handler and calls it with `argument` and `more`; `None` if it is missing and may be.
pub fn call<'i>(
    attached: Attached<'i>,
    equipment: &Equipment,
    lookup: &Lookup<'_>,
    entry: &HandlerEntry<'_>,
    argument: &Object<'i>,
    more: &[Object<'i>],
) -> Result<Option<Object<'i>>, Raised> {
    let callable = match resolve(attached, equipment, lookup, entry)? {
        Target::Callable(callable) => callable,
        Target::PerRequest(module) => instantiate(&module, entry.object, argument)?,
        Target::Missing => return Ok(None),
    };
    if lookup.settings.pdb() && is_one_process() {
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

/// Whether httpd was started with `-DONE_PROCESS` or with `-X` (which is `-DDEBUG`), and so has a terminal for a debugger.
fn is_one_process() -> bool {
    [c"ONE_PROCESS", c"DEBUG"].into_iter().any(httpd::configuration::is_defined)
}

/// Finds a handler, importing its module if need be.
fn resolve<'i>(
    attached: Attached<'i>,
    equipment: &Equipment,
    lookup: &Lookup<'_>,
    entry: &HandlerEntry<'_>,
) -> Result<Target<'i>, Raised> {
    let Lookup { settings, now, .. } = *lookup;
    let key = entry.fingerprint ^ settings.path.map_or(0, |path| path.fingerprint) ^ u64::from(entry.silent);
    let reload = settings.auto_reload();
    let known = equipment.handlers.with(attached, |handlers| {
        let cached = handlers.get_mut(&key).filter(|cached| is_same(cached, entry, settings.path))?;
        if reload && now - cached.checked >= CHECK_INTERVAL {
            // This thread looks; others go on with what is known.
            cached.checked = now;
            return None;
        }
        // SAFETY: kept by this interpreter's own cache.
        Some(unsafe {
            match &cached.resolved {
                Resolved::Callable(kept) => Target::Callable(kept.get(attached)),
                Resolved::PerRequest(kept) => Target::PerRequest(kept.get(attached)),
                Resolved::Missing => Target::Missing,
            }
        })
    });
    if let Some(target) = known {
        return Ok(target);
    }
    let target = find(attached, equipment, lookup, entry)?;
    let resolved = match &target {
        Target::Callable(object) => Resolved::Callable(object.clone().keep()),
        Target::PerRequest(module) => Resolved::PerRequest(module.clone().keep()),
        Target::Missing => Resolved::Missing,
    };
    let cached = CachedHandler {
        resolved,
        // After the import, which keeps to its own interval by the clock.
        checked: httpd::time_now(),
        module: entry.module.into(),
        object: entry.object.into(),
        path: settings.path.map(|path| path.text.into()),
        directory: entry.section.directory().map(Into::into),
    };
    let old = equipment.handlers.with(attached, |handlers| handlers.insert(key, cached));
    if let Some(CachedHandler { resolved: Resolved::Callable(kept) | Resolved::PerRequest(kept), .. }) = old {
        // SAFETY: made in this interpreter; released outside of the cache's lock, since it may run Python code.
        unsafe { kept.release(attached) };
    }
    Ok(target)
}

fn is_same(cached: &CachedHandler, entry: &HandlerEntry<'_>, path: Option<PathExpression<'_>>) -> bool {
    *cached.module == *entry.module
        && *cached.object == *entry.object
        && cached.path.as_deref() == path.map(|path| path.text)
        && cached.directory.as_deref() == entry.section.directory()
}

fn find<'i>(
    attached: Attached<'i>,
    equipment: &Equipment,
    lookup: &Lookup<'_>,
    entry: &HandlerEntry<'_>,
) -> Result<Target<'i>, Raised> {
    let settings = lookup.settings;
    match settings.path {
        Some(path) => use_path(attached, equipment, path.text)?,
        None if !entry.section.is_location() => {
            if let Some(directory) = entry.section.directory_for(lookup.filename) {
                add_directory(attached, &directory)?;
            }
        }
        None => {}
    }
    let module = import(attached, equipment, entry.module, settings)?;
    let mut parts = entry.object.split('.');
    let first = attribute(&module, &module, parts.next().unwrap_or_default());
    let mut object = match first {
        Err(raised) if entry.silent => {
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

/// Imports a module, or imports it again if it has changed (`apache.import_module`).
pub fn import<'i>(
    attached: Attached<'i>,
    equipment: &Equipment,
    module: &str,
    settings: &Settings<'_>,
) -> Result<Object<'i>, Raised> {
    let name = Object::str(attached, module)?;
    let reload = Object::bool(attached, settings.auto_reload());
    let log = Object::bool(attached, settings.debug());
    // SAFETY: the equipment is this interpreter's.
    unsafe { equipment.import_module.get(attached) }.call([&name, &reload, &log])
}

/// Evaluates a `PythonPath`, once for each text and interpreter.
pub fn use_path(attached: Attached<'_>, equipment: &Equipment, text: &str) -> Result<(), Raised> {
    let text = Object::str(attached, text)?;
    // SAFETY: the equipment is this interpreter's.
    unsafe { equipment.use_python_path.get(attached) }.call([&text]).map(drop)
}

/// Puts a directory at the front of `sys.path`, unless it is in it.
fn add_directory(attached: Attached<'_>, directory: &[u8]) -> Result<(), Raised> {
    let path = Object::import(attached, c"sys")?.attribute(c"path")?;
    // SAFETY: attached; the bytes are copied.
    let directory = unsafe {
        use crate::ffi::python as py;
        Object::owned(attached, py::PyUnicode_DecodeFSDefaultAndSize(directory.as_ptr().cast(), directory.len() as _))?
    };
    if !path.call_method(c"__contains__", [&directory])?.is_true()? {
        path.call_method(c"insert", [&Object::int(attached, 0)?, &directory])?;
    }
    Ok(())
}

/// The object of a handler whose path goes through a class: the class is called with the request.
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
        // A property on the way can have failed by itself.
        Raised::attribute_error(attached, format!("module '{file}' contains no '{name}'")).caused_by(exception)
    })
}
