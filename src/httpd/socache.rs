//! httpd's caches of small objects (`ap_socache.h`), which modules such as mod_socache_shmcb provide.

use std::ffi::{CStr, c_uint};
use std::ptr::{self, NonNull};

use crate::ffi::httpd as raw;

use super::{AprStatus, GlobalMutexes, OwnedPool, Pool, Server, bytes_at};

/// The longest that an entry stays: memcached takes more for a moment in 1970.
pub const LONGEST_SECONDS: u64 = 30 * 24 * 60 * 60;

/// The largest entry, in bytes: that of memcached, which is the most that a provider takes by default.
pub const LARGEST_ENTRY: usize = 1 << 20;

const MICROSECONDS: u64 = 1_000_000;

/// Why there is no cache. Each is the end of a sentence about a directive.
#[derive(Debug, thiserror::Error)]
pub enum CacheProblem {
    #[error(
        "this httpd has no cache provider '{provider}': load its module (LoadModule socache_{provider}_module modules/mod_socache_{provider}.so; on Debian and Ubuntu: a2enmod socache_{provider})"
    )]
    NoProvider { provider: String },
    #[error("its provider does not take what is behind 'socache:{provider}': {why}")]
    Refused { provider: String, why: String },
    #[error("its provider cannot start it: {status}. The line before this one may say more")]
    NotStarted { status: AprStatus },
    #[error("the mutex that it needs cannot be made: {status}. Check the Mutex directive ('Mutex … python')")]
    NoMutex { status: AprStatus },
}

/// A cache, and its provider.
pub struct Cache {
    provider: NonNull<raw::ap_socache_provider_t>,
    instance: *mut raw::ap_socache_instance_t,
    /// For the provider's log entries.
    server: *mut raw::server_rec,
    /// Which mutex excludes all others, where the provider needs one.
    mutex: Option<usize>,
}

/// The caches of one configuration.
pub struct Caches {
    caches: Vec<Cache>,
    mutexes: GlobalMutexes,
}

// SAFETY: a provider's functions are made for several threads, or are called with the mutex held.
unsafe impl Send for Cache {}
// SAFETY: as above.
unsafe impl Sync for Cache {}

/// What a cache is made of: the provider, what it is told, and a tag of at most 16 letters that no other cache has.
pub struct CacheSpec<'a> {
    pub provider: &'a str,
    pub argument: Option<&'a str>,
    pub tag: &'a str,
}

impl Caches {
    /// Makes caches that live as long as the configuration's pool. For httpd's parent, after the configuration was read.
    ///
    /// # Errors
    /// The number of the first that cannot be made, and why.
    pub fn create(specs: &[CacheSpec<'_>], server: Server<'_>, pool: Pool<'_>) -> Result<Self, (usize, CacheProblem)> {
        let mut caches = Vec::with_capacity(specs.len());
        let mut needed = 0;
        for (index, spec) in specs.iter().enumerate() {
            let mut cache = Cache::create(spec, server, pool).map_err(|problem| (index, problem))?;
            if cache.needs_mutex() {
                cache.mutex = Some(needed);
                needed += 1;
            }
            caches.push(cache);
        }
        let (mutexes, failure) = GlobalMutexes::create(needed, "cache", server, pool);
        match failure {
            Some(status) => Err((0, CacheProblem::NoMutex { status })),
            None => Ok(Self { caches, mutexes }),
        }
    }

    /// Opens the mutexes again in a child.
    ///
    /// # Errors
    /// Why that was not possible.
    pub fn open_in_child(&mut self, pool: Pool<'_>) -> Result<(), AprStatus> {
        self.mutexes.open_in_child(pool)
    }

    /// Stores an entry for a number of microseconds since 1970. What was there is gone, also where the new one is not kept, of which the
    /// provider writes the reason to the error log. Blocks.
    pub fn store(&self, index: usize, id: &[u8], until: u64, data: &mut [u8]) {
        self.with(index, |cache, pool| {
            // SAFETY: the provider reads so many bytes, and has copied them when it returns.
            let status = unsafe {
                match (data.len() <= LARGEST_ENTRY, cache.functions().store) {
                    (true, Some(store)) => store(
                        cache.instance,
                        cache.server,
                        id.as_ptr(),
                        id.len() as c_uint,
                        until.min(i64::MAX as u64) as raw::apr_time_t,
                        data.as_mut_ptr(),
                        data.len() as c_uint,
                        pool,
                    ),
                    _ => AprStatus::NO_MEMORY.0,
                }
            };
            if status != 0 {
                cache.remove(id, pool);
            }
        });
    }

    /// Appends an entry to an empty vector; whether there is one. Blocks.
    pub fn retrieve(&self, index: usize, id: &[u8], data: &mut Vec<u8>) -> bool {
        data.reserve_exact(LARGEST_ENTRY);
        let found = self.with(index, |cache, pool| {
            let mut length = LARGEST_ENTRY as c_uint;
            let retrieve = cache.functions().retrieve?;
            // SAFETY: there is room for so many bytes; the provider writes `length` of them.
            let status = unsafe {
                retrieve(
                    cache.instance,
                    cache.server,
                    id.as_ptr(),
                    id.len() as c_uint,
                    data.as_mut_ptr(),
                    &mut length,
                    pool,
                )
            };
            (status == 0 && length as usize <= LARGEST_ENTRY).then_some(length as usize)
        });
        // SAFETY: the provider has written them.
        unsafe { data.set_len(found.flatten().unwrap_or(0)) };
        !data.is_empty()
    }

    /// Removes an entry, if it is there. Blocks.
    pub fn remove(&self, index: usize, id: &[u8]) {
        self.with(index, |cache, pool| cache.remove(id, pool));
    }

    /// Runs work on a cache, with its mutex where it needs one; none where that cannot be had.
    fn with<T>(&self, index: usize, work: impl FnOnce(&Cache, *mut raw::apr_pool_t) -> T) -> Option<T> {
        let cache = &self.caches[index];
        let pool = OwnedPool::new();
        let Some(mutex) = cache.mutex else { return Some(work(cache, pool.pool().as_ptr())) };
        self.mutexes.lock(mutex).ok()?;
        let result = work(cache, pool.pool().as_ptr());
        let _ = self.mutexes.unlock(mutex);
        Some(result)
    }
}

impl Cache {
    fn create(spec: &CacheSpec<'_>, server: Server<'_>, pool: Pool<'_>) -> Result<Self, CacheProblem> {
        let said = spec.provider.to_owned();
        let name = pool.c_string(spec.provider.as_bytes());
        // SAFETY: strings that end with a NUL; httpd's providers live until the configuration's pool is cleared.
        let provider = unsafe {
            let group = raw::AP_SOCACHE_PROVIDER_GROUP.as_ptr().cast();
            let version = raw::AP_SOCACHE_PROVIDER_VERSION.as_ptr().cast();
            raw::ap_lookup_provider(group, name.as_ptr(), version)
        };
        let Some(provider) = NonNull::new(provider.cast::<raw::ap_socache_provider_t>()) else {
            // httpd's default is of that module.
            let provider = if said == "default" { "shmcb".to_owned() } else { said };
            return Err(CacheProblem::NoProvider { provider });
        };
        let argument = spec.argument.map_or(ptr::null(), |text| pool.c_string(text.as_bytes()).as_ptr());
        let mut cache = Self { provider, instance: ptr::null_mut(), server: server.as_ptr(), mutex: None };
        let temporary = OwnedPool::new();
        // SAFETY: what the provider makes lives in the configuration's pool, as it does itself.
        let refused = unsafe {
            let create = cache.functions().create;
            create.and_then(|create| {
                bytes_at(create(&mut cache.instance, argument, temporary.pool().as_ptr(), pool.as_ptr()))
            })
        };
        if let Some(why) = refused {
            return Err(CacheProblem::Refused { provider: said, why: String::from_utf8_lossy(why).into_owned() });
        }
        let hints = raw::ap_socache_hints {
            avg_id_len: 20,
            avg_obj_size: 500,
            expiry_interval: (60 * MICROSECONDS) as raw::apr_interval_time_t,
        };
        let tag: &CStr = pool.c_string(spec.tag.as_bytes());
        // SAFETY: made just now; the tag lives as long.
        let status = unsafe {
            let init = cache.functions().init;
            init.map_or(0, |init| init(cache.instance, tag.as_ptr(), &hints, server.as_ptr(), pool.as_ptr()))
        };
        AprStatus(status).checked().map_err(|status| CacheProblem::NotStarted { status })?;
        cache.destroy_with(pool);
        Ok(cache)
    }

    /// Has the provider destroy it before the pool is cleared, which its own pools do not survive. Not in children, which run the same
    /// when they end: the files are the parent's.
    fn destroy_with(&self, pool: Pool<'_>) {
        let (provider, instance, server) = (self.provider, self.instance, self.server);
        let maker = std::process::id();
        pool.before_cleanup(move || {
            if std::process::id() == maker {
                // SAFETY: the provider, the cache and the server live until the pool is cleared.
                unsafe {
                    if let Some(destroy) = provider.as_ref().destroy {
                        destroy(instance, server);
                    }
                }
            }
        });
    }

    fn functions(&self) -> &raw::ap_socache_provider_t {
        // SAFETY: lives as long as the configuration.
        unsafe { self.provider.as_ref() }
    }

    fn needs_mutex(&self) -> bool {
        self.functions().flags & raw::AP_SOCACHE_FLAG_NOTMPSAFE != 0
    }

    fn remove(&self, id: &[u8], pool: *mut raw::apr_pool_t) {
        if let Some(remove) = self.functions().remove {
            // SAFETY: the provider reads so many bytes.
            unsafe { remove(self.instance, self.server, id.as_ptr(), id.len() as c_uint, pool) };
        }
    }
}

/// The id of a name, of the length that all providers take. Names with the same id are told apart by what is stored.
pub fn id_of(name: &[u8]) -> [u8; raw::APR_SHA1_DIGESTSIZE as usize] {
    let mut id = [0; raw::APR_SHA1_DIGESTSIZE as usize];
    // SAFETY: the context is set up by the first call; the digest has that size.
    unsafe {
        let mut context: raw::apr_sha1_ctx_t = std::mem::zeroed();
        raw::apr_sha1_init(&mut context);
        raw::apr_sha1_update_binary(&mut context, name.as_ptr(), name.len() as c_uint);
        raw::apr_sha1_final(id.as_mut_ptr(), &mut context);
    }
    id
}
