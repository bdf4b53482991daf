//! The configuration records of this module: one for each directory, one for each server. Unset values stay unset when they are merged.

use std::ffi::{c_char, c_void};
use std::hash::{BuildHasher, Hash, RandomState};
use std::ptr;
use std::sync::OnceLock;

use crate::ffi::httpd as raw;
use crate::httpd::{self, ByDirection, Pool, Server, Table, field};
use crate::process::caught;

use super::application::{self, Application, Choice};
use super::flags::{Flag, Flags};
use super::handler::{Handler, HandlerList, Origin};
use super::phase::Phase;
use super::store::Store;
use super::wsgi::{ScriptAlias, WsgiSettings};

/// A hash that stands for a value. Its keys are random and secret, so that nobody can construct two values with the same hash. The
/// parent chooses them, and its children inherit them.
pub fn fingerprint(value: impl Hash) -> u64 {
    static KEYS: OnceLock<RandomState> = OnceLock::new();
    KEYS.get_or_init(RandomState::new).hash_one(value)
}

/// A `PythonPath` expression and its fingerprint.
#[derive(Clone, Copy)]
pub struct PathExpression<'p> {
    pub text: &'p str,
    pub fingerprint: u64,
}

impl<'p> PathExpression<'p> {
    pub fn new(text: &'p str) -> Self {
        Self { text, fingerprint: fingerprint(text) }
    }
}

/// Values that are set for a directory and, outside of sections, for the server too. `None` is unset.
#[derive(Clone, Copy, Default)]
pub struct Settings<'p> {
    pub interpreter: Option<&'p [u8]>,
    pub path: Option<PathExpression<'p>>,
    pub flags: Flags,
    /// `PythonOption`s; an empty value removes one.
    pub options: Option<Table<'p>>,
}

impl<'p> Settings<'p> {
    fn merge(outer: &Self, inner: &Self, pool: Pool<'p>) -> Self {
        let options = match (outer.options, inner.options) {
            (Some(outer), Some(inner)) => Some(inner.over(outer, pool)),
            (outer, inner) => inner.or(outer),
        };
        Self {
            interpreter: inner.interpreter.or(outer.interpreter),
            path: inner.path.or(outer.path),
            flags: Flags::merge(&outer.flags, &inner.flags),
            options,
        }
    }

    /// Whether a directive that is On or Off is on.
    #[inline]
    pub fn is_on(&self, flag: Flag) -> bool {
        self.flags.is_on(flag)
    }

    /// The directives for `get_config()`: name and text, flags as `1` and `0`.
    pub fn directives(&self) -> Vec<(&'static str, &'p [u8])> {
        let texts =
            [("PythonInterpreter", self.interpreter), ("PythonPath", self.path.map(|path| path.text.as_bytes()))];
        let flags = Flag::ROWS.iter().map(|(flag, row)| {
            let text = self.flags.given(*flag).map(|is_on| if is_on { b"1".as_slice() } else { b"0" });
            (row.name.to_str().unwrap_or_default(), text)
        });
        texts.into_iter().chain(flags).filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The record of a directory, location, file section or .htaccess file; also the server's default for all of them.
#[derive(Clone, Copy, Default)]
pub struct DirectoryConfig<'p> {
    /// The section has a directive of this module.
    pub is_set: bool,
    pub settings: Settings<'p>,
    pub handlers: [Option<&'p HandlerList<'p>>; Phase::COUNT],
    pub filters: ByDirection<&'p [FilterHandler<'p>]>,
    /// The function for `AuthBasicProvider python`.
    pub basic_provider: Option<&'p Handler<'p>>,
    /// The function for `AuthDigestProvider python`.
    pub digest_provider: Option<&'p Handler<'p>>,
    /// `PythonApplication` in a section.
    pub application: Option<Choice<'p>>,
    /// mod_wsgi's directives.
    pub wsgi: Option<&'p WsgiSettings<'p>>,
}

/// A filter with a Python handler.
#[derive(Clone, Copy)]
pub struct FilterHandler<'p> {
    /// In lower case, as in httpd.
    pub name: &'p str,
    pub handler: Handler<'p>,
}

impl<'p> FilterHandler<'p> {
    pub fn new(name: &str, handler: Handler<'p>, pool: Pool<'p>) -> Self {
        Self { name: pool.text(&name.to_ascii_lowercase()), handler }
    }

    /// A section's filters and another one, which replaces one of the same name.
    pub fn with(filters: &[Self], more: Self, pool: Pool<'p>) -> &'p [Self] {
        Self::merge(filters, &[more], pool)
    }

    fn merge(outer: &[Self], inner: &[Self], pool: Pool<'p>) -> &'p [Self] {
        let mut all = inner.to_vec();
        all.extend(outer.iter().filter(|entry| inner.iter().all(|own| own.name != entry.name)));
        pool.slice(&all)
    }

    /// The filter of that name.
    pub fn find<'f>(filters: &'f [Self], name: &[u8]) -> Option<&'f Self> {
        filters.iter().find(|entry| entry.name.as_bytes() == name)
    }
}

/// A `Require python`.
#[derive(Clone, Copy)]
pub struct Requirement<'p> {
    pub handler: Handler<'p>,
    /// The words after the handler.
    pub arguments: &'p [&'p str],
}

impl<'p> DirectoryConfig<'p> {
    pub fn handlers(&self, phase: Phase) -> Option<&'p HandlerList<'p>> {
        self.handlers[phase as usize]
    }

    /// mod_wsgi's directives, as far as they are set.
    pub fn wsgi(&self) -> WsgiSettings<'p> {
        self.wsgi.copied().unwrap_or_default()
    }
}

/// One `PythonImport`.
#[derive(Clone, Copy)]
pub struct Import<'p> {
    pub module: &'p str,
    pub function: Option<&'p str>,
    pub interpreter: &'p [u8],
    pub origin: Origin<'p>,
    /// Its position among those of all servers.
    pub order: usize,
}

/// The record of a server.
#[derive(Clone, Copy, Default)]
pub struct ServerConfig<'p> {
    pub settings: Settings<'p>,
    /// Not inherited by virtual hosts: each runs its own.
    pub imports: &'p [Import<'p>],
    /// `PythonConnectionHandler`.
    pub connection: Option<&'p Handler<'p>>,
    /// `PythonApplication` outside of sections, the longest prefix first.
    pub applications: &'p [&'p Application<'p>],
    /// `WSGIScriptAlias` and `WSGIScriptAliasMatch`, as they are written; a virtual host's before those outside.
    pub script_aliases: &'p [ScriptAlias<'p>],
    /// `PythonStore`s; a virtual host's before those outside.
    pub stores: &'p [Store<'p>],
}

/// This module's record of a server.
pub fn server_config<'s>(server: Server<'s>) -> Option<&'s ServerConfig<'s>> {
    // SAFETY: httpd makes a record for every server with `create_server`.
    unsafe { httpd::config_entry::<ServerConfig>(field!(server, module_config)).as_ref() }
}

/// # Safety
/// httpd's `create_dir_config` hook.
pub unsafe extern "C" fn create_directory(pool: *mut raw::apr_pool_t, _directory: *mut c_char) -> *mut c_void {
    // SAFETY: the pool is the configuration's.
    let pool = unsafe { Pool::from_raw(pool) };
    caught(|| ptr::from_mut(pool.value(DirectoryConfig::default())).cast()).unwrap_or(ptr::null_mut())
}

/// # Safety
/// httpd's `create_server_config` hook.
pub unsafe extern "C" fn create_server(pool: *mut raw::apr_pool_t, _server: *mut raw::server_rec) -> *mut c_void {
    // SAFETY: the pool is the configuration's.
    let pool = unsafe { Pool::from_raw(pool) };
    caught(|| ptr::from_mut(pool.value(ServerConfig::default())).cast()).unwrap_or(ptr::null_mut())
}

/// # Safety
/// httpd's `merge_dir_config` hook: both records were made by `create_directory` or here.
pub unsafe extern "C" fn merge_directory(
    pool: *mut raw::apr_pool_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_void {
    let (outer_record, inner_record) = (outer, inner);
    // SAFETY: see above; the records live longer than the pool of the merged one.
    let (pool, outer, inner) =
        unsafe { (Pool::from_raw(pool), &*outer.cast::<DirectoryConfig>(), &*inner.cast::<DirectoryConfig>()) };
    // httpd merges for each request, and most sections have no directive of this module. A merged record is not written to.
    match (outer.is_set, inner.is_set) {
        (false, _) => return inner_record,
        (_, false) => return outer_record,
        (true, true) => {}
    }
    let merged = caught(|| merge_set(pool, outer, inner));
    // A panic here is a defect; then the inner section's record is used.
    merged.map_or(inner_record, |merged| ptr::from_mut(merged).cast())
}

fn merge_set<'p>(
    pool: Pool<'p>,
    outer: &DirectoryConfig<'static>,
    inner: &DirectoryConfig<'static>,
) -> &'p mut DirectoryConfig<'static> {
    // SAFETY: both records live at least as long as the pool, and so does the result.
    let pool: Pool<'static> = unsafe { Pool::from_raw(pool.as_ptr()) };
    let filters =
        |outer: &'static [FilterHandler<'static>], inner: &'static [FilterHandler<'static>]| match (outer, inner) {
            ([], only) | (only, []) => only,
            (outer, inner) => FilterHandler::merge(outer, inner, pool),
        };
    let mut merged = DirectoryConfig {
        is_set: true,
        settings: Settings::merge(&outer.settings, &inner.settings, pool),
        handlers: Default::default(),
        filters: ByDirection {
            input: filters(outer.filters.input, inner.filters.input),
            output: filters(outer.filters.output, inner.filters.output),
        },
        basic_provider: inner.basic_provider.or(outer.basic_provider),
        digest_provider: inner.digest_provider.or(outer.digest_provider),
        application: inner.application.or(outer.application),
        wsgi: match (outer.wsgi, inner.wsgi) {
            (Some(outer), Some(inner)) => Some(pool.value(WsgiSettings::merge(outer, inner, pool))),
            (outer, inner) => inner.or(outer),
        },
    };
    for (index, place) in merged.handlers.iter_mut().enumerate() {
        *place = HandlerList::merge(outer.handlers[index], inner.handlers[index], pool);
    }
    pool.value(merged)
}

/// # Safety
/// httpd's `merge_server_config` hook: both records were made by `create_server` or here.
pub unsafe extern "C" fn merge_server(
    pool: *mut raw::apr_pool_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_void {
    // SAFETY: as for `merge_directory`.
    let (pool, outer, own) =
        unsafe { (Pool::from_raw(pool), &*outer.cast::<ServerConfig>(), &*inner.cast::<ServerConfig>()) };
    let merged = caught(|| {
        pool.value(ServerConfig {
            settings: Settings::merge(&outer.settings, &own.settings, pool),
            imports: own.imports,
            connection: own.connection.or(outer.connection),
            applications: application::merge(own.applications, outer.applications, pool),
            script_aliases: match (own.script_aliases, outer.script_aliases) {
                ([], only) | (only, []) => only,
                (own, outer) => pool.slice(&[own, outer].concat()),
            },
            stores: match (own.stores, outer.stores) {
                ([], only) | (only, []) => only,
                (own, outer) => pool.slice(&[own, outer].concat()),
            },
        })
    });
    merged.map_or(inner, |merged| ptr::from_mut(merged).cast())
}
