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
}

/// Finds a handler, importing its module if need be.
pub fn resolve<'i>(
    attached: Attached<'i>,
    equipment: &Equipment,
    request: Request<'_>,
    settings: &Settings<'_>,
    entry: &HandlerEntry<'_>,
) -> Result<Target<'i>, Raised> {
    let key = entry.fingerprint ^ settings.path.map_or(0, |path| path.fingerprint);
    let now = request.fields().request_time;
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
            }
        })
    });
    if let Some(target) = known {
        return Ok(target);
    }
    let target = find(attached, equipment, request, settings, entry)?;
    let resolved = match &target {
        Target::Callable(object) => Resolved::Callable(object.clone().keep()),
        Target::PerRequest(module) => Resolved::PerRequest(module.clone().keep()),
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
    request: Request<'_>,
    settings: &Settings<'_>,
    entry: &HandlerEntry<'_>,
) -> Result<Target<'i>, Raised> {
    match settings.path {
        Some(path) => use_path(attached, equipment, path.text)?,
        None if !entry.section.is_location() => {
            if let Some(directory) = entry.section.directory_for(request.filename()) {
                add_directory(attached, &directory)?;
            }
        }
        None => {}
    }
    let module = import(attached, equipment, entry.module, settings)?;
    let mut parts = entry.object.split('.');
    let mut object = attribute(&module, &module, parts.next().unwrap_or_default())?;
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
pub fn instantiate<'i>(module: &Object<'i>, path: &str, argument: &Object<'i>) -> Result<Object<'i>, Raised> {
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
