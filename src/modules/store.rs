//! `_store`: the builtin module behind `mod_python.store`, with the encoding of values and the embedded engine.

mod cache;
mod embedded;

use crate::config::{Generation, Store as StoreConfig, StoreLocation, StoreOptions, server_config};
use crate::cpython::{
    Arguments, Attached, Method, ModuleSlots, ModuleTable, Object, Raised, State, class_of, function, module_slots,
};
use crate::ffi::python as py;
use crate::httpd::{LogScope, Server};
use crate::store::{self, Encoding, LONGEST_NAME, StoreError};

use cache::Cached;
use embedded::Embedded;

/// The name under which Python imports it.
pub const NAME: &std::ffi::CStr = c"_store";

struct Store {
    encoding: Encoding,
}

impl State for Store {
    fn execute(module: &Object<'_>) -> Result<Self, Raised> {
        module.set_attribute(c"Cached", &class_of::<Cached>(module)?)?;
        module.set_attribute(c"Embedded", &class_of::<Embedded>(module)?)?;
        Ok(Self { encoding: Encoding::new(module.attached())? })
    }

    fn traverse(&self, visitor: &mut dyn FnMut(*mut py::PyObject)) {
        self.encoding.traverse(visitor);
    }
}

static FUNCTIONS: &[Method] = &[
    function!(
        Store,
        c"settings",
        settings,
        c"settings($module, name, /)\n--\n\n\
          (name, location or None, ((key, value), ...)) of a store of the current server."
    ),
    function!(
        Store,
        c"name",
        name,
        c"name($module, namespace, key, /)\n--\n\n\
          The bytes that stand for a key."
    ),
    function!(Store, c"encode", encode, c"encode($module, value, /)\n--\n\nA value as CBOR."),
    function!(Store, c"decode", decode, c"decode($module, data, /)\n--\n\nThe value that encode() was given."),
    function!(
        Store,
        c"ttl",
        time_to_live,
        c"ttl($module, seconds, /)\n--\n\n\
          A time to live as a float, or None."
    ),
    function!(
        Store,
        c"lock_token",
        lock_token,
        c"lock_token($module, /)\n--\n\n\
          Bytes that no other call gives, in any process."
    ),
    Method::END,
];

static SLOTS: ModuleSlots<{ crate::cpython::module::SLOTS }> = module_slots::<Store>();
static TABLE: ModuleTable =
    ModuleTable::new::<Store>(NAME, c"The encoding of a store's values, and the embedded engine.", FUNCTIONS, &SLOTS);

/// The module's init function, for `PyImport_AppendInittab`.
pub unsafe extern "C" fn init() -> *mut py::PyObject {
    TABLE.init()
}

/// The server that this thread works for: that of its request or connection, else the main one.
fn server() -> Option<Server<'static>> {
    LogScope::current().server().or_else(Server::main)
}

/// The directive for a store; none for the store that is there without one.
///
/// # Errors
/// `LookupError` if there is no store of that name.
fn configured(attached: Attached<'_>, name: &str) -> Result<Option<&'static StoreConfig<'static>>, Raised> {
    let stores = server().and_then(server_config).map_or(&[][..], |config| config.stores);
    match StoreConfig::find(stores, name) {
        None if name != crate::config::DEFAULT_STORE => {
            let known: Vec<_> = stores.iter().map(|store| store.name).collect();
            let known = if known.is_empty() { String::new() } else { format!(": it has {}", known.join(", ")) };
            let message = format!(
                "this server has no store {name:?}{known}. Write 'PythonStore {name}' in its configuration, outside of sections"
            );
            Err(Raised::lookup_error(attached, message))
        }
        found => Ok(found),
    }
}

fn settings<'i>(_: &Store, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let name = arguments.required(0)?;
    if !name.is_str() {
        return Err(Raised::type_error(attached, format!("a store's name is a str, not {}", name.type_name())));
    }
    let found = configured(attached, name.to_utf8()?)?;
    let location = found.and_then(|store| store.location.text());
    let pairs = found
        .map_or(&[][..], |store| store.pairs)
        .iter()
        .map(|(key, value)| Object::tuple(attached, [Object::str(attached, key)?, Object::str(attached, value)?]));
    let pairs = Object::list(attached, pairs)?;
    let location = location.map_or(Ok(Object::none(attached)), |text| Object::str(attached, text))?;
    Object::tuple(attached, [name, location, pairs.to_tuple()?])
}

/// Where an embedded store is, and how it is opened.
fn place(attached: Attached<'_>, name: &str) -> Result<(std::path::PathBuf, StoreOptions), Raised> {
    let found = configured(attached, name)?;
    let location = found.map_or(StoreLocation::Runtime, |store| store.location);
    let options = found.map_or_else(|| StoreOptions::of(location), |store| store.options);
    let folder = match location {
        StoreLocation::Folder(folder) => folder.into(),
        StoreLocation::Server(_) => {
            return Err(Raised::value_error(attached, format!("the store {name} is on a server")));
        }
        StoreLocation::Cache(_) => {
            return Err(Raised::value_error(attached, format!("the store {name} is a cache of httpd's")));
        }
        StoreLocation::Runtime => {
            let base = Generation::current().and_then(|generation| generation.stores.as_ref());
            base.map(|base| base.join(name)).ok_or_else(|| {
                let why = format!(
                    "the store {name} has no folder, since none could be made in httpd's runtime directory; the error log says why (MP0711). Give it one: PythonStore {name} /a/folder"
                );
                raised_as(attached, c"StoreError", &why)
            })?
        }
    };
    Ok((folder, options))
}

fn name<'i>(_: &Store, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let attached = arguments.attached();
    let key = arguments.required(1)?;
    let namespace = arguments.required(0)?;
    let name = full_name(&key, namespace.to_bytes()?)?;
    Object::bytes(attached, &name)
}

/// The bytes for a key in a namespace.
fn full_name(key: &Object<'_>, namespace: &[u8]) -> Result<smallvec::SmallVec<[u8; 64]>, Raised> {
    let attached = key.attached();
    if !key.is_str() {
        return Err(Raised::type_error(attached, format!("a key in a store is a str, not {}", key.type_name())));
    }
    let text = key.to_utf8()?;
    if namespace.len() + text.len() > LONGEST_NAME {
        let message =
            format!("this key has {} bytes as UTF-8, and a store has keys of at most {}", text.len(), LONGEST_NAME - 1);
        return Err(Raised::value_error(attached, message));
    }
    let mut name = smallvec::SmallVec::from_slice(namespace);
    name.extend_from_slice(text.as_bytes());
    Ok(name)
}

fn encode<'i>(state: &Store, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    Object::bytes(arguments.attached(), &store::encode(&state.encoding, &arguments.required(0)?)?)
}

fn decode<'i>(state: &Store, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    store::decode(arguments.attached(), &state.encoding, arguments.required(0)?.to_bytes()?)
}

fn time_to_live<'i>(_: &Store, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    match seconds(&arguments.required(0)?)? {
        None => Ok(Object::none(attached)),
        Some(seconds) => Object::float(attached, seconds),
    }
}

/// A time to live in seconds, none for ever.
fn seconds(value: &Object<'_>) -> Result<Option<f64>, Raised> {
    let attached = value.attached();
    if value.is_none() {
        return Ok(None);
    }
    if value.is_bool() || !(value.is_float() || value.is_int()) {
        let message = format!("a time is a number of seconds, or None, not {}", value.type_name());
        return Err(Raised::type_error(attached, message));
    }
    let seconds = value.to_f64().unwrap_or_else(|raised| {
        raised.clear(attached);
        f64::INFINITY
    });
    match seconds > 0.0 && seconds < 1e10 {
        true => Ok(Some(seconds)),
        false => {
            Err(Raised::value_error(attached, format!("a time of {seconds} s: write more than 0 and less than 1e10 s")))
        }
    }
}

/// A time to live in milliseconds, 0 for ever.
fn milliseconds(value: Option<&Object<'_>>) -> Result<u64, Raised> {
    let seconds = value.map_or(Ok(None), seconds)?;
    Ok(seconds.map_or(0, |seconds| ((seconds * 1000.0).ceil() as u64).max(1)))
}

fn lock_token<'i>(_: &Store, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    Object::bytes(arguments.attached(), &store::token())
}

/// Raises an exception of `mod_python.store`.
fn raised_as(attached: Attached<'_>, class: &std::ffi::CStr, message: &str) -> Raised {
    let class = Object::import(attached, c"mod_python._store_errors").and_then(|module| module.attribute(class));
    match class {
        Ok(class) => Raised::new(&class, message),
        Err(raised) => raised,
    }
}

/// Raises what has gone wrong in the engine.
fn raised(attached: Attached<'_>, error: &StoreError) -> Raised {
    let message = error.to_string();
    match error {
        StoreError::NotANumber(_) => Raised::type_error(attached, message),
        StoreError::Overflow(_) => Raised::overflow_error(attached, message),
        StoreError::Full { .. } | StoreError::DiskFull { .. } => raised_as(attached, c"StoreFull", &message),
        _ => raised_as(attached, c"StoreError", &message),
    }
}
