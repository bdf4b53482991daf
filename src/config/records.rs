//! The records that httpd keeps for this module: one by directory, one by server. Unset stays unset until asked.

use std::collections::hash_map::DefaultHasher;
use std::ffi::{c_char, c_void};
use std::hash::{Hash, Hasher};

use crate::ffi::httpd as raw;
use crate::httpd::{self, ByDirection, Pool, Server, Table};

use super::handlers::{HandlerEntry, HandlerList, Origin};
use super::phase::Phase;

/// A `PythonPath` expression and a hash of it.
#[derive(Clone, Copy)]
pub struct PathExpression<'p> {
    pub text: &'p str,
    pub fingerprint: u64,
}

impl<'p> PathExpression<'p> {
    pub fn new(text: &'p str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self { text, fingerprint: hasher.finish() }
    }
}

/// What directives set, both by directory and, outside of sections, by server. `None` is unset.
#[derive(Clone, Copy, Default)]
pub struct Settings<'p> {
    pub interpreter: Option<&'p [u8]>,
    pub per_directory: Option<bool>,
    pub per_directive: Option<bool>,
    pub path: Option<PathExpression<'p>>,
    pub auto_reload: Option<bool>,
    pub debug: Option<bool>,
    pub pdb: Option<bool>,
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
            per_directory: inner.per_directory.or(outer.per_directory),
            per_directive: inner.per_directive.or(outer.per_directive),
            path: inner.path.or(outer.path),
            auto_reload: inner.auto_reload.or(outer.auto_reload),
            debug: inner.debug.or(outer.debug),
            pdb: inner.pdb.or(outer.pdb),
            options,
        }
    }

    pub fn debug(&self) -> bool {
        self.debug.unwrap_or(false)
    }

    pub fn pdb(&self) -> bool {
        self.pdb.unwrap_or(false)
    }

    pub fn auto_reload(&self) -> bool {
        self.auto_reload.unwrap_or(true)
    }

    /// The directives as `get_config()` shows them: name and text, flags as `1` and `0`.
    pub fn directives(&self) -> Vec<(&'static str, &'p [u8])> {
        let flag = |value: Option<bool>| value.map(|on| if on { b"1".as_slice() } else { b"0" });
        let all = [
            ("PythonInterpreter", self.interpreter),
            ("PythonInterpPerDirectory", flag(self.per_directory)),
            ("PythonInterpPerDirective", flag(self.per_directive)),
            ("PythonPath", self.path.map(|path| path.text.as_bytes())),
            ("PythonAutoReload", flag(self.auto_reload)),
            ("PythonDebug", flag(self.debug)),
            ("PythonEnablePdb", flag(self.pdb)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The record of a directory, location, file section or .htaccess; also the server's default for all of them.
#[derive(Clone, Copy, Default)]
pub struct DirectoryConfig<'p> {
    pub settings: Settings<'p>,
    pub handlers: [Option<&'p HandlerList<'p>>; Phase::COUNT],
    pub filters: ByDirection<&'p [FilterEntry<'p>]>,
    /// What `AuthBasicProvider python` asks.
    pub basic_provider: Option<&'p HandlerEntry<'p>>,
    /// What `AuthDigestProvider python` asks.
    pub digest_provider: Option<&'p HandlerEntry<'p>>,
}

/// A filter with a Python handler.
#[derive(Clone, Copy)]
pub struct FilterEntry<'p> {
    /// As httpd keeps it: in lower case.
    pub name: &'p str,
    pub handler: HandlerEntry<'p>,
}

impl<'p> FilterEntry<'p> {
    pub fn new(name: &str, handler: HandlerEntry<'p>, pool: Pool<'p>) -> Self {
        Self { name: pool.text(&name.to_ascii_lowercase()), handler }
    }

    /// A section's filters and one more, which replaces one of the same name.
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

/// What `Require python` demands.
#[derive(Clone, Copy)]
pub struct Requirement<'p> {
    pub handler: HandlerEntry<'p>,
    /// The words behind the handler.
    pub arguments: &'p [&'p str],
}

impl<'p> DirectoryConfig<'p> {
    pub fn handlers(&self, phase: Phase) -> Option<&'p HandlerList<'p>> {
        self.handlers[phase as usize]
    }
}

/// One `PythonImport`.
#[derive(Clone, Copy)]
pub struct Import<'p> {
    pub module: &'p str,
    pub function: Option<&'p str>,
    pub interpreter: &'p [u8],
    pub origin: Origin<'p>,
    /// Its place among all in the configuration, whichever server they belong to.
    pub order: usize,
}

/// The record of a server.
#[derive(Clone, Copy, Default)]
pub struct ServerConfig<'p> {
    pub settings: Settings<'p>,
    /// Not inherited by virtual hosts: each runs its own.
    pub imports: &'p [Import<'p>],
    /// `PythonConnectionHandler`.
    pub connection: Option<&'p HandlerEntry<'p>>,
}

/// This module's record of a server.
pub fn server_config<'s>(server: Server<'s>) -> Option<&'s ServerConfig<'s>> {
    // SAFETY: httpd makes a record for every server with `create_server`.
    unsafe { httpd::config_entry::<ServerConfig>(server.fields().module_config).as_ref() }
}

/// # Safety
/// httpd's `create_dir_config` hook.
pub unsafe extern "C" fn create_directory(pool: *mut raw::apr_pool_t, _directory: *mut c_char) -> *mut c_void {
    // SAFETY: the pool is the configuration's.
    let record: *mut DirectoryConfig = unsafe { Pool::from_raw(pool) }.value(DirectoryConfig::default());
    record.cast()
}

/// # Safety
/// httpd's `create_server_config` hook.
pub unsafe extern "C" fn create_server(pool: *mut raw::apr_pool_t, _server: *mut raw::server_rec) -> *mut c_void {
    // SAFETY: the pool is the configuration's.
    let record: *mut ServerConfig = unsafe { Pool::from_raw(pool) }.value(ServerConfig::default());
    record.cast()
}

/// # Safety
/// httpd's `merge_dir_config` hook: both records were made by `create_directory` or here.
pub unsafe extern "C" fn merge_directory(
    pool: *mut raw::apr_pool_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_void {
    // SAFETY: as said; records live longer than the pool of what is merged from them.
    let (pool, outer, inner) =
        unsafe { (Pool::from_raw(pool), &*outer.cast::<DirectoryConfig>(), &*inner.cast::<DirectoryConfig>()) };
    let filters = |outer: &'static [FilterEntry<'static>], inner: &'static [FilterEntry<'static>]| match (outer, inner)
    {
        ([], only) | (only, []) => only,
        (outer, inner) => FilterEntry::merge(outer, inner, pool),
    };
    let mut merged = DirectoryConfig {
        settings: Settings::merge(&outer.settings, &inner.settings, pool),
        handlers: Default::default(),
        filters: ByDirection {
            input: filters(outer.filters.input, inner.filters.input),
            output: filters(outer.filters.output, inner.filters.output),
        },
        basic_provider: inner.basic_provider.or(outer.basic_provider),
        digest_provider: inner.digest_provider.or(outer.digest_provider),
    };
    for (index, place) in merged.handlers.iter_mut().enumerate() {
        *place = HandlerList::merge(outer.handlers[index], inner.handlers[index], pool);
    }
    let merged: *mut DirectoryConfig = pool.value(merged);
    merged.cast()
}

/// # Safety
/// httpd's `merge_server_config` hook: both records were made by `create_server` or here.
pub unsafe extern "C" fn merge_server(
    pool: *mut raw::apr_pool_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_void {
    // SAFETY: as for `merge_directory`.
    let (pool, outer, inner) =
        unsafe { (Pool::from_raw(pool), &*outer.cast::<ServerConfig>(), &*inner.cast::<ServerConfig>()) };
    let merged = ServerConfig {
        settings: Settings::merge(&outer.settings, &inner.settings, pool),
        imports: inner.imports,
        connection: inner.connection.or(outer.connection),
    };
    let merged: *mut ServerConfig = pool.value(merged);
    merged.cast()
}
